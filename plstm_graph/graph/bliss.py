"""Exact canonical labelling of coloured graphs by BLISS, in igraph."""

from __future__ import annotations

import numpy as np

from plstm_graph._optional import require


def canonical_permutation(
    tail: np.ndarray, head: np.ndarray, num_nodes: int, node_color: np.ndarray, edge_color: np.ndarray
) -> np.ndarray:
    """Rank ``[N]`` of every node, the same for all numberings of a graph up to a symmetry of it.

    BLISS colours nodes only, and knows no directions, so a column (a, b) is spelled out as a path of two nodes
    ``a - s - t - b`` between its ends, of which s and t bear the colour of the edge, and each its side.

    Args:
        tail, head: ``[C]``, both directions of undirected edges, parallel edges and self-loops as they are listed.
        num_nodes: number of nodes N.
        node_color, edge_color: ``[N]`` and ``[C]`` comparable numbers.

    Raises:
        MissingDependencyError: igraph is not installed.
    """
    igraph = require("igraph", "exact canonical labelling (order='bliss')")
    start = num_nodes + 2 * np.arange(tail.size)
    ends = [(tail, start), (start, start + 1), (start + 1, head)]
    links = np.concatenate([np.column_stack(pair) for pair in ends])
    graph = igraph.Graph(num_nodes + 2 * tail.size, links, directed=False)
    node_class = np.unique(node_color, return_inverse=True)[1]
    edge_class = node_class.max(initial=-1) + 1 + 2 * np.unique(edge_color, return_inverse=True)[1]
    color = np.concatenate([node_class, np.column_stack([edge_class, edge_class + 1]).ravel()])
    # versions of igraph disagree on which way a permutation maps, but each of them applies its own
    graph.vs["node"] = range(color.size)
    ordered = np.array(graph.permute_vertices(graph.canonical_permutation(color=color.tolist())).vs["node"], np.int64)
    return ordered[ordered < num_nodes].argsort()
