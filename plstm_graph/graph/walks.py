"""Random-walk structural encodings: how likely a walk from a node is back after so many steps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from plstm_graph.errors import ConfigError, GraphError


class AddRandomWalks(BaseTransform):
    """Attach return probabilities of random walks (RWSE of arXiv 2110.07875) as ``data.rwse``, float ``[N, steps]``.

    The models read them with ``rwse_dim=steps``. Directions, self-loops and repeated edges do not count, so on
    undirected simple graphs this is PyG's ``AddRandomWalkPE``; a whole ``Batch`` is done at once, by sparse products.

    Args:
        steps: longest walk.

    Raises:
        ConfigError: ``steps`` is not positive.
        GraphError: the data is no graph.
    """

    def __init__(self, steps: int) -> None:
        if steps < 1:
            raise ConfigError(f"steps must be at least 1, got {steps}")
        self.steps = steps

    def forward(self, data: Data) -> Data:
        if not isinstance(data, Data) or data.edge_index is None:
            raise GraphError(f"AddRandomWalks needs a torch_geometric Data with edge_index, got {type(data).__name__}")
        data.rwse = return_probabilities(data.edge_index, data.num_nodes, self.steps)
        return data

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.steps})"


def return_probabilities(edge_index: Tensor, num_nodes: int, steps: int) -> Tensor:
    """``[N, steps]``: probability of being back at a node after 1, 2, ... steps; 0 for a node without neighbours.

    The diagonal of a power is read off two powers of half its size, which are much sparser.
    """
    import numpy as np
    from scipy.sparse import csr_array

    tail, head = edge_index.cpu().numpy()
    tail, head = np.concatenate([tail, head]), np.concatenate([head, tail])
    other = tail != head
    adjacency = csr_array((np.ones(other.sum()), (tail[other], head[other])), shape=(num_nodes, num_nodes))
    adjacency.data[:] = 1  # repeated edges were added up
    degree = np.maximum(adjacency.sum(axis=1), 1)
    walk = csr_array(adjacency / degree[:, None])
    powers = [walk]
    while 2 * len(powers) < steps:
        powers.append(powers[-1] @ walk)
    found = np.zeros((num_nodes, steps))
    for step in range(2, steps + 1):
        half = powers[step // 2 - 1]
        found[:, step - 1] = (powers[step - step // 2 - 1] * half.T).sum(axis=1)
    return torch.from_numpy(found).float().to(edge_index.device)
