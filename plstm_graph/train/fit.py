"""Train a model with Lightning, with everything switched off that costs time per step."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import lightning.pytorch as pl
from rich.console import Console

from plstm_graph.errors import ConfigError
from plstm_graph.train.averaging import WeightAverage
from plstm_graph.train.checkpoint_io import PackedCheckpointIO
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.history import History
from plstm_graph.train.module import GraphModule
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.progress import EpochProgress
from plstm_graph.train.schedule import OptimizerSettings


def fit(
    predictor: GraphPredictor,
    train: Iterable,
    valid: Iterable,
    num_graphs: int,
    config: TrainConfig,
    folder: Path,
    save_best: Callable[[Path], None],
    *,
    resume: bool = False,
    console: Console | None = None,
    tensorboard: bool = True,
    keep_last: bool = True,
    callbacks: Sequence[pl.Callback] = (),
) -> History:
    """Train until the last epoch or until patience runs out; ``best.pt`` then holds the best validation epoch.

    Args:
        predictor: network and task; changed in place.
        train: batches of the training split, with a length; shuffled anew at every iteration.
        valid: batches of the validation split.
        num_graphs: graphs in the training split.
        config: settings.
        folder: run folder.
        save_best: writes ``predictor`` to the path it is given.
        resume: go on from ``last.pt``, if it is there.
        console: where progress goes; ``None`` for silence.
        tensorboard: write event files to ``folder / "tensorboard"``.
        keep_last: write ``last.pt`` after every epoch.
        callbacks: called after the record of the epoch is made.

    Returns:
        The record of all epochs.

    Raises:
        ConfigError: Lightning does not know the devices, strategy or precision, or there are several devices.
        RunError: the loss became infinite or NaN.
    """
    steps = len(train)
    warmup = math.ceil(config.warmup_epochs * steps)
    settings = OptimizerSettings(
        config.lr,
        config.weight_decay,
        config.schedule,
        warmup,
        config.epochs * steps,
        fused=config.precision in ("32-true", "64-true"),
    )
    module = GraphModule(predictor, settings)
    history = History(folder, config.seed, num_graphs, config.patience, save_best, keep_last)
    average = [WeightAverage(config.average_epochs * steps)] if config.average_epochs else []
    shown = [EpochProgress(history, config.epochs, console)] if console is not None else []
    last = folder / "last.pt"
    with warnings.catch_warnings():
        quiet_lightning()
        trainer = _trainer(config, folder, [*average, history, *shown, *callbacks], tensorboard, steps)
        trainer.fit(module, train, valid, ckpt_path=last if resume and last.is_file() else None)
    return history


def _trainer(
    config: TrainConfig, folder: Path, callbacks: list[pl.Callback], tensorboard: bool, steps: int
) -> pl.Trainer:
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    logger = False
    if tensorboard:
        from lightning.pytorch.loggers import TensorBoardLogger

        logger = TensorBoardLogger(folder / "tensorboard", name="", version="")
    try:
        trainer = pl.Trainer(
            max_epochs=config.epochs,
            accelerator=config.accelerator,
            devices=int(config.devices) if config.devices.lstrip("-").isdigit() else config.devices,
            strategy=config.strategy,
            precision=config.precision,
            gradient_clip_val=config.clip_norm or None,
            callbacks=callbacks,
            plugins=[PackedCheckpointIO()],
            logger=logger,
            default_root_dir=folder,
            log_every_n_steps=steps,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"Lightning refuses accelerator={config.accelerator!r}, devices={config.devices!r}, "
            f"strategy={config.strategy!r}, precision={config.precision!r}: {error}"
        ) from error
    if trainer.world_size > 1:  # run folders and schedules are those of one process
        raise ConfigError(
            f"devices={config.devices!r} are {trainer.world_size} processes, but a training runs in one: name one "
            "device, and use several for several seeds or folds"
        )
    return trainer


def quiet_lightning() -> None:
    """Silence Lightning's notes on devices, tips and loader workers; errors and other warnings stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _NOTES:
        warnings.filterwarnings("ignore", message=message)


_NOTES = (
    ".*does not have many workers.*",
    ".*`IterableDataset` has `__len__` defined.*",
    ".*isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
)
