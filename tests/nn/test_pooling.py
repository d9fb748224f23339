"""Poolings by name."""

import torch
from torch_geometric.nn.aggr import SumAggregation

from plstm_graph.nn.pooling import TYPICAL_SIZE, make_pool, num_pools


def test_a_norm_is_a_sum_over_a_constant_and_poolings_stand_side_by_side():
    x, graph = torch.rand(7, 3), torch.tensor([0, 0, 0, 1, 1, 1, 1])
    out = make_pool("norm+max")(x, graph, dim_size=3)
    assert num_pools("norm+max") == 2
    assert num_pools(SumAggregation()) == 1
    assert out.shape == (3, 6)
    torch.testing.assert_close(out[:2, :3], torch.stack([x[:3].sum(0), x[3:].sum(0)]) / TYPICAL_SIZE)
    torch.testing.assert_close(out[:2, 3:], torch.stack([x[:3].amax(0), x[3:].amax(0)]))
    assert not out[2].any()
