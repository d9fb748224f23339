"""The baselines by name, as plain functions with PLSTM's manner of arguments."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from plstm_graph.errors import ConfigError
from plstm_graph.nn.baselines import layers
from plstm_graph.nn.baselines.encoders import make_encoder
from plstm_graph.nn.baselines.skeleton import GraphNet, LayerFactory


def gcn(in_channels: int, out_channels: int, *, hidden_channels: int = 96, **options: Any) -> GraphNet:
    """GCN (arXiv 1609.02907); edge features are not used."""
    return _net(lambda: layers.gcn_layer(hidden_channels), in_channels, out_channels, hidden_channels, **options)


def gin(in_channels: int, out_channels: int, *, hidden_channels: int = 96, **options: Any) -> GraphNet:
    """GIN (arXiv 1810.00826); edge features are not used."""
    return _net(lambda: layers.gin_layer(hidden_channels), in_channels, out_channels, hidden_channels, **options)


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
    edge = _edge_encoder(edge_encoder, edge_dim, hidden_channels)
    layer = partial(layers.gine_layer, hidden_channels, edge is not None)
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
    edge = _edge_encoder(edge_encoder, edge_dim, hidden_channels)
    layer = partial(layers.gat_layer, hidden_channels, heads, edge is not None)
    return _net(layer, in_channels, out_channels, hidden_channels, edge, **options)


def mpnn(in_channels: int, out_channels: int, *, hidden_channels: int = 96, **options: Any) -> GraphNet:
    """Plain message passing, the MPNN of arXiv 2506.11997 (PyG's GraphConv); edge features are not used."""
    return _net(lambda: layers.mpnn_layer(hidden_channels), in_channels, out_channels, hidden_channels, **options)


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
    """GPS (arXiv 2205.12454): GINE beside attention; norm (batch) and residual connections are the layer's own."""
    _check_heads(hidden_channels, heads)
    _refuse(options, "gps", ("norm", "residual"))
    edge = _edge_encoder(edge_encoder, edge_dim, hidden_channels)
    layer = partial(layers.gps_layer, hidden_channels, heads, dropout, edge is not None)
    return _net(layer, in_channels, out_channels, hidden_channels, edge, plain=True, dropout=dropout, **options)


def lstm(in_channels: int, out_channels: int, *, hidden_channels: int = 96, **options: Any) -> GraphNet:
    """LSTM-GNN (arXiv 2506.11997): one LSTM cell per node, the same weights in every layer; no edge features."""
    _refuse(options, "lstm", ("norm", "residual", "virtual_node", "dropout"))
    layer = partial(layers.NodeLSTM, hidden_channels)
    return _net(layer, in_channels, out_channels, hidden_channels, plain=True, share_layers=True, **options)


def _net(
    layer: LayerFactory,
    in_channels: int,
    out_channels: int,
    hidden_channels: int,
    edge: LayerFactory | None = None,
    *,
    num_layers: int = 4,
    node_encoder: str = "linear",
    **options: Any,
) -> GraphNet:
    encoder = make_encoder(node_encoder, in_channels, hidden_channels)
    return GraphNet(layer, encoder, edge, hidden_channels, out_channels, num_layers, **options)


def _edge_encoder(kind: str | None, edge_dim: int | None, width: int) -> LayerFactory | None:
    if kind is None and edge_dim is None:
        return None
    kind = kind or "linear"
    if kind != "bond" and not edge_dim:
        raise ConfigError(f"edge_encoder={kind!r} needs edge_dim, the number of edge features")
    return partial(make_encoder, kind, edge_dim or 0, width)


def _check_heads(width: int, heads: int) -> None:
    if heads < 1 or width % heads:
        raise ConfigError(f"hidden_channels={width} is not a multiple of heads={heads}")


def _refuse(options: dict[str, Any], model: str, names: tuple[str, ...]) -> None:
    for name in names:
        if name in options:
            raise ConfigError(f"{model} has no option {name!r}")


BASELINES: dict[str, Any] = {f.__name__: f for f in (gcn, gin, gine, gat, mpnn, gps, lstm)}
"""Baseline models by name: functions ``(in_channels, out_channels, *, ...) -> nn.Module``."""

HIDDEN_OPTIONS = {
    "gps": ("norm", "residual"),
    "lstm": ("norm", "residual", "virtual_node", "dropout"),
}

__all__ = ["BASELINES", "HIDDEN_OPTIONS", "nn"]
