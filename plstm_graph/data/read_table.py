"""A table of molecules as text, and columns taken out of it."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from plstm_graph.data.formats import open_table
from plstm_graph.data.formats.molecules import find_smiles
from plstm_graph.data.formats.text import as_text
from plstm_graph.errors import SmilesError, TableError

_ROWS = 4096

MISSING = ("", "na", "n/a", "nan", "none", "null")
"""Cells that count as missing, in any case."""


class MoleculeTable(NamedTuple):
    """A table in memory.

    Attributes:
        cells: all cells as text, missing ones as NaN; names of columns may stand several times.
        smiles_column: name of the column of SMILES.
        molecules: its cells, or errors where the molecule in the file cannot become SMILES.
    """

    cells: pd.DataFrame
    smiles_column: str
    molecules: list[object]


def read_molecules(path: str | Path, smiles_column: str | None = None) -> MoleculeTable:
    """Read a table of any format, see :mod:`plstm_graph.data.formats`. Empty rows at its end are left out.

    Raises:
        TableError: the file is missing, empty or damaged, or the column of SMILES is missing or ambiguous.
    """
    with open_table(path) as table:
        column = find_smiles(table, smiles_column)
        names = [name.strip() for name in table.schema.names]
        cells: list[list[str | None]] = [[] for _ in names]
        molecules: list[object] = []
        for chunk in table.chunks(_ROWS):
            for collected, values in zip(cells, chunk.cells.columns, strict=True):
                collected += text_cells(values)
            molecules += chunk.molecules(column, column == table.made)
    frame = pd.DataFrame({i: pd.Series(values, dtype=object) for i, values in enumerate(cells)}).fillna(np.nan)
    unreadable = np.array([isinstance(molecule, SmilesError) for molecule in molecules], bool)
    filled = np.flatnonzero(frame.notna().any(axis=1).to_numpy(bool) | unreadable)
    if not filled.size:
        raise TableError(f"{path} has no rows below the header")
    rows = filled[-1] + 1
    frame.columns = names
    return MoleculeTable(frame.iloc[:rows], names[column], molecules[:rows])


def text_cells(column: pa.ChunkedArray) -> list[str | None]:
    """Cells as text, also where a file has types of its own: true and false are 1 and 0, an empty text is missing."""
    column = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    return [text or None for text in as_text(column)]


def pick_column(table: pd.DataFrame, column: str) -> pd.Series:
    """The one column of that name.

    Raises:
        TableError: there is none, or several.
    """
    found = int((table.columns == column).sum())
    if found == 0:
        near = difflib.get_close_matches(column, list(table.columns), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TableError(f"there is no column {column!r}{hint} The columns are {_list(table.columns)}")
    if found > 1:
        raise TableError(f"{found} columns have the name {column!r}: rename all but one")
    return table[column]


def find_targets(table: pd.DataFrame, others: list[str]) -> list[str]:
    """Name of the only column, besides ``others``, that holds nothing but numbers.

    Raises:
        TableError: there is none, or several, of which one may be an identifier and no target.
    """
    once = [name for name in table.columns if (table.columns == name).sum() == 1 and name not in others]
    found = [name for name in once if _is_number_column(table[name])]
    if len(found) != 1:
        what = "no column holds numbers" if not found else f"several columns hold numbers ({_list(found)})"
        raise TableError(f"{what}: name the target columns; the columns are {_list(table.columns)}")
    return found


def numbers(table: pd.DataFrame, column: str, advice: str = "write decimals with a point") -> np.ndarray:
    """A column as float64, NaN where the cell is missing (see :data:`MISSING`).

    ``advice`` is for cells that hold something else.

    Raises:
        TableError: a cell holds something else; the message names it.
    """
    cells = pick_column(table, column)
    values = pd.to_numeric(cells, errors="coerce").to_numpy(float)
    wrong = np.flatnonzero((np.isnan(values) & ~is_missing(cells)) | np.isinf(values))
    if wrong.size:
        raise TableError(
            f"column {column!r}, row {wrong[0]}: {cells.iloc[wrong[0]]!r} is not a number ({wrong.size} such cells; "
            f"rows count from 0): {advice}; leave a cell empty if its value is missing"
        )
    return values


def complete_numbers(table: pd.DataFrame, column: str, what: str) -> np.ndarray:
    """:func:`numbers` of a column where no cell may be missing; ``what`` says what it holds, such as "a weight".

    Raises:
        TableError: a cell is missing, no number, or too large for float32; the message names it.
    """
    values = numbers(table, column)
    wrong = np.flatnonzero(~(np.abs(values) <= np.finfo(np.float32).max))
    if wrong.size:
        cell = "is empty" if np.isnan(values[wrong[0]]) else f"holds {values[wrong[0]]:g}, which is too large"
        raise TableError(
            f"column {column!r}, row {wrong[0]} {cell}: every row needs {what} ({wrong.size} such cells; rows count "
            "from 0)"
        )
    return values


def is_missing(cells: pd.Series) -> np.ndarray:
    """``[rows]`` bool, whether a cell is missing."""
    return (cells.isna() | cells.str.strip().str.lower().isin(MISSING)).to_numpy(bool)


def _is_number_column(cells: pd.Series) -> bool:
    missing = is_missing(cells)
    values = pd.to_numeric(cells[~missing], errors="coerce")
    return len(values) > 0 and bool(np.isfinite(values.to_numpy(float)).all())


def _list(names: object) -> str:
    return ", ".join(map(repr, names))
