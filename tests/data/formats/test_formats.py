"""Files by their endings."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from plstm_graph.data.formats import check_not_input, create_table, ending, open_table
from plstm_graph.errors import ConfigError, TableError


def test_endings() -> None:
    assert ending("x/Y.CSV.GZ") == ".csv.gz"
    assert ending("x.sdf") == ".sdf"
    assert ending("x.csv.zip") is None
    with pytest.raises(ConfigError, match=r"x\.xlsx must end in \.csv, \.csv\.gz, \.parquet, \.sdf or \.sdf\.gz"):
        open_table("x.xlsx")
    with pytest.raises(ConfigError, match=r"x\.sdf must end in \.csv, \.csv\.gz or \.parquet"):
        create_table("x.sdf", pa.schema([]), pa.schema([]))


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".sdf.gz"])
def test_no_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(TableError, match=r"there is no file .*none"):
        open_table(tmp_path / f"none{suffix}")


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    check_not_input(tmp_path / "a.csv", tmp_path / "b.csv")
    with pytest.raises(ConfigError, match="is the input itself"):
        check_not_input(tmp_path / "x" / ".." / "a.csv", tmp_path / "a.csv")
