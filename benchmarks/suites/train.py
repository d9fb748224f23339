"""Training as a user starts it: epochs through the trainer, and where the time of a step goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.profiler import record_function

from benchmarks.case import Call, Case, Setting, Table
from benchmarks.inputs import BARE, BATCH

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "gin": ("gin", {}),
    "plstm, alternating directions": ("plstm", BARE | {"direction": "alternate"}),
    "plstm, both directions": ("plstm", BARE),
    "plstm, alternating, no edge features": ("plstm", BARE | {"direction": "alternate", "edge_encoder": None}),
    "plstm": ("plstm", {}),
    "gine": ("gine", {}),
}
"""Name in the table → model and options; without options it is what ``plstm-graph train --model`` trains."""

SMALL_BATCH = 64


def epochs(setting: Setting, batch_size: int) -> dict[str, Call]:
    """Epochs over a part of the training split; every call goes on with the weights of the call before."""
    steps = 2 if setting.quick else 8
    graphs = steps * batch_size if batch_size == BATCH else 4 * steps * batch_size
    names = list(MODELS)[:2] if setting.quick else MODELS
    calls = {}
    for name in names:
        model, options = MODELS[name]
        calls[name] = Call(Trainer(setting, model, options, batch_size, graphs).epoch, graphs, own_measure=True)
    return calls


class Trainer:
    """The library's trainer on part of ogbg-molhiv, or of the demo set where that is not at hand.

    Args:
        setting: device.
        model: name of the model.
        options: options of the model.
        batch_size: molecules per step.
        graphs: molecules per epoch.
    """

    def __init__(self, setting: Setting, model: str, options: dict[str, Any], batch_size: int, graphs: int) -> None:
        from plstm_graph.train.load import load_source
        from plstm_graph.train.run import make_predictor

        self.config = _config(setting, model, options, batch_size)
        self.source = load_source(self.config)
        self.spec, self.predictor = make_predictor(self.config, self.source)
        train = self.source.splits["train"]
        rows = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:graphs]
        self.graphs = rows.numel()
        self.train = self.source.make_batches(train[rows.numpy()], True)
        self.valid = self.source.make_batches(_both_classes(self.source), False)

    def epoch(self) -> float:
        """Seconds of one epoch of training, as the run folder records them: batches included, validation not."""
        from plstm_graph.train.fit import fit

        with TemporaryDirectory() as folder:
            history = fit(
                self.predictor, self.train, self.valid, self.graphs, self.config, Path(folder), _forget,
                tensorboard=False, keep_last=False,
            )  # fmt: skip
        return history.epochs[-1]["seconds"]


def _forget(path: Path) -> None:
    """Keep no checkpoint of the best epoch."""


def _config(setting: Setting, model: str, options: dict[str, Any], batch_size: int) -> Any:
    from plstm_graph.data import load
    from plstm_graph.errors import DatasetNotFoundError
    from plstm_graph.train.config import make_config

    try:
        load("ogbg-molhiv")
        data = "ogbg-molhiv"
    except DatasetNotFoundError:
        data = "demo"
    accelerator = "gpu" if setting.device == "cuda" else "cpu"
    return make_config(
        {
            "data": data, "model": model, "model_options": options, "batch_size": batch_size,
            "epochs": 1, "warmup_epochs": 0, "accelerator": accelerator,
        }
    )  # fmt: skip


def _both_classes(source: Any) -> Any:
    """A few rows of the validation split, among them all values of a binary target: ROC-AUC needs both."""
    rows, labels = source.splits["valid"], source.labels("valid").reshape(len(source.splits["valid"]), -1)[:, 0]
    largest, smallest = (labels.argsort(descending=d)[:8] for d in (True, False))
    return rows[torch.cat([largest, smallest]).numpy()]


def step_parts(setting: Setting) -> dict[str, Call]:
    """A training step of the bare pLSTM model beside the making of its batch."""
    from plstm_graph import ToLineDAG
    from plstm_graph.data import load

    trainer = Trainer(setting, "plstm", BARE, BATCH, BATCH)
    dataset, batch = load(trainer.config.data), next(iter(trainer.train))
    rows, to_dag, step = batch.graph_id, ToLineDAG(), make_step(trainer)
    count = rows.numel()
    return {
        "training step": Call(partial(step, batch), count),
        "collate": Call(lambda: dataset.collate(rows), count),
        "collate, and line DAG": Call(lambda: to_dag(dataset.collate(rows)), count),
    }


def make_step(trainer: Trainer) -> Callable[[Any], None]:
    """One training step without the trainer around it: forward, backward, clipping, optimizer."""
    from plstm_graph.train.schedule import OptimizerSettings, make_optimizer

    predictor, config = trainer.predictor.train(), trainer.config
    optimizer, _ = make_optimizer(
        predictor, OptimizerSettings(config.lr, config.weight_decay, "constant", warmup=0, total=1)
    )

    def step(batch: Any) -> None:
        optimizer.zero_grad()
        predictor.loss(predictor(batch), batch.y).backward()
        with record_function("Optimizer.clip"):
            torch.nn.utils.clip_grad_norm_(predictor.parameters(), config.clip_norm)
        optimizer.step()

    return step


def profile(setting: Setting) -> Table:
    """Where the time of a step goes, loader included."""
    from benchmarks.step_profile import profile_steps

    count = 4 if setting.quick else 16
    found = {}
    for name in ("gin", "plstm, both directions"):
        trainer = Trainer(setting, *MODELS[name], BATCH, 2 * BATCH)
        found[name] = profile_steps(trainer.predictor, trainer.train, make_step(trainer), count)
    rows = []
    for part in dict.fromkeys(part for parts in found.values() for part in parts):
        row: list[Any] = [part]
        for parts in found.values():
            total = sum(parts.values())
            row += [f"{1e3 * parts.get(part, 0):.1f}", f"{parts.get(part, 0) / total:.0%}"]
        rows.append(row)
    return {"columns": ["part of a step", *(c for n in found for c in (f"{n}, ms", "share"))], "rows": rows}


CASES: dict[str, Case] = {
    "epoch": Case(
        f"training on ogbg-molhiv, four layers, batch of {BATCH}, through the trainer: time of a part of an epoch",
        partial(epochs, batch_size=BATCH), base="gin", rounds=7,
    ),
    "epoch, small batches": Case(
        f"the same with batches of {SMALL_BATCH}, the trainer's default",
        partial(epochs, batch_size=SMALL_BATCH), base="gin", rounds=7,
    ),
    "step": Case(
        f"what the loader does for a step of the pLSTM model, batch of {BATCH} (bar: 10 % of the step)",
        step_parts, base="training step",
    ),
}  # fmt: skip

TABLES = {"profile": profile}
