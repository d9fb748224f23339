"""DAGNN, level by level: attention over the predecessors and a gated recurrent unit at every node."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.utils import is_undirected, scatter, softmax

from plstm_graph.errors import CycleError
from plstm_graph.nn.baselines.skeleton import State


class Level(NamedTuple):
    """Nodes that are computed together, and the edges into them."""

    nodes: Tensor  # [n]
    tail: Tensor  # [e] node numbers
    place: Tensor  # [e] head, as a place in ``nodes``


def levels(edge_index: Tensor, num_nodes: int) -> list[Level]:
    """Group nodes by the longest path that ends in them.

    Raises:
        CycleError: the directed graph has a cycle.
    """
    tail, head = edge_index
    depth = torch.zeros(num_nodes, dtype=torch.int64, device=edge_index.device)
    for _ in range(num_nodes + 1):
        deeper = depth.scatter_reduce(0, head, depth[tail] + 1, "amax")
        if torch.equal(deeper, depth):
            break
        depth = deeper
    else:
        raise CycleError("DAGNN needs directed graphs without cycles: one of the batch has a cycle")
    place = torch.empty_like(depth)
    found = []
    for level in range(int(depth.max()) + 1 if num_nodes else 0):
        nodes = (depth == level).nonzero()[:, 0]
        place[nodes] = torch.arange(nodes.numel(), device=nodes.device)
        edges = (depth[head] == level).nonzero()[:, 0]
        found.append(Level(nodes, tail[edges], place[head[edges]]))
    return found


class DAGNNLayer(nn.Module):
    """Both directions of arXiv 2101.07965, joined by a linear map.

    Undirected graphs (every edge listed both ways) are directed from the lower to the higher node number.

    Args:
        width: size of node features and states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.passes = nn.ModuleList(DAGNNPass(width) for _ in range(2))
        self.join = nn.Linear(2 * width, width)

    def forward(
        self, x: Tensor, state: State, edge_index: Tensor, edge: Tensor | None, batch: Tensor
    ) -> tuple[Tensor, State]:
        if is_undirected(edge_index, num_nodes=x.size(0)):
            edge_index = edge_index[:, edge_index[0] < edge_index[1]]
        plans = levels(edge_index, x.size(0)), levels(edge_index.flip(0), x.size(0))
        both = [one(x, plan) for one, plan in zip(self.passes, plans, strict=True)]
        return self.join(torch.cat(both, dim=-1)), state


class DAGNNPass(nn.Module):
    """One direction: every node hears its predecessors' new states.

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
            state = state.index_copy(0, nodes, self.cell(here, message))
        return state
