from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.utils import to_networkx

from plstm_graph.data.graph_properties import FAMILIES, _toggle, make_graph_properties
from plstm_graph.errors import ConfigError


@pytest.fixture(scope="module")
def dataset():
    return make_graph_properties(150, 20, 30, seed=3)


def test_properties_are_those_of_networkx(dataset):
    whole = 0
    for i in range(len(dataset)):
        data = dataset[i]
        graph = to_networkx(data, to_undirected=True)
        (source,) = data.x[:, 1].nonzero().flatten().tolist()
        hops = dict(nx.all_pairs_shortest_path_length(graph))
        assert data.distance.tolist() == [hops[source].get(n, 0) for n in range(data.num_nodes)]
        assert data.eccentricity.tolist() == [max(hops[n].values()) for n in range(data.num_nodes)]
        if nx.is_connected(graph):
            whole += 1
            assert data.y.item() == nx.diameter(graph)
        else:
            assert data.y.item() == max(nx.diameter(graph.subgraph(part)) for part in nx.connected_components(graph))
    assert 0 < whole < len(dataset)  # both kinds were seen


def test_graphs_are_simple_undirected_without_isolated_nodes_and_of_the_size_asked_for(dataset):
    sizes = dataset.node_ptr.diff()
    assert (sizes.min(), sizes.max()) == (25, 35)
    assert all(len(dataset.splits[part]) == n for part, n in (("train", 150), ("valid", 20), ("test", 30)))
    for i in range(len(dataset)):
        data = dataset[i]
        edges = set(map(tuple, data.edge_index.T.tolist()))
        assert len(edges) == data.edge_index.size(1)
        assert all((b, a) in edges and a != b for a, b in edges)
        assert {a for a, _ in edges} == set(range(data.num_nodes))


def test_source_rank_goes_breadth_first_with_the_unreachable_last(dataset):
    cut_off = 0
    for i in range(len(dataset)):
        data = dataset[i]
        (source,) = data.x[:, 1].nonzero().flatten().tolist()
        hops = nx.single_source_shortest_path_length(to_networkx(data, to_undirected=True), source)
        along = data.source_rank.argsort().tolist()
        assert sorted(data.source_rank.tolist()) == list(range(data.num_nodes))
        keys = [(hops.get(n, 10**6), data.x[n, 0].item()) for n in along]
        assert keys == sorted(keys)
        cut_off += len(hops) < data.num_nodes
    assert cut_off


def test_seeds():
    one, again, other = (make_graph_properties(8, 1, 1, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(one.x, again.x)
    assert torch.equal(one.edge_index, again.edge_index)
    assert not torch.equal(one.x[:100], other.x[:100])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [5, 25, 30, 35])
def test_families(family, size):
    graph = FAMILIES[family][1](size, np.random.default_rng(0))
    assert len(graph) == size
    degree = sorted(d for _, d in graph.degree)
    trees = ("tree", "line", "star", "caterpillar", "lobster")
    assert family not in trees or nx.is_tree(graph)
    if family == "line":
        assert degree == [1, 1] + [2] * (size - 2)
    if family == "star":
        assert degree == [1] * (size - 1) + [size - 1]
    if family in ("caterpillar", "lobster"):
        for _ in range(1 if family == "caterpillar" else 2):  # without its leaves, once or twice, a path is left
            graph = graph.subgraph([n for n, d in graph.degree if d > 1])
        assert max((d for _, d in graph.degree), default=0) <= 2


def test_families_come_with_their_probabilities():
    dataset = make_graph_properties(798, 1, 1, nodes=(5, 6), seed=0)
    share = torch.bincount(dataset.graph_fields["family"], minlength=len(FAMILIES)) / 800
    assert sum(p for p, _ in FAMILIES.values()) == pytest.approx(1)
    for found, (chance, _) in zip(share.tolist(), FAMILIES.values(), strict=True):
        assert abs(found - chance) < 4 * (chance / 800) ** 0.5


@pytest.mark.parametrize("density", [0.2, 0.8])
def test_toggling_keeps_the_number_of_edges_on_average(density):
    rng = np.random.default_rng(0)
    upper = np.triu(rng.random((200, 200)) < density, 1)
    before = upper | upper.T
    after = _toggle(before, rng)
    assert np.array_equal(after, after.T)
    assert not after.diagonal().any()
    assert abs(after.sum() - before.sum()) < 0.02 * before.sum()
    there = before[np.triu_indices(200, 1)]
    kept, appeared = after[np.triu_indices(200, 1)][there].mean(), after[np.triu_indices(200, 1)][~there].mean()
    assert (kept, appeared) == pytest.approx((0.9, 0.025) if density == 0.2 else (0.975, 0.1), abs=0.01)


@pytest.mark.parametrize("bad", [{"train": 0}, {"nodes": (4, 9)}, {"nodes": (9, 8)}])
def test_too_small(bad):
    with pytest.raises(ConfigError, match="at least 5 nodes, got"):
        make_graph_properties(**bad)
