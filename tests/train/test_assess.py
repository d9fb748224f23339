"""What a run learns about the trust in its model: recomputed by hand from the model's raw outputs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from plstm_graph.train.ensemble import Ensemble, load_ensemble
from plstm_graph.train.model_file import load_model
from plstm_graph.train.outputs import score_batches

Train = Callable


def outputs(ensemble: Ensemble, train_tiny: Train, part: str) -> tuple[np.ndarray, np.ndarray]:
    y, scores = score_batches(ensemble.members[0], train_tiny.source.batches(part))
    return y, scores.astype(float)


def test_intervals_are_those_of_the_validation_errors(train_tiny: Train, tmp_path: Path) -> None:
    train_tiny(tmp_path, "regression")
    found = json.loads((tmp_path / "metrics.json").read_text())["intervals"]["targets"]["y"]
    ensemble = load_ensemble(tmp_path)
    (y, values), (truth, test) = (outputs(ensemble, train_tiny, part) for part in ("valid", "test"))
    errors = sorted(abs(y - values).ravel())
    np.testing.assert_allclose(ensemble.trust.intervals[0].scores, errors)
    assert found["validation_molecules"] == len(errors) == 30
    row = next(row for row in found["test"] if row["coverage"] == 0.8)
    half = errors[math.ceil(31 * 0.8) - 1]
    assert row["observed"] == np.mean(abs(truth - test) <= half)
    assert row["mean_width"] == pytest.approx(2 * half)
    assert found["largest_coverage"] == pytest.approx(30 / 31)
    assert next(row for row in found["test"] if row["coverage"] == 0.99)["mean_width"] is None


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_the_model_file_gives_calibrated_probabilities(kind: str, train_tiny: Train, tmp_path: Path) -> None:
    train_tiny(tmp_path, kind, epochs=3)
    found = json.loads((tmp_path / "metrics.json").read_text())["calibration"]["targets"]["y"]
    temperature = found["temperature"]
    assert temperature != 1
    _, model = load_model(tmp_path)
    raw = torch.randn(5, 1 if kind == "binary" else 2)
    expected = (raw / temperature).sigmoid() if kind == "binary" else (raw / temperature).softmax(dim=1)
    torch.testing.assert_close(model.predictions(raw), expected)
    y, logits = outputs(load_ensemble(tmp_path), train_tiny, "test")
    after, before = ((torch.from_numpy(logits) / t) for t in (temperature, 1.0))
    for name, scaled in (("test_before", before), ("test_after", after)):
        if kind == "binary":
            loss = torch.nn.functional.binary_cross_entropy_with_logits(scaled, torch.from_numpy(y).double())
        else:
            loss = torch.nn.functional.cross_entropy(scaled, torch.from_numpy(y))
        assert found[name]["negative_log_likelihood"] == pytest.approx(loss.item(), rel=1e-5)


def test_repeating_it_changes_nothing(train_tiny: Train, tmp_path: Path) -> None:
    """The temperature must not be fitted on logits that were divided by it already."""
    train_tiny(tmp_path, "binary")
    first = json.loads((tmp_path / "metrics.json").read_text())["calibration"]
    train_tiny(tmp_path, "binary", resume=True)
    assert json.loads((tmp_path / "metrics.json").read_text())["calibration"] == first
