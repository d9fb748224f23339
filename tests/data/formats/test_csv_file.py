"""Tables come back exactly as they were written."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from plstm_graph.data.formats import create_table, open_table
from plstm_graph.errors import TableError


def rows_of(path: Path) -> list[list[str]]:
    """Header and rows, by a reader that gives two rows at a time."""
    with open_table(path) as table:
        chunks = list(table.chunks(2))
    assert all(len(chunk.cells) == 2 for chunk in chunks[:-1])
    rows = [list(row) for chunk in chunks for row in zip(*(c.to_pylist() for c in chunk.cells.columns), strict=True)]
    return [table.schema.names, *rows]


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
    [(b"", "empty"), (b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells"), (b"a\n\xff\xfe\n", "UTF-8 table near line")],
)
def test_unreadable_tables(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        rows_of(path)
    with pytest.raises(TableError, match="no file"):
        open_table(tmp_path / "none.csv")


def test_damaged_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 9999)[:-20])
    with pytest.raises(TableError, match=r"x\.csv\.gz is damaged after line \d+"):
        rows_of(path)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_what_was_appended_is_in_the_file_at_once(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "folder" / f"x{suffix}"
    kept = pa.table({"note": pa.array(['a "b", c', None])})
    added = pa.table({"y": pa.array([1 / 3, None], pa.float32())})
    with create_table(path, kept.schema, added.schema) as table:
        table.append(kept, added)
        so_far = path.read_bytes()
        if suffix.endswith("gz"):
            so_far = zlib.decompressobj(wbits=31).decompress(so_far)
        assert so_far == b'note,y\n"a ""b"", c",0.333333\n,\n'
        table.append(kept, added)
    assert rows_of(path)[3:] == [['a "b", c', "0.333333"], ["", ""]]
