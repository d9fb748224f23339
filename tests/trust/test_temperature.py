"""Fitted temperatures against a grid search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from plstm_graph.trust import fit_binary_temperature, fit_class_temperature

GRID = np.exp(np.linspace(np.log(0.1), np.log(10), 2001))


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_binary_temperature_is_that_of_a_grid_search(scale: float) -> None:
    draw = np.random.default_rng(0)
    true = draw.normal(size=800)
    y = (draw.random(800) < expit(true)).astype(float)
    y[:50] = np.nan
    logit = scale * true
    known = slice(50, None)
    chance = expit(np.where(y[known] == 1, 1, -1) * logit[known] / GRID[:, None])  # of what came true, [grid, rows]
    losses = -np.log(chance).mean(axis=1)
    found = fit_binary_temperature(y, logit)
    assert found.value == pytest.approx(GRID[np.argmin(losses)], rel=0.005)
    assert (found.rows, found.note) == (750, "")


def test_class_temperature_is_that_of_a_grid_search() -> None:
    draw = np.random.default_rng(1)
    true = 2 * draw.normal(size=(600, 4))
    y = np.array([draw.choice(4, p=p) for p in softmax(true, axis=1)])
    y[::10] = -1
    known = y >= 0
    right = np.arange(known.sum()), y[known]
    losses = [-np.log(softmax(2.5 * true[known] / t, axis=1)[right]).mean() for t in GRID]
    found = fit_class_temperature(y, 2.5 * true)
    assert found.value == pytest.approx(GRID[np.argmin(losses)], rel=0.005)
    assert found.rows == 540


def test_what_no_temperature_fits_is_noted() -> None:
    assert fit_binary_temperature(np.ones(5), np.arange(5.0))[::2] == (
        1.0, "left at 1: the validation split has fewer than two classes",
    )  # fmt: skip
    separated = fit_binary_temperature(np.array([0.0, 0, 1, 1]), np.array([-2.0, -1, 1, 2]))
    assert separated.value == 1.0
    assert "without error" in separated.note
    wrong = fit_binary_temperature(np.array([0.0, 0, 1, 1]), np.array([2.0, 1, -1, -2]))
    assert wrong.value == 20.0
    assert "knows nothing" in wrong.note
