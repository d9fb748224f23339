"""Graph property prediction: shortest paths, eccentricity and diameter of random graphs of ten families.

The set-up is that of Corso et al., *Principal Neighbourhood Aggregation* (arXiv 2004.05718), whose generator is
``multitask_benchmark/datasets_generation`` in github.com/lukecavabarrett/pna, as Gravina et al., *Anti-Symmetric DGN*
(arXiv 2210.09789; ``graph_prop_pred`` in github.com/gravins/Anti-SymmetricDGN), use it. The graphs here are drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import networkx as nx
import numpy as np
import torch
from scipy.sparse.csgraph import shortest_path

from plstm_graph.data.packed import PackedDataset
from plstm_graph.errors import ConfigError

KEPT = 0.9
"""Probability that an edge stays; as many others appear as are expected to go."""

Family = Callable[[int, np.random.Generator], nx.Graph]


def make_graph_properties(
    train: int = 5120, valid: int = 640, test: int = 1280, *, nodes: tuple[int, int] = (25, 35), seed: int = 0
) -> PackedDataset:
    """Draw graphs and compute their properties.

    A graph's family is drawn with the probabilities of :data:`FAMILIES`. Then every edge stays with probability 0.9,
    and as many new ones are expected to appear; graphs with an isolated node are drawn again, from the same family.
    A graph need not be connected: as in Corso et al., eccentricity and diameter are the largest *finite* distances,
    and the distance from the source is 0 where there is no path.

    Args:
        train: number of training graphs.
        valid: number of validation graphs.
        test: number of test graphs.
        nodes: smallest and largest number of nodes, at least 5.
        seed: of all random choices.

    Returns:
        Graphs whose node features are a uniform random number in [0, 1), the node's identifier, and a flag of the
        source, one node per graph. ``y [G, 1]`` is the diameter; the node fields ``distance`` and ``eccentricity``
        (float ``[N]``) are distances in edges, and ``source_rank`` (int64 ``[N]``) ranks nodes breadth first from the
        source, ties by identifier, nodes without a path to it last. ``graph_fields["family"]`` numbers the families.

    Raises:
        ConfigError: a number is too small.
    """
    if min(train, valid, test) < 1 or nodes[0] < 5 or nodes[1] < nodes[0]:
        raise ConfigError(f"needs graphs in every part and at least 5 nodes, got {train}, {valid}, {test} and {nodes}")
    rng = np.random.default_rng(seed)
    names = list(FAMILIES)
    chance = np.array([FAMILIES[name][0] for name in names])
    count = train + valid + test
    family = rng.choice(len(names), count, p=chance / chance.sum())
    graphs = [_draw(FAMILIES[names[f]][1], int(rng.integers(nodes[0], nodes[1] + 1)), rng) for f in family]
    found = [_measure(adjacency, rng) for adjacency in graphs]
    edges = [np.argwhere(adjacency).T for adjacency in graphs]
    rows = torch.arange(count)

    def joined(name: str) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([values[name] for values in found]))

    return PackedDataset(
        name="graph-properties",
        x=torch.stack([joined("identifier"), joined("source")], dim=1).float(),
        edge_index=torch.from_numpy(np.concatenate(edges, axis=1)),
        edge_attr=None,
        y=torch.tensor([[values["eccentricity"].max()] for values in found]).float(),
        node_ptr=torch.from_numpy(np.cumsum([0] + [len(adjacency) for adjacency in graphs])),
        edge_ptr=torch.from_numpy(np.cumsum([0] + [edge.shape[1] for edge in edges])),
        task="regression",
        metric="rmse",
        node_fields={
            "distance": joined("distance").float(),
            "eccentricity": joined("eccentricity").float(),
            "source_rank": joined("source_rank"),
        },
        graph_fields={"family": torch.from_numpy(family)},
        targets=["diameter"],
        splits={"train": rows[:train], "valid": rows[train : train + valid], "test": rows[train + valid :]},
    )


def _draw(family: Family, size: int, rng: np.random.Generator) -> np.ndarray:
    """Adjacency ``[n, n]`` without isolated nodes, rows in random order."""
    while True:
        graph = family(size, rng)
        order = rng.permutation(len(graph))
        adjacency = _toggle(nx.to_numpy_array(graph, weight=None, dtype=bool)[np.ix_(order, order)], rng)
        if adjacency.any(axis=0).all():
            return adjacency


def _toggle(adjacency: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    upper = np.triu_indices(len(adjacency), 1)
    there = adjacency[upper]
    present = int(there.sum())
    absent = there.size - present
    if present <= absent:
        keep, appear = KEPT, (1 - KEPT) * present / absent
    else:
        keep, appear = KEPT + (1 - KEPT) * (present - absent) / present, 1 - KEPT
    changed = np.zeros_like(adjacency)
    changed[upper] = rng.random(there.size) < np.where(there, keep, appear)
    return changed | changed.T


def _measure(adjacency: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    size = len(adjacency)
    hops = shortest_path(adjacency, unweighted=True)
    source, identifier = int(rng.integers(size)), rng.random(size)
    rank = np.empty(size, dtype=np.int64)
    rank[np.lexsort((identifier, hops[source]))] = np.arange(size)
    finite = np.where(np.isinf(hops), 0, hops)
    return {
        "identifier": identifier,
        "source": np.arange(size) == source,
        "distance": finite[source],
        "eccentricity": finite.max(axis=1),
        "source_rank": rank,
    }


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _sides(size: int) -> tuple[int, int]:
    """Two factors as close as possible, the smaller first."""
    short = max(i for i in range(1, math.isqrt(size) + 1) if size % i == 0)
    return short, size // short


def _erdos_renyi(size: int, rng: np.random.Generator) -> nx.Graph:
    return nx.fast_gnp_random_graph(size, rng.random(), _seed(rng))


def _barabasi_albert(size: int, rng: np.random.Generator) -> nx.Graph:
    return nx.barabasi_albert_graph(size, int(rng.integers(1, size)), _seed(rng))


def _tree(size: int, rng: np.random.Generator) -> nx.Graph:
    while True:
        try:
            return nx.random_powerlaw_tree(size, seed=_seed(rng), tries=500)
        except nx.NetworkXError:  # no degrees of a tree in so many tries, each of which costs time also if not needed
            continue


def _ladder(size: int, rng: np.random.Generator) -> nx.Graph:
    graph = nx.ladder_graph(size // 2)
    if size % 2:
        graph.add_edge(0, size - 1)
    return graph


def _caterpillar(size: int, rng: np.random.Generator) -> nx.Graph:
    spine = int(rng.integers(1, size))
    return _hang(nx.path_graph(spine), 0, spine, size, rng)


def _lobster(size: int, rng: np.random.Generator) -> nx.Graph:
    spine = int(rng.integers(1, size))
    legs = int(rng.integers(spine + 1, size + 1))
    return _hang(_hang(nx.path_graph(spine), 0, spine, legs, rng), spine, legs, size, rng)


def _hang(graph: nx.Graph, low: int, high: int, size: int, rng: np.random.Generator) -> nx.Graph:
    """Add the nodes up to ``size``, each joined to one of ``low .. high - 1``."""
    graph.add_edges_from((node, int(rng.integers(low, high))) for node in range(high, size))
    return graph


FAMILIES: dict[str, tuple[float, Family]] = {
    "Erdős-Rényi": (0.2, _erdos_renyi),
    "Barabási-Albert": (0.2, _barabasi_albert),
    "grid": (0.05, lambda size, rng: nx.grid_2d_graph(*_sides(size))),
    "caveman": (0.05, lambda size, rng: nx.caveman_graph(*_sides(size))),
    "tree": (0.15, _tree),
    "ladder": (0.05, _ladder),
    "line": (0.05, lambda size, rng: nx.path_graph(size)),
    "star": (0.05, lambda size, rng: nx.star_graph(size - 1)),
    "caterpillar": (0.1, _caterpillar),
    "lobster": (0.1, _lobster),
}
"""Probability and generator of every family, as in Corso et al."""
