"""What a run left in its folder, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plstm_graph.errors import RunError
from plstm_graph.train import packing
from plstm_graph.train.predictions import FILE, Predictions, read_predictions
from plstm_graph.train.run_folder import read_yaml
from plstm_graph.train.task import Task

if TYPE_CHECKING:
    import pandas as pd

_NEEDED = ("config.yaml", "metrics.json", "versions.json", "split.json")
_OF_A_MODEL = ("curves.csv", "best.pt")


@dataclass(frozen=True)
class Curve:
    """The epochs of one training.

    Attributes:
        epochs: one row per epoch, see :data:`plstm_graph.train.history.COLUMNS`.
        best: position of the best epoch.
    """

    epochs: pd.DataFrame
    best: int


@dataclass(frozen=True)
class FinishedRun:
    """A run folder, of one model or of an ensemble.

    Attributes:
        folder: where it is.
        config: settings.
        metrics: numbers of ``metrics.json``.
        versions: versions of Python and packages, and the git revision.
        sizes: part → number of graphs.
        curves: of the model, or of every member of the ensemble.
        task: what is predicted.
        molecules: the graphs are molecules.
        predictions: labels and predictions, or ``None`` if the run left none.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    versions: dict[str, Any]
    sizes: dict[str, int]
    curves: list[Curve]
    task: Task
    molecules: bool
    predictions: Predictions | None

    def json(self, name: str) -> Any:
        """Content of a further JSON file of the run, or ``None`` if it is not there."""
        return _read_json(self.folder / name) if (self.folder / name).is_file() else None


def read_run(folder: str | Path) -> FinishedRun:
    """Read a run folder.

    Raises:
        RunError: it is not the folder of a finished run, or a file in it is damaged.
    """
    import pandas as pd

    folder = Path(folder)
    _check(folder, _NEEDED)
    metrics = _read_json(folder / "metrics.json")
    # an ensemble names its members; a single model is its own
    members = [(folder / member["folder"], member) for member in metrics.get("members", [])] or [(folder, metrics)]
    for member, _ in members:
        _check(member, _OF_A_MODEL)
    model = packing.load(members[0][0] / "best.pt")
    task = Task.from_dict(model["task"])
    table = folder / FILE
    return FinishedRun(
        folder=folder,
        config=read_yaml(folder / "config.yaml"),
        metrics=metrics,
        versions=_read_json(folder / "versions.json"),
        sizes={part: len(rows) for part, rows in _read_json(folder / "split.json").items()},
        curves=[Curve(pd.read_csv(member / "curves.csv"), found["best_epoch"]) for member, found in members],
        task=task,
        molecules=bool(model["spec"]["molecules"]),
        predictions=read_predictions(table, task) if table.is_file() else None,
    )


def _check(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise RunError(
                f"{folder} is not the folder of a finished run: {name} is missing. Give the folder that "
                "plstm-graph train wrote (its --out), or let the training end with train --resume"
            )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}") from error
