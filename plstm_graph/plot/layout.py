"""Where to draw: atoms as RDKit lays them out, graphs by spring, DAGs and line graphs in columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

Bond = tuple[int, int, float, np.ndarray]
"""Atoms ``i`` and ``j``, bond order (1.5 aromatic), and a point on the side where a second stroke belongs."""

_SWEEPS = 12
_BEND_ROOM = 0.5
_BEND_WEIGHT = 6.0


def spring(num_nodes: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Positions ``[N, 2]`` of an undirected graph, mean edge length 1, the same at every call.

    Connected components are laid out on their own (Kamada-Kawai) and put side by side.
    """
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(num_nodes))
    graph.add_edges_from(pairs)
    points = np.zeros((num_nodes, 2))
    left = 0.0
    for component in sorted(nx.connected_components(graph), key=len, reverse=True):
        part = graph.subgraph(sorted(component))
        placed = nx.kamada_kawai_layout(part)
        block = _wide(np.array([placed[node] for node in part]))
        block = block / _crowding(block, [np.linalg.norm(placed[a] - placed[b]) for a, b in part.edges])
        block -= [block[:, 0].min(), block[:, 1].mean()]
        points[list(part)] = block + np.array([left, 0.0])
        left += block[:, 0].max() + 1.0
    return points


def cells(edge_index: np.ndarray, edge_axis: np.ndarray, num_nodes: int) -> np.ndarray:
    """Positions ``[N, 2]`` of the cells of a grid: last axis to the right, the one before down, a third slanting away.

    Args:
        edge_index: ``[2, E]``.
        edge_axis: ``[E]``, axis 0 to 2 of every edge.
        num_nodes: number of cells N, numbered with the last axis running fastest.
    """
    last = int(edge_axis.max(initial=0))
    # slanting so that edges of different layers do not cross in their middles, where their numbers are
    steps = np.array([[1.0, 0.0], [0.0, -1.0], [0.62, 0.36]]) * (1.0 if last < 2 else 1.8)
    rest, points = np.arange(num_nodes), np.zeros((num_nodes, 2))
    for axis in np.unique(edge_axis):
        stride = abs(np.diff(edge_index[:, edge_axis == axis][:, 0], axis=0))[0]
        points += np.outer(rest // stride, steps[last - axis])
        rest %= stride
    return points


def _wide(points: np.ndarray) -> np.ndarray:
    """Turn so that the longest extent lies horizontally."""
    centred = points - points.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=True)[2]
    return centred @ (axes * np.where(axes.sum(axis=1, keepdims=True) < 0, -1, 1)).T


def _crowding(points: np.ndarray, lengths: list[float]) -> float:
    """Unit length that makes edges 1 long on average and keeps all but a tenth of the nodes 0.7 apart."""
    if not lengths:
        return 1.0
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag(np.full(len(points), np.inf))
    return float(min(np.mean(lengths), np.quantile(apart.min(axis=1), 0.1) / 0.7))


def molecule(smiles: str) -> tuple[np.ndarray, list[str], list[Bond]]:
    """Positions ``[N, 2]`` of the atoms (mean bond length 1), their symbols, and the bonds.

    Raises:
        SmilesError: RDKit cannot read the string.
    """
    from rdkit.Chem import rdDepictor

    from plstm_graph.chem.parse import parse_smiles

    mol = parse_smiles(smiles)
    rdDepictor.Compute2DCoords(mol)
    points = np.array(mol.GetConformer().GetPositions())[:, :2].reshape(-1, 2)
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
    points = points / (np.mean([np.linalg.norm(points[i] - points[j]) for i, j in ends]) if ends else 1.0)
    rings = sorted(
        zip(mol.GetRingInfo().BondRings(), mol.GetRingInfo().AtomRings(), strict=True), key=lambda r: len(r[0])
    )
    inside: dict[int, np.ndarray] = {}
    for bonds, atoms in rings:
        for bond in bonds:
            inside.setdefault(bond, points[list(atoms)].mean(axis=0))
    orders = [bond.GetBondTypeAsDouble() for bond in mol.GetBonds()]
    middle = points.mean(axis=0) if len(points) else np.zeros(2)
    bonds = [(i, j, orders[n], inside.get(n, middle)) for n, (i, j) in enumerate(ends)]
    return points, [_symbol(atom) for atom in mol.GetAtoms()], bonds


def _symbol(atom: object) -> str:
    charge = atom.GetFormalCharge()
    sign = "" if not charge else ("+" if charge > 0 else "−") + (str(abs(charge)) if abs(charge) > 1 else "")
    return f"{atom.GetSymbol()}{sign}"


def layered(column: Sequence[int], pairs: Sequence[tuple[int, int]]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw a DAG in columns, with few crossings (barycentre sweeps; long edges bend around the nodes between).

    Args:
        column: column of every node; edges lead to later columns.
        pairs: edges ``(tail, head)``.

    Returns:
        Positions ``[N, 2]`` (column, height; heights at least 1 apart within a column) and the points ``[2 + k, 2]``
        that each edge passes.
    """
    columns = list(column)
    chains = []
    for tail, head in pairs:
        bends = range(len(columns), len(columns) + columns[head] - columns[tail] - 1)
        columns += range(columns[tail] + 1, columns[head])
        chains.append([tail, *bends, head])
    links = [link for chain in chains for link in pairwise(chain)]
    height = _heights(np.array(columns, dtype=np.int64), np.array(links, dtype=np.int64).reshape(-1, 2), len(column))
    points = np.column_stack([np.array(columns, dtype=float), height])
    return points[: len(column)], [points[chain] for chain in chains]


def _heights(column: np.ndarray, links: np.ndarray, num_nodes: int) -> np.ndarray:
    """Height of every node and bend: order by the mean height of the neighbours, then as close to it as room allows."""
    members = [np.flatnonzero(column == c) for c in range(int(column.max()) + 1)] if column.size else []
    height = np.zeros(column.size)
    for nodes in members:
        height[nodes] = np.arange(nodes.size) - (nodes.size - 1) / 2
    best, fewest = height.copy(), _crossings(column, links, height)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for nodes in members if forward else members[::-1]:
            wish = _neighbour_mean(nodes, links, height, forward)
            nodes = nodes[np.lexsort((height[nodes], wish))]
            height[nodes] = np.arange(nodes.size) - (nodes.size - 1) / 2
        count = _crossings(column, links, height)
        if count < fewest:
            best, fewest = height.copy(), count
    return _straighten(members, links, best, num_nodes)


def _neighbour_mean(nodes: np.ndarray, links: np.ndarray, height: np.ndarray, forward: bool | None) -> np.ndarray:
    """Mean height of the neighbours to the left (``forward``), to the right, or (``None``) on both sides."""
    total, count = np.zeros(height.size), np.zeros(height.size)
    if forward is not False:
        np.add.at(total, links[:, 1], height[links[:, 0]])
        np.add.at(count, links[:, 1], 1)
    if forward is not True:
        np.add.at(total, links[:, 0], height[links[:, 1]])
        np.add.at(count, links[:, 0], 1)
    return np.where(count > 0, total / np.maximum(count, 1), height)[nodes]


def _straighten(members: list[np.ndarray], links: np.ndarray, height: np.ndarray, num_nodes: int) -> np.ndarray:
    """Move nodes and bends towards their neighbours without changing any order; bends need less room than nodes."""
    from sklearn.isotonic import isotonic_regression

    for _ in range(4 * _SWEEPS):
        for nodes in members:
            nodes = nodes[np.argsort(height[nodes], kind="stable")]
            size = np.where(nodes < num_nodes, 1.0, _BEND_ROOM)
            room = np.cumsum(size) - size / 2
            weight = np.where(nodes < num_nodes, 1.0, _BEND_WEIGHT)
            wish = _neighbour_mean(nodes, links, height, None)
            # least squares among all heights that keep order and distance
            height[nodes] = isotonic_regression(wish - room, sample_weight=weight) + room
    return _close_gaps(height)


def _close_gaps(height: np.ndarray) -> np.ndarray:
    """Narrow every horizontal band without node or bend to a height of 1."""
    steps, place = np.unique(height, return_inverse=True)
    narrow = np.concatenate([[0.0], np.cumsum(np.minimum(np.diff(steps), 1.0))]) if steps.size else steps
    return narrow[place]


def _crossings(column: np.ndarray, links: np.ndarray, height: np.ndarray) -> int:
    total = 0
    for c in np.unique(column[links[:, 0]]):
        some = links[column[links[:, 0]] == c]
        left, right = height[some[:, 0]], height[some[:, 1]]
        total += int(((left[:, None] < left) & (right[:, None] > right)).sum())
    return total
