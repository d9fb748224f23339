"""Long distances: with gates at their bound, nothing explodes, and nothing vanishes faster than the paper says."""

from __future__ import annotations

import math

import pytest
import torch

from plstm_graph.ops import gating_matrix, plstm
from tests.strategies import grid_dag, path_dag


def scalar_inputs(dag):
    """One head, K = V = 1, all ones: the output is the gating matrix applied to ones."""
    one = torch.ones(dag.num_nodes, 1, 1, dtype=torch.float64)
    return one, one, one.clone().requires_grad_(), torch.ones(dag.num_edges, 1, dtype=torch.float64)


def at_the_bound(dag, reverse=False, seed=0):
    """Random signed transitions whose absolute values add up to one over the edges that follow: equation (9)."""
    raw = torch.randn(dag.num_line_edges, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    before = dag.line_index[1 if reverse else 0]
    total = torch.zeros(dag.num_edges, 1, dtype=torch.float64).index_add(0, before, raw.abs())
    return raw / total[before]


@pytest.mark.parametrize("masked", [False, True], ids=["P", "D"])
def test_a_path_of_10000_edges_keeps_the_first_value_to_the_end(masked):
    dag = path_dag(10_001)
    query, key, value, gate = scalar_inputs(dag)
    transition = torch.ones(dag.num_line_edges, 1, dtype=torch.float64)
    mask = dag.multitree if masked else None
    out = plstm(query, key, value, gate, transition, gate, dag, line_mask=mask)
    torch.testing.assert_close(out[:, 0, 0], torch.arange(10_001, dtype=torch.float64))
    (grad,) = torch.autograd.grad(out[-1, 0, 0], value)
    torch.testing.assert_close(grad[:-1], torch.ones_like(grad[:-1]))


@pytest.mark.parametrize("reverse", [False, True])
def test_p_mode_on_a_grid_is_bounded(reverse):
    dag = grid_dag(64, 64)
    query, key, value, gate = scalar_inputs(dag)
    transition = at_the_bound(dag, reverse)
    out = plstm(query, key, value, gate, transition, gate, dag, reverse=reverse)
    longest = dag.num_levels
    assert out.abs().max() <= longest * 2 * math.sqrt(dag.num_edges)
    # what one node writes arrives with a total weight of at most one per out-edge and level
    for node in (0, 64 * 32 + 32, 64 * 64 - 1):
        (grad,) = torch.autograd.grad(out[node, 0, 0], value, retain_graph=True)
        assert grad.isfinite().all()
        assert grad.abs().max() <= longest


def test_p_mode_conserves_what_was_written():
    """With positive transitions at the bound, each level of a grid passes on all it got, up to the border."""
    dag = grid_dag(64, 64)
    transition = at_the_bound(dag).abs()
    state = torch.zeros(dag.num_edges, dtype=torch.float64)
    start = int((dag.edge_index[0] == 0).nonzero()[0])
    state[start] = 1
    total = torch.zeros(dag.num_levels, dtype=torch.float64)
    before, after = dag.line_index
    for step in range(dag.num_levels):
        total[step] = state.sum()
        state = torch.zeros_like(state).index_add(0, after, transition[:, 0] * state[before])
    torch.testing.assert_close(total[:64], torch.ones(64, dtype=torch.float64))
    assert total.max() <= 1 + 1e-9


def test_p_mode_decays_on_a_grid_as_a_power_law_only():
    """Along the diagonal the weight falls like distance to the power of -1/2: a random walk's return."""
    size = 64
    dag = grid_dag(size, size)
    transition = torch.full((dag.num_line_edges, 1), 0.5, dtype=torch.float64)
    gate = torch.ones(dag.num_edges, 1, dtype=torch.float64)
    gating = gating_matrix(gate, transition, gate, dag)[0][0]
    diagonal = torch.arange(4, size, 4)
    heard = gating[diagonal * (size + 1), 0]
    slope = torch.linalg.lstsq(
        torch.stack([diagonal.double().log(), torch.ones(len(diagonal), dtype=torch.float64)], 1), heard.log()[:, None]
    ).solution[0]
    assert -0.55 < slope < -0.45


def test_d_mode_on_a_grid_hears_its_ancestors_with_magnitude_one():
    dag = grid_dag(64, 64)
    sign = torch.randn(dag.num_line_edges, 1, dtype=torch.float64).sign()
    gate = torch.ones(dag.num_edges, 1, dtype=torch.float64)
    gating = gating_matrix(gate, sign, gate, dag, line_mask=dag.multitree)[0][0]
    # at most one path from each of a node's two out-edges to each of another's two in-edges
    assert set(gating.abs().unique().tolist()) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert gating[-1].abs().sum() > 0


def test_p_mode_without_the_bound_does_explode():
    """The tests above would notice: with transitions of one on every line edge the grid counts all its paths."""
    dag = grid_dag(64, 64)
    query, key, value, gate = scalar_inputs(dag)
    out = plstm(query, key, value, gate, torch.ones(dag.num_line_edges, 1, dtype=torch.float64), gate, dag)
    assert out.max() > 1e30
