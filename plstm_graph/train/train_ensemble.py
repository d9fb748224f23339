"""Train several members that differ by their seed, then test, calibrate and describe them together."""

from __future__ import annotations

import json
import logging
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from plstm_graph.data import PackedDataset
from plstm_graph.errors import ConfigError, RunError
from plstm_graph.train.assess import Scored, assess
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.ensemble import Ensemble, save_ensemble
from plstm_graph.train.load import load_dataset, make_source
from plstm_graph.train.metrics import evaluate
from plstm_graph.train.model_file import read_model
from plstm_graph.train.predictions import FILE, as_predictions, write_predictions
from plstm_graph.train.run import run_training, show_lines
from plstm_graph.train.run_folder import keep_splits, opened_folder, revision, write_json
from plstm_graph.train.source import Source
from plstm_graph.train.split_report import add_test_labels, summary_lines, write_split_report
from plstm_graph.train.table import plus_minus

log = logging.getLogger("plstm_graph")


@dataclass(frozen=True)
class EnsembleResult:
    """Outcome of training an ensemble.

    Attributes:
        folder: its folder.
        metric: name of the metric.
        valid: validation value of the members' mean prediction.
        test: its test value.
        members: what the ``metrics.json`` of every member says.
        seconds: wall time of this call; members that were finished before do not count.
        trust: coverage, calibration and domain, see :mod:`plstm_graph.train.assess`.
    """

    folder: Path
    metric: str
    valid: float
    test: float
    members: list[dict[str, Any]]
    seconds: float
    trust: dict[str, Any]

    def metrics(self) -> dict[str, Any]:
        """Numbers for metrics.json; deviations over members are unbiased."""
        single = {part: [member[part] for member in self.members] for part in ("valid", "test")}
        return {
            "metric": self.metric,
            "ensemble": len(self.members),
            "valid": self.valid,
            "test": self.test,
            "single_members": {
                f"{part}_{name}": function(values)
                for part, values in single.items()
                for name, function in (("mean", statistics.fmean), ("std", statistics.stdev))
            },
            "members": [
                {"folder": member_name(i)} | {key: member[key] for key in ("valid", "test", "best_epoch", "epochs")}
                for i, member in enumerate(self.members)
            ],
            "parameters": sum(member["parameters"] for member in self.members),
            "seconds": round(sum(member["seconds"] for member in self.members), 3),
            "peak_memory_mb": max(member["peak_memory_mb"] for member in self.members),
            "device": self.members[0]["device"],
            "revision": revision(),
            **self.trust,
        }

    def summary(self) -> str:
        """A few lines for the terminal."""
        single = self.metrics()["single_members"]
        return (
            f"{self.metric} of the mean of {len(self.members)} members: validation {self.valid:.4f}, "
            f"test {self.test:.4f}\n"
            f"{self.metric} of single members: validation {plus_minus(single['valid_mean'], single['valid_std'])}, "
            f"test {plus_minus(single['test_mean'], single['test_std'])}\n"
            f"{self.seconds:.1f} s in all\nrun folder: {self.folder}"
        )


def member_name(i: int) -> str:
    """Folder of a member within that of its ensemble."""
    return f"member-{i}"


def train_ensemble(
    config: TrainConfig,
    folder: Path,
    members: int,
    *,
    resume: bool = False,
    console: Any = None,
    tensorboard: bool = True,
) -> EnsembleResult:
    """Train members with the seeds ``seed``, ``seed + 1``, ..., which have other weights and orders of the batches.

    Every member is a run folder of its own, ``member-0``, ``member-1``, ...; ``ensemble.pt`` beside them says which
    they are, and holds what was calibrated for all of them together.

    Args:
        config: settings of the first member.
        folder: folder of the ensemble, new or empty unless ``resume``.
        members: how many, 2 or more.
        resume: go on: finished members are kept, an interrupted one goes on, missing ones are trained. There may be
            more of them than before.
        console: where progress goes; ``None`` for silence.
        tensorboard: write event files.

    Raises:
        ConfigError: a setting does not fit the data or the model, or there are fewer than two members.
        RunError: the folder holds another run, or a loss became NaN.
    """
    if members < 2:
        raise ConfigError(f"an ensemble of {members} is none: ask for 2 members or more")
    start = time.perf_counter()
    if resume and (folder / "best.pt").is_file():
        raise RunError(f"{folder} holds a single model, not an ensemble: choose another folder with --out")
    if resume and (folder / member_name(members)).is_dir():
        raise RunError(f"{folder} has more than {members} members: ask for as many as there are, or for more")
    with opened_folder(folder, config, resume):
        dataset = load_dataset(config)
        source = make_source(dataset, config)
        if source.task.kind == "sequence":
            raise ConfigError(f"{source.name} asks for sequences, which have no mean: train single models")
        keep_splits(folder, source)
        if source.smiles is not None:
            show_lines(summary_lines(write_split_report(folder, source)), console)
        done = []
        for i in range(members):
            if console is not None:
                console.print(f"member {i + 1} of {members}", highlight=False)
            settings = config.replace(seed=config.seed + i)
            done.append(_train_member(settings, folder / member_name(i), dataset, resume, console, tensorboard))
        return _finish(config, folder, source, done, start)


def _train_member(
    config: TrainConfig,
    folder: Path,
    dataset: PackedDataset,
    resume: bool,
    console: Any,
    tensorboard: bool,
) -> dict[str, Any]:
    """The metrics of one member, trained unless it is finished."""
    metrics = folder / "metrics.json"
    if not (resume and metrics.is_file()):
        run_training(
            config, folder, resume=resume, console=console, tensorboard=tensorboard, predictions=False,
            describe_split=False, trust=False, dataset=dataset,
        )  # fmt: skip
    return json.loads(metrics.read_text(encoding="utf-8"))


def _finish(
    config: TrainConfig, folder: Path, source: Source, done: list[dict[str, Any]], start: float
) -> EnsembleResult:
    """Test and calibrate the members together; each of them has chosen its epoch by now."""
    names = [member_name(i) for i in range(len(done))]
    read = [read_model(folder / name) for name in names]
    spec, members = read[0][0], tuple(model for _, model, _ in read)
    device = torch.device(done[0]["device"])
    ensemble = Ensemble(spec, members).to(device)
    valid = Scored.of_members(members, source.batches_in_order("valid"), device)
    source.release_test(done[0]["best_epoch"])
    add_test_labels(folder, source)
    test = Scored.of_members(members, source.batches_in_order("test"), device)
    trust, findings = assess(members[0], valid, test, source, folder, config.seed)
    scores = {part: (found.y, found.pooled.values) for part, found in (("valid", valid), ("test", test))}
    write_predictions(folder / FILE, source.task, as_predictions(source, scores, trust.temperature))
    save_ensemble(folder, names, Ensemble(spec, ensemble.members, trust))
    result = EnsembleResult(
        folder=folder,
        metric=source.task.metric,
        valid=evaluate(source.task, *scores["valid"], source.weights("valid")),
        test=evaluate(source.task, *scores["test"], source.weights("test")),
        members=done,
        seconds=time.perf_counter() - start,
        trust=findings,
    )
    write_json(folder / "metrics.json", result.metrics())
    log.info("%s", result.summary().replace("\n", "; "))
    return result
