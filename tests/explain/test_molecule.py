"""One molecule explained: predictions and contributions in the units that users know."""

from __future__ import annotations

import pytest
import torch

from plstm_graph.errors import ConfigError, SmilesError
from plstm_graph.explain import explain_molecule
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task


def test_regression_counts_in_units_of_the_target(make_predictor, aspirin):
    predictor = make_predictor()
    found = explain_molecule(predictor, aspirin.smiles, name="aspirin")
    expected = 2.0 * predictor.net(aspirin)[0].detach() + 3.0
    torch.testing.assert_close(found.predictions, expected)
    torch.testing.assert_close(found.atoms.output, expected)
    handle = predictor.net.node_encoder.register_forward_hook(
        lambda _m, _i, rows: rows * (torch.arange(13) != 4).unsqueeze(-1)
    )
    blanked = 2.0 * predictor.net(aspirin)[0].detach() + 3.0
    handle.remove()
    torch.testing.assert_close(found.atoms.blanked[4], expected - blanked, atol=1e-5, rtol=1e-4)
    assert (found.name, found.unit, found.targets) == ("aspirin", "units of the target", ("logp",))


@pytest.mark.parametrize(
    ("task", "names"),
    [
        (Task("binary", ("toxic", "soluble")), ("toxic", "soluble")),
        (Task("multiclass", ("kind",), num_classes=3, class_names=("a", "b", "c")), ("a", "b", "c")),
        (Task("multiclass", ("kind",), num_classes=2), ("class 0", "class 1")),
    ],
)
def test_classification_counts_in_logits(make_predictor, task, names):
    found = explain_molecule(make_predictor(task), "CCO")
    assert (found.targets, found.unit, found.name) == (names, "logits", "CCO")
    expected = found.atoms.output.softmax(0) if task.kind == "multiclass" else found.atoms.output.sigmoid()
    torch.testing.assert_close(found.predictions, expected)


def test_any_smiles_of_a_molecule_gives_the_same_contributions(make_predictor):
    predictor = make_predictor()
    one, other = (explain_molecule(predictor, smiles) for smiles in ("CC(=O)NC", "N(C)C(C)=O"))
    where = torch.tensor([3, 4, 1, 0, 2])  # atoms of the second SMILES, numbered as in the first
    torch.testing.assert_close(one.atoms.blanked[where], other.atoms.blanked, atol=1e-5, rtol=1e-4)
    for a, b in zip(one.layers, other.layers, strict=True):
        torch.testing.assert_close(a.weight[:, where][:, :, where], b.weight, atol=1e-5, rtol=1e-4)


def test_what_the_layers_do_not_show_is_noted(make_predictor):
    assert explain_molecule(make_predictor(), "CCO").notes == []
    assert "virtual node" in explain_molecule(make_predictor(virtual_node=True), "CCO").notes[0]


def test_a_model_that_reads_random_walks_is_explained(make_predictor):
    predictor = make_predictor(rwse_dim=4)
    found = explain_molecule(predictor, "CCO")
    assert found.data.rwse.shape == (3, 4)
    with torch.no_grad():
        expected = predictor.predictions(predictor(found.data))[0, 0]
    assert float(found.predictions[0]) == pytest.approx(float(expected))


def test_errors(make_predictor):
    with pytest.raises(SmilesError):
        explain_molecule(make_predictor(), "C(C")
    other = GraphPredictor(torch.nn.Identity(), Task("regression", ("y",)))
    with pytest.raises(ConfigError, match="Identity: only pLSTM"):
        explain_molecule(other, "CCO")
