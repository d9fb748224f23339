"""Tables of molecules: a column of SMILES, target columns, splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from plstm_graph.chem.batch import FeaturizeReport, featurize
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.read_table import find_targets, is_missing, numbers, pick_column, read_molecules
from plstm_graph.data.splits import FRACTIONS, column_split, split_dataset
from plstm_graph.errors import ConfigError, TableError

METRICS = {"regression": "rmse", "binary": "rocauc", "multiclass": "accuracy"}


def load_table(
    path: str | Path,
    *,
    smiles_column: str | None = None,
    targets: Sequence[str] = (),
    task: str = "auto",
    split: str = "random",
    split_column: str | None = None,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    on_error: str = "raise",
    workers: int = 0,
    name: str | None = None,
) -> tuple[PackedDataset, FeaturizeReport]:
    """A table as a data set; rows count from 0, without the header.

    Args:
        path: the file: CSV, Parquet or SDF, see :mod:`plstm_graph.data.formats`.
        smiles_column: name of the column of SMILES; by default the only one called smiles, in any case, or for SDF the
            molecules of the file.
        targets: names of the target columns; by default the only other column that holds numbers.
        task: ``"regression"``, ``"binary"`` (targets 0 and 1), ``"multiclass"`` (one target, numbers or text), or
            ``"auto"``: binary if all values are 0 or 1, else regression.
        split: ``"random"``, ``"scaffold"`` or ``"column"``; see :mod:`plstm_graph.data.splits`.
        split_column: for ``split="column"``, the column that says train, valid or test in every row.
        seed: of the random split.
        fractions: of train, valid and test, for random and scaffold splits.
        on_error: what a row whose SMILES cannot be read does: ``"raise"`` an error, ``"skip"`` it, or ``"nan"``: keep
            its place, as a graph without atoms and with missing targets that is in no part of the split.
        workers: processes that featurise.
        name: name of the set; that of the file by default.

    Returns:
        The data set and the report of the featurisation. ``graph_fields["row"]`` is the row of every graph.

    Raises:
        TableError: a column is missing, stands twice, or holds something that it should not; columns that are not
            used may have any name and content.
        SmilesError: a row cannot be read and ``on_error="raise"``.
        ConfigError: unknown split, task or policy.
    """
    if (split == "column") != (split_column is not None):
        raise ConfigError("split='column' and split_column go together: give both or neither")
    table, smiles_column, molecules = read_molecules(path, smiles_column)
    used = [smiles_column] + ([split_column] if split_column else [])
    columns = list(targets) or find_targets(table, used)
    y, task, class_names = read_targets(table, columns, task)
    smiles = pick_column(table, smiles_column)
    packed, report = featurize(molecules, on_error=on_error, chirality="canonical", workers=workers, progress=True)
    arrays = {key: torch.from_numpy(array) for key, array in packed.items()}
    row = torch.from_numpy(report.row)
    y = y[row]
    y[arrays["node_ptr"].diff() == 0] = -1 if task == "multiclass" else np.nan
    dataset = PackedDataset(
        name=name or Path(path).name.split(".")[0],
        y=y,
        task=task,
        metric=METRICS[task],
        num_classes=len(class_names),
        node_kind="atom",
        edge_kind="bond",
        chirality="canonical",
        node_fields={"canonical_rank": arrays.pop("canonical_rank")},
        graph_fields={"row": row},
        text_fields={"smiles": smiles.fillna("").iloc[report.row].tolist()},
        targets=columns,
        class_names=class_names,
        **arrays,
    )
    if split_column is None:
        dataset.splits = split_dataset(dataset, split, seed=seed, fractions=fractions)
    else:
        there = (dataset.node_ptr.diff() > 0).nonzero().flatten()
        parts = column_split(pick_column(table, split_column).iloc[row[there].tolist()])
        dataset.splits = {part: there[positions] for part, positions in parts.items()}
    return dataset, report


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
    y = np.stack([numbers(table, column) for column in columns], axis=1)
    other = ~np.isnan(y) & (y != 0) & (y != 1)
    if task == "binary" and other.any():
        row, j = np.argwhere(other)[0]
        raise TableError(f"column {columns[j]!r}, row {row}: {y[row, j]:g} is neither 0 nor 1, as a binary target is")
    if task == "auto":
        task = "regression" if other.any() else "binary"
    return torch.from_numpy(y).float(), task, []


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
