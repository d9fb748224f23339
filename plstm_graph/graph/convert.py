"""networkx graphs as PyG ``Data``, and ``Data``, DAGs and line graphs as networkx graphs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_undirected

from plstm_graph.errors import GraphError, SelfLoopError
from plstm_graph.graph.attributes import Column, decode, encode
from plstm_graph.graph.linedag import LineDAG

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class NetworkxLayout:
    """What a networkx graph was, so that :func:`to_networkx` can give it back.

    Args:
        directed: it was a ``DiGraph`` or ``MultiDiGraph``.
        multigraph: it was a ``MultiGraph`` or ``MultiDiGraph``.
        node_columns: what every column of ``x`` holds.
        edge_columns: what every column of ``edge_attr`` holds.
    """

    directed: bool
    multigraph: bool
    node_columns: tuple[Column, ...] = ()
    edge_columns: tuple[Column, ...] = ()


# lets torch.load read it with weights_only=True
torch.serialization.add_safe_globals([NetworkxLayout])


def from_networkx(
    graph: nx.Graph,
    node_attrs: Iterable[Hashable] | Mapping[Hashable, int] | None = None,
    edge_attrs: Iterable[Hashable] | Mapping[Hashable, int] | None = None,
    *,
    node_categories: Mapping[Hashable, Sequence[Hashable]] | None = None,
    edge_categories: Mapping[Hashable, Sequence[Hashable]] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Data:
    """Turn a ``Graph``, ``DiGraph``, ``MultiGraph`` or ``MultiDiGraph`` into a PyG ``Data``.

    Nodes are numbered in the order of ``graph.nodes`` and edges stand in the order of ``graph.edges``. A directed edge
    becomes one column of ``edge_index``; an undirected one becomes two, ``(i, j)`` and then ``(j, i)``.

    Args:
        graph: the graph; any hashable node names.
        node_attrs: node attributes that become ``x``, in this order: numbers take one column, vectors of numbers one
            column per entry. A mapping ``{name: width}`` also fixes the widths, which a graph without nodes needs.
            ``None`` takes all attributes in order of appearance, ``[]`` none.
        edge_attrs: the same for edges and ``edge_attr``.
        node_categories: values of the categorical (for example string) node attributes: ``{"element": ["C", "N"]}``
            gives one column per listed value, 1 where the node has it. Use the same lists for all graphs.
        edge_categories: the same for edges.
        dtype: dtype of ``x`` and ``edge_attr``; ``torch.int64`` suits embedding encoders.

    Returns:
        ``Data`` with ``edge_index [2, C]`` int64, ``x [N, F]`` and ``edge_attr [C, D]`` where there are attributes,
        ``num_nodes``, ``node_names`` (list of N), ``edge_keys`` (list of C, multigraphs only) and ``layout``.

    Raises:
        GraphError: ``graph`` is not a networkx graph.
        SelfLoopError: an edge joins a node to itself.
        FeatureError: an attribute is missing, NaN, infinite or not a number; the message names the node or edge.
    """
    import networkx as nx

    if not isinstance(graph, nx.Graph):
        raise GraphError(f"from_networkx needs a networkx graph, got {type(graph).__name__}")
    names = list(graph.nodes)
    number = {name: i for i, name in enumerate(names)}
    multi = graph.is_multigraph()
    edges = list(graph.edges(keys=True)) if multi else list(graph.edges)
    rows = [row for *_, row in graph.edges(data=True)]
    for edge in edges:
        if edge[0] == edge[1]:
            raise SelfLoopError(
                f"the graph has a self-loop at node {edge[0]!r}: a DAG has none; remove them with "
                "graph.remove_edges_from(list(networkx.selfloop_edges(graph)))"
            )
    ends = torch.tensor([[number[edge[0]], number[edge[1]]] for edge in edges], dtype=torch.int64).reshape(-1, 2)
    x, node_columns = encode(
        "node", names, [graph.nodes[name] for name in names], node_attrs, node_categories or {}, dtype
    )
    edge_attr, edge_columns = encode("edge", edges, rows, edge_attrs, edge_categories or {}, dtype)
    keys = [edge[2] for edge in edges] if multi else None
    if not graph.is_directed():
        ends = torch.stack([ends, ends.flip(1)], dim=1).reshape(-1, 2)
        edge_attr = None if edge_attr is None else edge_attr.repeat_interleave(2, dim=0)
        keys = None if keys is None else [key for key in keys for _ in range(2)]

    data = Data(edge_index=ends.t().contiguous(), num_nodes=len(names), node_names=names)
    data.layout = NetworkxLayout(graph.is_directed(), multi, node_columns, edge_columns)
    for key, value in (("x", x), ("edge_attr", edge_attr), ("edge_keys", keys)):
        if value is not None:
            data[key] = value
    return data


def to_networkx(graph: Data | LineDAG, names: Sequence[Hashable] | None = None) -> nx.Graph:
    """Turn a ``Data`` or the DAG of a :class:`LineDAG` into a networkx graph.

    A ``Data`` from :func:`from_networkx` comes back as the graph it was, with its names and attributes (numbers as
    ``float``). Any other ``Data`` becomes a ``Graph`` if every edge has its reverse, else a ``DiGraph`` (the multigraph
    of either when edges are parallel), with ``x`` and ``edge_attr`` as lists. A ``LineDAG`` becomes a ``DiGraph`` (or
    ``MultiDiGraph``) whose edges have the attributes ``position``, ``edge_id`` and ``level``.

    Args:
        graph: the graph; of a batch, only a ``LineDAG`` is taken.
        names: name of every node; ``None`` means ``data.node_names`` if it has them, else 0 to N - 1.

    Raises:
        GraphError: ``graph`` is something else, or a ``Batch``, or ``names`` has the wrong length or repeats a name.
        FeatureError: ``x`` or ``edge_attr`` no longer has the columns it was made with.
    """
    import networkx as nx

    if isinstance(graph, LineDAG):
        return _dag_to_networkx(graph, names)
    if isinstance(graph, Batch):
        raise GraphError("to_networkx takes one graph at a time: use batch.get_example(i), or batch.dag for all DAGs")
    if not isinstance(graph, Data):
        raise GraphError(f"to_networkx needs a Data or a LineDAG, got {type(graph).__name__}")
    edge_index, num_nodes = graph.edge_index, int(graph.num_nodes or 0)
    layout = graph.get("layout") or _guess_layout(edge_index, num_nodes)
    keep = range(edge_index.size(1))
    if not layout.directed:
        if not is_undirected(edge_index, num_nodes=num_nodes):
            raise GraphError("data.layout says undirected, but an edge has no reverse: delete data.layout, or add it")
        keep = (edge_index[0] <= edge_index[1]).nonzero().flatten().tolist()
    kinds = {(False, False): nx.Graph, (True, False): nx.DiGraph, (False, True): nx.MultiGraph}
    result = kinds.get((layout.directed, layout.multigraph), nx.MultiDiGraph)()

    names = _checked_names(graph.get("node_names") if names is None else names, num_nodes)
    node_rows = _rows(graph.get("x"), layout.node_columns, "x", num_nodes)
    result.add_nodes_from(zip(names, node_rows, strict=True))
    edge_rows = _rows(graph.get("edge_attr"), layout.edge_columns, "edge_attr", edge_index.size(1))
    keys, ends = graph.get("edge_keys"), edge_index.t().tolist()
    for column in keep:
        tail, head = ends[column]
        edge = (names[tail], names[head])
        if layout.multigraph:
            edge = (*edge, result.add_edge(*edge, key=None if keys is None else keys[column]))
        else:
            result.add_edge(*edge)
        result.edges[edge].update(edge_rows[column])
    return result


def line_graph_to_networkx(dag: LineDAG, names: Sequence[Hashable] | None = None) -> nx.DiGraph:
    """Turn the line graph of ``dag`` into a ``DiGraph``.

    Node ``e`` (0 to E - 1) is the DAG edge at that position, with the attributes ``tail`` and ``head`` (node names),
    ``level`` and ``edge_id``; edge ``(e', e)`` has ``position`` (its place in ``dag.line_index``) and ``multitree``
    (whether D-mode keeps it).

    Args:
        dag: one DAG or a batch.
        names: name of every DAG node; ``None`` means 0 to N - 1.

    Raises:
        GraphError: ``names`` has the wrong length or repeats a name.
    """
    import networkx as nx

    names = _checked_names(names, dag.num_nodes)
    result = nx.DiGraph()
    ends = zip(dag.edge_index.t().tolist(), dag.level.tolist(), dag.edge_id.tolist(), strict=True)
    for e, ((tail, head), level, edge_id) in enumerate(ends):
        result.add_node(e, tail=names[tail], head=names[head], level=level, edge_id=edge_id)
    for position, ((before, after), kept) in enumerate(
        zip(dag.line_index.t().tolist(), dag.multitree.tolist(), strict=True)
    ):
        result.add_edge(before, after, position=position, multitree=kept)
    return result


def _dag_to_networkx(dag: LineDAG, names: Sequence[Hashable] | None) -> nx.DiGraph:
    import networkx as nx

    names = _checked_names(names, dag.num_nodes)
    result = nx.MultiDiGraph() if _has_parallel(dag.edge_index) else nx.DiGraph()
    result.add_nodes_from(names)
    ends = zip(dag.edge_index.t().tolist(), dag.level.tolist(), dag.edge_id.tolist(), strict=True)
    for position, ((tail, head), level, edge_id) in enumerate(ends):
        result.add_edge(names[tail], names[head], position=position, edge_id=edge_id, level=level)
    return result


def _guess_layout(edge_index: Tensor, num_nodes: int) -> NetworkxLayout:
    return NetworkxLayout(not is_undirected(edge_index, num_nodes=num_nodes), _has_parallel(edge_index))


def _has_parallel(edge_index: Tensor) -> bool:
    return torch.unique(edge_index, dim=1).size(1) < edge_index.size(1)


def _checked_names(names: Sequence[Hashable] | None, num_nodes: int) -> list[Hashable]:
    names = list(range(num_nodes)) if names is None else list(names)
    if len(names) != num_nodes:
        raise GraphError(f"names has {len(names)} entries, but the graph has {num_nodes} nodes")
    if len(set(names)) != num_nodes:
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise GraphError(f"two nodes are named {twice!r}: networkx needs distinct names")
    return names


def _rows(features: Tensor | None, columns: tuple[Column, ...], name: str, count: int) -> list[dict[Hashable, Any]]:
    if features is None:
        return [{} for _ in range(count)]
    if columns:
        return decode(features, columns)
    return [{name: value} for value in features.tolist()]
