"""Folds: a partition, stratified, grouped, new for every seed."""

from __future__ import annotations

import numpy as np
import pytest

from plstm_graph.data.folds import fold_split
from plstm_graph.errors import ConfigError

draw = np.random.default_rng(0)
CLASSES = (draw.random(200) < 0.1).astype(np.int64)
GROUPS = np.sort(draw.integers(0, 60, 200)) % 47


def all_folds(**options: object) -> list[dict[str, np.ndarray]]:
    return [fold_split(200, fold, 5, **options) for fold in range(5)]


@pytest.mark.parametrize("classes", [None, CLASSES])
@pytest.mark.parametrize("groups", [None, GROUPS])
def test_folds_are_a_partition(classes: np.ndarray | None, groups: np.ndarray | None) -> None:
    found = all_folds(classes=classes, groups=groups)
    assert sorted(np.concatenate([f["test"] for f in found]).tolist()) == list(range(200))
    for parts in found:
        assert sorted(np.concatenate([*parts.values()]).tolist()) == list(range(200))
        assert all((np.diff(rows) > 0).all() for rows in parts.values())
        sizes = [len(parts[part]) for part in ("train", "valid", "test")]
        assert (
            sizes == [120, 40, 40]
            if groups is None
            else max(abs(s - w) for s, w in zip(sizes, (120, 40, 40), strict=True)) < 12
        )
        if groups is not None:
            held = [set(groups[rows].tolist()) for rows in parts.values()]
            assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]


def test_shares_of_classes_are_kept() -> None:
    for parts in all_folds(classes=CLASSES):
        for rows in parts.values():
            assert CLASSES[rows].sum() == pytest.approx(CLASSES.mean() * len(rows), abs=1)
    plain = [int(CLASSES[parts["test"]].sum()) for parts in all_folds()]
    assert max(plain) - min(plain) > 1  # which random folds do not do


def test_another_seed_draws_new_folds() -> None:
    for options in ({}, {"groups": GROUPS}, {"classes": CLASSES, "groups": GROUPS}):
        first, again, other = (fold_split(200, 2, 5, seed=seed, **options) for seed in (0, 0, 1))
        assert all(np.array_equal(first[part], again[part]) for part in first)
        assert not np.array_equal(first["test"], other["test"])


@pytest.mark.filterwarnings("error")
def test_a_class_with_few_members_goes_as_far_as_it_reaches() -> None:
    classes = np.array([0] * 30 + [1] * 2)
    found = [fold_split(32, fold, 5, classes=classes)["test"] for fold in range(5)]
    assert sorted(int(classes[rows].sum()) for rows in found) == [0, 0, 0, 1, 1]
    assert len(fold_split(5, 0, 5, classes=np.arange(5))["test"]) == 1  # every class once: plain folds


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((10, 0, 2), {}, "num_folds=2 is too small"),
        ((10, 5, 5), {}, "fold 5 does not exist: num_folds=5 gives folds 0 to 4"),
        ((4, 0, 5), {}, "at least 5 molecules with a label, and there are 4"),
        ((10, 0, 5), {"groups": np.array([0, 1, 2, 3] * 2 + [0, 1])}, "at least 5 scaffolds, and there are 4"),
    ],
)
def test_folds_that_cannot_be(arguments: tuple, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fold_split(*arguments, **options)
