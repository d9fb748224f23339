"""Metrics with missing labels, beside values made by hand and OGB's own evaluator."""

from __future__ import annotations

import numpy as np
import pytest

from plstm_graph.errors import ConfigError
from plstm_graph.train.metrics import evaluate
from plstm_graph.train.task import METRICS, Task

NAN = np.nan


def test_rocauc_by_hand_with_missing_labels() -> None:
    y = np.array([[0, NAN], [1, NAN], [1, 1], [NAN, 0]], dtype=float)
    scores = np.array([[0.5, 9], [0.2, 9], [0.9, 3], [7, 4]], dtype=float)
    # first target: pairs (0.2 > 0.5) wrong, (0.9 > 0.5) right; second: (3 > 4) wrong
    assert evaluate(Task("binary", ("a", "b")), y, scores) == pytest.approx((0.5 + 0.0) / 2)


@pytest.mark.parametrize(("metric", "expected"), [("rmse", np.sqrt((1 + 9) / 2)), ("mae", 2.0), ("r2", 1 - 10 / 2)])
def test_regression_by_hand(metric: str, expected: float) -> None:
    y, scores = np.array([[1.0], [3.0], [NAN]]), np.array([[2.0], [0.0], [5.0]])
    assert evaluate(Task("regression", ("a",), metric=metric), y, scores) == pytest.approx(expected)


def test_classes() -> None:
    y = np.array([0, 2, 1, -1])
    logits = np.array([[3.0, 1, 0], [0, 1, 2], [2, 1, 0], [0, 9, 0]])
    assert evaluate(Task("multiclass", ("a",), num_classes=3), y, logits) == pytest.approx(2 / 3)
    rocauc = Task("multiclass", ("a",), num_classes=2, metric="rocauc")
    assert evaluate(rocauc, np.array([0, 1, 1, 0]), logits[:, :2]) == pytest.approx(0.5)


def test_binary_accuracy_is_at_probability_one_half() -> None:
    y, logits = np.array([[1.0], [0.0], [1.0]]), np.array([[0.1], [-0.1], [-3.0]])
    assert evaluate(Task("binary", ("a",), metric="accuracy"), y, logits) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_a_weight_of_two_counts_as_two_rows(kind: str) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3 if kind == "multiclass" else 2, 12)
    y = y if kind == "multiclass" else y.reshape(-1, 1).astype(float)
    if kind != "multiclass":
        y[4] = NAN
    scores = rng.normal(size=(12, 3 if kind == "multiclass" else 1))
    repeats = rng.integers(1, 4, 12)
    for metric in METRICS[kind]:
        task = Task(kind, ("a",), num_classes=3 if kind == "multiclass" else 0, metric=metric)
        expected = evaluate(task, y.repeat(repeats, axis=0), scores.repeat(repeats, axis=0))
        assert evaluate(task, y, scores, repeats) == pytest.approx(expected)
        assert evaluate(task, y, scores) != pytest.approx(expected)


@pytest.mark.parametrize("name", ["ogbg-molhiv", "ogbg-molesol"])
def test_ogb_sets_use_ogbs_evaluator(name: str) -> None:
    kind = "binary" if name == "ogbg-molhiv" else "regression"
    y, scores = np.array([[1.0], [0.0], [1.0], [0.0]]), np.array([[0.9], [0.4], [0.3], [0.2]])
    expected = {"binary": 3 / 4, "regression": np.sqrt(np.square(y - scores).mean())}[kind]
    assert evaluate(Task(kind, ("y",), ogb_name=name), y, scores) == pytest.approx(expected)


@pytest.mark.parametrize("ogb_name", [None, "ogbg-molhiv"])
def test_one_class_only_is_an_error(ogb_name: str | None) -> None:
    y = np.ones((3, 1))
    with pytest.raises(ConfigError, match=r"one class only|positively labeled"):
        evaluate(Task("binary", ("a",), ogb_name=ogb_name), y, y)


def test_metric_must_fit_the_targets() -> None:
    with pytest.raises(ConfigError, match="rmse, mae, r2"):
        Task("regression", ("a",), metric="rocauc")
    assert Task("regression", ("a",)).maximize is False
    assert Task("binary", ("a",)).maximize is True


def test_a_target_whose_labels_all_have_weight_zero_does_not_count() -> None:
    y, scores = np.array([[1.0, NAN], [3.0, 2.0]]), np.array([[2.0, 0.0], [9.0, 9.0]])
    task = Task("regression", ("a", "b"))
    assert evaluate(task, y, scores, np.array([1.0, 0.0])) == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="no label"):
        evaluate(task, y, scores, np.zeros(2))


def test_r2_of_a_single_label_does_not_count() -> None:
    y, scores = np.array([[1.0, NAN], [3.0, 2.0]]), np.array([[1.0, 0.0], [3.0, 9.0]])
    assert evaluate(Task("regression", ("a", "b"), metric="r2"), y, scores) == pytest.approx(1.0)


def test_r2_of_equal_labels_is_undefined() -> None:
    with pytest.raises(ConfigError, match="r2 is undefined: the split has fewer than two different labels"):
        evaluate(Task("regression", ("a",), metric="r2"), np.full((3, 1), 2.0), np.zeros((3, 1)))


@pytest.mark.parametrize(("metric", "expected"), [("rmse", 1e30), ("mae", 1e30), ("r2", 0.0)])
def test_squares_beyond_float32_are_finite(metric: str, expected: float) -> None:
    y, scores = np.array([[-1e30], [1e30]], np.float32), np.zeros((2, 1), np.float32)
    assert evaluate(Task("regression", ("a",), metric=metric), y, scores) == pytest.approx(expected, rel=1e-6)
