"""K-fold splits: random or with groups kept together, stratified by class where there are classes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from plstm_graph.errors import ConfigError

LEAST_FOLDS = 3


def fold_split(
    count: int,
    fold: int,
    folds: int,
    *,
    seed: int = 0,
    classes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """One fold as test, a part of the rest that is as large as valid, and what remains as train.

    The folds of one seed are disjoint and cover everything; another seed draws new folds. Splitters are
    scikit-learn's, for the validation part as well: it is a fold of the rest, so it is stratified and keeps groups
    together in the same way.

    Args:
        count: number of rows.
        fold: which fold is test, from 0.
        folds: number of folds k, 3 at least.
        seed: of both shuffles.
        classes: ``[count]`` class numbers whose shares are to be kept, or ``None``.
        groups: ``[count]`` group numbers; no group is in two parts. Folds are uneven where groups are large.

    Returns:
        ``{"train": ..., "valid": ..., "test": ...}``, ascending row numbers, int64.

    Raises:
        ConfigError: there is no such fold, or there are too few rows or groups for so many folds.
    """
    if folds < LEAST_FOLDS:
        raise ConfigError(f"num_folds={folds} is too small: train, valid and test need {LEAST_FOLDS} folds at least")
    if not 0 <= fold < folds:
        raise ConfigError(f"fold {fold} does not exist: num_folds={folds} gives folds 0 to {folds - 1}")
    there = count if groups is None else len(np.unique(groups))
    if there < folds:
        what = "molecules with a label" if groups is None else "scaffolds"
        raise ConfigError(f"{folds} folds need at least {folds} {what}, and there are {there}")
    rest, test = list(_folds(np.arange(count), folds, seed, classes, groups))[fold]
    train, valid = next(_folds(rest, folds - 1, seed, classes, groups))
    return {part: np.sort(rows) for part, rows in (("train", train), ("valid", valid), ("test", test))}


def _folds(
    rows: np.ndarray, folds: int, seed: int, classes: np.ndarray | None, groups: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

    if classes is not None and np.bincount(classes[rows]).max() < folds:
        classes = None  # no class reaches into every fold, so there is nothing to balance
    label = np.zeros(len(rows), np.int64) if classes is None else classes[rows]
    if groups is not None:
        kind = StratifiedGroupKFold  # with a single class it evens out the sizes of the folds
    else:
        kind = KFold if classes is None else StratifiedKFold
    splitter = kind(n_splits=folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # it goes as far as it reaches
        found = list(splitter.split(rows, label, None if groups is None else groups[rows]))
    for others, chosen in found:
        yield rows[others], rows[chosen]
