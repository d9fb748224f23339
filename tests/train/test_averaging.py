"""The moving average of the weights in training."""

from pathlib import Path

import numpy as np
import pytest
import torch

from plstm_graph.errors import ConfigError
from plstm_graph.train.averaging import update_average
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.history import History
from plstm_graph.train.load import load_source
from plstm_graph.train.metrics import evaluate
from plstm_graph.train.model_file import load_model
from plstm_graph.train.outputs import score_batches
from plstm_graph.train.run import run_training

SMALL = {"hidden_channels": 16, "num_layers": 2, "heads": 2, "block_norm": "batch"}


def settings(**changes):
    return TrainConfig(
        data="demo", epochs=3, average_epochs=0.0, batch_size=400, model_options=SMALL, accelerator="cpu"
    ).replace(**changes)


def train(config: TrainConfig, folder: Path, **options):
    return run_training(
        config, folder, tensorboard=False, predictions=False, describe_split=False, trust=False, **options
    )


def test_the_average_of_constant_weights_is_the_weights():
    average, weights = [torch.zeros(3)], [torch.ones(3)]
    for n in range(200):
        update_average(average, weights, 20, n)
    assert torch.allclose(average[0], weights[0], atol=1e-3)


def test_whole_numbers_are_not_averaged():
    average, offsets = [torch.tensor([119, 124])], [torch.tensor([119, 124])]
    for n in range(10):
        update_average(average, offsets, 20, n)
    assert torch.equal(average[0], offsets[0])


@pytest.mark.parametrize(
    ("steps", "count", "decay"), [(20, 1000, 0.95), (20, 0, 0.0), (20, 1, 2 / 11), (20, 5, 0.4), (0.5, 1000, 0.0)]
)
def test_decay(steps, count, decay):
    average = [torch.ones(1)]
    update_average(average, [torch.zeros(1)], steps, count)
    assert average[0].item() == pytest.approx(decay)


def test_training_steps_do_not_hear_of_the_average(tmp_path):
    """Training losses are those without an average, what is kept and validated is not."""
    with_it = train(settings(average_epochs=2.0), tmp_path / "a")
    without = train(settings(), tmp_path / "b")
    assert [e["train_loss"] for e in with_it.epochs] == [e["train_loss"] for e in without.epochs]
    assert [e["valid"] for e in with_it.epochs] != [e["valid"] for e in without.epochs]


def test_the_kept_model_is_the_judged_one(tmp_path):
    result = train(settings(average_epochs=2.0), tmp_path / "a")
    _, predictor = load_model(tmp_path / "a")
    source = load_source(settings())
    scores = score_batches(predictor, source.batches("valid"), torch.device("cpu"))
    assert evaluate(source.task, *scores) == pytest.approx(result.valid, rel=1e-6)


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    whole = train(settings(average_epochs=2.0), tmp_path / "whole")

    write_curves = History._write_curves

    def die(self):
        write_curves(self)
        if len(self.epochs) == 3:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(History, "_write_curves", die)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train(settings(average_epochs=2.0), tmp_path / "parts")
    parts = train(settings(average_epochs=2.0), tmp_path / "parts", resume=True)
    for name in ("train_loss", "valid", "valid_loss"):
        assert [e[name] for e in parts.epochs] == [e[name] for e in whole.epochs]
    a, b = (load_model(tmp_path / name)[1].state_dict() for name in ("whole", "parts"))
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_a_negative_reach_is_refused():
    with pytest.raises(ConfigError, match="average_epochs=-1"):
        settings(average_epochs=-1)


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_the_average_has_the_precision_of_the_weights(tmp_path, precision):
    result = train(settings(average_epochs=2.0, precision=precision), tmp_path / "a")
    assert np.isfinite(result.valid)
