"""Rankings of nodes by which undirected edges get a direction: from lower to higher rank."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from plstm_graph.errors import ConfigError, GraphError


def canonical(data: Any) -> Tensor:
    """Breadth first from the canonically first node of every connected component, ties canonically.

    The canonical rank is ``data.canonical_rank`` if present, else that of colour refinement. Every node but the first
    is reached by an edge from an earlier one, so information of the whole component meets along the DAG.
    """
    return _breadth_first(data, central=False)


def bliss(data: Any) -> Tensor:
    """As :func:`canonical`, with exact canonical ranks by BLISS: invariant for every coloured graph. Needs igraph."""
    return _breadth_first(data, central=False, exact=True)


def center(data: Any) -> Tensor:
    """Breadth first from the centre (least eccentricity) of every connected component, ties canonically.

    Takes a search from every node: O(N · E) per graph.
    """
    return _breadth_first(data, central=True)


def random_root(data: Any) -> Tensor:
    """Breadth first from a random node of every connected component, new at every call, from torch's global generator.

    As :func:`canonical`, but for the root: what random SMILES of a molecule are to its canonical one.
    """
    return _outwards(data, random(data), central=False)


def _breadth_first(data: Any, central: bool, exact: bool = False) -> Tensor:
    from plstm_graph.graph.canonical import canonical_rank

    rank = None if exact else data.get("canonical_rank")
    if rank is None:
        colors = data.get("x"), data.get("edge_attr"), data.get("batch")
        rank = canonical_rank(data.edge_index, data.num_nodes, *colors, exact=exact)
    elif list(rank.shape) != [data.num_nodes]:
        raise GraphError(f"canonical_rank must give one rank per node ([{data.num_nodes}]), got {list(rank.shape)}")
    return _outwards(data, rank, central)


def _outwards(data: Any, rank: Tensor, central: bool) -> Tensor:
    """Breadth first from the node of least rank, or from the centre, ties by rank."""
    from plstm_graph.graph._canonical_kernels import distance_from_root  # compiles on first use

    tail, head = (row.copy() for row in data.edge_index.cpu().numpy())
    distance = torch.from_numpy(distance_from_root(tail, head, data.num_nodes, rank.cpu().numpy(), central))
    return distance.to(rank.device) * data.num_nodes + rank


def index(data: Any) -> Tensor:
    """Rank by position in the input, as in the paper; depends on how the nodes happen to be numbered."""
    return torch.arange(data.num_nodes, device=data.edge_index.device)


def random(data: Any) -> Tensor:
    """A new random ranking at every call, from torch's global generator."""
    return torch.randperm(data.num_nodes, device=data.edge_index.device)


ORIENTATIONS: dict[str, Callable[[Any], Tensor]] = {
    "canonical": canonical,
    "bliss": bliss,
    "center": center,
    "index": index,
    "random": random,
    "random-root": random_root,
}


def node_order(order: str | Callable[[Any], Tensor], data: Any) -> Tensor:
    """Ranks ``[N]`` of the nodes of ``data`` by the named orientation, a callable, or a node attribute.

    Raises:
        ConfigError: ``order`` is neither an orientation nor an attribute of ``data``.
        GraphError: the ranks do not have one entry per node.
    """
    if callable(order):
        rank = order(data)
    elif isinstance(order, str) and order in ORIENTATIONS:
        rank = ORIENTATIONS[order](data)
    elif isinstance(order, str) and isinstance(data.get(order), Tensor):
        rank = data[order]
    else:
        near = difflib.get_close_matches(str(order), [*ORIENTATIONS, "directed", *data.keys()], n=1)
        raise ConfigError(
            f"order={order!r} is neither an orientation ({', '.join(ORIENTATIONS)}, directed) nor a node attribute of "
            f"the data" + (f"; did you mean {near[0]!r}?" if near else "")
        )
    if not isinstance(rank, Tensor) or rank.dim() != 1 or rank.numel() != data.num_nodes:
        found = list(rank.shape) if isinstance(rank, Tensor) else type(rank).__name__
        raise GraphError(f"order={order!r} must give one rank per node ([{data.num_nodes}]), got {found}")
    return rank
