"""Losses with missing labels, and the units of scores and predictions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from plstm_graph.errors import ConfigError
from plstm_graph.train.labels import balanced_weights, standardisation
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task

NAN = math.nan


def predictor(task: Task, **statistics: torch.Tensor) -> GraphPredictor:
    return GraphPredictor(nn.Identity(), task, **statistics)


def test_missing_labels_do_not_count() -> None:
    raw = torch.tensor([[0.3, 2.0], [-1.0, 5.0]], requires_grad=True)
    y = torch.tensor([[1.0, NAN], [0.0, NAN]])
    loss = predictor(Task("binary", ("a", "b"))).loss(raw, y)
    expected = (math.log1p(math.exp(-0.3)) + math.log1p(math.exp(-1.0))) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    loss.backward()
    assert raw.grad[:, 1].abs().max() == 0
    assert raw.grad[:, 0].abs().min() > 0


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_a_batch_without_labels_has_loss_zero(kind: str) -> None:
    raw = torch.randn(2, 3, requires_grad=True)
    y = torch.full((2,), -1) if kind == "multiclass" else torch.full((2, 3), NAN)
    loss = predictor(Task(kind, ("a", "b", "c"), num_classes=3)).loss(raw, y)
    loss.backward()
    assert loss.item() == 0
    assert raw.grad.abs().max() == 0


@pytest.mark.parametrize(("loss", "expected"), [("mse", (0 + 4) / 2), ("l1", (0 + 2) / 2)])
def test_regression_is_standardised_inside(loss: str, expected: float) -> None:
    model = predictor(Task("regression", ("a",), loss=loss), mean=torch.tensor([10.0]), std=torch.tensor([5.0]))
    raw, y = torch.tensor([[1.0], [0.0]]), torch.tensor([[15.0], [20.0]])
    assert model.loss(raw, y).item() == pytest.approx(expected)
    assert model.predictions(raw).flatten().tolist() == [15.0, 10.0]
    assert "mean" in model.state_dict()


def test_predictions_are_probabilities() -> None:
    raw = torch.randn(4, 3)
    classes = predictor(Task("multiclass", ("a",), num_classes=3)).predictions(raw)
    torch.testing.assert_close(classes.sum(1), torch.ones(4))
    binary = predictor(Task("binary", ("a", "b", "c"))).predictions(raw)
    torch.testing.assert_close(binary, 1 / (1 + (-raw).exp()))


def test_standardisation_ignores_missing_labels_and_constant_targets() -> None:
    y = torch.tensor([[1.0, 7.0], [3.0, NAN], [NAN, 7.0]])
    mean, std = standardisation(Task("regression", ("a", "b")), y)
    assert mean.tolist() == [2.0, 7.0]
    assert std.tolist() == [1.0, 1.0]


def test_a_target_without_labels_is_an_error() -> None:
    with pytest.raises(ConfigError, match="'b' has no label"):
        standardisation(Task("regression", ("a", "b")), torch.tensor([[1.0, NAN]]))


def test_balanced_classes_weigh_the_same() -> None:
    task = Task("binary", ("a",))
    y = torch.tensor([[1.0], [0.0], [0.0], [0.0], [NAN]])
    weight = balanced_weights(task, y)
    assert weight.tolist() == [3.0]
    raw = torch.zeros(5, 1, requires_grad=True)
    predictor(task, class_weight=weight).loss(raw, y).backward()
    assert raw.grad[0].item() == pytest.approx(-raw.grad[1:4].sum().item())
    many = Task("multiclass", ("a",), num_classes=2)
    raw = torch.zeros(4, 2, requires_grad=True)
    y = torch.tensor([1, 0, 0, 0])
    predictor(many, class_weight=balanced_weights(many, y)).loss(raw, y).backward()
    assert raw.grad[0, 0].item() == pytest.approx(-raw.grad[1:, 0].sum().item())


def test_balance_needs_two_classes() -> None:
    with pytest.raises(ConfigError, match="one class only"):
        balanced_weights(Task("binary", ("a",)), torch.ones(3, 1))
    with pytest.raises(ConfigError, match="numbers"):
        balanced_weights(Task("regression", ("a",)), torch.ones(3, 1))
    with pytest.raises(ConfigError, match="class 1"):
        balanced_weights(Task("multiclass", ("a",), num_classes=2), torch.zeros(3, dtype=torch.long))
