"""Pictures as graphs of patches: batches with their grid DAGs, and pLSTM on all four directions of a grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.nn import global_max_pool

from plstm_graph import LineDAG
from plstm_graph.data.arrow_pointing import patches
from plstm_graph.nn.block import PLSTMBlock

FREQUENCIES = (1, 2, 4, 8)
"""Of the sines and cosines that tell a patch where in the picture it is, in periods per picture."""


class GridPLSTM(nn.Module):
    """pLSTM on a grid: two DAGs, down-right and up-right, each in both directions, so all four directions.

    In P-mode the layers have the grid's own transitions (``grid_axes``, section 4.3 of arXiv 2506.11997). Blocks read
    the two DAGs in turn, and with ``mode="alternate"`` two blocks in P-mode are followed by two in D-mode. Features
    that tell where a patch is are left out: the grid does, at any size.

    Args:
        in_channels: number of pixels of a patch, which are the first node features.
        out_channels: number of outputs.
        width: width of all blocks.
        layers: number of blocks.
        heads: heads per layer.
        mode: ``"P"``, ``"D"`` or ``"alternate"``.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int, layers: int, heads: int, mode: str) -> None:
        super().__init__()
        self.encoder = nn.Linear(in_channels, width)
        self.blocks = nn.ModuleList(
            PLSTMBlock(
                width,
                heads=heads,
                mode="PD"[i // 2 % 2] if mode == "alternate" else mode,
                direction="both",
                grid_axes=2,
            )
            for i in range(layers)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, out_channels)

    def forward(self, data: Batch) -> Tensor:
        """``data.x [N, F]``, ``data.dags`` both DAGs -> ``[G, T]``."""
        x = self.encoder(data.x[:, : self.encoder.in_features])
        for i, block in enumerate(self.blocks):
            x = block(x, data.dags[i % 2])
        return self.head(global_max_pool(self.norm(x), data.batch, data.num_graphs))


class PictureBatches:
    """Batches of pictures, each a grid of patches with the patch and its place as node features.

    Args:
        pictures: uint8 ``[G, S, S]``.
        labels: int64 ``[G]``.
        patch: side of a patch in pixels.
        batch: pictures per batch.
        device: of the batches.
        seed: of the order, new at every iteration; ``None`` keeps the order of the pictures.
    """

    def __init__(
        self, pictures: Tensor, labels: Tensor, patch: int, batch: int, device: str, seed: int | None = None
    ) -> None:
        self.nodes, self.labels, self.batch, self.device = patches(pictures, patch), labels, batch, device
        self.side = pictures.size(1) // patch
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return math.ceil(len(self.labels) / self.batch)

    def __iter__(self) -> Iterator[Batch]:
        count = len(self.labels)
        order = torch.arange(count) if self.generator is None else torch.randperm(count, generator=self.generator)
        for rows in order.split(self.batch):
            yield picture_batch(self.nodes[rows], self.labels[rows], self.side, self.device)


def picture_batch(nodes: Tensor, labels: Tensor, side: int, device: str) -> Batch:
    """One batch of ``nodes [B, side * side, F]`` uint8."""
    count = len(labels)
    dags = grid_dags(side, count, device)
    ink = nodes.to(device).flatten(0, 1) / 255.0
    tail = torch.cat([dags[0].edge_index, dags[0].edge_index.flip(0)], dim=1)
    graph = torch.arange(count, device=device).repeat_interleave(side * side)
    batch = Batch(
        x=torch.cat([ink, places(side).to(device).repeat(count, 1)], dim=1),
        edge_index=tail, batch=graph, y=labels.to(device), dag=dags[0], dags=dags,
    )  # fmt: skip
    batch._num_graphs = count
    return batch


@cache
def grid_dags(side: int, count: int, device: str) -> tuple[LineDAG, LineDAG]:
    """``count`` grids whose edges lead down and right, and up and right; D-mode turns from columns to rows only."""
    return tuple(LineDAG.grid((side, side), (sign, 1)).repeat(count).to(device) for sign in (1, -1))  # type: ignore


@cache
def places(side: int) -> Tensor:
    """``[side * side, 2 + 4 * frequencies]``: row and column from 0 to 1, and their sines and cosines."""
    line = (torch.arange(side) + 0.5) / side
    both = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).flatten(0, 1)
    turns = 2 * math.pi * both.unsqueeze(-1) * torch.tensor(FREQUENCIES)
    return torch.cat([both, turns.sin().flatten(1), turns.cos().flatten(1)], dim=1)
