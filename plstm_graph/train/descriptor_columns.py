"""The columns of an open table that a model takes beside the molecule, chunk by chunk."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from plstm_graph.data.formats.chunk import TableReader
from plstm_graph.data.read_table import is_missing, text_cells
from plstm_graph.errors import TableError


def find_descriptors(table: TableReader, names: Sequence[str]) -> list[int]:
    """Positions of the columns, in the order of ``names``.

    Raises:
        TableError: one is missing, or stands more than once; the message names it.
    """
    columns = [name.strip() for name in table.schema.names]
    for name in names:
        if columns.count(name) > 1:
            raise TableError(f"{table.name} has {columns.count(name)} columns {name!r}: rename all but one")
        if name not in columns:
            lower = {column.lower(): column for column in columns}
            near = difflib.get_close_matches(name.lower(), lower, n=1)
            hint = f" (the nearest is {lower[near[0]]!r})" if near else ""
            raise TableError(
                f"{table.name} has no column {name!r}{hint}: the model was trained with the descriptors "
                f"{', '.join(map(repr, names))} and needs all of them"
            )
    return [columns.index(name) for name in names]


def read_descriptors(
    cells: pa.Table, positions: Sequence[int], names: Sequence[str]
) -> tuple[np.ndarray, dict[int, str]]:
    """Descriptors ``[rows, D]`` of a chunk, float32, and why rows have none, by row; such rows hold zeros."""
    values = np.zeros((cells.num_rows, len(names)), np.float32)
    reasons: dict[int, str] = {}
    for j, (position, name) in enumerate(zip(positions, names, strict=True)):
        texts = pd.Series(text_cells(cells.columns[position]), dtype=object)
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(float)
        missing = is_missing(texts.astype("str"))
        wrong = ~(np.abs(numbers) <= np.finfo(np.float32).max)
        for row in np.flatnonzero(wrong).tolist():
            what = "is empty" if missing[row] else f"{texts[row]!r} is not a number"
            reasons.setdefault(row, f"descriptor {name!r} {what}")
        values[:, j] = np.where(wrong, 0.0, numbers)
    values[list(reasons)] = 0.0
    return values, reasons
