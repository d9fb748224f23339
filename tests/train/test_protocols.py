"""Parts over seeds and folds: resumable, recorded in full, summed up from the records."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plstm_graph.errors import ConfigError, RunError
from plstm_graph.train import protocols, run
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.protocols import evaluate_parts
from plstm_graph.train.records import read_records
from plstm_graph.train.table import summarise
from tests.train.conftest import small_config


@pytest.fixture
def started(tiny: Callable, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Parts that were started, as (fold, seed)."""
    parts: list[tuple[int, int]] = []

    def load(config: object) -> object:
        parts.append((config.fold, config.seed))
        if config.seed == 99:
            raise KeyboardInterrupt
        return tiny()

    monkeypatch.setattr(run, "load_source", load)
    return parts


def evaluate(file: Path, seeds: list[int], folds: tuple[int, ...] = (0,), **settings: object) -> object:
    return evaluate_parts(small_config(epochs=2, **settings), file, seeds=seeds, folds=folds, name="mine")


def test_one_line_per_part_with_everything_in_it(started: list, tmp_path: Path) -> None:
    summary = evaluate(tmp_path / "x.jsonl", [0, 1, 2])
    records = read_records([tmp_path / "x.jsonl"])
    assert [r["seed"] for r in records] == [0, 1, 2]
    for record in records:
        assert {"config", "revision", "fold", "best_epoch", "valid", "test", "seconds", "parameters"} <= set(record)
        assert len(record["curves"]["valid"]) == len(record["curves"]["train_loss"]) == 2
        assert record["curves"]["valid"][record["best_epoch"]] == pytest.approx(record["valid"], abs=1e-6)
        assert record["peak_memory_mb"] > 10
    tests = [r["test"] for r in records]
    assert summary.test == pytest.approx(statistics.fmean(tests))
    assert summary.test_std == pytest.approx(statistics.stdev(tests))
    assert summarise(records) == [summary]


def test_a_killed_evaluation_goes_on(started: list, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    with pytest.raises(KeyboardInterrupt):
        evaluate(file, [0, 99, 1])
    assert started == [(0, 0), (0, 99)]
    evaluate(file, [0, 1])
    assert started[2:] == [(0, 1)]
    summary = evaluate(file, [0, 1])
    assert len(started) == 3
    assert summary.parts == 2


def test_parts_do_not_depend_on_each_other(started: list, tmp_path: Path) -> None:
    evaluate(tmp_path / "a.jsonl", [0, 1])
    evaluate(tmp_path / "b.jsonl", [1])
    first, second = read_records([tmp_path / "a.jsonl"])[1], read_records([tmp_path / "b.jsonl"])[0]
    assert first["curves"]["train_loss"] == second["curves"]["train_loss"]
    assert first["test"] == second["test"]


def test_other_settings_are_other_parts(started: list, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    folds = {"data": "MUTAG"}
    evaluate(file, [0], **folds)
    evaluate(file, [0], lr=0.02, **folds)
    evaluate(file, [0], folds=(1,), **folds)
    assert started == [(0, 0), (0, 0), (1, 0)]
    assert len(summarise(read_records([file]))) == 2


def test_nothing_to_do_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one seed"):
        evaluate(tmp_path / "x.jsonl", [])


@pytest.mark.parametrize(
    ("settings", "asked", "message"),
    [
        ({"data": "ogbg-molhiv"}, {"folds": [0, 1]}, "has no folds, but fold 1"),
        ({"data": "MUTAG"}, {"folds": range(11)}, "has folds 0 to 9, but fold 10"),
        ({"data": "demo", "split": "kfold", "num_folds": 5}, {"folds": range(10)}, "folds 0 to 4, but fold 5"),
        ({"data": "demo", "split": "scaffold"}, {"split_seeds": [0, 1]}, "the same for every seed, so 2 split seeds"),
        ({"data": "NCI1"}, {"split_seeds": [0, 1, 2]}, "the same for every seed, so 3"),
    ],
)
def test_parts_that_there_are_not_are_refused_before_training(
    started: list, tmp_path: Path, settings: dict, asked: dict, message: str
) -> None:
    wanted = {"seeds": [0], "folds": [0]} | asked
    with pytest.raises(ConfigError, match=message):
        evaluate_parts(small_config(**settings), tmp_path / "x.jsonl", name="mine", **wanted)
    assert started == []


def test_parts_that_run_beside_a_failing_one_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)

    def part(config: TrainConfig) -> dict:
        if config.seed < 2:
            both.wait(10)
        if config.seed == 1:
            raise RunError("the loss became nan")
        time.sleep(0.2)
        return record_of(config)

    monkeypatch.setattr(protocols, "run_part", part)
    monkeypatch.setattr(protocols, "ProcessPoolExecutor", lambda jobs, *_: ThreadPoolExecutor(jobs))
    with pytest.raises(RunError, match="split seed 0, fold 0, seed 1: the loss became nan"):
        evaluate_parts(small_config(), tmp_path / "x.jsonl", seeds=range(9), folds=[0], name="mine", jobs=2)
    assert 0 in {r["seed"] for r in read_records([tmp_path / "x.jsonl"])}


def record_of(config: TrainConfig) -> dict:
    part = {"data": "demo", "fold": config.fold, "split_seed": config.split_seed, "seed": config.seed}
    return part | {"best_epoch": 0, "valid": 0.5, "test": 0.5, "seconds": 1.0}


def test_run_folders_of_parts_are_removed(started: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    mkdtemp = protocols.tempfile.mkdtemp
    monkeypatch.setattr(
        protocols.tempfile, "mkdtemp", lambda prefix: made.append(Path(mkdtemp(prefix=prefix))) or str(made[-1])
    )
    evaluate(tmp_path / "x.jsonl", [0])
    assert made
    assert not made[0].exists()
