"""The margin loss for ROC-AUC against a loop over pairs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from plstm_graph.train.auc_loss import MARGIN, auc_margin_loss
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task


def loop_over_pairs(raw: torch.Tensor, y: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    means = []
    for t in range(y.size(1)):
        total, pairs = torch.zeros((), dtype=raw.dtype), 0.0
        for i in range(len(y)):
            for j in range(len(y)):
                if y[i, t] == 1 and y[j, t] == 0:
                    factor = weight[i] * weight[j]
                    total = total + factor * max(MARGIN - raw[i, t] + raw[j, t], 0 * raw[i, t]) ** 2
                    pairs += float(factor)
        if pairs:
            means.append(total / pairs)
    return torch.stack(means).mean()


@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_a_loop_over_pairs_in_value_and_gradient(weighted: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    raw = (3 * torch.randn(40, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    y = (torch.rand(40, 3, generator=generator) < 0.3).double()
    y[torch.rand(40, 3, generator=generator) < 0.2] = math.nan
    y[:, 2] = 0  # a target without positives has no pairs
    weight = torch.rand(40, generator=generator, dtype=torch.float64) if weighted else torch.ones(40).double()
    loss = auc_margin_loss(raw, y.nan_to_num(), ~y.isnan(), weight if weighted else None)
    expected = loop_over_pairs(raw, y, weight)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, raw)[0], torch.autograd.grad(expected, raw)[0])


def test_right_order_with_a_margin_costs_nothing_and_equal_scores_cost_the_margin() -> None:
    y, known = torch.tensor([[1.0], [0.0]]), torch.ones(2, 1, dtype=torch.bool)
    assert auc_margin_loss(torch.tensor([[5.0], [3.9]]), y, known).item() == 0
    assert auc_margin_loss(torch.tensor([[5.0], [5.0]]), y, known).item() == pytest.approx(MARGIN**2)


def test_large_scores_do_not_cancel() -> None:
    raw, y = torch.full((2001, 1), 1e4), torch.zeros(2001, 1)
    y[0], raw[0] = 1, 1e4 + 0.5
    loss = auc_margin_loss(raw, y, torch.ones_like(y, dtype=torch.bool))
    assert loss.item() == pytest.approx(0.25, rel=1e-4)


def test_the_predictor_adds_it_to_the_cross_entropy() -> None:
    raw, y = torch.randn(20, 2), (torch.rand(20, 2) < 0.5).float()
    y[3] = math.nan
    plain, both = (GraphPredictor(nn.Identity(), Task("binary", ("a", "b"), loss=loss)) for loss in ("bce", "bce+auc"))
    ranking = auc_margin_loss(raw, y.nan_to_num(), ~y.isnan())
    torch.testing.assert_close(both.loss(raw, y), plain.loss(raw, y) + ranking)


def test_no_pairs_no_loss_but_a_gradient_of_zero() -> None:
    raw = torch.randn(4, 1, requires_grad=True)
    model = GraphPredictor(nn.Identity(), Task("binary", ("a",), loss="bce+auc"))
    loss = model.loss(raw, torch.full((4, 1), math.nan))
    loss.backward()
    assert loss.item() == 0
    assert raw.grad.abs().max() == 0
