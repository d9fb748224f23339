"""``predictions.csv`` of a run folder: what the best model says about every graph, beside what is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plstm_graph.errors import RunError
from plstm_graph.train.ensemble import probabilities
from plstm_graph.train.predict_table import class_names, prediction_columns
from plstm_graph.train.task import Task

if TYPE_CHECKING:
    import pandas as pd

    from plstm_graph.train.source import Source

FILE = "predictions.csv"

MOST_TRAINED = 20_000
"""Largest training split whose predictions are made as well, in a pass of its own."""


@dataclass(frozen=True)
class Predictions:
    """Labels and predictions of the graphs in ``predictions.csv``, in the order of the file.

    Attributes:
        row: ``[G]`` row of the table that the graph came from, or its number in the data set; both count from 0.
        part: ``[G]`` ``"train"``, ``"valid"`` or ``"test"``.
        smiles: ``[G]`` SMILES, or ``None`` for graphs that are not molecules.
        true: ``[G, T]`` float with NaN where missing, or classes ``[G]``, int64 with -1 where missing; for sequences
            ``[G, R]`` classes, -1 behind the end.
        predicted: ``[G, T]`` values in the units of the targets, or probabilities (``[G, C]``, one per class); for
            sequences ``[G, T]`` classes.
    """

    row: np.ndarray
    part: np.ndarray
    smiles: np.ndarray | None
    true: np.ndarray
    predicted: np.ndarray

    def of(self, part: str) -> Predictions:
        """The graphs of one part."""
        chosen = self.part == part
        smiles = None if self.smiles is None else self.smiles[chosen]
        return Predictions(self.row[chosen], self.part[chosen], smiles, self.true[chosen], self.predicted[chosen])

    def __len__(self) -> int:
        return len(self.row)


def as_predictions(
    source: Source, scores: Mapping[str, tuple[np.ndarray, np.ndarray]], temperature: Sequence[float] = ()
) -> Predictions:
    """Predictions of some parts of a data set.

    Args:
        source: the data set.
        scores: part → labels and scores of its graphs, in the order of the split (see
            :func:`plstm_graph.train.outputs.score_batches`).
        temperature: of the probabilities, if they were calibrated.
    """
    graphs = np.concatenate([source.splits[part] for part in scores])
    true, score = (np.concatenate(arrays) for arrays in zip(*scores.values(), strict=True))
    kind = source.task.kind
    score = score if kind == "sequence" else score.astype(np.float64)  # a probability of 1 - 1e-8 is not 1
    return Predictions(
        row=graphs if source.row is None else source.row[graphs],
        part=np.repeat(list(scores), [len(y) for y, _ in scores.values()]),
        smiles=None if source.smiles is None else np.array([source.smiles[i] for i in graphs], object),
        true=true,
        predicted=score if kind in ("regression", "sequence") else probabilities(source.task, score, temperature),
    )


def write_predictions(path: Path, task: Task, found: Predictions) -> None:
    """Write a CSV file with one line per graph.

    Columns: ``row``, ``part``, ``smiles`` (molecules), ``true_<target>`` and ``predicted_<target>`` (value,
    probability of a yes/no target, or class), ``probability_<class>`` for every class of a multi-class target. Numbers
    have seven significant digits, which is what float32 holds; missing labels are empty. For sequences there are
    ``true_sequence`` and ``predicted_sequence``, names of classes with spaces between, up to the end.
    """
    import pandas as pd

    columns: dict[str, object] = {"row": found.row, "part": found.part}
    if found.smiles is not None:
        columns["smiles"] = found.smiles
    names = prediction_columns(task)
    if task.kind == "multiclass":
        classes = np.array([*class_names(task), ""], object)  # the class -1 is the missing one
        columns[_true(task)[0]] = classes[found.true]
        columns[names[0]] = classes[found.predicted.argmax(axis=1)]
        names = names[1:]
    elif task.kind == "sequence":
        for column, classes in zip(_SEQUENCES, (found.true, found.predicted), strict=True):
            columns[column] = _texts(classes, task.class_names)
    else:
        columns |= dict(zip(_true(task), found.true.T, strict=True))
    if task.kind != "sequence":
        columns |= dict(zip(names, found.predicted.T, strict=True))
    pd.DataFrame(columns).to_csv(path, index=False, float_format="%.7g", lineterminator="\n")


def read_predictions(path: Path, task: Task) -> Predictions:
    """Read what :func:`write_predictions` wrote.

    Raises:
        RunError: the file does not fit the task.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        names = prediction_columns(task)
        if task.kind == "sequence":
            true, predicted = (_text_numbers(table[column], task.class_names) for column in _SEQUENCES)
            return Predictions(
                table["row"].astype(np.int64).to_numpy(), table["part"].to_numpy(), None, true, predicted
            )
        if task.kind == "multiclass":
            true, names = _class_numbers(table[_true(task)[0]], class_names(task)), names[1:]
        else:
            true = _numbers(table[_true(task)])
        return Predictions(
            row=table["row"].astype(np.int64).to_numpy(),
            part=table["part"].to_numpy(),
            smiles=table["smiles"].to_numpy() if "smiles" in table else None,
            true=true,
            predicted=_numbers(table[names]),
        )
    except (KeyError, ValueError) as error:
        raise RunError(f"{path} does not hold the predictions of this run: {error}") from error


_SEQUENCES = ("true_sequence", "predicted_sequence")


def _texts(classes: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """Names up to the end; numbers above all classes are words that have none."""
    end = len(names) - 1
    found = []
    for row in classes.tolist():
        over = next((i for i, number in enumerate(row) if number == end or number < 0), len(row))
        found.append(" ".join(names[number] if number < end else names[end - 1] for number in row[:over]))
    return found


def _text_numbers(cells: pd.Series, names: tuple[str, ...]) -> np.ndarray:
    number = {name: i for i, name in enumerate(names)}
    rows = [[number[word] for word in cell.split()] for cell in cells]
    width = max(map(len, rows), default=0)
    return np.array([row + [-1] * (width - len(row)) for row in rows], np.int64).reshape(len(rows), width)


def _true(task: Task) -> list[str]:
    return [f"true_{target}" for target in task.targets]


def _numbers(cells: pd.DataFrame) -> np.ndarray:
    return cells.replace("", "nan").astype(np.float64).to_numpy()


def _class_numbers(cells: pd.Series, names: tuple[str, ...]) -> np.ndarray:
    number = {name: i for i, name in enumerate(names)} | {"": -1}
    return np.array([number[cell] for cell in cells], np.int64)
