"""Subtree counts against networkx's Weisfeiler-Lehman hashes, which share no code with them."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest

from plstm_graph.train.wl_kernel import row_labels, subtree_counts

ROUNDS = 3


def _arrays(graphs: list[nx.Graph]):
    labels, edges, graph, start = [], [], [], 0
    for number, g in enumerate(graphs):
        labels += [g.nodes[n]["kind"] for n in g]
        place = {n: start + i for i, n in enumerate(g)}
        edges += [(place[a], place[b]) for a, b in g.edges] + [(place[b], place[a]) for a, b in g.edges]
        graph += [number] * len(g)
        start += len(g)
    index = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    return row_labels(np.array(labels).reshape(-1, 1)), index, np.array(graph), len(graphs)


def _kernel(graphs: list[nx.Graph]) -> np.ndarray:
    """Counts of equal rooted subtrees by networkx's hashes: isolated nodes keep their label in every round."""
    found = []
    for g in graphs:
        hashes = nx.weisfeiler_lehman_subgraph_hashes(
            g, node_attr="kind", iterations=ROUNDS, include_initial_labels=True
        )
        found.append([Counter(h[step] for h in hashes.values()) for step in range(ROUNDS + 1)])
    return np.array(
        [[sum(sum(a[s][k] * b[s][k] for k in a[s]) for s in range(ROUNDS + 1)) for b in found] for a in found]
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_kernel_is_that_of_networkx(seed):
    rng = np.random.default_rng(seed)
    graphs = []
    for nodes in rng.integers(1, 12, size=8):
        g = nx.gnp_random_graph(int(nodes), 0.3, seed=int(rng.integers(1000)))
        nx.set_node_attributes(g, {n: str(rng.integers(2)) for n in g}, "kind")
        graphs.append(g)
    arrays = _arrays([nx.relabel_nodes(g, dict(zip(g, reversed(list(g)), strict=True))) for g in graphs])
    ours = sum((c @ c.T).toarray() for c in subtree_counts(*arrays, ROUNDS))
    np.testing.assert_array_equal(ours, _kernel(graphs))


def test_graphs_can_be_relabelled_apart():
    a, b = nx.path_graph(5), nx.star_graph(4)
    for g in (a, b):
        nx.set_node_attributes(g, "1", "kind")
    together = subtree_counts(*_arrays([a, b]), ROUNDS)
    for number, g in enumerate((a, b)):
        for whole, alone in zip(together, subtree_counts(*_arrays([g]), ROUNDS), strict=True):
            row = np.sort(whole[number].toarray().ravel())
            assert row[row > 0].tolist() == np.sort(alone.toarray().ravel()).tolist()
