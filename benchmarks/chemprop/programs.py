"""The two programs behind one face: train on a set, predict a table; each through its own command line."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.chemprop.molecules import TARGET, MoleculeSet, read_predictions
from benchmarks.errors import BenchmarkError
from benchmarks.revision import ROOT


@dataclass(frozen=True)
class Outcome:
    """What one training run of a program left behind."""

    epoch_seconds: list[float]
    valid: float
    parameters: int
    predictions: np.ndarray | None
    seconds: float
    versions: dict[str, str]


class Program(Protocol):
    """A program of the comparison."""

    name: str

    def key(self, data: str) -> str:
        """Text that differs between two settings."""
        ...

    def train(self, data: MoleculeSet, folder: Path, seed: int | None, threads: int, *, test: bool = True) -> Outcome:
        """Train in ``folder``, which keeps the model; predict the test part too if ``test``."""
        ...

    def predict(self, folder: Path, table: Path, out: Path, threads: int) -> float:
        """Predict a table with the model in ``folder``; returns seconds of the whole process."""
        ...


@dataclass
class Chemprop:
    """chemprop 2 with its defaults.

    Args:
        environment: folder of the environment it is installed in.
        version: its version.
        epochs: number of epochs.
        fast_features: featurise with cuik-molmaker instead of RDKit alone (when predicting).
    """

    environment: Path
    version: str
    epochs: int = 50
    fast_features: bool = False

    @property
    def name(self) -> str:
        return "chemprop, cuik-molmaker" if self.fast_features else "chemprop"

    def key(self, data: str) -> str:
        return f"chemprop {self.version}, {self.epochs} epochs"

    def train(self, data: MoleculeSet, folder: Path, seed: int | None, threads: int, *, test: bool = True) -> Outcome:
        folder.mkdir(parents=True)
        clock = folder / "clock.json"
        command = [
            str(self.environment / "bin/python"), "-P", str(Path(__file__).parent / "clock.py"), str(clock), "train",
            "--data-path", *(str(data.part(name)) for name in ("train", "valid", "test")),
            "--task-type", "regression" if data.kind == "regression" else "classification",
            "--epochs", str(self.epochs), "--num-workers", "0", "--accelerator", "cpu", "--output-dir", str(folder),
        ]  # fmt: skip
        if seed is not None:  # a seed also switches on torch's deterministic mode, so speed is measured without
            command += ["--pytorch-seed", str(seed), "--data-seed", str(seed)]
        seconds = launch(command, threads, folder / "output.txt")
        found = json.loads(clock.read_text())
        predictions = None
        if test:
            predictions = read_predictions(folder / "model_0/test_predictions.csv", TARGET, data.read("test")[0])
        valid = best_validation(found["valid"], data)
        return Outcome(found["seconds"], valid, found["parameters"], predictions, seconds, found["versions"])

    def predict(self, folder: Path, table: Path, out: Path, threads: int) -> float:
        command = [
            str(self.environment / "bin/chemprop"), "predict", "--test-path", str(table), "--smiles-columns", "smiles",
            "--model-paths", str(folder / "model_0/best.pt"), "--preds-path", str(out), "--num-workers", "0",
            "--accelerator", "cpu", *(["--use-cuikmolmaker-featurization"] if self.fast_features else []),
        ]  # fmt: skip
        return launch(command, threads, folder / "output.txt")


def best_validation(epochs: list[dict[str, float]], data: MoleculeSet) -> float:
    """Validation metric of the epoch that chemprop keeps: the one of lowest validation loss.

    For regression the loss is the mean squared error of standardised labels.
    """
    best = min(epochs, key=lambda values: values["val_loss"])
    if data.kind == "binary":
        return best["val/roc"]
    return math.sqrt(best["val_loss"]) * float(data.read("train")[1].std())


@dataclass
class Library:
    """plstm_graph, with the library's defaults or other settings.

    Args:
        config: name of a configuration that comes with the library, or a YAML file; ``None`` for the defaults.
        epochs: number of epochs, or ``None`` for the configuration's own.
    """

    config: str | None = None
    epochs: int | None = None

    @property
    def name(self) -> str:
        return f"plstm_graph, {Path(self.config).stem}" if self.config else "plstm_graph"

    def key(self, data: str) -> str:
        from plstm_graph.train.config import load_config, make_config
        from plstm_graph.train.records import config_key

        values = load_config(self.config) if self.config else {}
        return config_key(make_config(values | {"data": data} | ({"epochs": self.epochs} if self.epochs else {})))

    def train(self, data: MoleculeSet, folder: Path, seed: int | None, threads: int, *, test: bool = True) -> Outcome:
        folder.mkdir(parents=True)
        run = folder / "run"
        arguments = [
            "train", "--data", str(data.table), "--smiles-column", "smiles", "--target", TARGET, "--task", data.kind,
            "--split", "column", "--split-column", "split", "--accelerator", "cpu", "--seed", str(seed or 0),
            "--out", str(run), "--quiet",
        ]  # fmt: skip
        arguments += ["--config", self.config] if self.config else []
        arguments += ["--epochs", str(self.epochs)] if self.epochs else []
        seconds = self._launch(arguments, threads, folder)
        metrics = json.loads((run / "metrics.json").read_text())
        with (run / "curves.csv").open(newline="") as file:
            epochs = [float(row["seconds"]) for row in csv.DictReader(file)]
        predictions = None
        if test:
            smiles = data.read("test")[0]
            predictions = read_predictions(run / "predictions.csv", f"predicted_{TARGET}", smiles, "test")
        return Outcome(epochs, metrics["valid"], metrics["parameters"], predictions, seconds, self.versions)

    def predict(self, folder: Path, table: Path, out: Path, threads: int) -> float:
        arguments = ["predict", str(folder / "run"), str(table), "--smiles-column", "smiles", "--out", str(out)]
        return self._launch([*arguments, "--quiet"], threads, folder)

    @cached_property
    def versions(self) -> dict[str, str]:
        """Versions of what runs."""
        from benchmarks.machine import versions
        from plstm_graph import __version__

        return {"plstm_graph": __version__, **versions()}

    def _launch(self, arguments: list[str], threads: int, folder: Path) -> float:
        command = [sys.executable, "-P", "-m", "plstm_graph.cli", *arguments]
        return launch(command, threads, folder / "output.txt", {"PYTHONPATH": str(ROOT)})


def launch(command: list[str], threads: int, log: Path, extra: dict[str, str] | None = None) -> float:
    """Run a command with so many threads; returns seconds of the whole process, start-up included.

    Raises:
        BenchmarkError: it failed; the message has its last words.
    """
    environment: dict[str, Any] = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        environment[name] = str(threads)
    start = time.perf_counter()
    with log.open("w") as output:
        done = subprocess.run(
            command,
            env=environment | (extra or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed; {log} ends:\n{log.read_text(errors='replace')[-2000:]}")
    return seconds


def new_folder(folder: Path) -> Path:
    """The path, with nothing there."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder
