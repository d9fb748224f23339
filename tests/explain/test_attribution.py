"""Attributions against the layer itself, finite differences and deleted edges."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Batch

from plstm_graph import PLSTMConv, ToLineDAG, from_smiles
from plstm_graph.errors import ConfigError
from plstm_graph.explain.attribution import attribute, attribute_layers
from plstm_graph.explain.record import OperatorCall, recorded
from plstm_graph.ops import gating_matrix, plstm

MOLECULES = ["CC(=O)Oc1ccccc1C(=O)O", "c1ccc2c(c1)C1CC3CC2CC(C1)C3", "[Na+].CC(=O)[O-]", "C"]


def call_in_double(smiles: str, mode: str, direction: str) -> OperatorCall:
    """One recorded call of a layer in float64."""
    torch.manual_seed(1)
    data = ToLineDAG()(from_smiles(smiles))
    conv = PLSTMConv(
        9, 12, heads=3, mode=mode, direction=direction, edge_dim=3, key_dim=5,
        source_bias=0.0, mark_bias=0.0, direct_bias=0.0, transition_bias=0.1, gate_std=0.2,
    ).double()  # fmt: skip
    with recorded(conv) as calls, torch.no_grad():
        conv(data.x.double() / 4, data.dag, data.edge_attr.double())
    return calls[0]


def run(call: OperatorCall, **changed: torch.Tensor) -> torch.Tensor:
    """The operator's output ``[N, H, V]`` with some of its inputs changed, by the plain reference engine."""
    inputs = {
        "query": call.query, "key": call.key, "value": call.value,
        "source": call.gates.source, "transition": call.gates.transition, "mark": call.gates.mark,
    } | changed  # fmt: skip
    return plstm(**inputs, dag=call.dag, reverse=call.reverse, engine="reference", direct=call.gates.direct)


cases = pytest.mark.parametrize(
    ("mode", "direction"), [("P", "forward"), ("P", "backward"), ("D", "forward"), ("D", "backward")]
)


@pytest.mark.parametrize("smiles", MOLECULES)
@cases
def test_contributions_add_up_to_the_output_of_the_layer(smiles, mode, direction):
    found = attribute(call_in_double(smiles, mode, direction))
    torch.testing.assert_close(found.reconstruction, found.output)
    assert found.residual < 1e-12
    torch.testing.assert_close(found.share.sum(-1), torch.ones_like(found.direct))


@pytest.mark.parametrize("smiles", MOLECULES)
@cases
def test_paths_from_source_to_mark_add_up_to_the_gating_matrix(smiles, mode, direction):
    call = call_in_double(smiles, mode, direction)
    found = attribute(call)
    expected = gating_matrix(*call.gates[:3], call.dag, reverse=call.reverse)[0] + torch.diag_embed(call.gates.direct.T)
    torch.testing.assert_close(found.gating, expected)
    by_pairs = torch.diag_embed(found.direct)
    for first, origin in enumerate(found.edge_index[0].tolist()):
        for last, goal in enumerate(found.edge_index[1].tolist()):
            by_pairs[:, goal, origin] += found.paths[:, last, first]
    torch.testing.assert_close(found.gating, by_pairs)


@cases
def test_contribution_is_what_a_changed_value_changes(mode, direction):
    call = call_in_double(MOLECULES[0], mode, direction)
    found = attribute(call)
    for atom in range(call.dag.num_nodes):
        step = torch.zeros_like(call.value)
        step[atom] = 1e-3 * torch.randn_like(step[atom])
        slope = (run(call, value=call.value + step) - run(call, value=call.value - step)) / 2
        expected = found.weight[:, :, atom].T.unsqueeze(-1) * step[atom]
        torch.testing.assert_close(slope, expected, atol=1e-12, rtol=1e-7)


@cases
def test_paths_are_mixed_differences_in_source_and_mark(mode, direction):
    call = call_in_double(MOLECULES[0], mode, direction)
    found = attribute(call)
    size = call.dag.num_edges
    for first, last in torch.randint(size, (12, 2)).tolist():
        outputs = []
        for keep_source in (1, 0):
            for keep_mark in (1, 0):
                source, mark = call.gates.source.clone(), call.gates.mark.clone()
                source[first] *= keep_source
                mark[last] *= keep_mark
                outputs.append(run(call, source=source, mark=mark))
        mixed = outputs[0] - outputs[1] - outputs[2] + outputs[3]
        origin, goal = found.edge_index[0, first], found.edge_index[1, last]
        weight = found.paths[:, last, first] * found.match[:, goal, origin]
        expected = torch.zeros_like(mixed)
        expected[goal] = weight.unsqueeze(-1) * call.value[origin]
        torch.testing.assert_close(mixed, expected)


@cases
def test_through_edge_and_edge_share_are_what_deleting_the_edge_takes_away(mode, direction):
    call = call_in_double(MOLECULES[1], mode, direction)
    found = attribute(call)
    for edge in range(call.dag.num_edges):
        source, transition, mark = (gate.clone() for gate in call.gates[:3])
        source[edge] = mark[edge] = 0
        transition[(call.dag.line_index == edge).any(0)] = 0
        without = gating_matrix(source, transition, mark, call.dag, reverse=call.reverse)[0]
        direct = torch.diag_embed(found.direct)
        torch.testing.assert_close(found.gating - found.through_edge(edge), without + direct)
        lost = found.output - run(call, source=source, transition=transition, mark=mark).transpose(0, 1)
        share = (lost * found.output).sum(-1) / found.output.square().sum(-1)
        torch.testing.assert_close(found.edge_share[:, :, edge], share)


@cases
def test_edges_into_an_atom_split_what_it_hears(mode, direction):
    found = attribute(call_in_double(MOLECULES[1], mode, direction))
    total = found.direct_share.clone()
    total.index_add_(1, found.edge_index[1], found.edge_share[:, found.edge_index[1], torch.arange(found.mark.size(1))])
    torch.testing.assert_close(total, torch.ones_like(total))


def test_every_layer_and_direction_of_a_model(make_net, aspirin):
    net = make_net(num_layers=4)
    expected = net(Batch.from_data_list([aspirin]))
    layers = attribute_layers(net, Batch.from_data_list([aspirin]))
    assert [(found.layer, found.mode, found.reverse) for found in layers] == [
        (i, "PD"[i % 2], reverse) for i in range(4) for reverse in (False, True)
    ]
    assert max(found.residual for found in layers) < 1e-5  # float32 rounding of the layer itself
    assert torch.equal(net(Batch.from_data_list([aspirin])), expected)
    assert "message_and_aggregate" not in vars(net.blocks[0].conv)


def test_what_cannot_be_explained_says_why(make_net, aspirin):
    with pytest.raises(ConfigError, match="2 graphs"):
        attribute_layers(make_net(), Batch.from_data_list([aspirin, aspirin]))
    with pytest.raises(ConfigError, match="Identity has no pLSTM layer"):
        attribute_layers(torch.nn.Identity(), aspirin)
