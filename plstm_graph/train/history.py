"""The record of a run, epoch by epoch: curves, best epoch, early stopping, files best.pt and last.pt."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

COLUMNS = ("epoch", "train_loss", "valid_loss", "valid", "lr", "seconds", "valid_seconds", "graphs_per_second")


class History(pl.Callback):
    """Records every epoch, keeps the best one, and makes a killed run resumable.

    All random numbers of an epoch come from generators seeded with the run's seed and the epoch, so that a resumed
    run draws what an uninterrupted one would have drawn.

    Args:
        folder: run folder; gets ``curves.csv``, ``best.pt`` and ``last.pt``.
        seed: seed of the run.
        num_graphs: graphs per epoch, for graphs per second.
        patience: epochs without improvement before the run stops; 0 never stops.
        save_best: called with the path of ``best.pt`` whenever the validation metric improves.
        keep_last: write ``last.pt`` after every epoch.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        num_graphs: int,
        patience: int,
        save_best: Callable[[Path], None],
        keep_last: bool = True,
    ) -> None:
        self.folder, self.seed, self.num_graphs, self.patience = folder, seed, num_graphs, patience
        self.save_best, self.keep_last = save_best, keep_last
        self.epochs: list[dict[str, float]] = []
        self.best_epoch = -1
        self.device = torch.device("cpu")

    @property
    def best(self) -> dict[str, float]:
        """The row of the best epoch."""
        return self.epochs[self.best_epoch]

    @property
    def out_of_patience(self) -> bool:
        """Whether the run should stop early."""
        return bool(self.patience) and len(self.epochs) - 1 - self.best_epoch >= self.patience

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self.device = trainer.strategy.root_device

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        trainer.should_stop = self.out_of_patience  # a resumed run may have been about to stop

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        seed_epoch(self.seed, trainer.current_epoch + trainer.global_rank * 1_000_003)
        self._start = time.perf_counter()

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._middle = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        now = time.perf_counter()
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        loss, valid_loss, valid = logged["train_loss"], logged["valid_loss"], logged[module.metric_name]
        seconds = self._middle - self._start
        speed = self.num_graphs / seconds
        row = (trainer.current_epoch, loss, valid_loss, valid, logged["lr"], seconds, now - self._middle, speed)
        self.epochs.append(dict(zip(COLUMNS, row, strict=True)))
        if self._improves(module.predictor.task.maximize):
            self.best_epoch = len(self.epochs) - 1
            if trainer.is_global_zero:
                self.save_best(self.folder / "best.pt")
        if trainer.is_global_zero:
            self._write_curves()
        if self.out_of_patience:
            trainer.should_stop = True
        if self.keep_last:
            trainer.save_checkpoint(self.folder / "last.pt")

    def _improves(self, maximize: bool) -> bool:
        """Whether the last epoch is the best; on small validation splits many tie, and the lower loss decides."""
        if self.best_epoch < 0:
            return True
        new, old = self.epochs[-1], self.best
        better = new["valid"] > old["valid"] if maximize else new["valid"] < old["valid"]
        return better or (new["valid"] == old["valid"] and new["valid_loss"] < old["valid_loss"])

    def _write_curves(self) -> None:
        with (self.folder / "curves.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.epochs)

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs, self.best_epoch = list(state_dict["epochs"]), state_dict["best_epoch"]


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed torch, NumPy and Python for one epoch of a run."""
    value = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    torch.manual_seed(value)
    np.random.seed(value)  # noqa: NPY002 - libraries draw from the global generator
    random.seed(value)
