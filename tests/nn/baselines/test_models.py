"""Every baseline reads what it should read, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch, Data

from plstm_graph.errors import ConfigError
from plstm_graph.nn.baselines import MODELS, build_model, model_options

READ_EDGES = {"plstm", "gine", "gat", "gps"}


def make(name: str, **options: object) -> torch.nn.Module:
    if name in READ_EDGES:
        options = {"edge_encoder": "bond"} | options
    return build_model(name, 9, 2, hidden_channels=8, node_encoder="atom", **options)


@pytest.mark.parametrize("name", MODELS)
def test_shape_and_gradients(name: str, batch: Batch) -> None:
    net = make(name)
    out = net(batch)
    assert out.shape == (3, 2)
    out.square().sum().backward()
    without = [k for k, p in net.named_parameters() if p.grad is None]
    assert not without


@pytest.mark.parametrize("name", MODELS)
def test_a_graph_does_not_hear_its_neighbours_in_the_batch(name: str, batch: Batch) -> None:
    net = make(name).eval()
    before = net(batch)
    batch.x = batch.x.clone()
    batch.x[0] = 1 - batch.x[0].clamp(max=1)
    after = net(batch)
    assert not torch.allclose(before[0], after[0])
    torch.testing.assert_close(before[1:], after[1:])


@pytest.mark.parametrize("name", MODELS)
def test_edge_features_count_where_documented(name: str, batch: Batch) -> None:
    net = make(name).eval()
    before = net(batch)
    batch.edge_attr = (batch.edge_attr + 1) % 2
    changed = not torch.allclose(before, net(batch))
    assert changed == (name in READ_EDGES)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"plstm"}))
@pytest.mark.parametrize("readout", ["last", "sum", "layers"])
def test_readouts_and_virtual_node(name: str, readout: str, batch: Batch) -> None:
    options = {"readout": readout, "pooling": "norm+max", "head_layers": 2}
    if "virtual_node" in model_options(name):
        options["virtual_node"] = True
    assert make(name, **options)(batch).shape == (3, 2)
    assert make(name, level="node", **options)(batch).shape == (8, 2)


@pytest.mark.parametrize("virtual", [False, True])
def test_only_a_virtual_node_joins_components(virtual: bool, batch: Batch) -> None:
    net = make("gin", level="node", num_layers=2, virtual_node=virtual).eval()
    batch.batch, batch._num_graphs = torch.zeros_like(batch.batch), 1
    before = net(batch)[4]
    batch.x = batch.x.clone()
    batch.x[0] = (batch.x[0] + 1) % 2
    assert torch.equal(before, net(batch)[4]) is not virtual


def test_lstm_shares_its_cell_over_layers(batch: Batch) -> None:
    count = [sum(p.numel() for p in make("lstm", num_layers=n).parameters()) for n in (1, 5)]
    assert count[0] == count[1]


def test_gin_is_pygs_gin(batch: Batch) -> None:
    """One layer by hand: (1 + eps) x + sum of neighbours through the MLP, batch norm, mean pooling, linear head."""
    net = make("gin", num_layers=1, residual=False).eval()
    x = net.encode_node(batch.x)
    conv = net.layers[0].conv
    heard = torch.zeros_like(x).index_add(0, batch.edge_index[1], x[batch.edge_index[0]])
    x = net.norms[0](conv.nn((1 + conv.eps) * x + heard))
    mean = torch.stack([x[batch.batch == g].mean(0) for g in range(3)])
    torch.testing.assert_close(net(batch), net.head(mean))


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"gin"):
        build_model("gni", 9, 1)
    with pytest.raises(ConfigError, match=r"hidden_channels"):
        build_model("gin", 9, 1, hiden_channels=8)
    with pytest.raises(ConfigError, match="heads=3"):
        build_model("gat", 9, 1, hidden_channels=8, heads=3)
    with pytest.raises(ConfigError, match="block_norm"):
        build_model("gin", 9, 1, block_norm="instance")
    with pytest.raises(ConfigError, match="option of gin"):
        build_model("gin", 9, 1, heads=2)


def test_options_of_plstm_include_those_of_its_layers() -> None:
    options = model_options("plstm")
    assert {"pooling", "mode", "transition_bias", "norm"} <= set(options)
    assert "in_channels" not in options
    assert "conv" not in options


def test_random_walk_encoding_needs_its_attribute(batch: Batch) -> None:
    net = make("gin", rwse_dim=4)
    with pytest.raises(ValueError, match="rwse"):
        net(batch)
    batch.rwse = torch.rand(8, 4)
    assert net(batch).shape == (3, 2)


@pytest.mark.parametrize(("norm", "outlier"), [("none", False), ("batch", True)])
def test_a_walk_that_training_has_not_seen_is_an_outlier_of_a_norm_over_the_batch(
    batch: Batch, norm: str, outlier: bool
) -> None:
    net = make("gin", rwse_dim=4, rwse_norm=norm)
    batch.rwse = torch.rand(8, 4) * torch.tensor([1.0, 1.0, 0.0, 1.0])  # no rings of three
    for _ in range(100):
        net(batch)
    net.eval()
    ring = Data(rwse=torch.tensor([[0.0, 0.5, 0.25, 0.375]]))
    assert (net.encode_walks(ring).norm() > 3 * net.encode_walks(batch).norm(dim=1).max()) == outlier


def test_an_unknown_norm_of_walks_is_refused_with_walks_and_without() -> None:
    for steps in (0, 4):
        with pytest.raises(ConfigError, match="rwse_norm"):
            make("gin", rwse_dim=steps, rwse_norm="instance")
