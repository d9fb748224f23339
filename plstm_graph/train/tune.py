"""Search for settings with Optuna: trials judged on the validation split, in a study that can go on later."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from plstm_graph._optional import require
from plstm_graph.errors import RunError
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.fit import fit
from plstm_graph.train.history import History
from plstm_graph.train.load import load_dataset, make_source
from plstm_graph.train.run import make_predictor
from plstm_graph.train.run_folder import write_yaml
from plstm_graph.train.search_space import SearchSpace, apply

_STUDY = "plstm-graph"
_OF_THE_MACHINE = ("workers", "accelerator", "devices", "strategy", "precision")
_HEARTBEAT = 30  # seconds; a trial whose process died is known after two beats, and does not count


@dataclass(frozen=True)
class TuneResult:
    """What a search has found.

    Attributes:
        study: the study; ``study.trials`` are all trials.
        metric: name of the validation metric.
        best: settings of the best trial.
        best_value: its value in its best epoch.
        out: the YAML file with ``best``.
    """

    study: Any
    metric: str
    best: TrainConfig
    best_value: float
    out: Path


def tune(
    config: TrainConfig,
    study_file: Path,
    *,
    trials: int,
    space: SearchSpace | None = None,
    out: Path | None = None,
    console: Any = None,
) -> TuneResult:
    """Search until the study has ``trials`` finished trials; those of earlier calls count.

    Every trial trains on the training split and is judged by the best validation epoch. A trial that is below the
    median of the others at some epoch is pruned. The test split is never read.

    Args:
        config: settings that are not searched, data among them.
        study_file: SQLite file of the study, made if it is not there.
        trials: trials in all, pruned and diverged ones included.
        space: what to search; :data:`plstm_graph.train.search_space.DEFAULT_SPACE` by default.
        out: YAML file for the best settings, for ``train --config``; ``study_file`` with the ending .yaml by default.
        console: where progress goes; ``None`` for silence.

    Raises:
        MissingDependencyError: Optuna is not installed.
        ConfigError: the search space or a setting is wrong.
        RunError: the study is about other data, settings or ranges, or no trial was finished.
    """
    optuna = require("optuna", "tune")
    space = space or SearchSpace.default(config.model)
    space.check(config.model)
    out = out or study_file.with_suffix(".yaml")
    out.parent.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset(config)
    task = make_source(dataset, config).task
    with _quiet(optuna):
        study = _open(optuna, study_file, config, space, task.metric, task.maximize)

        def objective(trial: Any) -> float:
            return _run_trial(optuna, trial, apply(config, space.sample(trial)), dataset, console)

        while (done := len(_finished(study))) < trials:
            # a resumed search must not draw the same first trials again
            study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(study.trials))
            study.optimize(objective, n_trials=1, catch=(RunError,))
            _tell(console, study.trials[-1], done + 1, trials, task.metric)
            if _complete(study):
                write_yaml(out, apply(config, study.best_params).to_dict())
    if not _complete(study):
        raise RunError(f"no trial of {study_file} was finished: try a smaller learning rate, or more trials")
    best = apply(config, study.best_params)
    write_yaml(out, best.to_dict())
    return TuneResult(study, task.metric, best, study.best_value, out)


def _open(optuna: Any, path: Path, config: TrainConfig, space: SearchSpace, metric: str, maximize: bool) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the heartbeat
        storage = optuna.storages.RDBStorage(f"sqlite:///{path.resolve()}", heartbeat_interval=_HEARTBEAT)
    study = optuna.create_study(
        storage=storage,
        study_name=_STUDY,
        load_if_exists=True,
        direction="maximize" if maximize else "minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, config.epochs // 10)),
    )
    settings = {k: v for k, v in config.to_dict().items() if k not in _OF_THE_MACHINE} | {"metric": metric}
    what = {"settings": settings, "space": {name: dict(entry) for name, entry in space.entries.items()}}
    for part, new in what.items():
        old = study.user_attrs.get(part)
        if old is None:
            study.set_user_attr(part, new)
            continue
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                raise RunError(
                    f"{path} was started with {part} {key}={old.get(key)!r}, not {new.get(key)!r}: its trials cannot "
                    "be compared with new ones; choose another file with --study"
                )
    return study


def _run_trial(optuna: Any, trial: Any, config: TrainConfig, dataset: Any, console: Any) -> float:
    """Best validation value of one training."""
    source = make_source(dataset, config)
    _, predictor = make_predictor(config, source)
    with tempfile.TemporaryDirectory(prefix="plstm_graph-") as folder:
        watch = _Pruning(trial)
        try:
            history = fit(
                predictor,
                source.batches("train"),
                source.batches("valid"),
                len(source.splits["train"]),
                config,
                Path(folder),
                lambda path: None,
                tensorboard=False,
                keep_last=False,
                callbacks=[watch],
            )
        except RunError as error:
            trial.set_user_attr("error", str(error))
            raise
    trial.set_user_attr("best_epoch", history.best_epoch + 1)
    if watch.pruned:
        raise optuna.TrialPruned
    return history.best["valid"]


class _Pruning(pl.Callback):
    """Reports every epoch to Optuna, and stops the training when told to."""

    def __init__(self, trial: Any) -> None:
        self.trial, self.pruned = trial, False

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        history = next(c for c in trainer.callbacks if isinstance(c, History))
        self.trial.report(history.epochs[-1]["valid"], trainer.current_epoch)
        if self.trial.should_prune():
            self.pruned = trainer.should_stop = True


def _finished(study: Any) -> list[Any]:
    """Trials that ran to an end, not those whose process was killed."""
    return [t for t in study.trials if t.state.name in ("COMPLETE", "PRUNED") or "error" in t.user_attrs]


def _complete(study: Any) -> list[Any]:
    return [t for t in study.trials if t.state.name == "COMPLETE"]


def _tell(console: Any, trial: Any, number: int, trials: int, metric: str) -> None:
    if console is None:
        return
    state = trial.state.name.lower() if "error" not in trial.user_attrs else "diverged"
    value = f"{metric} {trial.value:.4f}  " if trial.value is not None else ""
    settings = ", ".join(f"{short_name(name)}={show(value)}" for name, value in trial.params.items())
    console.print(
        f"trial {number:>3}/{trials}  {state:<8} {value}{settings}", soft_wrap=True, markup=False, highlight=False
    )


def show(value: Any) -> str:
    """A sampled value, short."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def short_name(name: str) -> str:
    """A searched setting without the group it is in."""
    return name.removeprefix("model_options.")


def best_trials(study: Any) -> list[Any]:
    """Complete trials, best first."""
    largest_first = study.direction.name == "MAXIMIZE"
    return sorted(_complete(study), key=lambda t: t.value, reverse=largest_first)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
