"""Directed graphs with cycles: strongly connected components become nodes, or a few edges are turned round."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from plstm_graph._optional import require
from plstm_graph.errors import CycleWarning, FeatureError
from plstm_graph.graph.linedag import LineDAG

CYCLES = ("raise", "condense", "break")


def strong_components(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Strongly connected component ``[N]`` of every node; components are numbered in the order of their first nodes.

    Raises:
        GraphError: wrong shape or dtype, or an index out of range.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    from plstm_graph.graph.build import check_graph  # compiles on first use

    tail, head, _, _ = check_graph(edge_index, num_nodes, None, self_loops=True)
    if num_nodes == 0:
        return edge_index.new_empty(0)
    matrix = coo_array((np.ones(tail.size), (tail, head)), shape=(num_nodes, num_nodes))
    label = connected_components(matrix, directed=True, connection="strong")[1]
    _, first, component = np.unique(label, return_index=True, return_inverse=True)
    return torch.from_numpy(first.argsort().argsort()[component]).to(edge_index.device)


def condense(data: Data) -> Data:
    """Make one node of every strongly connected component; what is left is a DAG.

    Features ``x`` of a component are the means of those of its members. Edges between two components stay, parallel
    ones too, with their rows of ``edge_attr`` and of all other edge attributes; edges inside a component are dropped.
    Every other attribute stays as it is, ``y`` among them, so node labels keep their rows: ``out[data.member_of]`` has
    a row for each original node. The names of ``from_networkx`` become tuples where a component has several members.

    Args:
        data: a directed graph, cyclic or not. A graph without cycles keeps its nodes and their numbers.

    Returns:
        A new ``Data``, with ``member_of [N]`` int64, the component that every original node belongs to, and
        ``num_dropped``, the number of edges left out.

    Raises:
        FeatureError: features of several members are integers, of which a mean makes no sense.
    """
    component = strong_components(data.edge_index, data.num_nodes)
    count = int(component.max()) + 1 if component.numel() else 0
    tail, head = component[data.edge_index]
    between = tail != head
    result = copy.copy(data)
    if count < component.numel() and data.get("x") is not None:
        result.x = _member_means(data.x, component, count)
    for name, value in data.items():
        if name not in ("edge_index", "y") and data.is_edge_attr(name):  # as many labels as edges are still labels
            result[name] = _rows(value, data.__cat_dim__(name, value), between)
    if count < component.numel() and data.get("node_names") is not None:
        result.node_names = _joint_names(data.node_names, component, count)
    if data.get("layout") is not None:
        result.layout = replace(data.layout, multigraph=True)
    result.edge_index = torch.stack([tail[between], head[between]])
    result.num_nodes, result.member_of = count, component
    result.num_dropped = int((~between).sum())
    if result.num_dropped:
        several = int((torch.bincount(component, minlength=count) > 1).sum())
        warnings.warn(
            f"condensed a graph with cycles: {several} strongly connected components became one node each "
            f"({component.numel()} nodes before, {count} now), and {result.num_dropped} of {between.numel()} edges, "
            "which lie inside them, were dropped (data.member_of, data.num_dropped)",
            CycleWarning,
            stacklevel=2,
        )
    return result


def _member_means(x: Tensor, component: Tensor, count: int) -> Tensor:
    if not x.is_floating_point():
        raise FeatureError(
            f"x has dtype {x.dtype}, but cycles='condense' takes the mean of the features of all members of a strongly "
            "connected component: use x.float(), one column per value for categories, or cycles='break'"
        )
    total = x.new_zeros(count, *x.shape[1:]).index_add(0, component, x)
    return total / torch.bincount(component, minlength=count).view(-1, *[1] * (x.dim() - 1)).to(x.dtype)


def _rows(values: Tensor | list, dim: int, keep: Tensor) -> Tensor | list:
    if isinstance(values, Tensor):
        return values.index_select(dim, keep.nonzero().flatten())
    return [value for value, kept in zip(values, keep.tolist(), strict=True) if kept]


def _joint_names(names: list, component: Tensor, count: int) -> list:
    members: list[list] = [[] for _ in range(count)]
    for name, c in zip(names, component.tolist(), strict=True):
        members[c].append(name)
    return [tuple(group) if len(group) > 1 else group[0] for group in members]


def feedback_edges(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Few edges whose reversal leaves no cycle, apart from self-loops: bool ``[C]``.

    A feedback arc set by the heuristic of Eades, Lin and Smyth (1993), in igraph, of the edges inside strongly
    connected components; all other edges keep their directions. Which edges are chosen depends on the numbering of the
    nodes.

    Raises:
        GraphError: wrong shape or dtype, or an index out of range.
        MissingDependencyError: the graph has a cycle, and igraph is not installed.
    """
    from plstm_graph.graph.build import topological_order

    component = strong_components(edge_index, num_nodes).numpy(force=True)
    tail, head = edge_index.numpy(force=True)
    loop = tail == head
    inner = np.flatnonzero((component[tail] == component[head]) & ~loop)
    if inner.size == 0:
        return torch.zeros_like(edge_index[0], dtype=torch.bool)
    igraph = require("igraph", "breaking cycles (cycles='break')")
    graph = igraph.Graph(num_nodes, np.column_stack([tail[inner], head[inner]]), directed=True)
    rest = ~loop
    rest[inner[graph.feedback_arc_set(method="eades")]] = False
    # turning round what is against an order of the rest is acyclic for every feedback arc set, and never turns more
    position = topological_order(tail[rest], head[rest], num_nodes)
    return torch.from_numpy(position[tail] > position[head]).to(edge_index.device)


def break_cycles(data: Data) -> LineDAG:
    """Line DAG of a directed graph, in which a few edges on cycles are turned round, and self-loops left out.

    Turned, not dropped: an edge that is read backwards still joins its nodes and keeps its features, so that nothing
    is lost; ``dag.edge_id`` names its column as ever. The columns of ``data`` stay as they are.

    Sets ``data.edge_reversed [C]`` bool, ``data.num_reversed`` and ``data.num_dropped`` (int, ``[G]`` for a batch).

    Raises:
        GraphError, MissingDependencyError: as :func:`feedback_edges`.
    """
    edge_index, num_nodes, batch = data.edge_index, data.num_nodes, data.get("batch")
    turned = feedback_edges(edge_index, num_nodes)
    loop = edge_index[0] == edge_index[1]
    kept = (~loop).nonzero().flatten()
    directed = torch.where(turned, edge_index.flip(0), edge_index)[:, kept]
    dag = LineDAG.from_edge_index(directed, num_nodes, None, batch)
    column_graph = torch.zeros_like(edge_index[0]) if batch is None else batch[edge_index[0]]
    columns = torch.bincount(column_graph, minlength=dag.num_graphs).cumsum(0)
    dag = replace(
        dag,
        edge_id=kept[dag.edge_id],
        column_ptr=torch.cat([columns.new_zeros(1), columns]),
        num_columns=edge_index.size(1),
        _cache={},
    )
    data.edge_reversed = turned
    for name, changed in (("num_reversed", turned), ("num_dropped", loop)):
        each = torch.bincount(column_graph[changed], minlength=dag.num_graphs)
        data[name] = int(each) if batch is None else each
    if turned.any() or loop.any():
        warnings.warn(
            f"broke the cycles of a graph: {int(turned.sum())} of {edge_index.size(1)} edges were turned round "
            f"(data.edge_reversed, data.num_reversed), and {int(loop.sum())} self-loops left out (data.num_dropped)",
            CycleWarning,
            stacklevel=2,
        )
    return dag


def note_nothing_changed(data: Data, cycles: str) -> None:
    """Set what :func:`condense` or :func:`break_cycles` would, for an undirected graph, so that both batch together."""
    none = 0 if data.get("batch") is None else torch.zeros(int(data.num_graphs), dtype=torch.int64)
    if cycles == "condense":
        data.member_of, data.num_dropped = torch.arange(data.num_nodes), none
    elif cycles == "break":
        data.edge_reversed = torch.zeros_like(data.edge_index[0], dtype=torch.bool)
        data.num_reversed = data.num_dropped = none
