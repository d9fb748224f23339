"""Descriptors beside the graph, in every model."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from plstm_graph import ToLineDAG, from_smiles
from plstm_graph.errors import ConfigError, FeatureError
from plstm_graph.nn.baselines import MODELS, build_model, model_options
from plstm_graph.nn.descriptors import DescriptorJoin

ENCODERS = {"node_encoder": "atom", "edge_encoder": "bond"}


def make(model: str, **options: object) -> torch.nn.Module:
    known = model_options(model)
    torch.manual_seed(0)
    encoders = {k: v for k, v in ENCODERS.items() if k in known}
    return build_model(model, 9, 2, hidden_channels=8, num_layers=2, **encoders, **options).eval()


def batch(**fields: torch.Tensor) -> Batch:
    data = ToLineDAG()(Batch.from_data_list([from_smiles(s) for s in ("CCO", "c1ccccc1", "CC(=O)N")]))
    for name, value in fields.items():
        data[name] = value
    return data


@pytest.mark.parametrize("readout", ["last", "layers"])
@pytest.mark.parametrize("model", [name for name in MODELS if name != "dagnn"])
def test_every_model_reads_standardised_descriptors_behind_the_pooling(model: str, readout: str) -> None:
    values = torch.tensor([[1.0, 100.0], [2.0, 300.0], [6.0, 200.0]])
    net = make(model, descriptor_dim=2, readout=readout)
    net.descriptors.fit(values)
    data = batch(descriptors=values)
    first = net(data)
    assert first.shape == (3, 2)
    changed = net(batch(descriptors=values + torch.tensor([[0.0, 0.0], [0.0, 50.0], [0.0, 0.0]])))
    assert not torch.allclose(changed[1], first[1])
    torch.testing.assert_close(changed[[0, 2]], first[[0, 2]])
    seen: list[torch.Tensor] = []
    head = net.head
    handle = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net(data)
    handle.remove()
    expected = (values - values.mean(0)) / values.std(0, correction=0)
    torch.testing.assert_close(seen[0][:, -2:], expected)
    torch.testing.assert_close(seen[0][:, :-2], net.embed(batch()))  # an embedding needs no descriptors


def test_mean_and_deviation_are_part_of_the_checkpoint() -> None:
    join = DescriptorJoin(2)
    join.fit(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    assert {name: value.tolist() for name, value in join.state_dict().items()} == {"mean": [2, 5], "std": [1, 1]}


@pytest.mark.parametrize("model", ["plstm", "gin"])
def test_descriptors_that_do_not_fit(model: str) -> None:
    net = make(model, descriptor_dim=2)
    with pytest.raises(FeatureError, match="takes 2 descriptors per graph, but the data has 0"):
        net(batch())
    with pytest.raises(FeatureError, match="takes 2 descriptors per graph, but the data has 3"):
        net(batch(descriptors=torch.zeros(3, 3)))
    with pytest.raises(ConfigError, match="descriptor_dim=2 does not fit level='node'"):
        make(model, descriptor_dim=2, level="node")
