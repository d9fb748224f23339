"""What a finished run has found."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plstm_graph.train.config import TrainConfig
from plstm_graph.train.records import Record


@dataclass(frozen=True)
class RunResult:
    """Outcome of one training run.

    Attributes:
        config: its settings.
        folder: run folder.
        metric: name of the metric.
        epochs: one row per epoch, see :data:`plstm_graph.train.history.COLUMNS`.
        best_epoch: position of the epoch with the best validation value.
        valid: validation value of that epoch.
        test: test value of its model.
        averaged: test value of its predictions averaged over ``config.test_orders`` random orientations; ``None`` if
            not asked for.
        parameters: trainable numbers.
        seconds: wall time of the whole run.
        peak_memory_mb: largest resident memory.
        device: where it ran.
        revision: git revision of the library.
        trust: coverage, calibration and domain, see :mod:`plstm_graph.train.assess`; empty if not asked for.
    """

    config: TrainConfig
    folder: Path
    metric: str
    epochs: list[dict[str, float]]
    best_epoch: int
    valid: float
    test: float
    parameters: int
    seconds: float
    peak_memory_mb: float
    device: str
    revision: str | None
    trust: dict[str, Any] = field(default_factory=dict)
    averaged: float | None = None

    @property
    def seconds_per_epoch(self) -> float:
        """Median time of one pass over the training split."""
        return statistics.median(row["seconds"] for row in self.epochs)

    def metrics(self) -> dict[str, Any]:
        """Numbers for metrics.json."""
        averaged = (
            {} if self.averaged is None else {"test_averaged": self.averaged, "test_orders": self.config.test_orders}
        )
        return {
            "metric": self.metric,
            "valid": self.valid,
            "test": self.test,
            **averaged,
            "best_epoch": self.best_epoch,
            "epochs": len(self.epochs),
            "parameters": self.parameters,
            "seconds": round(self.seconds, 3),
            "seconds_per_epoch": round(self.seconds_per_epoch, 4),
            "graphs_per_second": round(statistics.median(row["graphs_per_second"] for row in self.epochs), 1),
            "peak_memory_mb": round(self.peak_memory_mb, 1),
            "device": self.device,
            "revision": self.revision,
            **self.trust,
        }

    def record(self) -> Record:
        """One line of a results file: settings, curves and numbers of this part."""
        curves = {
            name: [round(row[name], 6) for row in self.epochs]
            for name in ("train_loss", "valid_loss", "valid", "seconds")
        }
        identity = {
            "data": self.config.data,
            "model": self.config.model,
            "fold": self.config.fold,
            "split_seed": self.config.split_seed,
        }
        numbers = self.metrics() | {"seed": self.config.seed, "config": self.config.to_dict(), "curves": curves}
        return identity | numbers

    def summary(self) -> str:
        """A few lines for the terminal."""
        averaged = (
            ""
            if self.averaged is None
            else (f"test, averaged over {self.config.test_orders} orientations: {self.averaged:.4f}\n")
        )
        return (
            f"{self.metric}: validation {self.valid:.4f}, test {self.test:.4f} "
            f"(best epoch {self.best_epoch + 1} of {len(self.epochs)})\n"
            f"{averaged}"
            f"{self.parameters:,} parameters, {self.seconds_per_epoch:.2f} s per epoch, "
            f"{self.seconds:.1f} s in all, peak memory {self.peak_memory_mb:,.0f} MB\n"
            f"run folder: {self.folder}"
        )
