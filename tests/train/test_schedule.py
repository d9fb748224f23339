"""Learning rate and weight decay."""

from __future__ import annotations

import pytest
from torch import nn

from plstm_graph.train.schedule import OptimizerSettings, factor, make_optimizer


def test_warm_up_then_cosine() -> None:
    values = [factor(step, "cosine", 4, 12) for step in range(12)]
    assert values[:4] == [0.25, 0.5, 0.75, 1.0]
    assert values[4] == 1.0
    assert values[8] == pytest.approx(0.5)
    assert values[4:] == sorted(values[4:], reverse=True)
    assert factor(12, "cosine", 4, 12) == pytest.approx(0)
    assert [factor(step, "constant", 2, 9) for step in (0, 1, 8)] == [0.5, 1.0, 1.0]
    assert factor(0, "cosine", 0, 10) == 1.0


def test_biases_and_norms_do_not_decay() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    optimizer, _ = make_optimizer(net, OptimizerSettings(1e-3, 0.1, "cosine", 2, 10))
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert [decay[id(p)] for p in net.parameters()] == [0.1, 0, 0, 0]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5e-3)
