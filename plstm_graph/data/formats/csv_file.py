"""CSV files: every cell is text, exactly as written; nothing is renamed, converted or dropped."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Self, TextIO, cast

import pyarrow as pa

from plstm_graph.data.formats.chunk import Chunk
from plstm_graph.data.formats.text import as_text, rounded
from plstm_graph.errors import TableError


class CsvReader:
    """A CSV file as UTF-8 text, gzipped if it ends in .gz.

    Rows that are too short get empty cells. A blank line counts as a row of empty cells, except at the end of the file.

    Raises:
        TableError: the table is empty, damaged or no UTF-8 text, or a row has more cells than the header.
    """

    total: int | None = None
    made: int | None = None

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = _open(path, "r")
        self._lines = _rows(self._file, self.name)
        try:
            header = next(self._lines)
        except BaseException:
            self._file.close()
            raise
        self.schema = pa.schema([pa.field(name, pa.string()) for name in header])

    def chunks(self, rows: int) -> Iterator[Chunk]:
        while lines := list(islice(self._lines, rows)):
            columns = [pa.array(cells, pa.string()) for cells in zip(*lines, strict=True)]
            yield Chunk(pa.Table.from_arrays(columns, schema=self.schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


class CsvWriter:
    """A CSV file, gzipped if it ends in .gz; every chunk is in the file as soon as it was appended."""

    def __init__(self, path: Path, kept: pa.Schema, added: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _open(path, "w")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow([*kept.names, *added.names])

    def append(self, kept: pa.Table, added: pa.Table) -> None:
        columns = [*map(as_text, kept.columns), *map(rounded, added.columns)]
        self._writer.writerows(zip(*columns, strict=True))
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _open(path: Path, mode: str) -> TextIO:
    encoding = "utf-8-sig" if mode == "r" else "utf-8"  # spreadsheets put a byte order mark in front
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return cast(TextIO, opener(path, mode + "t", encoding=encoding, newline=""))


def _rows(file: TextIO, name: str) -> Iterator[list[str]]:
    """Header and rows, all of the width of the header."""
    reader = csv.reader(file)
    blanks = 0
    width = None
    try:
        for row in reader:
            if width is None:
                width = len(row)
                yield row
                continue
            if not row:
                blanks += 1
                continue
            if len(row) > width:
                raise TableError(f"{name}, line {reader.line_num}: {len(row)} cells, but the header has {width}")
            for _ in range(blanks):
                yield [""] * width
            blanks = 0
            yield row + [""] * (width - len(row))
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{name} cannot be read as a UTF-8 table near line {reader.line_num}: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{name} is damaged after line {reader.line_num}: {error}") from error
    if width is None:
        raise TableError(f"{name} is empty")
