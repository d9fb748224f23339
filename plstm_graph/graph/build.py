"""From ``edge_index`` to the fields of a :class:`~plstm_graph.graph.linedag.LineDAG`: check, orient, sort, join."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from plstm_graph.errors import CycleError, GraphError, SelfLoopError
from plstm_graph.graph import _kernels

MAX_LINE_EDGES = 2**31
"""A line graph beyond this many line edges (32 GiB of indices) is refused."""


def build(edge_index: Tensor, num_nodes: int, order: Tensor | None, batch: Tensor | None) -> dict[str, Any]:
    """Fields of the LineDAG of ``edge_index``; see :meth:`LineDAG.from_edge_index` for arguments and errors."""
    tail, head, graph_of, node_ptr = check_graph(edge_index, num_nodes, batch)
    num_nodes, columns_of = int(num_nodes), graph_of[tail]
    if order is None:
        position = _topological_position(tail, head, num_nodes, graph_of, node_ptr)
        by_head = _kernels.stable_sort(position[head], num_nodes, np.arange(tail.size))
        edge_id = _kernels.stable_sort(position[tail], num_nodes, by_head)
        tail, head = tail[edge_id], head[edge_id]
    else:
        position = _given_position(order, tail, head, num_nodes, graph_of, node_ptr)
        edge_id = _kernels.one_edge_each(tail, head, position)
        swap = position[tail[edge_id]] > position[head[edge_id]]
        tail, head = np.where(swap, head[edge_id], tail[edge_id]), np.where(swap, tail[edge_id], head[edge_id])

    num_line_edges, hub = _kernels.count_line_edges(tail, head, num_nodes) if num_nodes else (0, 0)
    if num_line_edges > MAX_LINE_EDGES:
        raise GraphError(
            f"the line graph would have {num_line_edges:,} line edges (limit {MAX_LINE_EDGES:,}); most of them at "
            f"{_name_node(hub, graph_of, node_ptr)}, which has {int((head == hub).sum()):,} edges in and "
            f"{int((tail == hub).sum()):,} out: split or drop such hubs"
        )
    level, line, multitree = _kernels.line_graph(tail, head, num_nodes, num_line_edges)
    arrays = {
        "edge_index": np.stack([tail, head]),
        "edge_id": edge_id,
        "line_index": line,
        "multitree": multitree,
        "level": level,
        "node_ptr": node_ptr,
        "edge_ptr": _pointer(graph_of[tail], node_ptr.size - 1),
        "column_ptr": _pointer(columns_of, node_ptr.size - 1),
    }
    tensors = {name: torch.from_numpy(array).to(edge_index.device) for name, array in arrays.items()}
    return tensors | {"num_nodes": num_nodes, "num_columns": columns_of.size}


def check_graph(
    edge_index: Tensor, num_nodes: int, batch: Tensor | None, self_loops: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Tails ``[C]``, heads ``[C]``, graph of every node ``[N]`` and node boundaries ``[G + 1]``, once all is in order.

    Raises:
        GraphError, SelfLoopError: as :meth:`LineDAG.from_edge_index`; self-loops pass if ``self_loops``.
    """
    if isinstance(num_nodes, bool) or not isinstance(num_nodes, (int, np.integer)) or num_nodes < 0:
        raise GraphError(f"num_nodes must be an integer >= 0, got {num_nodes!r}")
    _check_edge_index(edge_index)
    columns = edge_index.detach().cpu().numpy()
    tail, head = np.ascontiguousarray(columns[0]), np.ascontiguousarray(columns[1])
    node_ptr, graph_of = _graphs(batch, int(num_nodes))
    _check_columns(tail, head, int(num_nodes), graph_of, node_ptr, self_loops)
    return tail, head, graph_of, node_ptr


def _check_edge_index(edge_index: Tensor) -> None:
    if not isinstance(edge_index, Tensor):
        raise GraphError(f"edge_index must be a torch.Tensor, got {type(edge_index).__name__}")
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise GraphError(f"edge_index must have shape [2, number of edges], got {list(edge_index.shape)}")
    if edge_index.dtype != torch.int64:
        raise GraphError(f"edge_index must have dtype int64, got {edge_index.dtype}: use edge_index.long()")


def _graphs(batch: Tensor | None, num_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Node boundaries ``[G + 1]`` and the graph of every node ``[N]``."""
    if batch is None:
        return np.array([0, num_nodes]), np.zeros(num_nodes, np.int64)
    if not isinstance(batch, Tensor) or batch.dtype != torch.int64 or list(batch.shape) != [num_nodes]:
        found = f"{batch.dtype} {list(batch.shape)}" if isinstance(batch, Tensor) else type(batch).__name__
        raise GraphError(f"batch must be an int64 tensor of shape [{num_nodes}] (one entry per node), got {found}")
    graph_of = np.ascontiguousarray(batch.detach().cpu().numpy())
    if num_nodes == 0:
        return np.zeros(1, np.int64), graph_of
    if graph_of[0] < 0 or (np.diff(graph_of) < 0).any():
        at = int(np.argmax(np.diff(graph_of, prepend=0) < 0))
        raise GraphError(f"batch must ascend from 0, but node {at} has {graph_of[at]}: sort the nodes by graph")
    return _pointer(graph_of, int(graph_of[-1]) + 1), graph_of


def _pointer(group: np.ndarray, num_groups: int) -> np.ndarray:
    counts = np.bincount(group, minlength=num_groups)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64, copy=False)


def _name_node(node: int, graph_of: np.ndarray, node_ptr: np.ndarray) -> str:
    if node_ptr.size == 2:
        return f"node {node}"
    graph = int(graph_of[node])
    return f"node {node - node_ptr[graph]} of graph {graph} (node {node} of the batch)"


def _check_columns(
    tail: np.ndarray, head: np.ndarray, num_nodes: int, graph_of: np.ndarray, node_ptr: np.ndarray, self_loops: bool
) -> None:
    kind, c = _kernels.first_problem(tail, head, num_nodes, graph_of, self_loops)
    if kind == _kernels.OK:
        return
    t, h = int(tail[c]), int(head[c])
    if kind == _kernels.OUT_OF_RANGE:
        raise GraphError(f"edge_index[:, {c}] = ({t}, {h}) is out of range: nodes are numbered 0 to {num_nodes - 1}")
    if kind == _kernels.SELF_LOOP:
        raise SelfLoopError(
            f"edge_index[:, {c}] is a self-loop at {_name_node(t, graph_of, node_ptr)}: "
            "a DAG has none; remove them, for example with torch_geometric.utils.remove_self_loops"
        )
    raise GraphError(
        f"edge_index[:, {c}] = ({t}, {h}) joins graph {graph_of[t]} to graph {graph_of[h]}: "
        "edges must stay within one graph of the batch"
    )


def _topological_position(
    tail: np.ndarray, head: np.ndarray, num_nodes: int, graph_of: np.ndarray, node_ptr: np.ndarray
) -> np.ndarray:
    """Position of every node, by graph, then longest path into it, then number."""
    layer = _kernels.longest_path_layers(tail, head, num_nodes)
    if num_nodes and layer.min() < 0:
        cycle = _kernels.one_cycle(tail, head, layer)
        graph = int(graph_of[cycle[0]])
        nodes = tuple(int(n) for n in cycle - node_ptr[graph])
        where = "the graph" if node_ptr.size == 2 else f"graph {graph} of the batch"
        shown = " -> ".join(str(n) for n in (*nodes[:20], *(("...",) if len(nodes) > 20 else ()), nodes[0]))
        raise CycleError(
            f"{where} is not acyclic: its nodes {shown} form a cycle; give order=... if its edges are undirected, or "
            "let ToLineDAG(cycles='condense') make one node of every strongly connected component, or "
            "ToLineDAG(cycles='break') turn a few edges round",
            graph,
            nodes,
        )
    return _inverse(np.lexsort((layer, graph_of)))


def topological_order(tail: np.ndarray, head: np.ndarray, num_nodes: int) -> np.ndarray:
    """Position ``[N]`` of every node of an acyclic graph, by longest path into it, then number."""
    return _inverse(np.argsort(_kernels.longest_path_layers(tail, head, num_nodes), kind="stable"))


def _given_position(
    order: Tensor, tail: np.ndarray, head: np.ndarray, num_nodes: int, graph_of: np.ndarray, node_ptr: np.ndarray
) -> np.ndarray:
    """Position of every node, by graph, then rank, then number."""
    if (
        not isinstance(order, Tensor)
        or list(order.shape) != [num_nodes]
        or order.is_complex()
        or order.dtype == torch.bool
    ):
        found = f"{order.dtype} {list(order.shape)}" if isinstance(order, Tensor) else type(order).__name__
        raise GraphError(f"order must be a tensor of {num_nodes} ranks, one per node, got {found}")
    rank = (order.double() if order.is_floating_point() else order).detach().cpu().numpy()
    if np.issubdtype(rank.dtype, np.floating) and np.isnan(rank).any():
        raise GraphError(f"order is NaN at {_name_node(int(np.isnan(rank).argmax()), graph_of, node_ptr)}")
    tied = rank[tail] == rank[head]
    if tied.any():
        c = int(tied.argmax())
        raise GraphError(
            f"{_name_node(int(tail[c]), graph_of, node_ptr)} and {_name_node(int(head[c]), graph_of, node_ptr)} are "
            f"joined by an edge and have the same rank {rank[tail[c]]}: the edge has no direction; break the tie"
        )
    local = rank.astype(np.int64, copy=False) + node_ptr[graph_of] if rank.dtype.kind in "iu" else None
    if local is not None and _is_permutation(local, rank, graph_of, node_ptr):
        return local
    return _inverse(np.lexsort((rank, graph_of)))


def _is_permutation(position: np.ndarray, rank: np.ndarray, graph_of: np.ndarray, node_ptr: np.ndarray) -> bool:
    """Whether the ranks of every graph are 0 .. n-1, so that no sort is needed."""
    if (rank < 0).any() or (rank >= np.diff(node_ptr)[graph_of]).any():
        return False
    hit = np.zeros(position.size, bool)
    hit[position] = True
    return bool(hit.all())


def _inverse(permutation: np.ndarray) -> np.ndarray:
    inverse = np.empty_like(permutation)
    inverse[permutation] = np.arange(permutation.size)
    return inverse
