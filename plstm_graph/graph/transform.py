"""The PyG transform that gives ``data`` its line DAG, and the ``Data`` that batches with it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import BaseTransform

from plstm_graph.errors import ConfigError, FeatureError, GraphError
from plstm_graph.graph.cycles import CYCLES, break_cycles, condense, note_nothing_changed
from plstm_graph.graph.linedag import LineDAG
from plstm_graph.graph.orientation import node_order

_TENSORS = ("edge_index", "edge_id", "line_index", "multitree", "level")


class ToLineDAG(BaseTransform):
    """Orient the edges of a graph and attach its :class:`LineDAG` as ``data.dag``.

    Works on a single ``Data``, whose result the stock ``DataLoader`` batches (``batch.dag`` is one ``LineDAG``), and
    on a whole ``Batch`` at once, which is the fastest way and draws a new random orientation for every batch.

    Directed graphs (some edge lacks its reverse) keep their directions, whatever ``order`` says, and where their
    topological order is free, nodes are sorted by number; undirected graphs (every edge is listed in both directions)
    are oriented from lower to higher rank. Every graph of a batch is looked at for itself.

    Args:
        order: ``"canonical"`` (invariant to the numbering of the nodes), ``"bliss"`` (the same, and exact for regular
            graphs without distinguishing features too), ``"center"`` (outwards from the centre of the graph),
            ``"index"`` (numbering of the nodes, as in the paper), ``"random"`` (new at every call), ``"random-root"``
            (outwards from a random node, new at every call), ``"directed"`` (edges are always taken as directed), a
            callable ``data -> [N]``, or the name of a node attribute that holds the ranks.
        cycles: what to do with a cyclic directed graph. ``"raise"`` a ``CycleError`` that names a cycle;
            ``"condense"``: every strongly connected component becomes one node with the mean features of its members,
            and the edges inside are dropped (``data.member_of``, ``data.num_dropped``); ``"break"``: few edges, chosen
            by a feedback-arc heuristic of igraph, are turned round, and self-loops left out (``data.edge_reversed``,
            ``data.num_reversed``, ``data.num_dropped``). The last two warn with the number of edges changed; see
            :mod:`plstm_graph.graph.cycles`.

    Raises:
        FeatureError: ``x`` or ``edge_attr`` holds NaN, or has a wrong number of rows.
        GraphError: the graph cannot be oriented; see :meth:`LineDAG.from_edge_index`.
        MissingDependencyError: igraph is not installed, and a cycle is to be broken, or ``order="bliss"``.
    """

    def __init__(self, order: str | Callable[[Data], Tensor] = "canonical", cycles: str = "raise") -> None:
        if cycles not in CYCLES:
            raise ConfigError(f"cycles={cycles!r} does not exist; choose from {', '.join(map(repr, CYCLES))}")
        self.order, self.cycles = order, cycles

    def forward(self, data: Data) -> Data:
        if not isinstance(data, Data) or data.edge_index is None:
            raise GraphError(f"ToLineDAG needs a torch_geometric Data with edge_index, got {type(data).__name__}")
        _check_rows(data, "x", data.num_nodes, "node")
        _check_rows(data, "edge_attr", data.edge_index.size(1), "edge")
        directed, undirected = (True, False) if self.order == "directed" else _directions(data)
        if isinstance(data, Batch) and (self.cycles == "condense" or (directed and undirected)):
            return Batch.from_data_list([self(graph) for graph in data.to_data_list()])  # "condense" changes sizes
        rank = None if directed else node_order(self.order, data)
        if rank is not None:
            note_nothing_changed(data, self.cycles)
        elif self.cycles == "condense":
            data = condense(data)
        if rank is None and self.cycles == "break":
            dag = break_cycles(data)
        else:
            dag = LineDAG.from_edge_index(data.edge_index, data.num_nodes, rank, data.get("batch"))
        if isinstance(data, Batch):
            dag = _with_last_graphs(dag, data.num_graphs)
        if not isinstance(data, Batch):
            object.__setattr__(data, "__class__", _with_dag(type(data)))  # Data would take it for a graph attribute
        data.dag = dag
        return data

    def __repr__(self) -> str:
        cycles = "" if self.cycles == "raise" else f", cycles={self.cycles!r}"
        return f"{type(self).__name__}(order={self.order!r}{cycles})"


def _directions(data: Data) -> tuple[bool, bool]:
    """Whether some graph has an edge that lacks its reverse, and whether some graph has edges, but none that does."""
    from plstm_graph.graph.build import check_graph  # compiles on first use

    check_graph(data.edge_index, data.num_nodes, data.get("batch"), self_loops=True)
    tail, head = data.edge_index
    along, against = (tail * data.num_nodes + head).sort().values, (head * data.num_nodes + tail).sort().values
    lacks = along != against  # both are sorted by graph first
    if data.get("batch") is None:
        directed = bool(lacks.any())
        return directed, not directed
    graph = data.batch[along.div(data.num_nodes, rounding_mode="floor")]
    return bool(lacks.any()), graph[lacks].unique().numel() < graph.unique().numel()


def _with_last_graphs(dag: LineDAG, num_graphs: int) -> LineDAG:
    """The same with as many graphs as the batch: ``data.batch`` does not tell of graphs without nodes at its end."""
    missing = num_graphs - dag.num_graphs
    if missing == 0:
        return dag
    ptrs = {f"{name}_ptr": getattr(dag, f"{name}_ptr") for name in _PTRS}
    return replace(dag, **{name: torch.cat([p, p[-1:].expand(missing)]) for name, p in ptrs.items()}, _cache={})


def _check_rows(data: Data, name: str, rows: int, kind: str) -> None:
    value = data.get(name)
    if value is None:
        return
    if value.size(0) != rows:
        raise FeatureError(f"{name} has {value.size(0)} rows, but the graph has {rows} {kind}s")
    if value.is_floating_point() and value.isnan().any():
        row = int(value.isnan().reshape(rows, -1).any(dim=1).nonzero()[0])
        node = row if kind == "node" else int(data.edge_index[0, row])
        graph = f" of graph {int(data.batch[node])}" if data.get("batch") is not None else ""
        raise FeatureError(f"{name}[{row}] ({kind} {row}{graph}) holds NaN: fill in or drop missing features first")


class DAGMixin:
    """Keeps a :class:`LineDAG` as plain tensors, so that PyG's collation joins it like everything else."""

    @property
    def dag(self) -> LineDAG:
        """The line DAG of this graph or batch.

        Raises:
            GraphError: nodes or edges were changed since the line DAG was made.
        """
        store = self._store
        made_of, view = self.__dict__.get("_dag_view", (None, None))
        if view is None or view.edge_index is not store["dag_edge_index"] or made_of is not store["edge_index"]:
            if not torch.compiler.is_compiling():
                _check_unchanged(store, self.num_nodes)
            view = LineDAG(
                **{name: store[f"dag_{name}"] for name in _TENSORS},
                num_nodes=self.num_nodes,
                num_columns=store["edge_index"].size(1),
                edge_axis=store.get("dag_edge_axis"),
                **{f"{name}_ptr": _pointer(size) for name, size in zip(_PTRS, store["dag_sizes"].T, strict=True)},
            )
            self.__dict__["_dag_view"] = store["edge_index"], view
        return view

    @dag.setter
    def dag(self, dag: LineDAG) -> None:
        for name in _TENSORS:
            self._store[f"dag_{name}"] = getattr(dag, name)
        self._store["dag_edge_axis"] = dag.edge_axis  # None removes it
        self._store["dag_sizes"] = torch.stack([getattr(dag, f"{name}_ptr").diff() for name in _PTRS], dim=1)
        self.__dict__["_dag_view"] = self._store["edge_index"], dag

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if key == "dag_edge_id":
            return self._store["edge_index"].size(1)
        if key == "member_of":
            return self.num_nodes
        if key == "dag_line_index":
            return self._store["dag_level"].numel()
        return super().__inc__(key, value, *args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_dag_view"}


_PTRS = ("node", "edge", "column")


def _check_unchanged(store: Any, num_nodes: int) -> None:
    """PyG's operations on a graph know nothing of line graphs, and kernels trust what a line DAG says."""
    ends, edge_id, line = (store[f"dag_{name}"] for name in ("edge_index", "edge_id", "line_index"))
    columns, edges, lines = store["edge_index"], edge_id.numel(), store["dag_multitree"].numel()
    sizes = store["dag_sizes"].sum(dim=0).tolist()
    same = sizes == [num_nodes, edges, columns.size(1)]
    same &= ends.shape == (2, edges) and line.shape == (2, lines) and store["dag_level"].numel() == edges
    if same and edges:
        found = columns.index_select(1, edge_id)
        same = bool(((found == ends).all(dim=0) | (found == ends.flip(0)).all(dim=0)).all())
    if not same:
        raise GraphError(
            "nodes or edges of the data were changed after its line DAG was made: apply ToLineDAG() last, or again"
        )


def _pointer(sizes: Tensor) -> Tensor:
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])


class DAGData(DAGMixin, Data):
    """A ``torch_geometric.data.Data`` with a line DAG."""


# lets data sets of PyG that store such graphs load without pickled classes
torch.serialization.add_safe_globals([DAGData])


@cache
def _with_dag(base: type[Data]) -> type[Data]:
    if issubclass(base, DAGMixin):
        return base
    if base is Data:
        return DAGData
    return type(f"DAG{base.__name__}", (DAGMixin, base), {"__reduce__": _reduce, "_base": base})


def _reduce(data: Any) -> tuple:
    return _rebuild, (type(data)._base, copy.copy(data.__getstate__()))


def _rebuild(base: type[Data], state: dict[str, Any]) -> Data:
    data = _with_dag(base)()
    data.__setstate__(state)
    return data
