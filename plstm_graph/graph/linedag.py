"""The container that every layer and engine reads: a DAG, or a batch of DAGs, with its line graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import register_dataclass

from plstm_graph.errors import GraphError

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class LineDAG:
    """One DAG, or a disjoint union of many, together with its line graph.

    Edges stand grouped by graph and, within a graph, after all their predecessors in the line graph. Read backwards
    (edge order reversed, line edges transposed, same ``multitree``) the same arrays describe the reversed DAG.

    Args:
        edge_index: ``[2, E]`` int64, tail and head node of every DAG edge.
        edge_id: ``[E]`` int64, the column of the original ``edge_index`` (the row of ``edge_attr``) of each edge.
        line_index: ``[2, L]`` int64, line edges ``(e', e)`` with ``head(e') = tail(e)``, sorted by ``e``, then ``e'``.
        multitree: ``[L]`` bool, the line edges that D-mode keeps: at most one directed path between any two edges.
        level: ``[E]`` int64, number of line edges on the longest path that ends in the edge (0 without predecessor).
        num_nodes: number of nodes, isolated ones included.
        node_ptr: ``[G + 1]`` int64, first node of every graph, and ``num_nodes``.
        edge_ptr: ``[G + 1]`` int64, first edge of every graph, and ``E``.
        column_ptr: ``[G + 1]`` int64, first original column of every graph, and their number.
        num_columns: number of columns C of the original ``edge_index``, the rows of ``edge_attr``.
        edge_axis: ``[E]`` int64, the axis that every edge of a regular grid runs along; ``None`` for other DAGs.
    """

    edge_index: Tensor
    edge_id: Tensor
    line_index: Tensor
    multitree: Tensor
    level: Tensor
    num_nodes: int
    node_ptr: Tensor
    edge_ptr: Tensor
    column_ptr: Tensor
    num_columns: int
    edge_axis: Tensor | None = None
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_edge_index(
        cls, edge_index: Tensor, num_nodes: int, order: Tensor | None = None, batch: Tensor | None = None
    ) -> LineDAG:
        """Orient the edges, sort them topologically and make the line graph.

        Args:
            edge_index: ``[2, C]`` int64. With ``order``, undirected edges: both directions of one edge become one DAG
                edge, and an edge listed once is taken as well; ``k`` copies of an edge stay ``k`` parallel edges.
                Without ``order``, directed edges, kept as they are.
            num_nodes: number of nodes.
            order: ``[N]`` rank of every node; edges point from lower to higher rank. Adjacent nodes need distinct
                ranks. ``None`` keeps the directions given.
            batch: ``[N]`` int64, ascending graph number of every node; ``None`` means one graph.

        Raises:
            CycleError: the directed graph has a cycle (the message names its nodes).
            SelfLoopError: an edge joins a node to itself.
            GraphError: wrong shape, dtype or index, an edge between two graphs, ranks that tie or are NaN, or a line
                graph too large for memory.
        """
        from plstm_graph.graph.build import build  # compiles on first use

        return cls(**build(edge_index, num_nodes, order, batch))

    @classmethod
    def path(cls, num_nodes: int) -> LineDAG:
        """The path 0 → 1 → ... → ``num_nodes - 1``: pLSTM on it is a linear recurrent network on a sequence."""
        from plstm_graph.graph.constructors import path

        return path(num_nodes)

    @classmethod
    def tree(cls, parents: Tensor, toward: str = "leaves") -> LineDAG:
        """A tree or forest, given by the parent ``[N]`` of every node, -1 for roots.

        Column c of ``edge_index`` joins the c-th node that has a parent with it; ``toward`` is ``"leaves"`` or
        ``"root"``.

        Raises:
            CycleError: a node is its own ancestor.
            GraphError: ``parents`` names a node that does not exist, or ``toward`` is neither.
        """
        from plstm_graph.graph.constructors import tree

        return tree(parents, toward)

    @classmethod
    def balanced_tree(cls, branching: int, depth: int, toward: str = "leaves") -> LineDAG:
        """A tree whose nodes have ``branching`` children each, down to ``depth``; numbered level by level."""
        from plstm_graph.graph.constructors import balanced_tree

        return balanced_tree(branching, depth, toward)

    @classmethod
    def grid(cls, shape: Sequence[int], direction: Sequence[int] | None = None) -> LineDAG:
        """A regular grid (section 4.3) of any number of axes; cells are numbered with the last axis running fastest.

        Args:
            shape: cells along every axis, as ``(height, width)``.
            direction: for every axis 1, from low to high index, or -1; ``None`` means 1 everywhere. A grid of two axes
                has four directions, one of three axes eight. Columns of ``edge_index`` are the same pairs of cells in
                all of them, so they share ``edge_attr``: all pairs along axis 0 by their lower cell, then along axis 1.

        Returns:
            A DAG with ``edge_axis``. Its multitree has all straight line edges and the turns from a lower to a higher
            axis, so that exactly one path leads from a cell to each that lies ahead along all axes.

        Raises:
            GraphError: a size is less than one, or ``direction`` is not 1 or -1 for every axis.
        """
        from plstm_graph.graph.constructors import grid

        return grid(shape, direction)

    def repeat(self, count: int) -> LineDAG:
        """A batch of ``count`` copies, at the cost of copying: for batches of equal grids, paths or trees."""
        from plstm_graph.graph.constructors import repeat

        return repeat(self, count)

    @classmethod
    def cat(cls, dags: Sequence[LineDAG]) -> LineDAG:
        """Join DAGs into one batch, in the given order.

        Raises:
            GraphError: ``dags`` is empty.
        """
        if not dags:
            raise GraphError("LineDAG.cat needs at least one LineDAG, got an empty list")
        nodes = _offsets([d.num_nodes for d in dags])
        edges = _offsets([d.num_edges for d in dags])
        columns = _offsets([d.num_columns for d in dags])
        pairs = list(zip(dags, nodes, edges, columns, strict=False))
        axes = [d.edge_axis for d in dags if d.edge_axis is not None]
        return cls(
            edge_index=torch.cat([d.edge_index + n for d, n, _, _ in pairs], dim=1),
            edge_id=torch.cat([d.edge_id + c for d, _, _, c in pairs]),
            line_index=torch.cat([d.line_index + e for d, _, e, _ in pairs], dim=1),
            multitree=torch.cat([d.multitree for d in dags]),
            level=torch.cat([d.level for d in dags]),
            num_nodes=nodes[-1],
            node_ptr=_join_ptr([d.node_ptr + n for d, n, _, _ in pairs]),
            edge_ptr=_join_ptr([d.edge_ptr + e for d, _, e, _ in pairs]),
            column_ptr=_join_ptr([d.column_ptr + c for d, _, _, c in pairs]),
            num_columns=columns[-1],
            edge_axis=torch.cat(axes) if len(axes) == len(dags) else None,
        )

    @property
    def num_edges(self) -> int:
        """Number of DAG edges E."""
        return self.edge_index.size(1)

    @property
    def num_line_edges(self) -> int:
        """Number of line edges L."""
        return self.line_index.size(1)

    @property
    def num_graphs(self) -> int:
        """Number of graphs G; a single graph counts as one, an empty batch as none."""
        return self.node_ptr.numel() - 1

    @property
    def num_levels(self) -> int:
        """Number of wavefronts: 0 without edges, else the largest level plus one."""
        return self.cached("num_levels", lambda: int(self.level.max()) + 1 if self.num_edges else 0)

    @property
    def device(self) -> torch.device:
        """Device of all tensors."""
        return self.edge_index.device

    def cached(self, key: str, make: Callable[[], T]) -> T:
        """Return what ``make`` computed on the first call with ``key``: index arrays are shared by all layers."""
        if key not in self._cache:
            if torch.is_inference_mode_enabled():  # tensors made in it could not serve a backward pass later
                with torch.inference_mode(False):
                    self._cache[key] = make()
            else:
                self._cache[key] = make()
        return self._cache[key]

    @property
    def traced(self) -> bool:
        """Whether the call is traced for a compiler: what depends on the numbers of the index has to be left alone."""
        return torch.compiler.is_compiling() or type(self.node_ptr) is not Tensor

    @property
    def pruned(self) -> LineDAG:
        """The DAG with the line edges of its multitree only, on which D-mode runs; itself if no other is there.

        ``level`` stays that of all line edges: still every edge comes after its predecessors.
        """
        found = self.cached("pruned", self._prune)
        return self if found is None else found

    def _prune(self) -> LineDAG | None:
        if bool(self.multitree.all()):
            return None  # not self, which would keep itself alive
        kept = self.multitree
        return replace(self, line_index=self.line_index[:, kept], multitree=kept[kept], _cache={})

    def graph(self, i: int) -> LineDAG:
        """The ``i``-th graph of the batch, with nodes, edges and columns counted from 0.

        Raises:
            GraphError: there is no such graph, or its columns do not stand together in the original ``edge_index``.
        """
        if not -self.num_graphs <= i < self.num_graphs:
            raise GraphError(f"graph {i} does not exist: the batch has {self.num_graphs} graphs")
        i %= self.num_graphs
        (n0, n1), (e0, e1), (c0, c1) = (
            ptr[i : i + 2].tolist() for ptr in (self.node_ptr, self.edge_ptr, self.column_ptr)
        )
        edge_id = self.edge_id[e0:e1] - c0
        if edge_id.numel() and (int(edge_id.min()) < 0 or int(edge_id.max()) >= c1 - c0):
            raise GraphError(f"the columns of graph {i} are scattered over edge_index: group them by graph first")
        l0, l1 = torch.searchsorted(
            self.line_index[1].contiguous(), torch.tensor([e0, e1], device=self.device)
        ).tolist()
        ptr = [torch.tensor([0, size], device=self.device) for size in (n1 - n0, e1 - e0, c1 - c0)]
        return LineDAG(
            edge_index=self.edge_index[:, e0:e1] - n0,
            edge_id=edge_id,
            line_index=self.line_index[:, l0:l1] - e0,
            multitree=self.multitree[l0:l1],
            level=self.level[e0:e1],
            num_nodes=n1 - n0,
            node_ptr=ptr[0],
            edge_ptr=ptr[1],
            column_ptr=ptr[2],
            num_columns=c1 - c0,
            edge_axis=None if self.edge_axis is None else self.edge_axis[e0:e1],
        )

    def to(self, device: torch.device | str, non_blocking: bool = False) -> LineDAG:
        """Copy to ``device``, or self if it is there already."""
        if torch.empty(0, device=device).device == self.device:  # "cuda" is the current one of several
            return self
        return self._apply(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def cpu(self) -> LineDAG:
        """Copy to the CPU, or self if it is there already."""
        return self.to("cpu")

    def pin_memory(self) -> LineDAG:
        """Copy to pinned memory, for asynchronous transfer to a GPU."""
        return self._apply(lambda tensor: tensor.pin_memory())

    def _apply(self, function: Callable[[Tensor], Tensor]) -> LineDAG:
        values = {name: getattr(self, name) for name in FIELDS}
        return LineDAG(**{k: function(v) if isinstance(v, Tensor) else v for k, v in values.items()})

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in FIELDS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _cache={})

    def __repr__(self) -> str:
        return (
            f"LineDAG(graphs={self.num_graphs}, nodes={self.num_nodes}, edges={self.num_edges}, "
            f"line_edges={self.num_line_edges}, levels={self.num_levels})"
        )


FIELDS = tuple(name for name in LineDAG.__dataclass_fields__ if name != "_cache")

# so that torch.export takes a LineDAG among a model's inputs
register_dataclass(LineDAG, field_names=list(FIELDS), drop_field_names=["_cache"])


def _offsets(sizes: list[int]) -> list[int]:
    total, offsets = 0, [0]
    for size in sizes:
        total += size
        offsets.append(total)
    return offsets


def _join_ptr(ptrs: list[Tensor]) -> Tensor:
    return torch.cat([ptr[:-1] for ptr in ptrs] + [ptrs[-1][-1:]])
