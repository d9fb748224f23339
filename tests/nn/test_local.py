"""The local branch against PyG's GINE on the undirected graph."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.nn import GINEConv

from plstm_graph.nn.local import LocalConv, hear_neighbors
from tests.strategies import random_batch

DAG = random_batch([7, 1, 5], 0.5)


def inputs(with_edges: bool) -> tuple[LocalConv, torch.Tensor, torch.Tensor | None]:
    torch.manual_seed(0)
    conv = LocalConv(6).double()
    torch.nn.init.constant_(conv.eps, 0.3)
    x = torch.randn(DAG.num_nodes, 6, dtype=torch.float64, requires_grad=True)
    edge = torch.randn(DAG.num_edges, 6, dtype=torch.float64, requires_grad=True) if with_edges else None
    return conv, x, edge


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize("with_edges", [True, False])
def test_is_gine_over_both_directions(with_edges, kernel, monkeypatch):
    monkeypatch.setattr("plstm_graph.nn.local.has_kernel", lambda *_: kernel)
    conv, x, edge = inputs(with_edges)
    both = torch.cat([DAG.edge_index, DAG.edge_index.flip(0)], dim=1)
    edges = torch.zeros(DAG.num_edges, 6, dtype=torch.float64) if edge is None else edge
    ours, theirs = conv(x, DAG, edge), GINEConv.forward(conv, x, both, edge_attr=torch.cat([edges, edges]))
    torch.testing.assert_close(ours, theirs)
    leaves = [x, *([] if edge is None else [edge]), *conv.parameters()]
    weight = torch.randn_like(ours)
    found, expected = (torch.autograd.grad((out * weight).sum(), leaves) for out in (ours, theirs))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("with_edges", [True, False])
def test_second_derivatives(with_edges):
    conv, x, edge = inputs(with_edges)
    leaves = [x, *([] if edge is None else [edge]), conv.eps]
    weight = torch.randn(DAG.num_nodes, 6, dtype=torch.float64)
    found = []
    for out in (conv(x, DAG, edge), conv.nn(hear_neighbors(x, edge, conv.eps, DAG))):
        grads = torch.autograd.grad((out.sin() * weight).sum(), leaves, create_graph=True)
        found.append(torch.autograd.grad(sum(g.square().sum() for g in grads), leaves))
    torch.testing.assert_close(*found)


def test_second_derivatives_where_only_some_inputs_need_any():
    conv, x, edge = inputs(True)
    conv.requires_grad_(False)
    (grad,) = torch.autograd.grad(conv(x, DAG, edge.detach()).sin().sum(), x, create_graph=True)
    assert torch.autograd.grad(grad.square().sum(), x)[0].any()


def test_no_edges():
    dag = random_batch([3], 0.0)
    conv = LocalConv(4)
    x = torch.randn(3, 4)
    torch.testing.assert_close(conv(x, dag, torch.zeros(0, 4)), conv.nn(x))
