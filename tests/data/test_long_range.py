from __future__ import annotations

import networkx as nx
import pytest
import torch

from plstm_graph.data.long_range import make_recall, make_ring_transfer, make_tree_neighbors_match
from plstm_graph.errors import ConfigError


def directed(data) -> nx.DiGraph:
    return nx.DiGraph(data.dag.edge_index.T.tolist())


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_trees(depth):
    for data in make_tree_neighbors_match(20, depth, seed=1):
        tree = directed(data)
        leaves = [node for node in tree if tree.in_degree(node) == 0]
        assert len(leaves) == 2**depth
        assert len(tree) == data.num_nodes == 2 ** (depth + 1) - 1
        assert {nx.shortest_path_length(tree, leaf, 0) for leaf in leaves} == {depth}
        assert all(tree.out_degree(node) == (node != 0) for node in tree)
        held = {data.x[leaf, 0].item(): data.x[leaf, 1].item() for leaf in leaves}
        assert sorted(held) == sorted(held.values()) == list(range(1, 2**depth + 1))
        assert data.asked.nonzero().tolist() == [[0]]
        assert data.y.tolist() == [held[data.x[0, 0].item()] - 1]
        inner = [node for node in tree if node not in leaves and node != 0]
        assert data.x[0, 1] == 0
        assert not data.x[inner].any()


def test_every_key_and_value_is_asked_for():
    made = make_tree_neighbors_match(400, 2, seed=0)
    assert {int(data.x[0, 0]) for data in made} == {1, 2, 3, 4}
    assert {int(data.y) for data in made} == {0, 1, 2, 3}


@pytest.mark.parametrize(("nodes", "order"), [(4, "canonical"), (11, "center"), (100, "index"), (9, "outwards")])
def test_rings(nodes, order):
    made = make_ring_transfer(30, nodes, classes=3, order=order, seed=2)
    assert {int(data.y) for data in made} == {0, 1, 2}
    for data in made:
        assert nx.is_isomorphic(nx.Graph(data.edge_index.T.tolist()), nx.cycle_graph(nodes))
        assert data.edge_index.size(1) == 2 * nodes
        assert data.dag.num_edges == nodes
        (asks,) = data.asked.nonzero().flatten().tolist()
        (holds,) = (data.x.sum(1) == 1).nonzero().flatten().tolist()
        assert nx.shortest_path_length(nx.Graph(data.edge_index.T.tolist()), asks, holds) == nodes // 2
        assert data.x[holds].argmax() == data.y
        assert not data.x[asks].any()
        assert (data.x.sum(1) == 3).sum() == nodes - 2


@pytest.mark.parametrize("nodes", [4, 10, 40, 41])
def test_the_orientation_of_a_ring_does_not_tell_the_class(nodes):
    """The canonical order starts at a node that depends on the features, hence on the class."""
    made = make_ring_transfer(30, nodes, seed=0)
    assert {int(data.y) for data in made} == set(range(5))
    for data in made:
        assert torch.equal(data.dag.edge_index, made[0].dag.edge_index)
        assert nx.has_path(directed(data), 0, nodes // 2)


@pytest.mark.parametrize(("distance", "pairs", "branching"), [(2, 1, 1.0), (10, 4, 0.5), (300, 8, 0.9)])
def test_recall(distance, pairs, branching):
    seen = set()
    for data in make_recall(15, distance, pairs=pairs, branching=branching, seed=3):
        dag = directed(data)
        assert nx.is_directed_acyclic_graph(dag)
        assert data.dag.num_edges == dag.number_of_edges() == data.edge_index.size(1)  # no edge twice
        (last,) = data.asked.nonzero().flatten().tolist()
        assert all(data.step[a] + 1 == data.step[b] for a, b in dag.edges)  # so all ways are equally long
        assert nx.shortest_path_length(dag, pairs - 1, last) == distance
        assert nx.ancestors(dag, last) == set(range(data.num_nodes)) - {last}  # no dead ends
        stated = {data.x[n, 0].item(): data.x[n, 1].item() for n in range(data.num_nodes) if data.x[n, 1] > 0}
        assert len(stated) == pairs
        assert data.step[data.x[:, 1] > 0].tolist() == list(range(pairs))
        assert data.y.item() == stated[data.x[last, 0].item()] - 1
        between = (data.x[:, :2] == 0).all(1)
        assert between.sum() == data.num_nodes - pairs - 1
        assert (data.x[between, 2] > 0).all()
        assert not data.x[~between, 2].any()
        seen.add(data.y.item())
    assert len(seen) > 3


def test_side_nodes_come_with_their_probability():
    (data,) = make_recall(1, 4000, branching=0.3, seed=0)
    assert abs((data.num_nodes - 4004) / 3999 - 0.3) < 0.03
    (chain,) = make_recall(1, 40, pairs=1, branching=0.0)
    assert chain.edge_index.T.tolist() == [[i, i + 1] for i in range(40)]


@pytest.mark.parametrize("make", [make_tree_neighbors_match, make_ring_transfer, make_recall])
def test_seeds(make):
    one, again, other = (make(8, 6, seed=seed) for seed in (5, 5, 6))
    assert all(
        torch.equal(a.x, b.x) and torch.equal(a.edge_index, b.edge_index) for a, b in zip(one, again, strict=True)
    )
    assert any(a.x.shape != b.x.shape or not torch.equal(a.x, b.x) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_tree_neighbors_match(1, 0), "depth must be at least 1, got 0"),
        (lambda: make_ring_transfer(1, 3), "nodes must be at least 4, got 3"),
        (lambda: make_ring_transfer(1, 5, classes=1), "classes must be at least 2, got 1"),
        (lambda: make_recall(1, 1), "distance must be at least 2, got 1"),
        (lambda: make_recall(1, 5, pairs=9), "words must be at least 9, got 8"),
    ],
)
def test_out_of_range(call, words):
    with pytest.raises(ConfigError, match=words):
        call()
