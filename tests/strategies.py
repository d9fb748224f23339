"""Random graphs for tests."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from plstm_graph import LineDAG


def random_dag_edges(num_nodes: int, density: float, generator: torch.Generator) -> Tensor:
    """Edges ``[2, E]`` of a random DAG whose nodes are numbered in no particular order."""
    upper = (torch.rand(num_nodes, num_nodes, generator=generator) < density).triu(1).nonzero().T
    return torch.randperm(num_nodes, generator=generator)[upper]


def random_batch(sizes: list[int], density: float = 0.3, seed: int = 0) -> LineDAG:
    """A batch of random DAGs."""
    generator = torch.Generator().manual_seed(seed)
    parts, first = [], 0
    for size in sizes:
        parts.append(random_dag_edges(size, density, generator) + first)
        first += size
    batch = torch.repeat_interleave(torch.tensor(sizes, dtype=torch.int64))
    edges = torch.cat(parts, dim=1) if parts else torch.zeros(2, 0, dtype=torch.int64)
    return LineDAG.from_edge_index(edges, first, None, batch)


def path_dag(num_nodes: int) -> LineDAG:
    """0 → 1 → ... → n - 1."""
    nodes = torch.arange(num_nodes)
    return LineDAG.from_edge_index(torch.stack([nodes[:-1], nodes[1:]]), num_nodes)


def grid_dag(rows: int, columns: int) -> LineDAG:
    """Edges to the right and downwards."""
    node = torch.arange(rows * columns).view(rows, columns)
    right = torch.stack([node[:, :-1].flatten(), node[:, 1:].flatten()])
    down = torch.stack([node[:-1].flatten(), node[1:].flatten()])
    return LineDAG.from_edge_index(torch.cat([right, down], dim=1), rows * columns)


@st.composite
def undirected_graphs(draw: st.DrawFn) -> tuple[Tensor, int, Tensor]:
    """Edges (in one or both directions, some parallel), number of nodes, and a ranking of the nodes."""
    num_nodes = draw(st.integers(1, 9))
    pairs = [(a, b) for a in range(num_nodes) for b in range(a)]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=14)) if pairs else []
    columns = []
    for a, b in chosen:
        columns += draw(st.sampled_from([[(a, b)], [(b, a)], [(a, b), (b, a)]]))
    columns = draw(st.permutations(columns))
    order = draw(st.permutations(range(num_nodes)))
    edges = torch.tensor(columns, dtype=torch.int64).reshape(-1, 2).T.contiguous()
    return edges, num_nodes, torch.tensor(order)


@st.composite
def dags(draw: st.DrawFn) -> tuple[Tensor, int]:
    """Edges of a DAG in random numbering and order, some parallel, and the number of nodes."""
    num_nodes = draw(st.integers(1, 9))
    pairs = [(a, b) for b in range(num_nodes) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=16)) if pairs else []
    name = draw(st.permutations(range(num_nodes)))
    columns = [(name[a], name[b]) for a, b in chosen]
    return torch.tensor(columns, dtype=torch.int64).reshape(-1, 2).T.contiguous(), num_nodes
