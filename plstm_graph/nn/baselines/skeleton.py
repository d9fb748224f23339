"""What all baselines share: encoders, a stack of message-passing layers, readout and head."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from plstm_graph.nn.checks import check_probability, check_sizes, one_of
from plstm_graph.nn.descriptors import join_descriptors
from plstm_graph.nn.encoders import make_walk_encoder
from plstm_graph.nn.norms import make_norm
from plstm_graph.nn.pooling import make_pool, num_pools

State = Tensor | None
LayerFactory = Callable[[], nn.Module]
"""Makes a layer with ``forward(x [N, d], state, edge_index [2, E], edge [E, d] | None, batch [N]) -> (x, state)``."""

EncoderFactory = Callable[[], nn.Module | None]
"""Makes an edge encoder, ``[E, D] -> [E, d]``."""


class GraphNet(nn.Module):
    """Message passing between an encoder and a head, on PyTorch Geometric's own layers.

    Args:
        layer: makes one layer; called ``num_layers`` times, once if ``share_layers``.
        encode_node: node encoder, ``[N, F] -> [N, hidden_channels]``.
        encode_edge: makes an edge encoder, ``[E, D] -> [E, hidden_channels]``, one per layer; ``None`` leaves edge
            features out.
        hidden_channels: width d.
        out_channels: number of outputs T.
        num_layers: number of layers.
        pooling: as for :class:`plstm_graph.PLSTM`.
        level: ``"graph"`` gives ``[G, T]``, ``"node"`` gives ``[N, T]``.
        descriptor_dim: size of ``data.descriptors [G, descriptor_dim]``, numbers known of the whole graph that are
            joined to what is pooled, before the head; 0 for none.
        block_norm: ``"batch"``, ``"layer"``, ``"rms"`` or ``"none"``, after every layer.
        dropout: probability, after every layer.
        residual: add the input of a layer to its output.
        last_relu: ReLU after the last layer too, not only between layers.
        readout: what the head reads: the ``"last"`` layer, the ``"sum"`` of encoder and layers, or ``"layers"``, their
            concatenation, which before a linear head is one readout per layer.
        rwse_dim: size of ``data.rwse [N, rwse_dim]`` (random-walk structural encodings), 0 for none.
        rwse_norm: norm of these, as for ``block_norm``.
        virtual_node: one extra node per graph that hears from and speaks to all nodes between layers.
        head_layers: linear layers of the head.
        own_residual: the layers bring their own activation, norm, dropout and residual connection.
        share_layers: use one layer ``num_layers`` times.
    """

    def __init__(
        self,
        layer: LayerFactory,
        encode_node: nn.Module,
        encode_edge: EncoderFactory | None,
        hidden_channels: int,
        out_channels: int,
        num_layers: int,
        *,
        pooling: str = "mean",
        level: str = "graph",
        descriptor_dim: int = 0,
        block_norm: str = "batch",
        dropout: float = 0.0,
        residual: bool = True,
        last_relu: bool = False,
        readout: str = "last",
        rwse_dim: int = 0,
        rwse_norm: str = "none",
        virtual_node: bool = False,
        head_layers: int = 1,
        own_residual: bool = False,
        share_layers: bool = False,
    ) -> None:
        super().__init__()
        one_of("readout", readout, ("last", "sum", "layers"))
        one_of("level", level, ("graph", "node"))
        check_sizes(out_channels=out_channels, hidden_channels=hidden_channels, num_layers=num_layers)
        check_probability("dropout", dropout)
        self.dropout, self.residual, self.readout, self.own_residual = dropout, residual, readout, own_residual
        self.num_layers, self.num_relus = num_layers, num_layers if last_relu else num_layers - 1
        distinct = 1 if share_layers else num_layers
        self.encode_node = encode_node
        self.encode_walks = make_walk_encoder(rwse_dim, hidden_channels, rwse_norm)
        self.encode_edge = nn.ModuleList(encode_edge() for _ in range(distinct)) if encode_edge is not None else None
        self.layers = nn.ModuleList(layer() for _ in range(distinct))
        self.norms = nn.ModuleList(
            make_norm("none" if own_residual else block_norm, hidden_channels) for _ in range(num_layers)
        )
        self.virtual_node = VirtualNode(hidden_channels, num_layers, dropout, residual) if virtual_node else None
        width = hidden_channels * (num_layers + 1 if readout == "layers" else 1)
        width *= num_pools(pooling) if level == "graph" else 1
        self.pool = make_pool(pooling) if level == "graph" else None
        self.descriptors = join_descriptors(descriptor_dim, level)
        self.head = make_head(width + descriptor_dim, hidden_channels, out_channels, head_layers)

    def forward(self, data: Data) -> Tensor:
        """Shapes: ``data.x [N, F]``, ``data.edge_index [2, E]``, ``data.edge_attr [E, D]`` -> ``[G, T]``."""
        x = self.embed(data)
        return self.head(x if self.descriptors is None else self.descriptors(x, data))

    def embed(self, data: Data) -> Tensor:
        """What the head reads, without descriptors: ``[G, d]``, or ``[N, d]`` at node level.

        d is ``hidden_channels`` per readout and pooling.
        """
        x = self._encode(data)
        batch, num_graphs = data.batch, data.num_graphs
        if batch is None:
            batch, num_graphs = x.new_zeros(x.size(0), dtype=torch.long), 1
        seen, state = [x], None
        virtual = self.virtual_node.start(num_graphs) if self.virtual_node is not None else None
        for i in range(self.num_layers):
            if virtual is not None:
                x = x + virtual[batch]
            before = x
            x, state = self._layer(i, x, state, data, batch)
            if virtual is not None and i + 1 < self.num_layers:
                virtual = self.virtual_node(i, before, virtual, batch)
            seen.append(x)
        return self._read(seen, batch, num_graphs)

    def _layer(self, i: int, x: Tensor, state: State, data: Data, batch: Tensor) -> tuple[Tensor, State]:
        k = i % len(self.layers)
        edge = self.encode_edge[k](data.edge_attr) if self.encode_edge is not None else None
        out, state = self.layers[k](x, state, data.edge_index, edge, batch)
        if self.own_residual:
            return out, state
        out = self.norms[i](out)
        if i < self.num_relus:
            out = out.relu()
        out = nn.functional.dropout(out, self.dropout, self.training)
        return (out + x if self.residual else out), state

    def _encode(self, data: Data) -> Tensor:
        x = self.encode_node(data.x)
        return x if self.encode_walks is None else x + self.encode_walks(data)

    def _read(self, seen: list[Tensor], batch: Tensor, num_graphs: int) -> Tensor:
        if self.readout == "layers":
            x = torch.cat(seen, dim=-1)
        else:
            x = torch.stack(seen).sum(0) if self.readout == "sum" else seen[-1]
        return self.pool(x, batch, dim_size=num_graphs) if self.pool is not None else x


class VirtualNode(nn.Module):
    """A node per graph that is added to all nodes before a layer and updated from their sum after it.

    Source: the virtual node of the Open Graph Benchmark's GIN, arXiv 2005.00687.
    """

    def __init__(self, width: int, num_layers: int, dropout: float, residual: bool) -> None:
        super().__init__()
        self.dropout, self.residual = dropout, residual
        self.initial = nn.Parameter(torch.zeros(1, width))
        self.update = nn.ModuleList(
            nn.Sequential(mlp(width), make_norm("batch", width), nn.ReLU()) for _ in range(num_layers - 1)
        )

    def start(self, num_graphs: int) -> Tensor:
        """First state ``[G, d]``."""
        return self.initial.expand(num_graphs, -1)

    def forward(self, i: int, x: Tensor, virtual: Tensor, batch: Tensor) -> Tensor:
        """``x [N, d]``, ``virtual [G, d]`` -> ``[G, d]`` after layer ``i``."""
        total = scatter(x, batch, dim_size=virtual.size(0), reduce="sum") + virtual
        out = nn.functional.dropout(self.update[i](total), self.dropout, self.training)
        return virtual + out if self.residual else out


def mlp(width: int) -> nn.Sequential:
    """Two linear maps d → 2d → d with batch norm and ReLU between, as in GIN."""
    return nn.Sequential(
        nn.Linear(width, 2 * width), make_norm("batch", 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
    )


def make_head(in_channels: int, width: int, out_channels: int, num_layers: int) -> nn.Sequential:
    """``num_layers`` linear maps with ReLU between, ``in_channels → width → … → out_channels``."""
    sizes = [in_channels, *[width] * (num_layers - 1), out_channels]
    steps: list[nn.Module] = []
    for a, b in pairwise(sizes):
        steps += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*steps[:-1])
