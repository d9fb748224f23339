"""A table of molecules as text, and columns taken out of it."""

from __future__ import annotations

import difflib
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from plstm_graph.errors import TableError

MISSING = ("", "na", "n/a", "nan", "none", "null")
"""Cells that count as missing, in any case."""


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV file (also compressed), all cells as text, missing ones as NaN.

    Names of columns may stand several times. Blank lines count as rows of missing cells, except at the end.

    Raises:
        TableError: the file is missing, empty or damaged, or a row is longer than the header.
    """
    options = {"header": None, "dtype": str, "keep_default_na": False, "na_values": [""], "skip_blank_lines": False}
    try:
        rows = pd.read_csv(path, encoding="utf-8-sig", **options)
    except FileNotFoundError as error:
        raise TableError(f"there is no file {path}") from error
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise TableError(f"{path} cannot be read as CSV: {error}") from error
    filled = np.flatnonzero(rows.notna().any(axis=1))
    table = rows.iloc[1 : filled[-1] + 1 if filled.size else 1].reset_index(drop=True)
    if not len(table):
        raise TableError(f"{path} has no rows below the header")
    table.columns = ["" if pd.isna(name) else str(name).strip() for name in rows.iloc[0]]
    return table


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


def find_smiles(table: pd.DataFrame, column: str | None) -> str:
    """Name of the column of SMILES: ``column``, or the only one called smiles in any case.

    Raises:
        TableError: there is none, or several.
    """
    if column is None:
        found = [name for name in table.columns if name.lower() == "smiles"]
        if len(found) != 1:
            what = "no column is" if not found else f"{len(found)} columns are"
            raise TableError(f"{what} called smiles: name the column of SMILES; the columns are {_list(table.columns)}")
        column = found[0]
    pick_column(table, column)
    return column


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


def numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    """A column as float64, NaN where the cell is missing (see :data:`MISSING`).

    Raises:
        TableError: a cell holds something else; the message names it.
    """
    cells = pick_column(table, column)
    values = pd.to_numeric(cells, errors="coerce").to_numpy(float)
    wrong = np.flatnonzero((np.isnan(values) & ~is_missing(cells)) | np.isinf(values))
    if wrong.size:
        raise TableError(
            f"column {column!r}, row {wrong[0]}: {cells.iloc[wrong[0]]!r} is not a number; leave the cell empty if the "
            f"value is missing ({wrong.size} such cells; rows count from 0)"
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
