"""Tasks whose answer lies far away: keys in trees, a class across a ring, pairs at the start of a long DAG.

In all of them a node features ``asked`` marks the one node whose output is judged, and ``y [1]`` is its class.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from plstm_graph.errors import ConfigError
from plstm_graph.graph.transform import ToLineDAG


def make_tree_neighbors_match(count: int, depth: int, *, seed: int = 0) -> list[Data]:
    """Complete binary trees: the root names a key, and asks for the value of the leaf that has it.

    The set-up of Alon and Yahav, *On the Bottleneck of Graph Neural Networks* (arXiv 2006.05205), whose generator is
    ``tasks/dictionary_lookup.py`` in github.com/tech-srl/bottleneck: leaf i has key i, the values are a permutation,
    edges lead from child to parent, so what all ``2 ** depth`` leaves say has to pass through two edges. They train
    on a fixed list of at most 32,000 trees; here trees are drawn.

    Args:
        count: number of trees.
        depth: edges from root to leaf, at least 1.
        seed: of keys and values.

    Returns:
        ``Data`` with ``x [N, 2]`` int64, key and value, counted from 1, 0 for none; node 0 is the root; ``asked``,
        ``y`` (values from 0) and ``dag``.

    Raises:
        ConfigError: ``depth`` is too small.
    """
    _check(depth=(depth, 1))
    leaves = 2**depth
    child = torch.arange(1, 2 * leaves - 1)
    edge_index = torch.stack([child, (child - 1) // 2])
    generator = torch.Generator().manual_seed(seed)
    orient = ToLineDAG("directed")
    graphs = []
    for _ in range(count):
        value = torch.randperm(leaves, generator=generator)
        key = int(torch.randint(leaves, (), generator=generator))
        x = torch.zeros(2 * leaves - 1, 2, dtype=torch.int64)
        x[0, 0] = key + 1
        x[leaves - 1 :] = torch.stack([torch.arange(leaves), value], dim=1) + 1
        graphs.append(orient(Data(x=x, edge_index=edge_index, y=value[key : key + 1], asked=_mark(x, 0))))
    return graphs


def make_ring_transfer(
    count: int, nodes: int, *, classes: int = 5, order: str = "outwards", seed: int = 0
) -> list[Data]:
    """Rings: a node asks for the class that the node across holds.

    The set-up of Bodnar et al., *CW Networks* (arXiv 2106.12575), and Di Giovanni et al., *On Over-Squashing*
    (arXiv 2302.02941), whose generator is ``data/ring_transfer.py`` in github.com/lrnzgiusti/on-oversquashing: node 0
    asks and holds zeros, node ``nodes // 2`` holds a class as one-hot, all others hold ones.

    Args:
        count: number of rings.
        nodes: nodes of a ring, at least 4.
        classes: number of classes, at least 2.
        order: orientation, see :class:`plstm_graph.ToLineDAG`. ``"outwards"`` goes breadth first from the node that
            asks, whatever the class; canonical orders read the features, so where they start can tell the class.
        seed: of the classes.

    Returns:
        ``Data`` with ``x [nodes, classes]`` float, both directions of every edge, ``outwards [nodes]`` (ranks),
        ``asked``, ``y`` and ``dag``.

    Raises:
        ConfigError: a number is too small.
    """
    _check(nodes=(nodes, 4), classes=(classes, 2))
    tail = torch.arange(nodes)
    ring = torch.stack([tail, (tail + 1) % nodes])
    edge_index = torch.cat([ring, ring.flip(0)], dim=1)
    drawn = torch.randint(classes, (count,), generator=torch.Generator().manual_seed(seed))
    outwards = torch.minimum(tail, nodes - tail) * nodes + tail
    orient = ToLineDAG(order)
    graphs = []
    for label in drawn:
        x = torch.ones(nodes, classes)
        x[0] = 0
        x[nodes // 2] = torch.nn.functional.one_hot(label, classes)
        data = Data(x=x, edge_index=edge_index, y=label.view(1), asked=_mark(x, 0), outwards=outwards)
        graphs.append(orient(data))
    return graphs


def make_recall(
    count: int, distance: int, *, pairs: int = 4, words: int = 8, branching: float = 0.5, seed: int = 0
) -> list[Data]:
    """Associative recall along random DAGs: pairs of key and value at the start, and a key at the end.

    A chain of ``pairs`` nodes states the pairs, ``distance`` edges further its last node asks for the value of one of
    the keys. In between, every node of the chain names a random word that means nothing, and side nodes, at each step
    of the chain with probability ``branching``, offer another way of the same length: from a node of the step before
    to one of the step after, drawn at random. So there are many paths, and all have the same number of edges.

    Args:
        count: number of graphs.
        distance: edges from the last pair to the node that asks, at least 2.
        pairs: number of pairs, at least 1 and at most ``words``.
        words: number of keys, of values, and of meaningless words, at least 2.
        branching: probability of a side node.
        seed: of all random choices.

    Returns:
        ``Data`` with ``x [N, 3]`` int64, key, value and meaningless word, counted from 1, 0 for none, ``step [N]``
        edges from the first node, ``asked``, ``y`` (values from 0) and ``dag``.

    Raises:
        ConfigError: a number is out of range.
    """
    _check(distance=(distance, 2), pairs=(pairs, 1), words=(words, max(2, pairs)))
    generator = torch.Generator().manual_seed(seed)
    orient = ToLineDAG("directed")
    graphs = []
    for _ in range(count):
        step, edge_index = _ways(pairs - 1, distance, branching, generator)
        last = pairs - 1 + distance
        key = torch.randperm(words, generator=generator)[:pairs]
        value = torch.randint(words, (pairs,), generator=generator)
        wanted = int(torch.randint(pairs, (), generator=generator))
        x = torch.zeros(step.numel(), 3, dtype=torch.int64)
        x[:, 2] = torch.randint(1, words + 1, (step.numel(),), generator=generator)
        x[:pairs] = torch.stack([key + 1, value + 1, torch.zeros_like(key)], dim=1)
        x[last] = torch.stack([key[wanted] + 1, *x.new_zeros(2)])
        data = Data(x=x, edge_index=edge_index, y=value[wanted].view(1), asked=_mark(x, last), step=step)
        graphs.append(orient(data))
    return graphs


def _ways(start: int, distance: int, branching: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Steps ``[N]`` and edges: a chain 0 .. start + distance, and side nodes strictly between the two."""
    last = start + distance
    chain = torch.arange(last + 1)
    between = chain[start + 1 : last]
    beside = between[torch.rand(between.numel(), generator=generator) < branching]
    number = last + 1 + torch.arange(beside.numel())
    side = torch.full((last + 2,), -1)  # side node of every step; the first and last step have none
    side[beside] = number
    ends = []
    for neighbor in (beside - 1, beside + 1):
        other = side[neighbor]
        take = (other >= 0) & (torch.rand(beside.numel(), generator=generator) < 0.5)
        ends.append(torch.where(take, other, neighbor))
    edges = torch.cat([torch.stack([chain[:-1], chain[1:]]), torch.stack([ends[0], number])], dim=1)
    edges = torch.cat([edges, torch.stack([number, ends[1]])], dim=1)
    return torch.cat([chain, beside]), torch.unique(edges, dim=1)  # two side nodes may have chosen each other


def _mark(x: Tensor, node: int) -> Tensor:
    return torch.arange(x.size(0)) == node


def _check(**numbers: tuple[int, int]) -> None:
    for name, (value, least) in numbers.items():
        if value < least:
            raise ConfigError(f"{name} must be at least {least}, got {value}")
