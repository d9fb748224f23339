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
_NAMES = {"train": 0, "training": 0, "valid": 1, "val": 1, "validation": 1, "test": 2}


def split_dataset(
    dataset: PackedDataset, how: str, *, seed: int = 0, fractions: Sequence[float] = FRACTIONS
) -> dict[str, Tensor]:
    """Split a data set; graphs without nodes, which stand for rows that cannot be read, are in no part.

    Args:
        dataset: the graphs.
        how: ``"random"``, or ``"scaffold"`` (no scaffold in two parts, without randomness; see
            :func:`plstm_graph.chem.scaffold_split`).
        seed: of the random split.
        fractions: of train, valid and test.

    Returns:
        ``{"train": ..., "valid": ..., "test": ...}``, ascending graph numbers, int64.

    Raises:
        ConfigError: unknown split, wrong fractions, or a scaffold split of graphs that are no molecules.
    """
    rows = dataset.node_ptr.diff().nonzero().flatten()
    if how == "random":
        return {part: rows[chosen] for part, chosen in random_split(len(rows), seed, fractions).items()}
    if how != "scaffold":
        raise ConfigError(f"split={how!r} does not exist; choose from random, scaffold, column")
    if dataset.smiles is None:
        raise ConfigError(f"{dataset.name} has no SMILES, so it cannot be split by scaffold")
    from plstm_graph.chem.scaffold import scaffold_split

    parts = scaffold_split([dataset.smiles[i] for i in rows.tolist()], fractions=fractions)
    return {part: rows[torch.from_numpy(chosen)] for part, chosen in parts.items()}


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
