"""Classic baselines: under the guards, records and metrics of the networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plstm_graph.errors import ConfigError
from plstm_graph.train import classic
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.protocols import evaluate_parts
from plstm_graph.train.records import read_records


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(classic, "TREES", 20)


@pytest.fixture
def alcohols(tmp_path):
    """Molecules with and without an oxygen, three classes or two, and the number of carbons."""
    smiles = [("C" * n + tail) for n in range(2, 32) for tail in ("O", "", "N")]
    table = pd.DataFrame(
        {
            "smiles": smiles,
            "alcohol": [int(s.endswith("O")) for s in smiles],
            "kind": [{"O": "alcohol", "N": "amine"}.get(s[-1], "alkane") for s in smiles],
            "carbons": [float(s.count("C")) for s in smiles],
        }
    )
    path = tmp_path / "alcohols.csv"
    table.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize(
    ("model", "target", "least"),
    [("morgan-forest", "alcohol", 0.99), ("morgan-forest", "kind", 0.99), ("wl-svm", "kind", 0.95)],
)
def test_a_simple_rule_is_learnt(alcohols, tmp_path, model, target, least):
    task = "multiclass" if target == "kind" else "auto"
    config = TrainConfig(data=alcohols, target=(target,), split="random", model=model, task=task)
    summary = evaluate_parts(config, tmp_path / "parts.jsonl", seeds=[0], folds=[0], name=model)
    assert summary.test >= least
    assert len(read_records([tmp_path / "parts.jsonl"])) == 1


def test_the_forest_predicts_numbers(alcohols):
    config = TrainConfig(data=alcohols, target=("carbons",), split="random", model="morgan-forest")
    assert classic.run_classic(config)["test"] < 8  # the spread is 8.7


@pytest.mark.parametrize(("target", "expected"), [("alcohol", 0.5), ("carbons", None)])
def test_the_majority_ignores_the_molecule(alcohols, target, expected):
    record = classic.run_classic(TrainConfig(data=alcohols, target=(target,), split="random", model="majority"))
    if expected is not None:
        assert record["test"] == expected  # ROC-AUC of a constant
    else:
        table = pd.read_csv(alcohols)
        assert record["test"] == pytest.approx(table["carbons"].std(), rel=0.6)


def test_a_number_cannot_be_classified(alcohols):
    with pytest.raises(ConfigError, match="wl-svm classifies graphs"):
        classic.run_classic(TrainConfig(data=alcohols, target=("carbons",), split="random", model="wl-svm"))


@pytest.mark.data
def test_the_kernel_beats_the_majority_on_mutag(data_root, monkeypatch):
    found = {
        model: np.mean([classic.run_classic(TrainConfig(data="MUTAG", model=model, fold=f))["test"] for f in range(3)])
        for model in ("majority", "wl-svm")
    }
    assert found["majority"] == pytest.approx(0.665, abs=0.02)
    assert found["wl-svm"] > 0.75
