"""The ten places where the authors' published graph code departs from the paper: one test for each."""

from __future__ import annotations

import time

import pytest
import torch
from torch_geometric.data import Batch, Data

from plstm_graph import LineDAG, PLSTMConv, ToLineDAG, from_networkx
from plstm_graph.ops import plstm
from tests.oracles import assert_same, dense_plstm, output_and_gradients, random_tensors
from tests.strategies import random_batch


def test_1_a_given_dag_keeps_its_directions():
    dag = ToLineDAG()(Data(edge_index=torch.tensor([[2, 1], [1, 0]]), num_nodes=3)).dag
    assert sorted(map(tuple, dag.edge_index.T.tolist())) == [(1, 0), (2, 1)]
    assert dag.num_line_edges == 1


def test_2_both_directions_of_each_edge_give_one_dag_edge():
    dag = ToLineDAG()(Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3)).dag
    assert dag.num_edges == 2


def test_3_transitions_hear_the_shared_node():
    layer = PLSTMConv(1, 1, heads=1, mode="D", gate_std=1.0)
    dag = LineDAG.from_edge_index(torch.tensor([[0, 1], [1, 2]]), 3)
    x = torch.zeros(3, 1)
    still = layer.gates(x, dag).transition
    assert torch.equal(layer.gates(x + torch.tensor([[1.0], [0.0], [1.0]]), dag).transition, still)
    assert not torch.equal(layer.gates(x + torch.tensor([[0.0], [1.0], [0.0]]), dag).transition, still)


def test_4_every_out_edge_has_a_source_gate_of_its_own():
    dag = LineDAG.from_edge_index(torch.tensor([[0, 0], [1, 2]]), 3)
    layer = PLSTMConv(1, 1, heads=1, edge_dim=1, gate_std=1.0)
    source = layer.gates(torch.zeros(3, 1), dag, torch.tensor([[1.0], [-1.0]])).source
    assert source[0] != source[1]


def test_5_p_mode_bounds_the_outgoing_side_and_offers_the_incoming_one():
    # two edges into node 2, three out: columns and rows of T differ
    dag = LineDAG.from_edge_index(torch.tensor([[0, 1, 2, 2, 2], [2, 2, 3, 4, 5]]), 6)
    x = torch.zeros(6, 1)
    before, after = dag.line_index
    for norm, group in (("l1", before), ("linf", after)):
        transition = PLSTMConv(1, 1, heads=1, norm=norm).gates(x, dag).transition[:, 0]
        total = torch.zeros(5).index_add(0, group, transition)
        torch.testing.assert_close(total[group].max(), torch.tensor(1.0))
        assert (total <= 1 + 1e-6).all()


def test_6a_reversing_keeps_the_mode():
    dag = random_batch([10], 0.5)
    assert not dag.multitree.all()
    x = torch.randn(10, 2)
    for direction in ("forward", "backward"):
        assert (PLSTMConv(2, 2, heads=1, mode="P", direction=direction).gates(x, dag).transition != 0).all()


def test_6b_any_node_names():
    import networkx as nx

    data = from_networkx(nx.DiGraph([("b", (1, 2)), ((1, 2), frozenset("x"))]))
    assert ToLineDAG()(data).dag.num_line_edges == 1


def test_6c_backward_works_with_and_without_recomputing_states():
    dag = random_batch([8], 0.5)
    for engine in ("fused", "wavefront"):
        x = torch.randn(8, 2, requires_grad=True)
        PLSTMConv(2, 2, heads=1, engine=engine)(x, dag).sum().backward()
        assert x.grad.abs().sum() > 0


def test_7_gate_biases_act_and_edge_features_reach_their_edge():
    dag = LineDAG.from_edge_index(torch.tensor([[1, 0], [2, 1]]), 3)  # the second column comes first in the DAG
    low, high = (PLSTMConv(1, 1, heads=1, edge_dim=1, source_bias=b, gate_std=1.0) for b in (-4.0, 4.0))
    x, edge = torch.zeros(3, 1), torch.zeros(2, 1)
    assert (high.gates(x, dag, edge).source > low.gates(x, dag, edge).source).all()
    still = low.gates(x, dag, edge).source
    edge[1] = 1.0
    changed = (low.gates(x, dag, edge).source != still)[:, 0]
    assert changed.tolist() == [True, False]
    assert dag.edge_index[:, 0].tolist() == [0, 1]


def test_8_batches_are_one_call_and_the_line_graph_is_made_once(monkeypatch):
    graphs = [Data(x=torch.randn(12, 4), edge_index=random_undirected(12, seed)) for seed in range(64)]
    batch = ToLineDAG("index")(Batch.from_data_list(graphs))
    layer = PLSTMConv(4, 4)
    layer(batch.x, batch.dag)
    monkeypatch.setattr(LineDAG, "from_edge_index", None)  # a forward pass must not build anything
    start = time.perf_counter()
    layer(batch.x, batch.dag)
    assert time.perf_counter() - start < 64 * 5e-3  # the authors' code takes 5 ms for each graph


def random_undirected(size: int, seed: int) -> torch.Tensor:
    edges = (torch.rand(size, size, generator=torch.Generator().manual_seed(seed)) < 0.2).triu(1).nonzero().T
    return torch.cat([edges, edges.flip(0)], dim=1)


@pytest.mark.parametrize("order", ["canonical", "center"])
def test_9_the_output_does_not_depend_on_the_numbering(order):
    layer = PLSTMConv(3, 4, direction="both", gate_std=1.0).double()
    transform = ToLineDAG(order)
    for seed in range(10):
        edges, x = random_undirected(10, seed), torch.randn(10, 3).double()
        new = torch.randperm(10)
        moved = torch.empty_like(x)
        moved[new] = x
        plain, other = transform(Data(x=x, edge_index=edges)), transform(Data(x=moved, edge_index=new[edges]))
        torch.testing.assert_close(layer(moved, other.dag)[new], layer(x, plain.dag))


def test_10_the_reference_is_independent():
    dag = random_batch([9, 4], 0.5)
    tensors = random_tensors(dag, 2, 3, 4)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag), tensors)
    assert_same(output_and_gradients(lambda t: plstm(*t.values(), dag), tensors), expected, 1e-10, 1e-10)
