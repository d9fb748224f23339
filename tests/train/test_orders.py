"""Predictions averaged over orientations at test, beside those of the one orientation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from plstm_graph.errors import ConfigError, RunError
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.load import load_source
from plstm_graph.train.model_file import load_model
from plstm_graph.train.records import config_key
from plstm_graph.train.result import RunResult
from plstm_graph.train.run import run_training

SMALL = {"hidden_channels": 16, "num_layers": 2, "heads": 2}


def settings(**changes: object) -> TrainConfig:
    whole = {"data": "demo", "epochs": 1, "batch_size": 400, "model_options": SMALL, "accelerator": "cpu"}
    return TrainConfig(**whole).replace(**changes)


def train(config: TrainConfig, folder: Path) -> RunResult:
    return run_training(config, folder, tensorboard=False, predictions=False, describe_split=False, trust=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, RunResult]:
    """The same training without and with an average over three orders."""
    return {orders: train(settings(test_orders=orders), tmp_path_factory.mktemp(f"run{orders}")) for orders in (0, 3)}


def test_the_single_order_is_reported_as_ever(runs: dict[int, RunResult]) -> None:
    plain, with_orders = runs[0], runs[3]
    assert with_orders.test == plain.test
    assert plain.averaged is None
    assert "test_averaged" not in plain.record()
    record = with_orders.record()
    assert (record["test"], record["test_averaged"], record["test_orders"]) == (plain.test, with_orders.averaged, 3)
    assert f"averaged over 3 orientations: {with_orders.averaged:.4f}" in with_orders.summary()
    assert "orientations" not in plain.summary()


def test_the_average_is_the_error_of_mean_predictions(runs: dict[int, RunResult]) -> None:
    result = runs[3]
    source, model = load_source(result.config), load_model(result.folder)[1].eval()
    source.release_test(0)
    batches = source.reordered_batches("test")
    with torch.inference_mode():
        passes = [torch.cat([model.scores(model(b)) for b in batches]).double() for _ in range(3)]
    error = (sum(passes) / 3 - source.labels("test")).square().mean().sqrt()
    assert result.averaged == pytest.approx(float(error), rel=1e-6)
    assert result.averaged != result.test


def test_every_pass_has_new_orders_and_the_same_rows() -> None:
    source = load_source(settings(test_orders=2))
    with pytest.raises(RunError, match="before the best validation epoch"):
        source.reordered_batches("test")
    source.release_test(0)
    batches = source.reordered_batches("test")
    first, second = ([(b.y, b.dag.edge_index) for b in batches] for _ in range(2))
    for (y, dag), (other_y, other_dag) in zip(first, second, strict=True):
        assert torch.equal(y, other_y)
        assert not torch.equal(dag, other_dag)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "gin", "model_options": {}}, "gin reads no orientation"),
        ({"order": "index"}, "order 'index' is always the same: give train_order one of random-root, random"),
        ({"train_order": "center"}, "order 'center' is always the same"),
        ({"test_orders": -1}, "test_orders=-1"),
    ],
)
def test_an_average_over_one_order_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_source(settings(**({"test_orders": 2} | changes)))


def test_records_made_before_the_option_stay_valid() -> None:
    assert config_key(settings()) == config_key(settings(test_orders=0)) != config_key(settings(test_orders=2))
