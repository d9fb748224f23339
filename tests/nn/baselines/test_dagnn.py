"""DAGNN against a node-by-node evaluation, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch, Data

from plstm_graph.errors import CycleError
from plstm_graph.nn.baselines import build_model
from plstm_graph.nn.baselines.dagnn import DAGNNLayer, DAGNNPass, levels

EDGES = torch.tensor([[0, 0, 1, 2, 3, 5], [1, 2, 3, 3, 4, 4]])


def node_by_node(one: DAGNNPass, x: torch.Tensor, edges: list[tuple[int, int]], order: list[int]) -> torch.Tensor:
    state = {}
    for n in order:
        before = [state[tail] for tail, head in edges if head == n]
        message = torch.zeros_like(x[n])
        if before:
            score = torch.stack([one.score(torch.cat([x[n], b])) for b in before]).softmax(0)
            message = (score * torch.stack(before)).sum(0)
        state[n] = one.cell(x[n], message)
    return torch.stack([state[n] for n in range(len(x))])


def test_levels_do_the_same_as_one_node_after_the_other():
    layer, x = DAGNNLayer(8), torch.randn(6, 8)
    edges = [tuple(edge) for edge in EDGES.T.tolist()]
    forward = node_by_node(layer.passes[0], x, edges, [0, 5, 1, 2, 3, 4])
    backward = node_by_node(layer.passes[1], x, [(b, a) for a, b in edges], [4, 3, 5, 1, 2, 0])
    expected = layer.join(torch.cat([forward, backward], dim=1))
    torch.testing.assert_close(layer(x, None, EDGES, None, None)[0], expected)


def test_levels_are_longest_paths_and_cycles_are_refused():
    assert [level.nodes.tolist() for level in levels(EDGES, 6)] == [[0, 5], [1, 2], [3], [4]]
    assert levels(torch.empty(2, 0, dtype=torch.int64), 0) == []
    with pytest.raises(CycleError):
        levels(torch.tensor([[0, 1, 2], [1, 2, 0]]), 3)


def test_undirected_graphs_go_from_low_to_high_numbers():
    layer, x = DAGNNLayer(4), torch.randn(6, 4)
    both = torch.cat([EDGES, EDGES.flip(0)], dim=1)
    low_to_high = torch.stack([EDGES.min(0).values, EDGES.max(0).values])
    torch.testing.assert_close(layer(x, None, both, None, None)[0], layer(x, None, low_to_high, None, None)[0])


def test_a_batch_is_its_graphs_and_gradients_arrive():
    model = build_model("dagnn", 3, 2, hidden_channels=8, num_layers=2).eval()
    graphs = [Data(x=torch.randn(6, 3), edge_index=EDGES), Data(x=torch.randn(2, 3), edge_index=EDGES[:, :1])]
    together = model(Batch.from_data_list(graphs))
    torch.testing.assert_close(together, torch.cat([model(Batch.from_data_list([graph])) for graph in graphs]))
    together.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
