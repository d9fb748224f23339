"""A ranking of nodes that does not depend on how they happen to be numbered."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from plstm_graph.errors import GraphError


def canonical_rank(
    edge_index: Tensor,
    num_nodes: int,
    node_color: Tensor | None = None,
    edge_color: Tensor | None = None,
    batch: Tensor | None = None,
    exact: bool = False,
) -> Tensor:
    """Rank the nodes of every graph by structure and colours alone.

    Colours are refined by those of the neighbours (Weisfeiler-Lehman) until stable; while nodes tie, one node of the
    first tied class is singled out and refinement goes on. Nodes that tie are nearly always images of each other
    under a symmetry, and then the ranking is canonical: renumbering the nodes permutes it up to a symmetry. The
    exception are nodes that refinement cannot tell apart although no symmetry maps one to the other, as in many
    regular graphs without colours; there the result can depend on the numbering, and ``exact=True`` helps.

    Args:
        edge_index: ``[2, C]`` int64.
        num_nodes: number of nodes N.
        node_color: ``[N]`` or ``[N, F]`` numbers, for example the node features.
        edge_color: ``[C]`` or ``[C, D]`` numbers, for example the edge features.
        batch: ``[N]`` ascending graph numbers.
        exact: label by BLISS (igraph, the extra ``canonical``), which is canonical for every graph and takes longer.

    Returns:
        ``[N]`` int64, a permutation of ``0 .. n - 1`` within every graph.

    Raises:
        GraphError: wrong shape or dtype, an index out of range, or an edge between two graphs.
        MissingDependencyError: ``exact``, and igraph is not installed.
    """
    from plstm_graph.graph._canonical_kernels import refine_all  # compiles on first use
    from plstm_graph.graph.build import check_graph

    tail, head, graph_of, node_ptr = check_graph(edge_index, num_nodes, batch, self_loops=True)
    nodes = _row_hash(node_color, num_nodes, "node_color")
    edges = _row_hash(edge_color, tail.size, "edge_color")
    if exact:
        rank = _exact(tail, head, node_ptr, graph_of, nodes, edges)
    else:
        rank = refine_all(tail, head, node_ptr, graph_of, nodes, edges)
    return torch.from_numpy(rank).to(edge_index.device)


def _exact(
    tail: np.ndarray,
    head: np.ndarray,
    node_ptr: np.ndarray,
    graph_of: np.ndarray,
    node_color: np.ndarray,
    edge_color: np.ndarray,
) -> np.ndarray:
    from plstm_graph.graph.bliss import canonical_permutation

    by_graph = np.argsort(graph_of[tail], kind="stable")
    borders = np.searchsorted(graph_of[tail][by_graph], np.arange(node_ptr.size))
    rank = np.empty(graph_of.size, np.int64)
    for g, (lo, hi) in enumerate(pairwise(node_ptr.tolist())):
        columns = by_graph[borders[g] : borders[g + 1]]
        ends = tail[columns] - lo, head[columns] - lo
        rank[lo:hi] = canonical_permutation(*ends, hi - lo, node_color[lo:hi], edge_color[columns])
    return rank


def _row_hash(color: Tensor | None, rows: int, name: str) -> np.ndarray:
    """One 64-bit number per row; equal rows get equal numbers."""
    hashed = np.full(rows, 0x9E3779B97F4A7C15, np.uint64)
    if color is None:
        return hashed
    if color.dim() == 0 or color.size(0) != rows:
        raise GraphError(f"{name} must have {rows} rows, got shape {list(color.shape)}")
    values = color.detach().cpu().reshape(rows, color[:1].numel() if rows else 1)
    values = values.double() + 0.0 if values.is_floating_point() else values.long()  # + 0.0 turns -0.0 into 0.0
    for column in values.numpy().view(np.uint64).T:
        hashed = (hashed ^ column) * np.uint64(0xBF58476D1CE4E5B9)
        hashed ^= hashed >> np.uint64(29)
    return hashed
