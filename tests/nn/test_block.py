"""The residual block and its parts."""

from __future__ import annotations

import pytest
import torch

from plstm_graph import PLSTMBlock
from plstm_graph.errors import ConfigError
from plstm_graph.nn.block import DropPath
from tests.strategies import random_batch

DAG = random_batch([4, 6, 3], 0.5)


@pytest.mark.parametrize("block_norm", ["layer", "rms", "batch", "none"])
@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("edge_dim", [None, 5])
def test_shapes_and_gradients(block_norm, local, edge_dim):
    block = PLSTMBlock(8, edge_dim, block_norm=block_norm, local=local, heads=2, direction="both")
    edge = None if edge_dim is None else torch.randn(DAG.num_columns, edge_dim)
    out = block(torch.randn(DAG.num_nodes, 8), DAG, edge)
    assert out.shape == (DAG.num_nodes, 8)
    out.square().sum().backward()
    assert not [name for name, p in block.named_parameters() if p.grad is None]


def test_the_local_branch_hears_both_neighbours():
    block = PLSTMBlock(16, local=True, heads=1, block_norm="none", mlp_ratio=0).eval()
    with torch.no_grad():
        for p in block.conv.parameters():
            p.zero_()
    x = torch.rand(DAG.num_nodes, 16, requires_grad=True)
    tail, head = DAG.edge_index[:, 0].tolist()
    for one, other in ((tail, head), (head, tail)):
        (grad,) = torch.autograd.grad(block(x, DAG)[one].sum(), x)
        assert grad[other].abs().sum() > 0


def test_drop_path_drops_whole_graphs_and_keeps_the_mean():
    drop = DropPath(0.25)
    x = torch.ones(DAG.num_nodes, 1)
    total = torch.zeros_like(x)
    for _ in range(2000):
        out = drop(x, DAG)
        for first, last in DAG.node_ptr.unfold(0, 2, 1).tolist():
            assert out[first:last].unique().numel() == 1
        total += out
    torch.testing.assert_close(total / 2000, x, rtol=0.06, atol=0)
    assert torch.equal(drop.eval()(x, DAG), x)


def test_dropped_paths_leave_the_input():
    block = PLSTMBlock(4, heads=1, drop_path=0.999999)
    x = torch.randn(DAG.num_nodes, 4)
    assert torch.equal(block(x, DAG), x)


def test_wrong_options():
    with pytest.raises(ConfigError, match="drop_path"):
        PLSTMBlock(4, drop_path=-0.1)
    with pytest.raises(ConfigError, match="block_norm='group' does not exist"):
        PLSTMBlock(4, block_norm="group")
