"""Contributions to the prediction against predictions made one by one, and against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from plstm_graph.errors import ConfigError
from plstm_graph.explain import prediction
from plstm_graph.explain.prediction import atom_contributions, hears_otherwise


@pytest.mark.parametrize("options", [{}, {"virtual_node": True, "pooling": "sum", "readout": "layers", "local": True}])
def test_blanking_an_atom_is_a_difference_of_two_predictions(make_net, aspirin, options, monkeypatch):
    monkeypatch.setattr(prediction, "AT_ONCE", 30)  # several batches
    net = make_net(3, **options)
    found = atom_contributions(net, aspirin)
    rows = net.node_encoder(aspirin.x).detach()
    for atom in range(aspirin.num_nodes):
        net_rows = rows.clone()
        net_rows[atom] = 0
        handle = net.node_encoder.register_forward_hook(lambda *_, rows=net_rows: rows)
        expected = found.output - net(aspirin)[0].detach()
        handle.remove()
        torch.testing.assert_close(found.blanked[atom], expected, atol=2e-6, rtol=1e-4)
    torch.testing.assert_close(found.output, net(Batch.from_data_list([aspirin]))[0].detach())


def test_gradient_times_input_is_a_finite_difference(make_net, aspirin):
    net = make_net(2).double()
    found = atom_contributions(net, aspirin)
    for atom in range(aspirin.num_nodes):
        outputs = []
        for step in (1e-5, -1e-5):
            factor = torch.ones(aspirin.num_nodes, 1, dtype=torch.float64)
            factor[atom] += step
            handle = net.node_encoder.register_forward_hook(lambda _m, _i, rows, factor=factor: rows * factor)
            outputs.append(net(aspirin)[0].detach())
            handle.remove()
        slope = (outputs[0] - outputs[1]) / 2e-5
        torch.testing.assert_close(found.gradient_input[atom], slope, atol=1e-8, rtol=1e-5)


def test_training_mode_and_node_models_are_refused(make_net, aspirin):
    with pytest.raises(ConfigError, match="eval"):
        atom_contributions(make_net().train(), aspirin)
    with pytest.raises(ConfigError, match="level='graph'"):
        atom_contributions(make_net(level="node"), aspirin)


def test_other_ways_of_hearing_are_named(make_net):
    assert hears_otherwise(make_net()) == []
    assert len(hears_otherwise(make_net(local=True, virtual_node=True))) == 2
