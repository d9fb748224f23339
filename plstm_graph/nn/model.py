"""The whole model: encoders, pLSTM blocks, readout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch_geometric.typing
from torch import Tensor, nn
from torch_geometric.nn.aggr import Aggregation, MaxAggregation, MinAggregation
from torch_geometric.nn.inits import reset

from plstm_graph.errors import FeatureError
from plstm_graph.graph.linedag import LineDAG
from plstm_graph.nn.block import PLSTMBlock, graph_of_node
from plstm_graph.nn.checks import check_probability, check_sizes, one_of
from plstm_graph.nn.conv import DIRECTIONS
from plstm_graph.nn.descriptors import join_descriptors
from plstm_graph.nn.dropout import Dropout
from plstm_graph.nn.encoders import (
    SinusoidalEncoding,
    make_degree_encoder,
    make_encoder,
    make_walk_encoder,
    node_degree,
    node_depth,
)
from plstm_graph.nn.inputs import joined, order_edges
from plstm_graph.nn.norms import make_norm
from plstm_graph.nn.pooling import make_pool, num_pools


class PLSTM(nn.Module):
    """pLSTM for graphs: encode nodes and edges, run blocks that alternate P and D, read out.

    Args:
        in_channels: number of node features; with ``node_encoder="embedding"``, number of categories (or one number
            per column). Not needed for ``"atom"``.
        out_channels: number of outputs T per graph, node or edge.
        hidden_channels: width of all blocks.
        num_layers: number of blocks.
        heads: heads per layer.
        key_dim: key width per head; ``hidden_channels / heads`` by default.
        mode: ``"alternate"`` (P, D, P, D, ...), ``"P"`` or ``"D"``.
        direction: ``"both"`` in every layer, ``"alternate"`` (all four pairings with P and D in four layers),
            ``"forward"`` or ``"backward"``.
        edge_dim: number of edge features, as ``in_channels``. Not needed for ``"bond"``.
        node_encoder: ``"linear"``, ``"atom"`` or ``"embedding"``.
        edge_encoder: ``"linear"``, ``"bond"``, ``"embedding"``, or ``None`` to leave edge features out.
        degree_encoding: add a vector for the node's degree: ``"learned"``, ``"sinusoidal"`` as in the paper, which
            drowns short node features (docs/guide/long-range.md), or ``"none"``.
        depth_encoding: add a sinusoidal encoding of the node's depth in the DAG.
        rwse_dim: size of ``data.rwse`` (random-walk structural encodings, from
            ``plstm_graph.graph.AddRandomWalks(rwse_dim)``), 0 for none.
        rwse_norm: norm of these, as for ``block_norm``. ``"batch"`` weighs walks that are rare in the data as much as
            frequent ones, which can help (docs/guide/defaults.md), but what training never had becomes an outlier.
        virtual_node: join all nodes of a graph through a virtual node between blocks.
        pooling: ``"norm"``, a sum divided by
            :data:`~plstm_graph.nn.pooling.TYPICAL_SIZE`; the name of a PyG aggregator, such as ``"mean"``,
            ``"sum"`` or ``"max"``; several of them side by side, such as ``"mean+max"``; or an aggregator that keeps
            the width.
        readout: ``"last"`` reads the last block, ``"layers"`` the input and every block side by side.
        level: ``"graph"``, ``"node"`` or ``"edge"``.
        descriptor_dim: size of ``data.descriptors [G, descriptor_dim]``, numbers known of the whole graph that are
            joined to what is pooled, before every head; 0 for none.
        dropout: dropout in blocks and head.
        drop_path: stochastic depth of the last block; earlier blocks rise to it linearly.
        block_norm: ``"layer"``, ``"rms"``, ``"batch"`` or ``"none"``.
        mlp_ratio: hidden width of an MLP behind every layer over ``hidden_channels``; 0 leaves the MLPs out, and with
            ``local`` the GINE branch has one.
        local: GINE branch beside every pLSTM layer.
        source_bias, mark_bias, direct_bias, transition_scale, gate_std, key_init: gates and keys at the start, as for
            :class:`~plstm_graph.PLSTMConv`, whose own defaults are the paper's. Here gates start half open, and keys
            like queries.
        conv: further arguments of :class:`~plstm_graph.PLSTMConv`.

    Shapes:
        - **input:** ``torch_geometric`` ``Data`` or ``Batch`` with ``x [N, F]``, ``dag``, and ``edge_attr [C, D]`` if
          an edge encoder is set.
        - **output:** ``[G, T]``, ``[N, T]``, or ``[C, T]`` in the columns of ``data.edge_index``.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int] | None,
        out_channels: int,
        *,
        hidden_channels: int = 64,
        num_layers: int = 4,
        heads: int = 4,
        key_dim: int | None = 8,
        mode: str = "alternate",
        direction: str = "alternate",
        edge_dim: int | Sequence[int] | None = None,
        node_encoder: str = "linear",
        edge_encoder: str | None = None,
        degree_encoding: str = "learned",
        depth_encoding: bool = False,
        rwse_dim: int = 0,
        rwse_norm: str = "none",
        virtual_node: bool = False,
        pooling: str | Aggregation = "norm",
        readout: str = "layers",
        level: str = "graph",
        descriptor_dim: int = 0,
        dropout: float = 0.1,
        drop_path: float = 0.0,
        block_norm: str = "layer",
        mlp_ratio: float = 0.0,
        local: bool = True,
        source_bias: float = 0.0,
        mark_bias: float = 0.0,
        direct_bias: float = 0.0,
        transition_scale: float = 1.0,
        gate_std: float = 0.1,
        key_init: str = "query",
        **conv: Any,
    ) -> None:
        super().__init__()
        gates = {"source_bias": source_bias, "mark_bias": mark_bias, "direct_bias": direct_bias}
        conv |= gates | {"transition_scale": transition_scale, "gate_std": gate_std, "key_init": key_init}
        one_of("mode", mode, ("alternate", "P", "D"))
        one_of("direction", direction, ("alternate", *DIRECTIONS))
        one_of("level", level, ("graph", "node", "edge"))
        one_of("readout", readout, ("last", "layers"))
        check_sizes(out_channels=out_channels, hidden_channels=hidden_channels, num_layers=num_layers)
        check_probability("drop_path", drop_path)
        width = hidden_channels
        self.level, self.readout = level, readout
        self.node_encoder = make_encoder(node_encoder, in_channels, width, "node")
        self.edge_encoder = make_encoder(edge_encoder, edge_dim, width, "edge")
        self.degree_encoding = make_degree_encoder(degree_encoding, width)
        self.depth_encoding = SinusoidalEncoding(width) if depth_encoding else None
        self.rwse_encoder = make_walk_encoder(rwse_dim, width, rwse_norm)
        self.blocks = nn.ModuleList(
            PLSTMBlock(
                width,
                width if edge_encoder else None,
                heads=heads,
                key_dim=key_dim,
                mode=("P", "D")[i % 2] if mode == "alternate" else mode,
                direction=("forward", "backward")[(i + i // 2) % 2] if direction == "alternate" else direction,
                dropout=dropout,
                drop_path=drop_path * i / max(1, num_layers - 1),
                block_norm=block_norm,
                mlp_ratio=mlp_ratio,
                local=local,
                **conv,
            )
            for i in range(num_layers)
        )
        self.virtual_nodes = (
            nn.ModuleList(VirtualNode(width, dropout) for _ in range(num_layers - 1)) if virtual_node else None
        )
        self.pool = make_pool(pooling) if level == "graph" else None
        read = width * (num_layers + 1 if readout == "layers" else 1)
        self.final_norm = _final_norm(block_norm, width, read)
        self.descriptors = join_descriptors(descriptor_dim, level)
        pooled = read * num_pools(pooling) + descriptor_dim
        joined = {"graph": pooled, "node": read, "edge": 2 * read + (width if edge_encoder else 0)}[level]
        self.head = nn.Sequential(nn.Linear(joined, width), nn.GELU(), Dropout(dropout), nn.Linear(width, out_channels))

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for child in self.children():
            reset(child)

    def forward(self, data: Any) -> Tensor:
        """Predict for a ``Data`` or ``Batch`` that carries its line DAG.

        Raises:
            FeatureError: ``data`` has no ``dag``, or features do not fit the encoders.
        """
        read = self.embed(data)
        return self.head(read if self.descriptors is None else self.descriptors(read, data))

    def embed(self, data: Any) -> Tensor:
        """What the head reads, without descriptors: ``[G, d]``, or ``[N, d]``, ``[C, d]`` at other levels.

        At graph level d is ``hidden_channels`` per readout and pooling.
        """
        dag = getattr(data, "dag", None)
        if dag is None:
            raise FeatureError("the data has no line DAG: apply plstm_graph.ToLineDAG() to it first")
        dag = joined(dag)
        edge = columns = None
        if self.edge_encoder is not None:
            if data.edge_attr is None:
                raise FeatureError("the model has an edge encoder, but the data has no edge_attr")
            if self.level == "edge":
                columns = self.edge_encoder(data.edge_attr)
                edge = order_edges(columns, dag)
            else:
                edge = self.edge_encoder(order_edges(data.edge_attr, dag))
        x = self._encode_nodes(data, dag)
        states = [x]
        whole = None
        for i, block in enumerate(self.blocks):
            x = block(x, dag, edge, in_edge_order=True)
            if self.virtual_nodes is not None and i < len(self.virtual_nodes):
                x, whole = self.virtual_nodes[i](x, whole, dag)
            states.append(x)
        states = states if self.readout == "layers" else states[-1:]
        return self._read(self.final_norm(torch.stack(states, dim=1)), columns, data, dag)

    def _encode_nodes(self, data: Any, dag: LineDAG) -> Tensor:
        if data.x is None:
            raise FeatureError("the model encodes node features, but the data has no x")
        x = self.node_encoder(data.x)
        if self.degree_encoding is not None:
            x = x + self.degree_encoding(node_degree(dag))
        if self.depth_encoding is not None:
            x = x + self.depth_encoding(node_depth(dag))
        if self.rwse_encoder is not None:
            x = x + self.rwse_encoder(data)
        return x

    def _read(self, x: Tensor, columns: Tensor | None, data: Any, dag: LineDAG) -> Tensor:
        if self.level == "graph":
            return self.pool(x, graph_of_node(dag), ptr=self._segments(dag), dim_size=dag.num_graphs)
        if self.level == "edge":
            tail, head = data.edge_index
            return torch.cat([x[tail], x[head]] + ([] if columns is None else [columns]), dim=-1)
        return x

    def _segments(self, dag: LineDAG) -> Tensor | None:
        """Graph boundaries where torch_scatter's segments are the faster way: three times for max and min on CPU."""
        extreme = isinstance(self.pool, (MaxAggregation, MinAggregation))
        return dag.node_ptr if extreme and torch_geometric.typing.WITH_TORCH_SCATTER else None


class VirtualNode(nn.Module):
    """A node joined to all nodes of its graph: gathers their sum, passes an MLP, adds itself to each.

    Args:
        channels: width.
        dropout: dropout behind the MLP.
    """

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, channels),
            nn.GELU(),
            nn.Linear(channels, channels),
            Dropout(dropout),
        )

    def forward(self, x: Tensor, whole: Tensor | None, dag: LineDAG) -> tuple[Tensor, Tensor]:
        """Node features ``[N, channels]`` and virtual nodes ``[G, channels]`` after the exchange."""
        graph = graph_of_node(dag)
        gathered = x.new_zeros(dag.num_graphs, x.size(1)).index_add(0, graph, x)
        whole = self.mlp(gathered if whole is None else gathered + whole)
        return x + whole[graph], whole


def _final_norm(name: str, width: int, read: int) -> nn.Module:
    """From ``[N, readouts, width]`` to ``[N, read]``, every readout normalised for itself.

    Scales and shifts are left to the head, whose first map is linear.
    """
    if name == "batch":
        return nn.Sequential(nn.Flatten(1), make_norm("batch", read))
    norms = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}
    return nn.Sequential(*([norms[name](width, elementwise_affine=False)] if name in norms else []), nn.Flatten(1))
