"""Small molecules-like batches for the baselines."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch, Data

from plstm_graph import ToLineDAG
from plstm_graph.nn.encoders import ATOM_FEATURE_SIZES, BOND_FEATURE_SIZES

CHAIN = [[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]


@pytest.fixture
def batch() -> Batch:
    """Three graphs with OGB's features: a chain of four atoms, one atom, a ring of three."""
    ring = [[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]]
    sizes = [(4, CHAIN), (1, [[], []]), (3, ring)]
    return ToLineDAG("index")(Batch.from_data_list([_graph(n, edges) for n, edges in sizes]))


def _graph(num_nodes: int, edges: list[list[int]]) -> Data:
    edge_index = torch.tensor(edges, dtype=torch.long)
    x = torch.stack([torch.randint(size, (num_nodes,)) for size in ATOM_FEATURE_SIZES], dim=1)
    bond = torch.stack([torch.randint(size, (edge_index.size(1) // 2,)) for size in BOND_FEATURE_SIZES], dim=1)
    return Data(x=x, edge_index=edge_index, edge_attr=bond.repeat_interleave(2, dim=0))
