"""State tracking: exchanges of items along the paths of a tree, and where every item stands when a node is reached.

Two items are parity; three and more are the composition of permutations, the word problem of the symmetric group.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch_geometric.data import Data

from plstm_graph.errors import ConfigError
from plstm_graph.graph.transform import ToLineDAG


def state_tracking_tokens(items: int) -> int:
    """Number of node features: start, no exchange, and one for each pair of places."""
    return 2 + items * (items - 1) // 2


def make_state_tracking(count: int, depth: int, *, items: int = 2, width: int = 1, seed: int = 0) -> list[Data]:
    """Trees that grow ``depth`` levels of ``width`` nodes from a root; the parent is drawn from the level before.

    Every node but the root names an exchange of what stands at two places, or none, all with the same probability.
    A node's target is where every item stands after the exchanges of all nodes between the root and it, its own not
    among them. A width of one makes paths.

    Args:
        count: number of graphs.
        depth: levels below the root, at least 1.
        items: items and places n, at least 2.
        width: nodes per level, at least 1.
        seed: of all random choices.

    Returns:
        ``Data`` with ``dag``, ``x [N, tokens]`` one-hot (start, none, exchange of places (0, 1), (0, 2), ...),
        ``y [N, n]`` int64 place of every item, ``depth [N]`` int64 distance from the root, and ``edge_index`` from
        parent to child.

    Raises:
        ConfigError: a number is too small.
    """
    for name, value, least in (("count", count, 0), ("depth", depth, 1), ("items", items, 2), ("width", width, 1)):
        if value < least:
            raise ConfigError(f"{name} must be at least {least}, got {value}")
    generator = torch.Generator().manual_seed(seed)
    tokens, moves = state_tracking_tokens(items), _moves(items)
    level = torch.arange(depth * width) // width  # of the nodes below the root, from 0
    place_of = torch.zeros(count, 1 + depth * width, items, dtype=torch.int64)
    token = torch.randint(1, tokens, (count, 1 + depth * width), generator=generator)
    token[:, 0] = 0
    drawn = torch.randint(width, (count, depth * width), generator=generator)
    parent = torch.where(level == 0, 0, 1 + (level - 1) * width + drawn)
    place_of[:, 0] = torch.arange(items)
    row = torch.arange(count).unsqueeze(1)
    for d in range(depth):
        nodes = slice(1 + d * width, 1 + (d + 1) * width)
        before = parent[:, d * width : (d + 1) * width]
        place_of[:, nodes] = moves[token[row, before]].gather(-1, place_of[row, before])
    child = torch.arange(1, 1 + depth * width)
    x = torch.nn.functional.one_hot(token, tokens).float()
    distance = torch.cat([level.new_zeros(1), level + 1])
    orient = ToLineDAG("directed")
    return [
        orient(Data(x=x[i], edge_index=torch.stack([parent[i], child]), y=place_of[i], depth=distance))
        for i in range(count)
    ]


def _moves(items: int) -> torch.Tensor:
    """``[tokens, n]``: where a token takes what stands at every place."""
    moves = torch.arange(items).repeat(state_tracking_tokens(items), 1)
    for number, (a, b) in enumerate(combinations(range(items), 2), start=2):
        moves[number, a], moves[number, b] = b, a
    return moves
