"""The column of SMILES, and molecules in chunks."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from plstm_graph.data.formats import open_table
from plstm_graph.data.formats.molecules import find_smiles, stream_molecules
from plstm_graph.errors import TableError


def find(folder: Path, header: str, column: str | None) -> int:
    (folder / "t.csv").write_text(header)
    with open_table(folder / "t.csv") as table:
        return find_smiles(table, column)


def test_the_smiles_column(tmp_path: Path) -> None:
    assert find(tmp_path, "id,SMILES,id", None) == 1
    assert find(tmp_path, "id, smiles ", None) == 1
    assert find(tmp_path, "a,b", "b") == 1
    for header, column, message in (
        (
            "smiles,x,Smiles",
            None,
            r"one column named smiles: 'smiles' \(column 1\), 'Smiles' \(column 3\); name the one",
        ),
        ("b,b", "b", r"more than one column 'b': .* rename all but one"),
        ("smiles;y", None, "columns must be separated by commas"),
        ("smile,x", None, r"no column named smiles; name it with --smiles-column; did you mean 'smile'.*'x'"),
        ("smile,x", "structure", "no column 'structure'.* 'smile', 'x'"),
    ):
        with pytest.raises(TableError, match=message):
            find(tmp_path, header, column)


def test_cells_wait_for_their_molecules(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,smiles\n1,C\n2,CC\n3,CCC\n")
    waiting: deque = deque()
    with open_table(tmp_path / "t.csv") as table:
        molecules = stream_molecules(table, 1, 2, waiting)
        assert [next(molecules), next(molecules)] == ["C", "CC"]
        assert [cells["id"].to_pylist() for cells in waiting] == [["1", "2"]]  # no further than was asked for
        assert list(molecules) == ["CCC"]
    assert [cells["id"].to_pylist() for cells in waiting] == [["1", "2"], ["3"]]
