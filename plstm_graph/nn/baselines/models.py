"""The baselines by name, as plain functions with the manner of arguments that PLSTM has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from plstm_graph.errors import ConfigError
from plstm_graph.nn.baselines import layers
from plstm_graph.nn.baselines.dagnn import DAGNNLayer
from plstm_graph.nn.baselines.skeleton import EncoderFactory, GraphNet, LayerFactory
from plstm_graph.nn.encoders import make_encoder


def gcn(in_channels: int, out_channels: int, *, hidden_channels: int = 96, **options: Any) -> GraphNet:
    """GCN (arXiv 1609.02907); edge features are not used."""
    return _net(partial(layers.gcn_layer, hidden_channels), in_channels, out_channels, hidden_channels, **options)


def gin(in_channels: int, out_channels: int, *, hidden_channels: int = 96, **options: Any) -> GraphNet:
    """GIN (arXiv 1810.00826); edge features are not used."""
    return _net(partial(layers.gin_layer, hidden_channels), in_channels, out_channels, hidden_channels, **options)


def gine(
    in_channels: int,
    out_channels: int,
    *,
    hidden_channels: int = 96,
    edge_dim: int | None = None,
    edge_encoder: str | None = None,
    **options: Any,
) -> GraphNet:
    """GIN with edge features in the messages (arXiv 1905.12265), which OGB's leaderboards call GIN."""
    layer = partial(layers.gine_layer, hidden_channels, edge_encoder is not None)
    edge = _edge_encoder(edge_encoder, edge_dim, hidden_channels)
    return _net(layer, in_channels, out_channels, hidden_channels, edge, **options)


def gat(
    in_channels: int,
    out_channels: int,
    *,
    hidden_channels: int = 96,
    heads: int = 4,
    edge_dim: int | None = None,
    edge_encoder: str | None = None,
    **options: Any,
) -> GraphNet:
    """GAT (arXiv 1710.10903); edge features enter the attention."""
    _check_heads(hidden_channels, heads)
    layer = partial(layers.gat_layer, hidden_channels, heads, edge_encoder is not None)
    edge = _edge_encoder(edge_encoder, edge_dim, hidden_channels)
    return _net(layer, in_channels, out_channels, hidden_channels, edge, **options)


def mpnn(in_channels: int, out_channels: int, *, hidden_channels: int = 96, **options: Any) -> GraphNet:
    """Plain message passing, the MPNN of arXiv 2506.11997 (PyG's GraphConv); edge features are not used."""
    return _net(partial(layers.mpnn_layer, hidden_channels), in_channels, out_channels, hidden_channels, **options)


def gps(
    in_channels: int,
    out_channels: int,
    *,
    hidden_channels: int = 96,
    heads: int = 4,
    dropout: float = 0.0,
    edge_dim: int | None = None,
    edge_encoder: str | None = None,
    **options: Any,
) -> GraphNet:
    """GPS (arXiv 2205.12454): GINE beside attention; batch norm and residual connections are the layer's own."""
    _check_heads(hidden_channels, heads)
    layer = partial(layers.gps_layer, hidden_channels, heads, dropout, edge_encoder is not None)
    edge = _edge_encoder(edge_encoder, edge_dim, hidden_channels)
    return _net(layer, in_channels, out_channels, hidden_channels, edge, own_residual=True, dropout=dropout, **options)


def lstm(in_channels: int, out_channels: int, *, hidden_channels: int = 96, **options: Any) -> GraphNet:
    """LSTM-GNN (arXiv 2506.11997): one LSTM cell per node, the same weights in every layer; no edge features."""
    layer = partial(layers.NodeLSTM, hidden_channels)
    return _net(layer, in_channels, out_channels, hidden_channels, own_residual=True, share_layers=True, **options)


def dagnn(in_channels: int, out_channels: int, *, hidden_channels: int = 96, **options: Any) -> GraphNet:
    """DAGNN (arXiv 2101.07965), both directions in every layer; for graphs without cycles; no edge features."""
    return _net(partial(DAGNNLayer, hidden_channels), in_channels, out_channels, hidden_channels, **options)


def _net(
    layer: LayerFactory,
    in_channels: int,
    out_channels: int,
    hidden_channels: int,
    edge: EncoderFactory | None = None,
    *,
    num_layers: int = 4,
    node_encoder: str = "linear",
    **options: Any,
) -> GraphNet:
    encoder = make_encoder(node_encoder, in_channels, hidden_channels, "node")
    return GraphNet(layer, encoder, edge, hidden_channels, out_channels, num_layers, **options)


def _edge_encoder(kind: str | None, edge_dim: int | None, width: int) -> EncoderFactory | None:
    if kind is None:
        return make_encoder(None, edge_dim, width, "edge")  # refuses a size without a kind
    return partial(make_encoder, kind, edge_dim, width, "edge")


def _check_heads(width: int, heads: int) -> None:
    if heads < 1 or width % heads:
        raise ConfigError(f"hidden_channels={width} is not a multiple of heads={heads}")


BASELINES: dict[str, Callable[..., nn.Module]] = {
    "gcn": gcn,
    "gin": gin,
    "gine": gine,
    "gat": gat,
    "mpnn": mpnn,
    "gps": gps,
    "lstm": lstm,
    "dagnn": dagnn,
}
"""Functions ``(in_channels, out_channels, *, ...) -> nn.Module`` with ``forward(data) -> [G, T]``."""
