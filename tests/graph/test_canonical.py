"""Canonical ranking by colour refinement."""

from __future__ import annotations

import networkx as nx
import pytest
import torch

from plstm_graph.errors import GraphError
from plstm_graph.graph import canonical_rank


def edges_of(graph: nx.Graph) -> torch.Tensor:
    pairs = torch.tensor(list(graph.edges), dtype=torch.int64).reshape(-1, 2).T
    return torch.cat([pairs, pairs.flip(0)], dim=1)


def canonical_edges(edges: torch.Tensor, num_nodes: int) -> list:
    rank = canonical_rank(edges, num_nodes)
    assert sorted(rank.tolist()) == list(range(num_nodes))
    return sorted(map(tuple, rank[edges].T.tolist()))


GRAPHS = {
    "path": nx.path_graph(8),
    "cycle": nx.cycle_graph(9),
    "star": nx.star_graph(6),
    "petersen": nx.petersen_graph(),
    "cube": nx.convert_node_labels_to_integers(nx.hypercube_graph(3)),
    "complete": nx.complete_graph(5),
    "two triangles": nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3)),
    "tree": nx.balanced_tree(2, 3),
    "no edges": nx.empty_graph(4),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_symmetric_graphs(name):
    graph = GRAPHS[name]
    edges, size = edges_of(graph), len(graph)
    expected = canonical_edges(edges, size)
    for _ in range(5):
        assert canonical_edges(torch.randperm(size)[edges], size) == expected


def test_colours_decide():
    edges = edges_of(nx.path_graph(3))
    first = canonical_rank(edges, 3, torch.tensor([0, 0, 1]))
    second = canonical_rank(edges, 3, torch.tensor([1, 0, 0]))
    assert first.tolist() == second.flip(0).tolist()
    bond = torch.tensor([0, 1, 0, 1])
    assert (
        canonical_rank(edges, 3, None, bond).tolist()
        == canonical_rank(edges, 3, None, bond[[1, 0, 3, 2]]).flip(0).tolist()
    )


def test_minus_zero_is_zero():
    edges = edges_of(nx.path_graph(4))
    plain = canonical_rank(edges, 4, torch.tensor([0.0, 1.0, 2.0, 3.0]))
    assert torch.equal(plain, canonical_rank(edges, 4, torch.tensor([-0.0, 1.0, 2.0, 3.0])))


def test_wrong_number_of_colours():
    with pytest.raises(GraphError, match="node_color must have 3 rows"):
        canonical_rank(edges_of(nx.path_graph(3)), 3, torch.zeros(2))
