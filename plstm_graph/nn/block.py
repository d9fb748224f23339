"""A residual block around the pLSTM layer, as in a Transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn.inits import reset

from plstm_graph.graph.linedag import LineDAG
from plstm_graph.nn.checks import check_probability
from plstm_graph.nn.conv import PLSTMConv
from plstm_graph.nn.dropout import Dropout
from plstm_graph.nn.inputs import joined, order_edges
from plstm_graph.nn.local import LocalConv
from plstm_graph.nn.norms import make_norm


class PLSTMBlock(nn.Module):
    """``x + conv(norm(x))``, then ``x + mlp(norm(x))``.

    Args:
        channels: width of the node features.
        edge_dim: size of the edge features, or ``None``.
        mlp_ratio: hidden width of the MLP over ``channels``; 0 leaves the MLP out.
        dropout: dropout probability behind the layer and behind the MLP.
        drop_path: probability, per graph, of skipping a residual branch in training (stochastic depth).
        block_norm: ``"layer"``, ``"rms"``, ``"batch"`` or ``"none"``.
        local: add a GINE branch beside the pLSTM layer, which hears the neighbours in both directions.
        conv: further arguments of :class:`PLSTMConv`: ``heads``, ``mode``, ``direction``, ``key_dim``, ``norm``,
            ``engine`` and the gate values at the start.

    Shapes:
        - **input:** ``[N, channels]``, a :class:`~plstm_graph.LineDAG`, edge features ``[C, edge_dim]`` (optional).
        - **output:** ``[N, channels]``.
    """

    def __init__(
        self,
        channels: int,
        edge_dim: int | None = None,
        *,
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        block_norm: str = "layer",
        local: bool = False,
        **conv: object,
    ) -> None:
        super().__init__()
        self.conv_norm = make_norm(block_norm, channels)
        self.conv = PLSTMConv(channels, channels, edge_dim=edge_dim, **conv)
        self.local = LocalConv(channels) if local else None
        self.local_edge = nn.Linear(edge_dim, channels) if local and edge_dim else None
        self.dropout = Dropout(dropout)
        self.drop_path = DropPath(drop_path)
        hidden = round(mlp_ratio * channels)
        self.mlp_norm = make_norm(block_norm, channels) if hidden else None
        self.mlp = (
            nn.Sequential(
                nn.Linear(channels, hidden),
                nn.GELU(),
                nn.Linear(hidden, channels),
                Dropout(dropout),
            )
            if hidden
            else None
        )

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for child in self.children():
            reset(child)

    def forward(
        self, x: Tensor, dag: LineDAG, edge_attr: Tensor | None = None, *, in_edge_order: bool = False
    ) -> Tensor:
        """Run the block; arguments as for :meth:`PLSTMConv.forward`."""
        dag = joined(dag)
        if edge_attr is not None and not in_edge_order:
            edge_attr = order_edges(edge_attr, dag)
        normed = self.conv_norm(x)
        heard = self.conv(normed, dag, edge_attr, in_edge_order=True)
        if self.local is not None:
            edge = None if self.local_edge is None else self.local_edge(edge_attr)
            heard = heard + self.local(normed, dag, edge)
        x = x + self.drop_path(self.dropout(heard), dag)
        if self.mlp is not None:
            x = x + self.drop_path(self.mlp(self.mlp_norm(x)), dag)
        return x


class DropPath(nn.Module):
    """Zero a residual branch for whole graphs at random, and scale up the others, in training.

    Args:
        probability: of dropping a graph's branch.
    """

    def __init__(self, probability: float = 0.0) -> None:
        super().__init__()
        check_probability("drop_path", probability)
        self.probability = probability

    def forward(self, x: Tensor, dag: LineDAG) -> Tensor:
        if not self.training or self.probability == 0:
            return x
        keep = x.new_empty(dag.num_graphs, 1).bernoulli_(1 - self.probability) / (1 - self.probability)
        return x * keep[graph_of_node(dag)]


def graph_of_node(dag: LineDAG) -> Tensor:
    """Graph of every node: int64 ``[N]``."""
    return dag.cached("graph_of_node", lambda: torch.repeat_interleave(dag.node_ptr.diff(), output_size=dag.num_nodes))
