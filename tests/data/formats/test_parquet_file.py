"""Parquet: types kept, chunks of one size, nothing half written."""

from __future__ import annotations

import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plstm_graph.data.formats import create_table, open_table
from plstm_graph.errors import TableError

ADDED = pa.table({"y": pa.array([0.5], pa.float32())})


@pytest.fixture
def typed() -> pa.Table:
    """A table of many types, in which every column has a missing cell."""
    when = datetime.datetime(2024, 5, 1, 12, 30, tzinfo=datetime.UTC)
    columns = {
        "smiles": pa.array(["C", None, "CC"] * 10),
        "id": pa.array([2**62 + 1, None, -1] * 10, pa.int64()),
        "small": pa.array([1, None, 3] * 10, pa.uint8()),
        "x": pa.array([0.1, None, 1e-300] * 10),
        "yes": pa.array([True, None, False] * 10),
        "kind": pa.array(["a", None, "b"] * 10).dictionary_encode(),
        "when": pa.array([when, None, when] * 10),
        "bits": pa.array([[1, 0], None, []] * 10, pa.list_(pa.int8())),
        "raw": pa.array([b"\xff", None, b"ab"] * 10),
    }
    return pa.table(columns)


def copy(source: Path, target: Path, rows: int) -> list[int]:
    sizes = []
    with open_table(source) as table, create_table(target, table.schema, ADDED.schema) as out:
        for chunk in table.chunks(rows):
            sizes.append(len(chunk.cells))
            out.append(chunk.cells, pa.concat_tables([ADDED] * len(chunk.cells)))
    return sizes


@pytest.mark.parametrize("rows", [1, 4, 7, 100])
def test_types_and_cells_are_kept(typed: pa.Table, tmp_path: Path, rows: int) -> None:
    pq.write_table(typed, tmp_path / "in.parquet", row_group_size=9)
    sizes = copy(tmp_path / "in.parquet", tmp_path / "new" / "out.parquet", rows)
    assert sum(sizes) == 30
    assert set(sizes[:-1]) <= {rows}
    found = pq.read_table(tmp_path / "new" / "out.parquet")
    assert found.drop_columns("y").equals(typed)
    assert found["y"].to_pylist() == [0.5] * 30


def test_an_index_of_pandas_is_kept(tmp_path: Path) -> None:
    frame = pd.DataFrame({"smiles": ["C", "CC"], "n": [1, 2]}, index=pd.Index(["a", "b"], name="code"))
    frame.to_parquet(tmp_path / "in.parquet")
    copy(tmp_path / "in.parquet", tmp_path / "out.parquet", 1)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet").drop(columns="y"), frame)


def test_a_file_appears_once_it_is_complete(tmp_path: Path) -> None:
    def interrupted() -> None:
        with create_table(tmp_path / "out.parquet", pa.schema([]), ADDED.schema) as table:
            table.append(ADDED.select([]), ADDED)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_names_must_differ(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"out\.parquet would have the name 'y'.*rename"):
        create_table(tmp_path / "out.parquet", ADDED.schema, ADDED.schema)
    assert list(tmp_path.iterdir()) == []


def test_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("smiles\nC\n")
    with pytest.raises(TableError, match=r"x\.parquet cannot be read as Parquet"):
        open_table(tmp_path / "x.parquet")


def test_row_groups_are_not_small(tmp_path: Path) -> None:
    part = pa.concat_tables([ADDED] * 1000)
    with create_table(tmp_path / "x.parquet", pa.schema([]), ADDED.schema) as table:
        for _ in range(20):
            table.append(part.select([]), part)
    groups = pq.ParquetFile(tmp_path / "x.parquet").metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [17_000, 3_000]
