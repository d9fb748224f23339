"""A CSV table row by row, exactly as written: nothing renamed, nothing converted, nothing dropped."""

from __future__ import annotations

import csv
import difflib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

from plstm_graph.errors import TableError


def open_table(path: Path, mode: str = "r") -> TextIO:
    """Open a CSV file, or a .csv.gz file, as UTF-8 text.

    Raises:
        TableError: there is no such file.
    """
    if mode == "r" and not path.is_file():
        raise TableError(f"there is no file {path}")
    encoding = "utf-8-sig" if mode == "r" else "utf-8"  # spreadsheets put a byte order mark in front
    opener = gzip.open if path.suffix == ".gz" else open
    return cast(TextIO, opener(path, mode + "t", encoding=encoding, newline=""))


def read_rows(file: TextIO, name: str) -> Iterator[list[str]]:
    """Header and rows, all of the width of the header.

    Short rows get empty cells. A blank line counts as a row of empty cells, except at the end of the file.

    Raises:
        TableError: the table is empty, is no UTF-8 text, or a row has more cells than the header.
    """
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
    if width is None:
        raise TableError(f"{name} is empty")


def find_column(header: list[str], column: str | None, name: str) -> int:
    """Position of the SMILES column: ``column``, or the only one called smiles in any case.

    Raises:
        TableError: it is missing, or its name stands more than once in the header.
    """
    if column is not None:
        found = [i for i, h in enumerate(header) if h == column]
    else:
        found = [i for i, h in enumerate(header) if h.strip().lower() == "smiles"]
    wanted = f"a column {column!r}" if column is not None else "a column named smiles; name it with --smiles-column"
    if not found:
        near = difflib.get_close_matches(column or "smiles", header, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TableError(f"{name} has no {wanted[2:]}{hint} Its columns: {', '.join(map(repr, header))}")
    if len(found) > 1:
        places = ", ".join(str(i + 1) for i in found)
        raise TableError(f"{name} has {wanted} more than once (columns {places}): rename all but one")
    return found[0]
