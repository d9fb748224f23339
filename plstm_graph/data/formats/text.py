"""Cells of any type as text that reads back as the same value."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc


def as_text(column: pa.ChunkedArray) -> list[str | None]:
    """Text of every cell, None where it is missing.

    Numbers have as many digits as they need to read back the same; lists and records are JSON; bytes that are no text
    are hexadecimal.
    """
    if pa.types.is_string(column.type):
        return column.to_pylist()
    try:
        return pc.cast(column, pa.string()).to_pylist()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return [None if value is None else _one(value) for value in column.to_pylist()]


def _one(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False, default=str)


def rounded(column: pa.ChunkedArray) -> list[str | None]:
    """:func:`as_text`, but six significant digits of floating-point numbers."""
    if not pa.types.is_floating(column.type):
        return as_text(column)
    return [None if value is None else f"{value:.6g}" for value in column.to_pylist()]
