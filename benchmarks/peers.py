"""Peers on PyG primitives: DAG networks level by level, as users write them, and the GIN layer that is the base."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.nn import GINConv, GINEConv, GPSConv
from torch_geometric.utils import scatter, softmax


def gin_mlp(width: int) -> nn.Sequential:
    """``width → 2 width → width``."""
    return nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))


def gin_conv(width: int) -> GINConv:
    """The base of most ratios."""
    return GINConv(gin_mlp(width))


def gps_block(width: int, heads: int) -> nn.Module:
    """GINE beside multi-head attention, then an MLP (arXiv 2205.12454), as PyG has it."""
    return GPSConv(width, GINEConv(gin_mlp(width)), heads=heads)


class Level(NamedTuple):
    """Nodes that are computed together, and the edges into them."""

    nodes: Tensor  # [n]
    tail: Tensor  # [e] node numbers
    place: Tensor  # [e] head, as a place in ``nodes``


def levels(edge_index: Tensor, num_nodes: int) -> list[Level]:
    """Group nodes by the longest path that ends in them.

    Done once per batch and not timed, although users who write such layers often do it in every forward pass.
    """
    tail, head = edge_index
    depth = torch.zeros(num_nodes, dtype=torch.int64, device=edge_index.device)
    while True:
        deeper = depth.scatter_reduce(0, head, depth[tail] + 1, "amax")
        if torch.equal(deeper, depth):
            break
        depth = deeper
    place = torch.empty_like(depth)
    found = []
    for level in range(int(depth.max()) + 1):
        nodes = (depth == level).nonzero()[:, 0]
        place[nodes] = torch.arange(nodes.numel(), device=nodes.device)
        edges = (depth[head] == level).nonzero()[:, 0]
        found.append(Level(nodes, tail[edges], place[head[edges]]))
    return found


class LevelwiseDAGGNN(nn.Module):
    """DAGNN (arXiv 2101.07965): attention over predecessors, then a GRU cell, one level after the other.

    Args:
        width: size of node features and states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(2 * width, 1)
        self.cell = nn.GRUCell(width, width)

    def forward(self, x: Tensor, plan: list[Level]) -> Tensor:
        """``[N, width]`` to ``[N, width]``."""
        state = torch.zeros_like(x)
        for nodes, tail, place in plan:
            here, before = x[nodes], state[tail]
            score = self.score(torch.cat([here[place], before], dim=-1))
            weight = softmax(score, place, num_nodes=nodes.numel())
            message = scatter(weight * before, place, dim_size=nodes.numel(), reduce="sum")
            state[nodes] = self.cell(here, message)
        return state


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
