"""Weisfeiler-Lehman subtree features (Shervashidze et al., JMLR 2011) of all graphs at once."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def subtree_counts(
    labels: np.ndarray, edge_index: np.ndarray, graph: np.ndarray, num_graphs: int, rounds: int
) -> list[sparse.csr_matrix]:
    """How often every label occurs in every graph, after each round of relabelling.

    A label is a 64-bit hash of the node's label and the multiset of its neighbours' labels, so graphs can be
    relabelled together or apart with the same outcome. Sums of mixed hashes stand for multisets: two different ones
    collide with a probability of about 2^-64.

    Args:
        labels: ``[N]`` int64 or uint64, label of every node.
        edge_index: ``[2, C]``, both directions of every edge.
        graph: ``[N]`` graph of every node.
        num_graphs: number of graphs G.
        rounds: number of rounds h.

    Returns:
        ``rounds + 1`` matrices ``[G, labels]`` of counts, float64, with as many columns as the round has labels.
    """
    label = _mix(labels.astype(np.uint64))
    counts = []
    for step in range(rounds + 1):
        if step:
            heard = np.zeros_like(label)
            np.add.at(heard, edge_index[1], _mix(label[edge_index[0]] ^ _SALT))
            label = _mix(label * _ODD + heard)
        column, place = np.unique(label, return_inverse=True)
        ones = np.ones(len(label))
        counts.append(sparse.csr_matrix((ones, (graph, place)), shape=(num_graphs, len(column))))
    return counts


def row_labels(features: np.ndarray) -> np.ndarray:
    """One 64-bit label per row ``[N, F]``: equal rows have equal labels, on every machine."""
    label = np.full(len(features), _SALT)
    for column in np.ascontiguousarray(features.astype(np.float64)).view(np.uint64).T:
        label = _mix(label * _ODD + column)
    return label


def _mix(x: np.ndarray) -> np.ndarray:
    """Finaliser of SplitMix64: a bijection of 64-bit words without visible structure."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


_SALT, _ODD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1342543DE82EF95)
