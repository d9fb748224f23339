"""Progress of a run in the terminal: loss, metric and graphs per second; one line per epoch elsewhere."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from plstm_graph.train.history import History


class EpochProgress(pl.Callback):
    """A bar per run in a terminal, a printed line per epoch in both terminals and files.

    Args:
        history: the record of the run, which must stand before this in the list of callbacks.
        num_epochs: epochs of the run.
        console: where to print.
    """

    def __init__(self, history: History, num_epochs: int, console: Console) -> None:
        self.history, self.num_epochs, self.console = history, num_epochs, console
        self._progress: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.console.is_terminal:
            columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            columns += (TextColumn("{task.fields[speed]}"),)
            self._progress = Progress(*columns, console=self.console, transient=True, refresh_per_second=5)
            self._bar = self._progress.add_task("epoch", speed="")
            self._progress.start()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._start, self._graphs, self._shown = time.perf_counter(), 0, 0.0
        if self._progress is not None:
            text = f"epoch {trainer.current_epoch + 1}/{self.num_epochs}"
            self._progress.reset(self._bar, total=trainer.num_training_batches, description=text, speed="")

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        if self._progress is None:
            return
        self._graphs += batch.num_graphs
        now = time.perf_counter()
        if now - self._shown > 0.2:
            self._shown = now
            speed = f"{self._graphs / (now - self._start):,.0f} graphs/s"
            self._progress.update(self._bar, completed=index + 1, speed=speed)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        row, metric = self.history.epochs[-1], module.metric_name.replace("_", " ")
        best = " *" if self.history.best_epoch == len(self.history.epochs) - 1 else ""
        self.console.print(
            f"epoch {row['epoch'] + 1:>4}/{self.num_epochs}  loss {row['train_loss']:.4f}  "
            f"{metric} {row['valid']:.4f}  {row['seconds'] + row['valid_seconds']:.1f} s  "
            f"{row['graphs_per_second']:,.0f} graphs/s{best}",
            highlight=False,
        )

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
