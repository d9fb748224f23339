"""The split linear maps equal one map of the concatenation."""

from __future__ import annotations

import pytest
import torch

from plstm_graph.nn.gates import GateMaps
from tests.strategies import random_batch


@pytest.mark.parametrize("reverse", [False, True])
def test_split_maps_are_maps_of_the_concatenation(reverse):
    dag = random_batch([7, 5], 0.5)
    heads, width, edge_dim = 3, 4, 2
    maps = GateMaps(width, heads, edge_dim, "D", "l1", -4.0, -4.0, -6.0, 1.0, 2.0, 1.0).double()
    x, edge = torch.randn(dag.num_nodes, width).double(), torch.randn(dag.num_edges, edge_dim).double()
    gates = maps(x, dag, edge, reverse)
    node = maps.node.weight.split(heads), maps.node.bias.split(heads)
    ends = maps.edge.weight.split(heads)
    tail, head = dag.edge_index.flip(0) if reverse else dag.edge_index
    before, after = dag.line_index.flip(0) if reverse else dag.line_index

    def whole(parts, rows, bias):
        return torch.cat(rows, dim=1) @ torch.cat(parts, dim=1).T + bias

    source = whole([node[0][0], ends[0]], [x[tail], edge], node[1][0])
    mark = whole([node[0][1], ends[1]], [x[head], edge], node[1][1])
    passed = whole([node[0][2], ends[2], ends[3]], [x[head[before]], edge[before], edge[after]], node[1][2])
    torch.testing.assert_close(gates.source, source.sigmoid())
    torch.testing.assert_close(gates.mark, mark.sigmoid())
    torch.testing.assert_close(gates.transition, (2 * passed).tanh())
    torch.testing.assert_close(gates.direct, (x @ node[0][3].T + node[1][3]).sigmoid())
    assert torch.equal(head[before], tail[after])


@pytest.mark.parametrize("mode", ["P", "D"])
@pytest.mark.parametrize("norm", ["l1", "linf"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("edge_dim", [None, 3])
def test_the_compiled_kernel_agrees_with_torch(mode, norm, reverse, edge_dim):
    """Values, gradients and second derivatives; transitions start near one, so that bounds are reached."""
    torch.manual_seed(0)
    dag = random_batch([8, 1, 6], 0.5)
    maps = GateMaps(5, 2, edge_dim, mode, norm, 0.1, -0.2, 0.3, 1.0, 2.0, 0.5).double()
    x = torch.randn(dag.num_nodes, 5, dtype=torch.float64, requires_grad=True)
    edge = torch.randn(dag.num_edges, edge_dim, dtype=torch.float64, requires_grad=True) if edge_dim else None
    inputs = [x, *([] if edge is None else [edge]), *maps.parameters()]
    weights = None
    found = []
    for gates in (
        maps(x, dag, edge, reverse),
        maps.from_parts(maps.node(x), None if edge is None else maps.edge(edge), dag, reverse),
    ):
        weights = weights or [torch.randn_like(g) for g in gates]
        loss = sum((w * g.square()).sum() for w, g in zip(weights, gates, strict=True))
        grads = torch.autograd.grad(loss, inputs, retain_graph=True)
        again = torch.autograd.grad(loss, inputs, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in again), inputs, allow_unused=True)
        found.append((gates, grads, [t for t in second if t is not None]))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(list(a), list(b))


@pytest.mark.parametrize("needs", ["node", "edge"])
def test_second_derivatives_where_only_some_inputs_need_any(needs):
    dag = random_batch([6, 4], 0.5)
    maps = GateMaps(5, 2, 3, "P", "l1", 0.1, -0.2, 0.3, 1.0, 2.0, 0.5).double().requires_grad_(False)
    x = torch.randn(dag.num_nodes, 5, dtype=torch.float64, requires_grad=needs == "node")
    edge = torch.randn(dag.num_edges, 3, dtype=torch.float64, requires_grad=needs == "edge")
    wanted = x if needs == "node" else edge
    loss = sum(gate.square().sum() for gate in maps(x, dag, edge, False))
    (grad,) = torch.autograd.grad(loss, wanted, create_graph=True)
    assert torch.autograd.grad(grad.square().sum(), wanted)[0].any()
