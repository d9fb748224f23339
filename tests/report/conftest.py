"""Run folders as a training leaves them, written without any training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from plstm_graph.train import packing
from plstm_graph.train.predictions import Predictions, write_predictions
from plstm_graph.train.task import Task

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">{{ 7*7 }}$x$"
PARTS = ("train", "valid", "test")
SMILES = ("CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "CCO", "c1ccccc1", "C1CC", "[Na+].[Cl-]")


def make_predictions(task: Task, graphs: int = 90, molecules: bool = True, seed: int = 0) -> Predictions:
    """Labels, some of them missing, and predictions that are better than chance; half of the graphs for training."""
    draw = np.random.default_rng(seed)
    part = np.array(PARTS)[np.repeat((0, 1, 2), (graphs // 2, graphs // 4, graphs - graphs // 2 - graphs // 4))]
    if task.kind == "multiclass":
        true = draw.integers(0, task.num_classes, graphs)
        raw = draw.random((graphs, task.num_classes)) + 0.7 * np.eye(task.num_classes)[true]
        predicted = raw / raw.sum(axis=1, keepdims=True)
        true[::17] = -1
    else:
        size = (graphs, len(task.targets))
        true = draw.normal(2, 3, size) if task.kind == "regression" else draw.integers(0, 2, size).astype(float)
        noise = draw.normal(0, 1, size) if task.kind == "regression" else draw.random(size)
        predicted = true + noise if task.kind == "regression" else 0.4 * true + 0.6 * noise
        true[::17] = np.nan
    smiles = np.array([SMILES[i % len(SMILES)] for i in range(graphs)], object) if molecules else None
    return Predictions(np.arange(graphs) + 100, part, smiles, true, predicted)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """``make_run(task, predictions, **settings)``: a run folder."""

    def make(task: Task, found: Predictions | None = None, **settings: object) -> Path:
        folder = tmp_path / "run"
        folder.mkdir()
        config = {"data": "molecules.csv", "model": "gin", "model_options": {"heads": 2}, "target": list(task.targets)}
        (folder / "config.yaml").write_text(yaml.safe_dump(config | settings, sort_keys=False), encoding="utf-8")
        metrics = {
            "metric": task.metric, "valid": 0.5, "test": 0.62345, "best_epoch": 1, "epochs": 3, "parameters": 1234,
            "seconds": 75.2, "seconds_per_epoch": 1.5, "device": "cpu", "revision": "abc",
        }  # fmt: skip
        (folder / "metrics.json").write_text(json.dumps(metrics))
        (folder / "versions.json").write_text(json.dumps({"revision": "abc", "python": "3.11", "triton": None}))
        sizes = {part: list(range(5 if found is None else len(found.of(part)))) for part in PARTS}
        (folder / "split.json").write_text(json.dumps(sizes))
        rows = ("0,1.5,1.25,0.75", "1,1,1,0.5", "2,0.75,1.125,0.625")
        (folder / "curves.csv").write_text("\n".join(["epoch,train_loss,valid_loss,valid", *rows]) + "\n")
        packing.save(folder / "best.pt", {"kind": "model", "task": task.to_dict(), "spec": {"molecules": True}})
        if found is not None:
            write_predictions(folder / "predictions.csv", task, found)
        return folder

    return make
