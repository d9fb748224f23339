"""Heterogeneous graphs: types of edges enter as edge features, and reach the gates of their edges."""

from __future__ import annotations

import torch
from torch.nn.functional import one_hot
from torch_geometric.data import HeteroData

from plstm_graph import PLSTMConv, ToLineDAG


def test_edge_types_reach_the_gates_of_their_edges():
    shop = HeteroData()
    shop["user"].x, shop["item"].x = torch.zeros(3, 2), torch.zeros(4, 2)
    shop["item", "replaces", "item"].edge_index = torch.tensor([[2, 1], [1, 0]])
    shop["user", "viewed", "item"].edge_index = torch.tensor([[0, 1, 2], [2, 2, 3]])
    shop["user", "bought", "item"].edge_index = torch.tensor([[0, 1], [2, 1]])  # 0 → 2 is viewed and bought
    data = shop.to_homogeneous()
    data.edge_attr = one_hot(data.edge_type, 3).float()
    data = ToLineDAG()(data)
    assert data.dag.num_edges == 7
    gates = PLSTMConv(2, 4, edge_dim=3, gate_std=1.0).gates(data.x, data.dag, data.edge_attr)
    types = data.edge_type[data.dag.edge_id]
    assert types.tolist() != data.edge_type.tolist(), "the DAG stands in the order of its input: nothing is tested"
    for gate in (gates.source, gates.mark):  # all nodes are alike, so the type is all that gates can tell apart
        one = torch.stack([gate[types == t][0] for t in range(3)])
        assert one[:, 0].unique().numel() == 3
        torch.testing.assert_close(gate, one[types])
    # of a line edge, both types count
    before, after = types[data.dag.line_index]
    pairs = {(int(a), int(b)) for a, b in zip(before, after, strict=True)}
    assert len(pairs) == 3
