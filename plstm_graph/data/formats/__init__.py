"""The only place that knows the files of tables: CSV, Parquet and SDF, read and written in chunks of rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from plstm_graph.errors import ConfigError, TableError

if TYPE_CHECKING:
    import pyarrow as pa

    from plstm_graph.data.formats.chunk import TableReader, TableWriter

READABLE = (".csv", ".csv.gz", ".parquet", ".sdf", ".sdf.gz")
"""Endings of the tables that can be read, in lower case; files may have them in any case."""

WRITABLE = (".csv", ".csv.gz", ".parquet")
"""Endings of the tables that can be written."""


def ending(path: str | Path, known: tuple[str, ...] = READABLE) -> str | None:
    """The ending of a file's name among those that are ``known``, or None."""
    return next((suffix for suffix in known if str(path).lower().endswith(suffix)), None)


def check_ending(path: str | Path, known: tuple[str, ...]) -> str:
    """The ending of a file's name.

    Raises:
        ConfigError: it is not among those that are ``known``; the message names them.
    """
    suffix = ending(path, known)
    if suffix is None:
        raise ConfigError(f"{path} must end in {', '.join(known[:-1])} or {known[-1]}: that is how its format is known")
    return suffix


def check_not_input(out: Path, table: Path) -> None:
    """Raise :class:`ConfigError` if a table would be written over the one that is read."""
    if out.resolve() == table.resolve():
        raise ConfigError(f"{out} is the input itself: write to another file")


def open_table(path: str | Path) -> TableReader:
    """Open a table to read it in chunks; CSV and SDF may be gzipped.

    Raises:
        ConfigError: unknown ending.
        TableError: there is no such file, or it cannot be read; the chunks raise it as well.
    """
    path = Path(path)
    suffix = check_ending(path, READABLE)
    if not path.is_file():
        raise TableError(f"there is no file {path}")
    if suffix.startswith(".csv"):
        from plstm_graph.data.formats.csv_file import CsvReader

        return CsvReader(path)
    if suffix.startswith(".sdf"):
        from plstm_graph.data.formats.sdf_file import SdfReader

        return SdfReader(path)
    from plstm_graph.data.formats.parquet_file import ParquetReader

    return ParquetReader(path)


def create_table(path: str | Path, kept: pa.Schema, added: pa.Schema) -> TableWriter:
    """Create a table that is written chunk by chunk; its folder is made where it is missing.

    Args:
        path: the file; an existing one is replaced.
        kept: columns that are written as they were read.
        added: columns behind them. As text, their floating-point numbers have six significant digits.

    Raises:
        ConfigError: unknown ending.
        TableError: (Parquet) two columns of one name.
    """
    path = Path(path)
    suffix = check_ending(path, WRITABLE)
    if suffix.startswith(".csv"):
        from plstm_graph.data.formats.csv_file import CsvWriter

        return CsvWriter(path, kept, added)
    from plstm_graph.data.formats.parquet_file import ParquetWriter

    return ParquetWriter(path, kept, added)
