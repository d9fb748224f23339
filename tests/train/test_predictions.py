"""predictions.csv: every graph once, in the units of the table, and from it the metric of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.metrics import accuracy_score, roc_auc_score, root_mean_squared_error

from plstm_graph.errors import RunError
from plstm_graph.train import run
from plstm_graph.train.model_file import load_model
from plstm_graph.train.predictions import as_predictions, read_predictions, write_predictions
from plstm_graph.train.task import Task


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_a_run_leaves_a_line_per_graph(kind: str, train_tiny: Callable, tmp_path: Path) -> None:
    result = train_tiny(tmp_path, kind)
    table, source = pd.read_csv(tmp_path / "predictions.csv"), train_tiny.source
    assert list(table.columns[:2]) == ["row", "part"]
    for part in ("train", "valid", "test"):
        assert table.row[table.part == part].tolist() == source.splits[part].tolist()
    np.testing.assert_allclose(table.true_y, torch.cat([g.y for g in source.graphs]).flatten(), rtol=1e-6)
    test = table[table.part == "test"]
    oracle = {"regression": root_mean_squared_error, "binary": roc_auc_score, "multiclass": accuracy_score}[kind]
    assert oracle(test.true_y, test.predicted_y) == pytest.approx(result.test, rel=1e-5)
    if kind == "multiclass":
        chances = test[["probability_0", "probability_1"]]
        np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-6)
        assert (chances.to_numpy().argmax(axis=1) == test.predicted_y).all()


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_what_is_read_is_what_was_written(kind: str, tiny: Callable, tmp_path: Path) -> None:
    names = ("a,b", "NA") if kind == "multiclass" else ()
    targets = ("",) if kind == "multiclass" else ("nan", 'odd "name",\n<b>')
    task = Task(kind, targets, num_classes=len(names), class_names=names)
    draw = np.random.default_rng(0)
    y = {"regression": [[1.5, np.nan], [-3, 1e-9]], "binary": [[1, 0], [np.nan, 1]], "multiclass": [1, -1]}[kind]
    score = draw.normal(size=(2, 2)).astype(np.float32)
    source = replace(
        tiny(kind),
        task=task,
        splits={"train": np.array([0]), "valid": np.array([3, 1]), "test": np.array([2])},
        row=np.array([10, 11, 12, 13]),
        smiles=["C", "NA", "N", "O"],
    )
    write_predictions(tmp_path / "p.csv", task, as_predictions(source, {"valid": (np.array(y), score)}))
    found = read_predictions(tmp_path / "p.csv", task)
    assert found.row.tolist() == [13, 11]
    assert found.smiles.tolist() == ["O", "NA"]
    assert found.part.tolist() == ["valid", "valid"]
    np.testing.assert_array_equal(found.true, y)
    expected = {"regression": score, "binary": expit(score), "multiclass": softmax(score, axis=1)}[kind]
    np.testing.assert_allclose(found.predicted, expected, rtol=1e-6)
    with pytest.raises(RunError, match=r"p\.csv does not hold the predictions"):
        read_predictions(tmp_path / "p.csv", Task("regression", ("other",)))


def test_a_sure_model_does_not_lose_its_ranking(tiny: Callable) -> None:
    found = as_predictions(tiny(), {"valid": (np.zeros((30, 1)), np.linspace(15, 35, 30, dtype=np.float32)[:, None])})
    assert (np.diff(found.predicted[:, 0]) > 0).all()


def test_a_large_training_split_is_left_out(
    train_tiny: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "MOST_TRAINED", 59)
    train_tiny(tmp_path, epochs=1)
    assert set(pd.read_csv(tmp_path / "predictions.csv").part) == {"valid", "test"}
    assert load_model(tmp_path)[1].task.kind == "binary"
