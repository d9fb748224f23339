"""Tables come back exactly as they were written."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from plstm_graph.errors import TableError
from plstm_graph.train.csv_table import find_column, open_table, read_rows


def rows_of(path: Path) -> list[list[str]]:
    with open_table(path) as file:
        return list(read_rows(file, path.name))


def test_cells_are_kept_as_text(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes('\ufeffname,name,smiles\r\n007,NA,"C,C ""x"""\r\n1e5,,\r\nshort\r\n'.encode())
    assert rows_of(path) == [
        ["name", "name", "smiles"],
        ["007", "NA", 'C,C "x"'],
        ["1e5", "", ""],
        ["short", "", ""],
    ]


def test_blank_lines_are_rows_unless_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"smiles\nC\n\nCC\n\n\n"))
    assert rows_of(path) == [["smiles"], ["C"], [""], ["CC"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells"), (b"a\n\xff\xfe\n", "UTF-8")],
)
def test_unreadable_tables(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        rows_of(path)
    with pytest.raises(TableError, match="no file"):
        open_table(tmp_path / "none.csv")


def test_the_smiles_column() -> None:
    assert find_column(["id", "SMILES", "id"], None, "t") == 1
    assert find_column(["a", "b"], "b", "t") == 1
    with pytest.raises(TableError, match=r"more than once \(columns 1, 3"):
        find_column(["smiles", "x", "Smiles"], None, "t")
    with pytest.raises(TableError, match="'b' more than once"):
        find_column(["b", "b"], "b", "t")
    with pytest.raises(TableError, match=r"did you mean 'smile'.*'x'"):
        find_column(["smile", "x"], None, "t")
    with pytest.raises(TableError, match="'structure'"):
        find_column(["smile", "x"], "structure", "t")
