from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from plstm_graph.data.read_table import find_targets, numbers, pick_column, read_molecules
from plstm_graph.errors import TableError


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], pd.DataFrame]:
    """Reads a table from its text."""

    def make(text: str) -> pd.DataFrame:
        (tmp_path / "table.csv").write_text(text, encoding="utf-8")
        first = text.partition("\n")[0].split(",")[0].strip("\ufeff ")
        return read_molecules(tmp_path / "table.csv", first).cells

    return make


def test_cells_stay_text(table: Callable[[str], pd.DataFrame]) -> None:
    found = table('smiles,"a, b",n\nC,007,\n"C,\n1", NA ,1e3\n')
    assert list(found.columns) == ["smiles", "a, b", "n"]
    assert found.iloc[0].tolist()[:2] == ["C", "007"]
    assert pd.isna(found.iloc[0, 2])
    assert found.iloc[1].tolist() == ["C,\n1", " NA ", "1e3"]


def test_names_may_stand_twice(table: Callable[[str], pd.DataFrame]) -> None:
    found = table("smiles,y,y,,\nC,1,2,3,4\n")
    assert list(found.columns) == ["smiles", "y", "y", "", ""]
    assert found.iloc[0].tolist() == ["C", "1", "2", "3", "4"]


def test_blank_lines_count_except_at_the_end(table: Callable[[str], pd.DataFrame]) -> None:
    found = table("smiles,y\nC,1\n\nCC,2\n,\n\n")
    assert found["smiles"].isna().tolist() == [False, True, False]


def test_short_rows_windows_and_spreadsheets(table: Callable[[str], pd.DataFrame]) -> None:
    found = table("\ufeffsmiles , y\r\nC\r\nCC,2\r\n")
    assert list(found.columns) == ["smiles", "y"]
    assert pd.isna(found["y"][0])
    assert found["y"][1] == "2"


def test_compressed(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write("smiles,y\nC,1\n")
    assert read_molecules(tmp_path / "t.csv.gz").cells.shape == (1, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"smiles,y\n", "has no rows below the header"),
        (b"smiles,y\n\n,\n", "has no rows below the header"),
        (b"smiles,y\nC,1\nC,1,2\n", "line 3: 3 cells, but the header has 2"),
        (b"smiles,y\nC,\xff\xfe\n", "cannot be read as a UTF-8 table"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_molecules(tmp_path / "t.csv")


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"there is no file .*t\.csv"):
        read_molecules(tmp_path / "t.csv")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"smiles,y\nC,1\n" * 500)[:-20])
    with pytest.raises(TableError, match=r"t\.csv\.gz is damaged"):
        read_molecules(tmp_path / "t.csv.gz")


def test_pick_column(table: Callable[[str], pd.DataFrame]) -> None:
    found = table("smiles,logS,y,y\nC,1,2,3\n")
    assert pick_column(found, "logS").tolist() == ["1"]
    with pytest.raises(TableError, match=r"no column 'logs'; did you mean 'logS'\? The columns are 'smiles', 'logS'"):
        pick_column(found, "logs")
    with pytest.raises(TableError, match="2 columns have the name 'y': rename all but one"):
        pick_column(found, "y")


def test_parquet(tmp_path: Path) -> None:
    columns = {"smiles": ["C", "", None, "CC", None], "y": np.array([0.1, 1, np.nan, 1e-9, np.nan], np.float32)}
    pd.DataFrame(columns | {"active": [True, None, False, True, None]}).to_parquet(tmp_path / "t.parquet")
    table = read_molecules(tmp_path / "t.parquet")
    assert table.molecules == ["C", "", None, "CC"]  # the last row is empty
    np.testing.assert_array_equal(numbers(table.cells, "y").astype(np.float32), columns["y"][:4])
    np.testing.assert_array_equal(numbers(table.cells, "active"), [1, np.nan, 0, 1])


def test_sdf(tmp_path: Path) -> None:
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    records = (block + "> <y>\n1.5\n", "no molecule\n\n\n> <y>\n2\n", block)
    (tmp_path / "t.sdf").write_text("\n$$$$\n".join(records))
    table = read_molecules(tmp_path / "t.sdf")
    assert table.smiles_column == "smiles"
    assert table.cells["smiles"].isna().tolist() == [False, True, False]
    assert [str(m) for m in table.molecules] == [
        "CCO",
        "the mol block cannot be read: it is cut short",
        "CCO",
    ]
    np.testing.assert_array_equal(numbers(table.cells, "y"), [1.5, 2, np.nan])


def test_find_targets(table: Callable[[str], pd.DataFrame]) -> None:
    found = table("smiles,name,y,z\nC,a,1.5,n/a\nCC,7,,\n")
    assert find_targets(found, ["smiles"]) == ["y"]
    with pytest.raises(TableError, match=r"several columns hold numbers \('id', 'y'\): name the target columns"):
        find_targets(table("smiles,id,y\nC,1,2\n"), ["smiles"])
    with pytest.raises(TableError, match="no column holds numbers"):
        find_targets(table("smiles,y\nC,high\n"), ["smiles"])
    with pytest.raises(TableError, match="no column holds numbers"):
        find_targets(table("smiles,y,y\nC,1,1\n"), ["smiles"])


def test_numbers(table: Callable[[str], pd.DataFrame]) -> None:
    found = table("y\n1\n -2.5e-1 \nNA\n\nnull\n+3\n")
    np.testing.assert_array_equal(numbers(found, "y"), [1, -0.25, np.nan, np.nan, np.nan, 3])


@pytest.mark.parametrize("cell", ["active", "1;5", "12 nM", ">10", "inf", "True"])
def test_cells_that_are_no_numbers(table: Callable[[str], pd.DataFrame], cell: str) -> None:
    found = table(f"y\n1\n{cell}\n{cell}\n")
    with pytest.raises(TableError, match=rf"column 'y', row 1: '{cell}' is not a number \(2 such cells.*with a point"):
        numbers(found, "y")
