"""The gating matrix against the dense oracle."""

from __future__ import annotations

import pytest
import torch

from plstm_graph.errors import FeatureError
from plstm_graph.ops import gating_matrix
from tests.oracles import dense_gating, random_tensors
from tests.strategies import random_batch


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_gating_matrix(reverse, masked):
    sizes = [1, 6, 11, 3]
    dag = random_batch(sizes, 0.5, seed=8)
    gates = [random_tensors(dag, 2, 1, 1)[name] for name in ("source", "transition", "mark")]
    mask = dag.multitree if masked else None
    tail, head = dag.edge_index.tolist()
    line = [tuple(p) for p in dag.line_index.T.tolist()]
    if reverse:
        tail, head, line = head, tail, [(b, a) for a, b in line]
    found = gating_matrix(*gates, dag, line_mask=mask, reverse=reverse)
    assert [g.shape for g in found] == [(2, n, n) for n in sizes]
    for h in range(2):
        whole = dense_gating(tail, head, line, dag.num_nodes, *(g[:, h] for g in gates), mask=mask)
        torch.testing.assert_close(torch.block_diag(*(g[h] for g in found)), whole)


def test_gradients_reach_all_gates():
    dag = random_batch([5, 6], 0.6)
    gates = [random_tensors(dag, 1, 1, 1)[name] for name in ("source", "transition", "mark")]
    assert torch.autograd.gradcheck(lambda *g: tuple(gating_matrix(*g, dag)), gates)


def test_wrong_gate_is_named():
    dag = random_batch([5])
    gates = [random_tensors(dag, 2, 1, 1)[name] for name in ("source", "transition", "mark")]
    with pytest.raises(FeatureError, match="transition must have shape"):
        gating_matrix(gates[0], gates[1][:, :1], gates[2], dag)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_half_precision_is_computed_in_float32(dtype, autocast):
    dag = random_batch([9, 4], 0.5)
    gates = [random_tensors(dag, 2, 1, 1)[name].detach().to(dtype) for name in ("source", "transition", "mark")]
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = gating_matrix(*gates, dag)
    for got, expected in zip(found, gating_matrix(*(gate.float() for gate in gates), dag), strict=True):
        assert got.dtype == dtype
        torch.testing.assert_close(got, expected.to(dtype))
