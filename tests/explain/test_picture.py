"""What the page is told about a molecule."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
import torch

from plstm_graph import ToLineDAG, from_smiles
from plstm_graph.explain.molecule import explain_molecule
from plstm_graph.explain.picture import molecule_view, wavefronts
from plstm_graph.graph.linedag import LineDAG


@pytest.mark.parametrize("smiles", ["CC(=O)Oc1ccccc1C(=O)O", "c1ccc2c(c1)C1CC3CC2CC(C1)C3", "CC", "C"])
def test_wavefronts_of_the_reversed_dag(smiles):
    dag = ToLineDAG()(from_smiles(smiles)).dag
    assert wavefronts(dag, False) == dag.level.tolist()
    turned = LineDAG.from_edge_index(dag.edge_index.flip(0), dag.num_nodes)
    expected = torch.empty_like(turned.level)
    expected[turned.edge_id] = turned.level
    assert wavefronts(dag, True) == expected.tolist()


@pytest.mark.parametrize(
    "smiles", ["C[C@@H](N)C(=O)O", "C[C@]12CC[C@H]3CCCC[C@@H]3[C@@H]1CCC2", "[Na+].[Cl-]", "[H][H]"]
)
def test_every_atom_of_the_model_has_a_place_in_the_drawing(make_predictor, smiles):
    found = explain_molecule(make_predictor(), smiles)
    view = molecule_view(found)
    left, top, width, height = map(float, view["frame"].split())
    assert len(view["points"]) == len(view["labels"]) == found.data.num_nodes
    assert all(left <= x <= left + width and top <= y <= top + height for x, y in view["points"])
    assert len({(round(x), round(y)) for x, y in view["points"]}) == found.data.num_nodes
    assert "selector" not in view["drawing"]
    ElementTree.fromstring(view["drawing"])


def test_numbers_are_those_of_the_explanation(make_predictor):
    found = explain_molecule(make_predictor(), "CCOC(=O)c1ccccc1")
    numbers = molecule_view(found)["numbers"]
    assert len(numbers["layers"]) == len(found.layers) == 4
    for layer, exact in zip(numbers["layers"], found.layers, strict=True):
        for name, tensor in (("gating", exact.gating), ("paths", exact.paths), ("edgeShare", exact.edge_share)):
            torch.testing.assert_close(torch.tensor(layer[name]).double(), tensor, rtol=1e-5, atol=1e-12)
        for bond, edge in zip(layer["bond"], layer["edges"], strict=True):
            assert set(numbers["bonds"][bond]) == set(edge)
    assert all(math.isfinite(v) for row in numbers["blanked"] for v in row)
