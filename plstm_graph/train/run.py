"""One training run from settings to a tested model: load, train, choose the best epoch, then test."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from plstm_graph.data import PackedDataset
from plstm_graph.errors import RunError
from plstm_graph.nn.baselines import MODELS, model_options
from plstm_graph.train.assess import Scored, assess
from plstm_graph.train.config import TrainConfig, convert
from plstm_graph.train.ensemble import pool
from plstm_graph.train.fit import fit
from plstm_graph.train.history import History
from plstm_graph.train.labels import balanced_weights, standardisation
from plstm_graph.train.load import load_source, make_source
from plstm_graph.train.metrics import evaluate
from plstm_graph.train.model_file import ModelSpec, load_model, save_model
from plstm_graph.train.outputs import score_batches
from plstm_graph.train.predictions import FILE, MOST_TRAINED, as_predictions, write_predictions
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.resources import count_parameters, peak_memory_mb, reset_peak_memory
from plstm_graph.train.result import RunResult
from plstm_graph.train.run_folder import draw_curves, keep_splits, opened_folder, revision, write_json
from plstm_graph.train.source import Source
from plstm_graph.train.split_report import add_test_labels, summary_lines, write_split_report
from plstm_graph.trust.record import Trust

log = logging.getLogger("plstm_graph")


def run_training(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    console: Any = None,
    tensorboard: bool = True,
    keep_last: bool = True,
    predictions: bool = True,
    describe_split: bool = True,
    trust: bool = True,
    dataset: PackedDataset | None = None,
) -> RunResult:
    """Train, choose the best validation epoch, test its model, and leave everything in the run folder.

    Args:
        config: settings.
        folder: run folder, new or empty unless ``resume``.
        resume: go on with the run in ``folder``; the result is that of an uninterrupted run.
        console: where progress goes; ``None`` for silence.
        tensorboard: write event files.
        keep_last: write ``last.pt``, which ``resume`` needs, after every epoch.
        predictions: write ``predictions.csv``; see :mod:`plstm_graph.train.predictions`.
        describe_split: for molecules, write and show what the parts of the split hold.
        trust: calibrate the model on the validation split; see :mod:`plstm_graph.train.assess`.
        dataset: the graphs that ``config`` names, if it is loaded already.

    Raises:
        ConfigError: a setting does not fit the data or the model.
        RunError: the folder holds another run, or the loss became NaN.
    """
    start = time.perf_counter()
    reset_peak_memory()
    if (folder / "member-0").is_dir():
        raise RunError(f"{folder} holds an ensemble: go on with --ensemble, or choose another folder with --out")
    with opened_folder(folder, config, resume):
        source = load_source(config) if dataset is None else make_source(dataset, config)
        keep_splits(folder, source)
        log.info("data %s: %s", source.name, {name: len(rows) for name, rows in source.splits.items()})
        if describe_split and source.smiles is not None:
            show_lines(summary_lines(write_split_report(folder, source)), console)
        spec, predictor = make_predictor(config, source)
        log.info("model %s: %s parameters", config.model, f"{count_parameters(predictor):,}")
        history = _fit(config, source, spec, predictor, folder, resume, console, tensorboard, keep_last)
        return _finish(config, source, history, predictor, folder, start, predictions, trust)


def make_predictor(config: TrainConfig, source: Source) -> tuple[ModelSpec, GraphPredictor]:
    """The network for a data set, with new weights drawn from the run's seed.

    Raises:
        ConfigError: the model, or one of its options, does not exist or has a wrong type.
    """
    options = {k: v for k, v in source.encoders.items() if k in model_options(config.model)}
    options |= check_options(config.model, config.model_options)
    if source.descriptors:
        options["descriptor_dim"] = len(source.descriptors)
    spec = ModelSpec(
        config.model,
        source.in_channels,
        options,
        config.order,
        source.molecules,
        source.chirality,
        list(source.descriptors),
    )
    labels = source.labels("train")
    mean, std = standardisation(source.task, labels)
    weight = balanced_weights(source.task, labels) if config.class_weights == "balanced" else None
    pl.seed_everything(config.seed, workers=True, verbose=False)
    predictor = spec.build(source.task, mean=mean, std=std, class_weight=weight)
    if source.descriptors:
        predictor.net.descriptors.fit(source.descriptor_values[torch.from_numpy(source.splits["train"])])
    return spec, predictor


_FROM_DATA = ("level", "edge_dim", "descriptor_dim")


def check_options(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with numbers and switches converted to the type of the model's default.

    Raises:
        ConfigError: the model has no such option (the message names the nearest one), or the type is wrong.
    """
    from plstm_graph.nn.checks import one_of

    one_of("model", model, MODELS)
    known = {name: option for name, option in model_options(model).items() if name not in _FROM_DATA}
    checked = {}
    for name, value in options.items():
        one_of(f"option of {model}", name, known)
        kind = type(known[name].default)
        checked[name] = convert(name, value, kind) if kind in (bool, int, float, str) else value
    return checked


def _fit(
    config: TrainConfig,
    source: Source,
    spec: ModelSpec,
    predictor: GraphPredictor,
    folder: Path,
    resume: bool,
    console: Any,
    tensorboard: bool,
    keep_last: bool,
) -> History:
    return fit(
        predictor,
        source.batches("train"),
        source.batches("valid"),
        len(source.splits["train"]),
        config,
        folder,
        lambda path: save_model(path, spec, predictor),
        resume=resume,
        console=console,
        tensorboard=tensorboard,
        keep_last=keep_last,
    )


def show_lines(lines: list[str], console: Any) -> None:
    """Into the log, and to the console if there is one."""
    for line in lines:
        log.info("%s", line)
        if console is not None:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _finish(
    config: TrainConfig,
    source: Source,
    history: History,
    predictor: GraphPredictor,
    folder: Path,
    start: float,
    predictions: bool,
    trust: bool,
) -> RunResult:
    """Test the model of the best validation epoch; only now may the test split be read."""
    device = history.device
    spec, best = load_model(folder)
    best.to(device)
    trust = trust and source.task.kind != "sequence"  # classes come without probabilities there
    known = [part for part in ("train", "valid") if predictions and _is_quick(source, part)]
    known += ["valid"] if trust and "valid" not in known else []
    scores = {part: score_batches(best, source.batches_in_order(part), device) for part in known}
    source.release_test(history.best_epoch)
    add_test_labels(folder, source)
    scores["test"] = score_batches(best, source.batches("test"), device)
    averaged = _average_orders(best, source, config.test_orders, device) if config.test_orders else None
    learnt = Trust()
    findings: dict[str, Any] = {}
    if trust:
        valid, test = (Scored.of_one(source.task, *scores[part]) for part in ("valid", "test"))
        learnt, findings = assess(best, valid, test, source, folder, config.seed)
        save_model(folder / "best.pt", spec, best.cpu(), learnt)
    if predictions:
        write_predictions(folder / FILE, source.task, as_predictions(source, scores, learnt.temperature))
    result = RunResult(
        config=config,
        folder=folder,
        metric=source.task.metric,
        epochs=history.epochs,
        best_epoch=history.best_epoch,
        valid=history.best["valid"],
        test=evaluate(source.task, *scores["test"], source.weights("test")),
        parameters=count_parameters(predictor),
        seconds=time.perf_counter() - start,
        peak_memory_mb=peak_memory_mb(),
        device=str(device),
        revision=revision(),
        trust=findings,
        averaged=averaged,
    )
    write_json(folder / "metrics.json", result.metrics())
    draw_curves(folder / "curves.png", history.epochs, history.best_epoch, f"validation {source.task.metric}")
    log.info("%s", result.summary().replace("\n", "; "))
    return result


def _average_orders(model: GraphPredictor, source: Source, orders: int, device: torch.device | str) -> float:
    """Test value of predictions averaged over random orientations: one model, several readings of every graph."""
    batches = source.reordered_batches("test")
    found = [score_batches(model, batches, device) for _ in range(orders)]
    pooled = pool(source.task, np.stack([scores for _, scores in found]))
    return evaluate(source.task, found[0][0], pooled.values, source.weights("test"))


def _is_quick(source: Source, part: str) -> bool:
    """Whether another pass over a split takes no time that matters."""
    return part == "valid" or len(source.splits[part]) <= MOST_TRAINED
