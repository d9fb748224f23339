"""Splits into train, valid and test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from plstm_graph.data.packed import PackedDataset
from plstm_graph.errors import ConfigError, TableError

PARTS = ("train", "valid", "test")
FRACTIONS = (0.8, 0.1, 0.1)
IN_FOLDS = ("kfold", "scaffold-kfold")
NUM_FOLDS = 5
_NAMES = {"train": 0, "training": 0, "valid": 1, "val": 1, "validation": 1, "test": 2}


def split_dataset(
    dataset: PackedDataset,
    how: str,
    *,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    fold: int = 0,
    num_folds: int = NUM_FOLDS,
) -> dict[str, Tensor]:
    """Split a data set; graphs without nodes (rows that cannot be read), labels or weight are in no part.

    Args:
        dataset: the graphs.
        how: ``"random"``; ``"scaffold"`` (no scaffold in two parts, without randomness; see
            :func:`plstm_graph.chem.scaffold_split`); ``"kfold"`` (random folds) or ``"scaffold-kfold"`` (no scaffold
            in two folds), both stratified for a single binary or multi-class target; see
            :func:`plstm_graph.data.folds.fold_split`.
        seed: of random splits and folds.
        fractions: of train, valid and test, for ``"random"`` and ``"scaffold"``.
        fold: which fold is test, from 0.
        num_folds: number of folds.

    Returns:
        ``{"train": ..., "valid": ..., "test": ...}``, ascending graph numbers, int64.

    Raises:
        ConfigError: unknown split, wrong fractions or fold, or scaffolds of graphs that are no molecules.
    """
    if how not in ("random", "scaffold", *IN_FOLDS):
        raise ConfigError(f"split={how!r} does not exist; choose from random, scaffold, {', '.join(IN_FOLDS)}, column")
    if fold and how not in IN_FOLDS:
        raise ConfigError(f"split={how!r} has no folds: fold={fold} has no meaning for it")
    if how.startswith("scaffold") and dataset.smiles is None:
        raise ConfigError(f"{dataset.name} has no SMILES, so it cannot be split by scaffold")
    rows = usable(dataset).nonzero().flatten()
    if how == "random":
        return {part: rows[chosen] for part, chosen in random_split(len(rows), seed, fractions).items()}
    smiles = None if dataset.smiles is None else [dataset.smiles[i] for i in rows.tolist()]
    if how == "scaffold":
        from plstm_graph.chem.scaffold import scaffold_split

        parts = scaffold_split(smiles, fractions=fractions)
    else:
        from plstm_graph.data.folds import fold_split

        groups = _scaffold_numbers(smiles) if how == "scaffold-kfold" else None
        classes = _classes(dataset, rows)
        parts = fold_split(len(rows), fold, num_folds, seed=seed, classes=classes, groups=groups)
    return {part: rows[torch.from_numpy(chosen)] for part, chosen in parts.items()}


def usable(dataset: PackedDataset) -> Tensor:
    """``[G]`` bool, which graphs have nodes, at least one label, and a weight above 0 if there are weights."""
    missing = dataset.y.isnan() if dataset.y.is_floating_point() else dataset.y < 0
    found = (dataset.node_ptr.diff() > 0) & ~missing.reshape(len(dataset), -1).all(dim=1)
    weight = dataset.graph_fields.get("sample_weight")
    return found if weight is None else found & (weight > 0)


def _classes(dataset: PackedDataset, rows: Tensor) -> np.ndarray | None:
    """What folds are stratified by: the classes of a single target, or nothing."""
    single = dataset.task == "multiclass" or (dataset.task == "binary" and dataset.num_tasks == 1)
    return dataset.y[rows].long().flatten().numpy() if single else None


def _scaffold_numbers(smiles: list[str]) -> np.ndarray:
    from plstm_graph.chem.scaffold import scaffold_groups

    number = np.empty(len(smiles), np.int64)
    for i, group in enumerate(scaffold_groups(smiles)):
        number[group] = i
    return number


def random_split(count: int, seed: int = 0, fractions: Sequence[float] = FRACTIONS) -> dict[str, Tensor]:
    """Numbers 0 to ``count - 1`` in three random parts, ascending within each.

    Raises:
        ConfigError: the fractions are not three numbers from 0 to 1 with sum 1.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ConfigError(f"fractions must be three numbers from 0 to 1 that sum to 1, got {tuple(fractions)}")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    ends = [round(fractions[0] * count), round((fractions[0] + fractions[1]) * count)]
    return {part: rows.sort().values for part, rows in zip(PARTS, order.tensor_split(ends), strict=True)}


def column_split(cells: pd.Series) -> dict[str, Tensor]:
    """Positions of the cells that say train, valid (or val) and test, in any case.

    Raises:
        TableError: a cell says something else; the message names its row (the index of ``cells``).
    """
    part = cells.str.strip().str.lower().map(_NAMES)
    wrong = np.flatnonzero(part.isna())
    if wrong.size:
        found = cells.iloc[wrong[0]]
        what = "is empty" if pd.isna(found) else f"says {found!r}"
        raise TableError(
            f"column {cells.name!r}, row {cells.index[wrong[0]]} {what}, which is none of train, valid and test "
            f"({wrong.size} such cells; rows count from 0)"
        )
    return {name: torch.from_numpy(np.flatnonzero(part.to_numpy() == i)) for i, name in enumerate(PARTS)}
