"""What a picture shows: a DAG, with positions and labels found from whatever the caller has."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import is_undirected

from plstm_graph.errors import ConfigError, GraphError, SmilesError
from plstm_graph.graph.linedag import LineDAG
from plstm_graph.plot import layout as layouts

LAYOUTS = ("auto", "molecule", "spring", "layers")


@dataclass(frozen=True)
class Subject:
    """A DAG with all that is needed to draw it.

    Args:
        dag: the DAG (or several, drawn side by side).
        labels: text in every node.
        points: ``[N, 2]`` positions, or ``None`` for columns by depth.
        bonds: a molecule's bonds.
        title: short description.
        is_molecule: the labels are element symbols.
    """

    dag: LineDAG
    labels: list[str]
    points: np.ndarray | None
    bonds: list[layouts.Bond] = field(default_factory=list)
    title: str = ""
    is_molecule: bool = False


def subject(
    graph: str | Data | LineDAG | Any,
    order: str | Callable[[Data], Tensor],
    names: Sequence[Hashable] | None,
    layout: str,
    max_edges: int,
) -> Subject:
    """Find DAG, positions and labels; see :func:`plstm_graph.plot.plot_dag` for the arguments.

    Raises:
        GraphError: ``graph`` is none of the accepted kinds, too large, or ``names`` has the wrong length.
        ConfigError: ``layout`` does not exist, or asks for a molecule where there is none.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"layout={layout!r} does not exist: choose one of {', '.join(LAYOUTS)}")
    data = _as_data(graph)
    dag = _as_dag(graph, data, order)
    if dag.num_edges > max_edges:
        raise GraphError(
            f"{dag.num_edges} edges are too many for one picture: draw one graph of the batch (dag.graph(i)) or a "
            f"part of the graph, or raise max_edges={max_edges}"
        )
    pairs = [(tail, head) for tail, head in dag.edge_index.t().tolist()]
    smiles = data.get("smiles") if data is not None else None
    found = _molecule(smiles, dag.num_nodes) if isinstance(smiles, str) and layout in ("auto", "molecule") else None
    if layout == "molecule" and found is None:
        raise ConfigError("layout='molecule' needs a SMILES string, or a Data whose smiles has the same atoms as nodes")
    labels = _labels(names, data, found[1] if found else None, dag.num_nodes)
    title = f"{dag.num_nodes} nodes, {dag.num_edges} edges, {dag.num_levels} wavefronts"
    if found is not None:
        return Subject(dag, labels, found[0], found[2], title, names is None)
    undirected = data is not None and is_undirected(data.edge_index, num_nodes=data.num_nodes) and dag.num_edges > 0
    points = layouts.spring(dag.num_nodes, pairs) if layout == "spring" or (layout == "auto" and undirected) else None
    if layout == "auto" and dag.edge_axis is not None and dag.num_graphs == 1 and not (dag.edge_axis > 2).any():
        points = layouts.cells(dag.edge_index.numpy(), dag.edge_axis.numpy(), dag.num_nodes)
    return Subject(dag, labels, points, [], title)


def _molecule(smiles: str, num_nodes: int) -> tuple[np.ndarray, list[str], list[layouts.Bond]] | None:
    """Drawing of the molecule, or ``None`` if the nodes are not its atoms or this RDKit does not know its valences."""
    try:
        found = layouts.molecule(smiles)
    except SmilesError:
        return None
    return found if len(found[0]) == num_nodes else None


def _as_data(graph: Any) -> Data | None:
    if isinstance(graph, str):
        from plstm_graph.chem.smiles import from_smiles

        return from_smiles(graph)
    if isinstance(graph, LineDAG):
        return None
    if isinstance(graph, Batch):
        raise GraphError("a Batch cannot be drawn at once: take batch.get_example(i), or batch.dag to draw all DAGs")
    if isinstance(graph, Data):
        return graph
    if hasattr(graph, "is_multigraph"):
        from plstm_graph.graph.convert import from_networkx

        return from_networkx(graph, [], [])
    raise GraphError(f"cannot draw a {type(graph).__name__}: give a SMILES string, Data, LineDAG or networkx graph")


def _as_dag(graph: Any, data: Data | None, order: str | Callable[[Data], Tensor]) -> LineDAG:
    if isinstance(graph, LineDAG):
        return graph.cpu()
    dag = getattr(data, "dag", None)
    if isinstance(dag, LineDAG):
        return dag.cpu()
    from plstm_graph.graph.transform import ToLineDAG

    return ToLineDAG(order=order)(data).dag.cpu()


def _labels(
    names: Sequence[Hashable] | None, data: Data | None, symbols: list[str] | None, num_nodes: int
) -> list[str]:
    given = names if names is not None else symbols or (data.get("node_names") if data is not None else None)
    if given is None:
        given = range(num_nodes)
    labels = [str(name) for name in given]
    if len(labels) != num_nodes:
        raise GraphError(f"names has {len(labels)} entries, but the graph has {num_nodes} nodes")
    return labels


def depth(dag: LineDAG) -> Tensor:
    """Longest path ``[N]``, counted in edges, that ends in each node."""
    deepest = torch.zeros(dag.num_nodes, dtype=torch.int64)
    return deepest.scatter_reduce(0, dag.edge_index[1], dag.level + 1, "amax", include_self=True)
