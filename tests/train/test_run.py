"""Whole runs on tiny graphs: what is learnt, written, resumed and refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from torch_geometric.data import Batch

from plstm_graph.errors import ConfigError, RunError
from plstm_graph.train import run
from plstm_graph.train.history import History
from plstm_graph.train.model_file import load_model
from plstm_graph.train.module import GraphModule
from plstm_graph.train.outputs import evaluate_batches
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.schedule import OptimizerSettings
from plstm_graph.train.task import Task
from tests.train.conftest import small_config

Train = Callable


@pytest.mark.parametrize("kind", ["binary", "regression", "multiclass"])
def test_a_run_learns_and_leaves_everything(kind: str, train_tiny: Train, tmp_path: Path) -> None:
    result = train_tiny(tmp_path / "run", kind, epochs=20, model_options={"hidden_channels": 16, "num_layers": 2})
    better = {"binary": result.test > 0.9, "regression": result.test < 3.5, "multiclass": result.test > 0.75}
    assert better[kind], result.test
    names = {p.name for p in (tmp_path / "run").iterdir()}
    wanted = {
        "config.yaml",
        "versions.json",
        "split.json",
        "data.json",
        "metrics.json",
        "curves.csv",
        "curves.png",
        "predictions.csv",
    }
    picture = "coverage.png" if kind == "regression" else "reliability.png"
    assert names == wanted | {"best.pt", "last.pt", "log.txt", picture}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"] == result.test
    assert metrics["parameters"] == sum(p.numel() for p in load_model(tmp_path / "run")[1].parameters())
    with (tmp_path / "run" / "curves.csv").open() as file:
        curves = list(csv.DictReader(file))
    assert len(curves) == 20
    values = [float(row["valid"]) for row in curves]
    best = min(values) if kind == "regression" else max(values)
    assert metrics["valid"] == best
    ties = [epoch for epoch, value in enumerate(values) if value == best]
    assert min(ties, key=lambda epoch: float(curves[epoch]["valid_loss"])) == metrics["best_epoch"]
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["model"] == "gin"
    assert json.loads((tmp_path / "run" / "versions.json").read_text())["torch"] == torch.__version__


def test_the_saved_model_is_that_of_the_best_epoch(train_tiny: Train, tmp_path: Path) -> None:
    result = train_tiny(tmp_path, epochs=6, lr=0.1)
    _, model = load_model(tmp_path)
    assert evaluate_batches(model, train_tiny.source.batches("valid")) == pytest.approx(result.valid)
    assert evaluate_batches(model, train_tiny.source.batches("test")) == pytest.approx(result.test)


@pytest.mark.parametrize("model", ["plstm", "gin"])
def test_a_killed_run_goes_on_to_the_same_result(
    model: str, train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_tiny(tmp_path / "whole", model=model)
    start = History.on_train_epoch_start

    def killed(self: History, trainer: object, module: object) -> None:
        if trainer.current_epoch == 2:
            raise RuntimeError("killed")
        start(self, trainer, module)

    with monkeypatch.context() as patch:
        patch.setattr(History, "on_train_epoch_start", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train_tiny(tmp_path / "parts", model=model)
    resumed = train_tiny(tmp_path / "parts", model=model, resume=True)
    for key in ("train_loss", "valid", "lr"):
        assert [row[key] for row in resumed.epochs] == [row[key] for row in whole.epochs]
    assert (resumed.best_epoch, resumed.test) == (whole.best_epoch, whole.test)
    weights = [load_model(tmp_path / name)[1].state_dict() for name in ("whole", "parts")]
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name


def test_resuming_a_finished_run_changes_nothing(train_tiny: Train, tmp_path: Path) -> None:
    first = train_tiny(tmp_path)
    again = train_tiny(tmp_path, resume=True)
    assert again.epochs == first.epochs
    assert again.test == first.test


def test_early_stopping_also_after_a_resume(train_tiny: Train, tmp_path: Path) -> None:
    result = train_tiny(tmp_path, epochs=40, lr=1e-9, patience=3)
    assert len(result.epochs) == result.best_epoch + 4 < 40
    again = train_tiny(tmp_path, epochs=40, lr=1e-9, patience=3, resume=True)
    assert again.epochs == result.epochs


def test_same_seed_same_result_other_seed_other_result(train_tiny: Train, tmp_path: Path) -> None:
    losses = [
        [row["train_loss"] for row in train_tiny(tmp_path / f"{i}", seed=seed, epochs=2).epochs]
        for i, seed in enumerate((0, 0, 1))
    ]
    assert losses[0] == losses[1] != losses[2]


def test_folders_of_other_runs_are_left_alone(train_tiny: Train, tmp_path: Path) -> None:
    train_tiny(tmp_path, epochs=1)
    with pytest.raises(RunError, match="not empty"):
        train_tiny(tmp_path, epochs=1)
    with pytest.raises(RunError, match=r"started with lr=0\.01, not 0\.5"):
        train_tiny(tmp_path, epochs=1, lr=0.5, resume=True)


def test_a_refused_run_leaves_no_folder(train_tiny: Train, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (tmp_path / "new" / "run", empty):
        with pytest.raises(ConfigError, match="dropuot"):
            train_tiny(folder, model_options={"dropuot": 0.1})
    for options, words in (
        ({"level": "node"}, "option of gin='level' does not exist"),
        ({"pooling": "foo"}, "pooling='foo'"),
        ({"dropout": 2}, "dropout must be in"),
        ({"hidden_channels": -8}, "hidden_channels must be at least 1"),
    ):
        with pytest.raises(ConfigError, match=words):
            train_tiny(empty, model_options=options)
    assert not (tmp_path / "new" / "run").exists()
    assert not any(empty.iterdir())
    train_tiny(empty, epochs=1)
    kept = {p.name for p in empty.iterdir()}
    written = empty / "config.yaml"  # settings are compared before they are checked, so they are made to agree
    written.write_text(written.read_text().replace("dropout", "dropuot"))
    with pytest.raises(ConfigError, match="dropuot"):
        train_tiny(empty, epochs=1, model_options={"hidden_channels": 8, "num_layers": 2, "dropuot": 0.1}, resume=True)
    assert {p.name for p in empty.iterdir()} == kept


def test_a_diverging_run_says_so(train_tiny: Train, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="lower --lr"):
        train_tiny(tmp_path, "regression", lr=1e30, clip_norm=0, model_options={"block_norm": "none"})


@pytest.mark.parametrize("metric", ["rocauc", "ap"])
def test_outputs_that_diverged_are_named_before_a_metric_refuses_them(metric: str) -> None:
    task = Task("binary", ("y",), metric=metric)
    net = torch.nn.Module()
    net.forward = lambda batch: batch.x
    module = GraphModule(GraphPredictor(net, task), OptimizerSettings(0.1, 0.0, "constant", 0, 1))
    module._losses.append(torch.tensor(0.3))  # of the last step that went well
    module.validation_step(Batch(y=torch.tensor([[0.0], [1.0]]), x=torch.tensor([[0.1], [torch.nan]])), 0)
    with pytest.raises(RunError, match=r"output for the validation split became nan in epoch 1: lower --lr"):
        module.on_validation_epoch_end()


def test_a_run_is_not_resumed_on_other_data(
    train_tiny: Train, tiny: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_tiny(tmp_path)
    for change in ("splits", "labels"):
        source = tiny("binary")
        if change == "splits":
            source.splits = source.splits | {"train": source.splits["test"], "test": source.splits["train"]}
        else:
            read = source.read_labels
            source.read_labels = lambda rows, read=read: 1 - read(rows)
        monkeypatch.setattr(run, "load_source", lambda config, source=source: source)
        with pytest.raises(RunError, match=r"was started on other data.*--out"):
            run.run_training(small_config(), tmp_path, resume=True, tensorboard=False)


def test_several_devices_are_refused(train_tiny: Train, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="devices='2' are 2 processes, but a training runs in one"):
        train_tiny(tmp_path, devices="2")


def test_balanced_classes_change_the_training(train_tiny: Train, tmp_path: Path) -> None:
    losses = [
        train_tiny(tmp_path / weights, class_weights=weights, epochs=1).epochs[0]["train_loss"]
        for weights in ("none", "balanced")
    ]
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "gni"}, "did you mean 'gin'"),
        ({"model_options": {"dropuot": 0.1}}, "did you mean 'dropout'"),
        ({"model_options": {"dropout": "high"}}, "dropout='high' must be of type float"),
        ({"accelerator": "abacus"}, "abacus"),
        ({"precision": "7-bit"}, "7-bit"),
    ],
)
def test_wrong_settings_are_named(settings: dict, message: str, train_tiny: Train, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        train_tiny(tmp_path, **settings)


def test_bf16(train_tiny: Train, tmp_path: Path) -> None:
    result = train_tiny(tmp_path, precision="bf16-mixed", model="plstm", epochs=2)
    assert all(torch.isfinite(p).all() for p in load_model(tmp_path)[1].parameters())
    assert 0 <= result.test <= 1
