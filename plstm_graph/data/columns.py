"""What the columns of a table of molecules mean: targets, weights, descriptors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from plstm_graph.data.read_table import complete_numbers, is_missing, numbers, pick_column
from plstm_graph.errors import ConfigError, TableError

METRICS = {"regression": "rmse", "binary": "rocauc", "multiclass": "accuracy"}


def check_roles(targets: Sequence[str], descriptors: Sequence[str], weight_column: str | None) -> None:
    """No column is predicted from itself, and none is named twice.

    Raises:
        TableError: the message names the column.
    """
    twice = sorted({name for name in descriptors if list(descriptors).count(name) > 1})
    if twice:
        raise TableError(f"the descriptor {twice[0]!r} was named twice")
    for role, names in (("a descriptor", descriptors), ("the weight", [weight_column])):
        both = [name for name in names if name in targets]
        if both:
            raise TableError(f"the column {both[0]!r} is named both as a target and as {role}")


def read_extras(table: pd.DataFrame, weight_column: str | None, descriptors: Sequence[str]) -> dict[str, Tensor]:
    """What rows have besides SMILES and targets: ``sample_weight [rows]``, ``descriptors [rows, D]``, float32.

    Raises:
        TableError: a cell is missing or no number, or a weight is negative; the message names row and column.
    """
    fields = {}
    if weight_column is not None:
        weight = complete_numbers(table, weight_column, "a weight")
        if (weight < 0).any():
            row = int(np.flatnonzero(weight < 0)[0])
            raise TableError(f"column {weight_column!r}, row {row}: {weight[row]:g} is negative, which no weight is")
        fields["sample_weight"] = weight
    if descriptors:
        fields["descriptors"] = np.stack([complete_numbers(table, d, "a descriptor") for d in descriptors], axis=1)
    return {name: torch.tensor(values, dtype=torch.float32) for name, values in fields.items()}


def read_targets(table: pd.DataFrame, columns: Sequence[str], task: str) -> tuple[Tensor, str, list[str]]:
    """Labels of all rows, the kind of task, and the names of the classes of a multi-class task.

    Returns:
        ``[rows, T]`` float32 with NaN where missing, or ``[rows]`` int64 classes with -1 where missing.

    Raises:
        TableError: a target holds something that does not fit the task, or nothing at all.
        ConfigError: unknown task.
    """
    if task not in ("auto", *METRICS):
        raise ConfigError(f"task={task!r} does not exist; choose from auto, {', '.join(METRICS)}")
    twice = sorted({column for column in columns if list(columns).count(column) > 1})
    if twice:
        raise TableError(f"the target {twice[0]!r} was named twice")
    for column in columns:
        if is_missing(pick_column(table, column)).all():
            raise TableError(f"the target {column!r} has no value in any row")
    if task == "multiclass":
        if len(columns) > 1:
            raise TableError(f"a multi-class task has one target, got {', '.join(map(repr, columns))}")
        label, class_names = _classes(pick_column(table, columns[0]))
        return label, task, class_names
    advice = "write decimals with a point, and name the task multiclass if these are classes"
    y = np.stack([numbers(table, column, advice) for column in columns], axis=1)
    _check_precision(y, columns)
    other = ~np.isnan(y) & (y != 0) & (y != 1)
    if task == "binary" and other.any():
        row, j = np.argwhere(other)[0]
        raise TableError(f"column {columns[j]!r}, row {row}: {y[row, j]:g} is neither 0 nor 1, as a binary target is")
    if task == "auto":
        task = "regression" if other.any() else "binary"
    return torch.from_numpy(y).float(), task, []


def _check_precision(y: np.ndarray, columns: Sequence[str]) -> None:
    """Labels are kept as float32: neither may they be beyond it, nor may rounding eat up their differences."""
    for column, values in zip(columns, y.T, strict=True):
        known = values[~np.isnan(values)]
        if np.abs(known).max() > np.finfo(np.float32).max:
            raise TableError(
                f"column {column!r} holds {known[np.abs(known).argmax()]:g}, which is too large for float32"
            )
        lost = np.abs(known.astype(np.float32) - known).max()
        if lost > 1e-3 * known.std() > 0:
            raise TableError(
                f"column {column!r}: its values, around {known.mean():g}, differ by {known.std():.2g} (one standard "
                f"deviation), of which float32 would lose up to {lost:.2g}: subtract a constant, such as the mean"
            )


def _classes(cells: pd.Series) -> tuple[Tensor, list[str]]:
    """Class numbers, in the order of the classes' names, or of their values if all are numbers."""
    missing = is_missing(cells)
    known = cells[~missing].str.strip()
    values = pd.to_numeric(known, errors="coerce")
    if values.notna().all():  # 1 and 1.0 are one class
        order = np.unique(values)
        names, code = [f"{value:g}" for value in order], np.searchsorted(order, values)
    else:
        names, code = np.unique(known.to_numpy(str), return_inverse=True)
    label = torch.full((len(cells),), -1)
    label[torch.from_numpy(~missing)] = torch.from_numpy(np.asarray(code, np.int64))
    return label, [str(name) for name in names]
