"""The differentiable solve on the line graph, and its adjoint."""

from __future__ import annotations

import pytest
import torch

from plstm_graph.ops.wavefront import line_solve
from tests.strategies import random_batch


@pytest.mark.parametrize("reverse", [False, True])
def test_line_solve_inverts_the_triangular_matrix(reverse):
    dag = random_batch([9, 7], 0.5)
    transition = torch.randn(dag.num_line_edges, 1, dtype=torch.float64)
    written = torch.randn(dag.num_edges, 1, 3, dtype=torch.float64)
    chain = torch.zeros(dag.num_edges, dag.num_edges, dtype=torch.float64)
    chain[dag.line_index[1], dag.line_index[0]] = transition[:, 0]
    matrix = torch.eye(dag.num_edges) - (chain.T if reverse else chain)
    state = line_solve(transition, written, dag, reverse)
    torch.testing.assert_close(matrix @ state[:, 0], written[:, 0])


def test_the_adjoint_is_the_solve_on_the_reversed_line_graph():
    dag = random_batch([9, 7], 0.5)
    transition = torch.randn(dag.num_line_edges, 2, dtype=torch.float64)
    x, y = (torch.randn(dag.num_edges, 2, 3, dtype=torch.float64) for _ in range(2))
    left = (line_solve(transition, x, dag) * y).sum()
    right = (x * line_solve(transition, y, dag, reverse=True)).sum()
    torch.testing.assert_close(left, right)


def test_second_derivatives():
    dag = random_batch([6], 0.6)
    transition = torch.randn(dag.num_line_edges, 1, dtype=torch.float64, requires_grad=True)
    written = torch.randn(dag.num_edges, 1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda t, w: line_solve(t, w, dag), (transition, written))
