"""One message-passing layer per baseline, all called as ``layer(x, state, edge_index, edge, batch)``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv, GINConv, GINEConv, GPSConv, GraphConv

from plstm_graph.nn.baselines.skeleton import State, mlp


class Local(nn.Module):
    """A PyG convolution without memory between layers; ``edge [E, d]`` is passed on if the convolution reads it."""

    def __init__(self, conv: nn.Module, reads_edges: bool = False) -> None:
        super().__init__()
        self.conv, self.reads_edges = conv, reads_edges

    def forward(
        self, x: Tensor, state: State, edge_index: Tensor, edge: Tensor | None, batch: Tensor
    ) -> tuple[Tensor, State]:
        if self.reads_edges and edge is not None:
            return self.conv(x, edge_index, edge_attr=edge), state
        return self.conv(x, edge_index), state


class Global(nn.Module):
    """PyG's GPS layer: a local convolution beside attention among all nodes of a graph."""

    def __init__(self, conv: GPSConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(
        self, x: Tensor, state: State, edge_index: Tensor, edge: Tensor | None, batch: Tensor
    ) -> tuple[Tensor, State]:
        if edge is not None:
            return self.conv(x, edge_index, batch, edge_attr=edge), state
        return self.conv(x, edge_index, batch), state


class NodeLSTM(nn.Module):
    """An LSTM cell per node whose input is the mean over the neighbours, as in the LSTM-GNN of arXiv 2506.11997.

    The encoded features are the first cell state; the hidden state starts at zero; all gates are one ``GraphConv``.
    The output is tanh of the cell state, so that the readout of the last layer sees the cell.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gates = GraphConv(width, 4 * width, aggr="mean")

    def forward(
        self, x: Tensor, state: State, edge_index: Tensor, edge: Tensor | None, batch: Tensor
    ) -> tuple[Tensor, State]:
        hidden, cell = (torch.zeros_like(x), x) if state is None else state.unbind()
        z, i, f, o = self.gates(hidden, edge_index).chunk(4, dim=-1)
        cell = f.sigmoid() * cell + i.sigmoid() * z.tanh()
        hidden = o.sigmoid() * cell.tanh()
        return cell.tanh(), torch.stack([hidden, cell])


def gcn_layer(width: int) -> Local:
    """Graph convolution, arXiv 1609.02907."""
    return Local(GCNConv(width, width))


def gin_layer(width: int) -> Local:
    """Graph isomorphism network without edge features, arXiv 1810.00826."""
    return Local(GINConv(mlp(width), train_eps=True))


def gine_layer(width: int, with_edges: bool) -> Local:
    """GIN with edge features in the messages, arXiv 1905.12265; the "GIN" of the Open Graph Benchmark."""
    return Local(GINEConv(mlp(width), train_eps=True), reads_edges=True) if with_edges else gin_layer(width)


def gat_layer(width: int, heads: int, with_edges: bool) -> Local:
    """Graph attention, arXiv 1710.10903."""
    return Local(GATConv(width, width // heads, heads, edge_dim=width if with_edges else None), reads_edges=True)


def mpnn_layer(width: int) -> Local:
    """Linear maps of the node and of the mean of its neighbours, the "MPNN" of arXiv 2506.11997."""
    return Local(GraphConv(width, width, aggr="mean"))


def gps_layer(width: int, heads: int, dropout: float, with_edges: bool) -> Global:
    """GIN or GINE beside multi-head attention, arXiv 2205.12454."""
    local = GINEConv(mlp(width)) if with_edges else GINConv(mlp(width))
    return Global(GPSConv(width, local, heads=heads, dropout=dropout))
