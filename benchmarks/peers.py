"""Peers on PyG primitives: DAG networks level by level, as users write them, and the GIN layer that is the base."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn import GINConv, GINEConv, GPSConv
from torch_geometric.utils import scatter

from plstm_graph.nn.baselines.dagnn import DAGNNPass as LevelwiseDAGGNN
from plstm_graph.nn.baselines.dagnn import Level, levels

__all__ = ["LevelwiseDAGGNN", "LevelwiseTreeLSTM", "gin_conv", "gin_mlp", "gps_block", "levels"]


def gin_mlp(width: int) -> nn.Sequential:
    """``width → 2 width → width``."""
    return nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))


def gin_conv(width: int) -> GINConv:
    """The base of most ratios."""
    return GINConv(gin_mlp(width))


def gps_block(width: int, heads: int) -> nn.Module:
    """GINE beside multi-head attention, then an MLP (arXiv 2205.12454), as PyG has it."""
    return GPSConv(width, GINEConv(gin_mlp(width)), heads=heads)


class LevelwiseTreeLSTM(nn.Module):
    """Child-sum Tree-LSTM (arXiv 1503.00075), one level after the other.

    Args:
        width: size of node features, hidden states and cells.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input = nn.Linear(width, 4 * width)
        self.gates = nn.Linear(width, 3 * width, bias=False)
        self.forget = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, plan: list[Level]) -> Tensor:
        """``[N, width]`` to ``[N, width]``."""
        entered = self.input(x)
        hidden, cell = torch.zeros_like(x), torch.zeros_like(x)
        for nodes, tail, place in plan:
            gates, forget = entered[nodes].split((3 * x.size(1), x.size(1)), dim=-1)
            before = hidden[tail]
            heard = scatter(before, place, dim_size=nodes.numel(), reduce="sum")
            i, o, u = (gates + self.gates(heard)).chunk(3, dim=-1)
            kept = (forget[place] + self.forget(before)).sigmoid() * cell[tail]
            new = i.sigmoid() * u.tanh() + scatter(kept, place, dim_size=nodes.numel(), reduce="sum")
            cell[nodes], hidden[nodes] = new, o.sigmoid() * new.tanh()
        return hidden
