"""Search: judged by validation alone, resumable, and its result is what train takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import yaml
from typer.testing import CliRunner

from plstm_graph.cli.app import app
from plstm_graph.data import make_demo
from plstm_graph.errors import RunError
from plstm_graph.train import tune as module
from plstm_graph.train.config import make_config
from plstm_graph.train.search_space import SearchSpace
from plstm_graph.train.tune import TuneResult, best_trials, tune
from tests.train.conftest import TinySource, small_config

SPACE = SearchSpace({"lr": {"low": 1e-4, "high": 1e-1, "log": True}, "model_options.num_layers": {"low": 1, "high": 2}})


@pytest.fixture
def search(tiny: Callable[..., TinySource], monkeypatch: pytest.MonkeyPatch) -> Callable[..., TuneResult]:
    """``search(folder, trials)`` on the tiny set; ``search.sources`` are the sources of all trials."""

    def run(
        folder: Path, trials: int, space: SearchSpace = SPACE, kind: str = "binary", **settings: object
    ) -> TuneResult:
        def make(dataset: object, config: object) -> TinySource:
            run.sources.append(tiny(kind))
            return run.sources[-1]

        monkeypatch.setattr(module, "load_dataset", lambda config: None)
        monkeypatch.setattr(module, "make_source", make)
        return tune(small_config(epochs=3, **settings), folder / "study.db", trials=trials, space=space)

    run.sources = []
    return run


def test_never_reads_the_test_split(search: Callable[..., TuneResult], tmp_path: Path):
    search(tmp_path, 2)
    read = {row for source in search.sources for row in source.read}
    splits = search.sources[0].splits
    assert read == {*splits["train"], *splits["valid"]}
    assert all(source.chosen_epoch is None for source in search.sources)


def test_goes_on_where_it_was(search: Callable[..., TuneResult], tmp_path: Path):
    first = [t.params for t in search(tmp_path, 2).study.trials]
    again = search(tmp_path, 4)
    assert [t.params for t in again.study.trials[:2]] == first
    rates = [t.params["lr"] for t in again.study.trials]
    assert len(set(rates)) == 4  # a resumed search does not repeat itself
    made = len(search.sources)
    assert search(tmp_path, 4).best == again.best
    assert len(search.sources) == made + 1  # nothing was left to train


def test_the_best_is_the_best_and_is_written(search: Callable[..., TuneResult], tmp_path: Path):
    result = search(tmp_path, 3, kind="regression")
    values = [t.value for t in best_trials(result.study)]
    assert result.metric == "rmse"
    assert values == sorted(values)
    assert result.best_value == values[0]
    written = make_config(yaml.safe_load((tmp_path / "study.yaml").read_text()))
    assert written == result.best
    assert written.lr == result.study.best_params["lr"]
    assert written.model_options["hidden_channels"] == 8  # what is not searched stays


def test_trials_that_fall_behind_are_pruned(search: Callable[..., TuneResult], tmp_path: Path):
    space = SearchSpace({"lr": {"choices": [0.01, 0.02, 0.03, 1e-8]}})
    study = search(tmp_path, 12, space, kind="regression").study
    pruned = [t.params["lr"] for t in study.trials if t.state.name == "PRUNED"]
    assert pruned, [(t.params["lr"], t.state.name, t.intermediate_values) for t in study.trials]
    assert 1e-8 in pruned


def test_pruned_and_diverged_trials_count(
    search: Callable[..., TuneResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda trial: trial.number == 1)
    fit = module.fit

    def diverge(*arguments: object, callbacks: list, **options: object) -> object:
        if callbacks[0].trial.number == 2:
            raise RunError("the training loss became nan")
        return fit(*arguments, callbacks=callbacks, **options)

    monkeypatch.setattr(module, "fit", diverge)
    study = search(tmp_path, 4).study
    assert [t.state.name for t in study.trials] == ["COMPLETE", "PRUNED", "FAIL", "COMPLETE"]
    assert len(study.trials[1].intermediate_values) == 1  # stopped after its first epoch
    assert len(study.trials[0].intermediate_values) == 3
    assert "nan" in study.trials[2].user_attrs["error"]


def test_another_search_is_not_mixed_in(search: Callable[..., TuneResult], tmp_path: Path):
    search(tmp_path, 1)
    with pytest.raises(RunError, match="batch_size=16, not 8"):
        search(tmp_path, 2, batch_size=8)


def test_command_on_a_table(tmp_path: Path):
    make_demo(60).to_csv(tmp_path / "in.csv", index=False)
    (tmp_path / "space.yaml").write_text(
        "model_options.hidden_channels: {choices: [4, 8]}\nlr: {low: 0.001, high: 0.01}\n"
    )
    fast = ["--set", "num_layers=1", "--set", "heads=2", "--epochs", "2", "--target", "logp", "--accelerator", "cpu"]
    options = ["--trials", "2", "--study", str(tmp_path / "s.db"), "--space", str(tmp_path / "space.yaml")]
    said = CliRunner().invoke(app, ["tune", str(tmp_path / "in.csv"), *options, *fast, "--quiet"])
    assert said.exit_code == 0, f"{said.output}\n{said.exception!r}"
    assert "rmse" in said.output
    assert "hidden_channels" in said.output
    run = ["train", "--config", str(tmp_path / "s.yaml"), "--epochs", "1", "--out", str(tmp_path / "run"), "--quiet"]
    said = CliRunner().invoke(app, run)
    assert said.exit_code == 0, said.output
