"""What layers are given: one line DAG for a batch, and edge features in the order of its edges."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from plstm_graph.errors import FeatureError
from plstm_graph.graph.linedag import LineDAG


def joined(dag: LineDAG | Sequence[LineDAG]) -> LineDAG:
    """The line DAG of a batch, joined first if it comes as PyG collates an attribute it does not know: in a list.

    Raises:
        FeatureError: it is neither.
    """
    if isinstance(dag, (list, tuple)):
        dag = LineDAG.cat(dag)
    if not isinstance(dag, LineDAG):
        raise FeatureError(f"dag must be a LineDAG, got {type(dag).__name__}: apply ToLineDAG to the data first")
    return dag


def order_edges(edge_attr: Tensor, dag: LineDAG) -> Tensor:
    """Edge features from the rows of the original ``edge_index`` to the order of ``dag.edge_index``: ``[E, ...]``.

    Raises:
        FeatureError: ``edge_attr`` has not one row per column of the original ``edge_index``.
    """
    if edge_attr.size(0) != dag.num_columns:
        raise FeatureError(
            f"edge_attr must have one row per column of edge_index, {dag.num_columns} of them, "
            f"got shape {list(edge_attr.shape)}"
        )
    return edge_attr.index_select(0, dag.edge_id)
