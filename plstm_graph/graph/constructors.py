"""Regular DAGs: paths, trees, grids, and many copies of one DAG. Only tensors; no loop over nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from plstm_graph.errors import CycleError, GraphError
from plstm_graph.graph.linedag import LineDAG


def path(num_nodes: int) -> LineDAG:
    """See :meth:`LineDAG.path`."""
    nodes = torch.arange(_integer("num_nodes", num_nodes, 0))
    return LineDAG.from_edge_index(torch.stack([nodes[:-1], nodes[1:]]), num_nodes)


def tree(parents: Tensor, toward: str) -> LineDAG:
    """See :meth:`LineDAG.tree`."""
    if toward not in ("leaves", "root"):
        raise GraphError(f"toward={toward!r} does not exist: a tree is directed toward 'leaves' or 'root'")
    parents = torch.as_tensor(parents)
    if parents.dim() != 1 or parents.dtype not in (torch.int32, torch.int64):
        raise GraphError(f"parents must be one integer per node, got {parents.dtype} {list(parents.shape)}")
    wrong = ((parents < -1) | (parents >= parents.numel())).nonzero().flatten()
    if wrong.numel():
        node = int(wrong[0])
        raise GraphError(
            f"node {node} has the parent {int(parents[node])}: there are nodes 0 to {parents.numel() - 1}, and a root "
            "has the parent -1"
        )
    own = (parents == torch.arange(parents.numel())).nonzero().flatten()
    if own.numel():
        node = int(own[0])
        raise CycleError(f"node {node} is its own parent; a root has the parent -1", 0, (node,))
    child = (parents >= 0).nonzero().flatten()
    down = torch.stack([parents[child].long(), child])
    return LineDAG.from_edge_index(down if toward == "leaves" else down.flip(0), parents.numel())


def balanced_tree(branching: int, depth: int, toward: str) -> LineDAG:
    """See :meth:`LineDAG.balanced_tree`."""
    _integer("branching", branching, 1)
    size = sum(branching**d for d in range(_integer("depth", depth, 0) + 1))
    return tree(torch.div(torch.arange(size) - 1, branching, rounding_mode="floor"), toward)


def grid(shape: Sequence[int], direction: Sequence[int] | None) -> LineDAG:
    """See :meth:`LineDAG.grid`."""
    shape = tuple(_integer("every size of a grid", size, 1) for size in shape)
    signs = (1,) * len(shape) if direction is None else tuple(direction)
    if not shape or len(signs) != len(shape) or any(sign not in (1, -1) for sign in signs):
        raise GraphError(
            f"direction must give 1 or -1 for each axis of a grid of at least one axis, got direction={direction} for "
            f"shape={shape}"
        )
    node = torch.arange(math.prod(shape)).view(shape)
    columns, axis_of = [], []
    for axis, (size, sign) in enumerate(zip(shape, signs, strict=True)):
        low, high = (node.narrow(axis, first, size - 1).flatten() for first in (0, 1))
        columns.append(torch.stack([low, high] if sign == 1 else [high, low]))
        axis_of.append(torch.full_like(low, axis))
    dag = LineDAG.from_edge_index(torch.cat(columns, dim=1), node.numel())
    edge_axis = torch.cat(axis_of)[dag.edge_id]
    before, after = edge_axis[dag.line_index]
    # one monotone path from a cell to each cell before it: all steps along axis 0 first, then along axis 1, ...
    return replace(dag, edge_axis=edge_axis, multitree=before <= after, _cache={})


def repeat(dag: LineDAG, count: int) -> LineDAG:
    """See :meth:`LineDAG.repeat`."""
    copies = torch.arange(_integer("count", count, 0), device=dag.device).unsqueeze(1)

    def shifted(tensor: Tensor, size: int) -> Tensor:
        return (tensor.unsqueeze(-2) + size * copies).flatten(-2)

    def pointer(ptr: Tensor, size: int) -> Tensor:
        return torch.cat([shifted(ptr[:-1], size), ptr.new_tensor([size * count])])

    return LineDAG(
        edge_index=shifted(dag.edge_index, dag.num_nodes),
        edge_id=shifted(dag.edge_id, dag.num_columns),
        line_index=shifted(dag.line_index, dag.num_edges),
        multitree=dag.multitree.repeat(count),
        level=dag.level.repeat(count),
        num_nodes=dag.num_nodes * count,
        node_ptr=pointer(dag.node_ptr, dag.num_nodes),
        edge_ptr=pointer(dag.edge_ptr, dag.num_edges),
        column_ptr=pointer(dag.column_ptr, dag.num_columns),
        num_columns=dag.num_columns * count,
        edge_axis=None if dag.edge_axis is None else dag.edge_axis.repeat(count),
    )


def _integer(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise GraphError(f"{name} must be an integer of at least {least}, got {value!r}")
    return value
