"""Calibration errors against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plstm_graph.trust import calibration_errors


def expected_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Sum over bins of (share of rows in it) times |mean confidence - share that is right|."""
    total = 0.0
    for b in range(bins):
        inside = [i for i, c in enumerate(confidence) if b / bins < c <= (b + 1) / bins]
        if inside:
            gap = sum(confidence[i] for i in inside) / len(inside) - sum(right[i] for i in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(gap)
    return total


def test_yes_and_no() -> None:
    draw = np.random.default_rng(0)
    p = draw.random(400)
    y = (draw.random(400) < p**2).astype(float)
    found = calibration_errors(np.append(y, np.nan), np.append(p, 0.5))
    assert found["expected_calibration_error"] == pytest.approx(expected_error(p, y), abs=1e-6)
    assert found["brier_score"] == pytest.approx(sum((a - b) ** 2 for a, b in zip(y, p, strict=True)) / 400)
    loss = -sum(math.log(b if a else 1 - b) for a, b in zip(y, p, strict=True)) / 400
    assert found["negative_log_likelihood"] == pytest.approx(loss)


def test_classes() -> None:
    draw = np.random.default_rng(1)
    p = draw.dirichlet(np.ones(3), size=300)
    y = draw.integers(0, 3, 300)
    found = calibration_errors(np.append(y, -1), np.vstack([p, p[:1]]))
    assert found["expected_calibration_error"] == pytest.approx(
        expected_error(p.max(axis=1), p.argmax(axis=1) == y), abs=1e-6
    )
    brier = sum(sum((p[i, c] - (y[i] == c)) ** 2 for c in range(3)) for i in range(300)) / 300
    assert found["brier_score"] == pytest.approx(brier)
    assert found["negative_log_likelihood"] == pytest.approx(-sum(math.log(p[i, y[i]]) for i in range(300)) / 300)


def test_one_class_is_enough_and_no_label_gives_nothing() -> None:
    assert calibration_errors(np.zeros(2), np.array([0.0, 0.5]))["brier_score"] == 0.125
    assert calibration_errors(np.full(2, np.nan), np.zeros(2)) == {}
    assert calibration_errors(np.full(2, -1), np.full((2, 3), 1 / 3)) == {}
