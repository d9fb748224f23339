"""Graphs of similar size, padded together: the index arrays of batched dense algebra."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from plstm_graph.errors import EngineError
from plstm_graph.graph.linedag import LineDAG

MAX_ELEMENTS = 2**26
"""Largest dense ``[graphs, edges, edges]`` tensor per head (256 MiB in float32); larger buckets are split."""


@dataclass(frozen=True)
class Bucket:
    """Graphs that are evaluated together, padded to ``num_nodes`` nodes and ``num_edges`` edges each.

    Flat positions count through ``[graphs, nodes]`` and ``[graphs, edges]``.
    """

    graphs: Tensor  # [B] numbers of the graphs
    num_nodes: int
    num_edges: int
    nodes: Tensor  # [n] node numbers in the batch
    node_at: Tensor  # [n] flat position of each
    edges: Tensor  # [e] edge numbers in the batch
    edge_at: Tensor  # [e] flat position of each
    lines: Tensor  # [l] line edges


def make_buckets(dag: LineDAG, states: int = 1) -> list[Bucket]:
    """Group the graphs that have edges by size, in powers of two.

    Args:
        dag: the batch.
        states: rows and columns J that every edge has in the dense matrices.

    Raises:
        EngineError: a graph is too large for dense algebra.
    """
    return dag.cached(f"buckets_{states}", lambda: list(_make_buckets(dag, states)))


def _make_buckets(dag: LineDAG, states: int) -> Iterator[Bucket]:
    num_nodes, num_edges = dag.node_ptr.diff(), dag.edge_ptr.diff()
    largest = int(num_edges.max()) if num_edges.numel() else 0
    if (largest * states) ** 2 > MAX_ELEMENTS:
        raise EngineError(
            f"engine='parallel' inverts a dense matrix per graph, and graph {int(num_edges.argmax())} has {largest:,} "
            f"edges (at most {int(MAX_ELEMENTS**0.5) // states:,}): use "
            + ("'fused', 'chunkwise' or 'wavefront'" if states == 1 else "'wavefront'")
        )
    graph_of_node = torch.repeat_interleave(num_nodes)
    graph_of_edge = torch.repeat_interleave(num_edges)
    graph_of_line = graph_of_edge[dag.line_index[1]]
    size = torch.stack([_power_of_two(num_edges), _power_of_two(num_nodes)], dim=1)
    size[num_edges == 0] = 0
    for wide in size.unique(dim=0):
        if wide[0] == 0:
            continue
        members = (size == wide).all(dim=1).nonzero()[:, 0]
        for graphs in members.split(max(1, MAX_ELEMENTS // (int(wide[0]) * states) ** 2)):
            place = num_nodes.new_full((dag.num_graphs,), -1)
            place[graphs] = torch.arange(graphs.numel(), device=dag.device)
            width, length = int(num_nodes[graphs].max()), int(num_edges[graphs].max())
            nodes = (place[graph_of_node] >= 0).nonzero()[:, 0]
            edges = (place[graph_of_edge] >= 0).nonzero()[:, 0]
            node_graph, edge_graph = graph_of_node[nodes], graph_of_edge[edges]
            yield Bucket(
                graphs=graphs,
                num_nodes=width,
                num_edges=length,
                nodes=nodes,
                node_at=place[node_graph] * width + nodes - dag.node_ptr[node_graph],
                edges=edges,
                edge_at=place[edge_graph] * length + edges - dag.edge_ptr[edge_graph],
                lines=(place[graph_of_line] >= 0).nonzero()[:, 0],
            )


def _power_of_two(size: Tensor) -> Tensor:
    return (2 ** torch.ceil(torch.log2(size.clamp(min=1).double()))).long()
