"""Predictions for a table of molecules, streamed: rows in, rows out, in the same order."""

from __future__ import annotations

import csv
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plstm_graph.chem import FeaturizedChunk, iter_featurize
from plstm_graph.errors import ConfigError
from plstm_graph.train.csv_table import find_column, open_table, read_rows
from plstm_graph.train.model_file import ModelSpec, load_molecule_model
from plstm_graph.train.outputs import predict_batch
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task

REASON = "prediction_error"
"""Column that says why a row has no prediction; empty where it has one."""


@dataclass(frozen=True)
class PredictReport:
    """What became of the rows.

    Attributes:
        rows: number of rows.
        failed: rows without a prediction.
        seconds: wall time.
        out: the file written.
    """

    rows: int
    failed: int
    seconds: float
    out: Path

    def __str__(self) -> str:
        rate = self.rows / self.seconds if self.seconds else 0.0
        return (
            f"{self.rows - self.failed:,} of {self.rows:,} rows predicted, {rate:,.0f} molecules per second\n"
            f"wrote {self.out}"
        )


def predict_table(
    model: Path,
    table: Path,
    out: Path,
    *,
    smiles_column: str | None = None,
    batch_size: int = 256,
    device: str = "cpu",
    workers: int = 0,
    progress: bool = True,
) -> PredictReport:
    """Write ``table`` with predictions behind its columns.

    All rows and columns of the input come out as they went in, also columns that share a name; only the SMILES column
    must be unique. New columns: ``predicted_<target>`` (value, or probability of a yes/no target, or most likely
    class), ``probability_<class>`` for every class of a multi-class target, and ``prediction_error``.

    Args:
        model: run folder or model file.
        table: CSV file, may be gzipped.
        out: CSV file to write, gzipped if it ends in .gz; rows are written as they are predicted.
        smiles_column: name of the SMILES column; by default the only one named smiles, in any case.
        batch_size: molecules per step.
        device: where to run.
        workers: processes that read SMILES.
        progress: show a bar with molecules per second, if stderr is a terminal.

    Raises:
        TableError: the table cannot be read, or its SMILES column is missing or ambiguous.
        ConfigError: the model does not take molecules, or ``out`` is ``table``.
        RunError: there is no model.
    """
    start = time.perf_counter()
    spec, predictor = load_molecule_model(model)
    if out.resolve() == table.resolve():
        raise ConfigError(f"{out} is the input itself: write to another file")
    predictor.to(device)
    rows = failed = 0
    with open_table(table) as source:
        lines = read_rows(source, str(table))
        header = next(lines)
        column = find_column(header, smiles_column, str(table))
        waiting: deque[list[str]] = deque()
        chunks = iter_featurize(
            _remember(lines, column, waiting),
            on_error="skip",
            chirality=spec.chirality,
            workers=workers,
            progress=progress,
            chunk_size=batch_size,
        )
        with open_table(out, "w") as target:
            writer = csv.writer(target, lineterminator="\n")
            writer.writerow([*header, *prediction_columns(predictor.task), REASON])
            for chunk in chunks:
                for cells in _predict_chunk(spec, predictor, chunk, device):
                    writer.writerow(waiting.popleft() + cells)
                target.flush()
                rows, failed = rows + chunk.size, failed + len(chunk.failed)
    return PredictReport(rows, failed, time.perf_counter() - start, out)


def _predict_chunk(spec: ModelSpec, predictor: GraphPredictor, chunk: FeaturizedChunk, device: str) -> list[list[str]]:
    """The new cells of every row of a chunk."""
    empty = [""] * len(prediction_columns(predictor.task))
    cells = [[*empty, ""] for _ in range(chunk.size)]
    for row, _, reason in chunk.failed:
        cells[row - chunk.start][-1] = reason
    if len(chunk.row):
        values = predict_batch(predictor, spec.batch(chunk.packed), device)
        for row, texts in zip(chunk.row - chunk.start, format_predictions(predictor.task, values), strict=True):
            cells[row] = [*texts, ""]
    return cells


def _remember(lines: Iterator[list[str]], column: int, waiting: deque[list[str]]) -> Iterator[str]:
    for row in lines:
        waiting.append(row)
        yield row[column]


def prediction_columns(task: Task) -> list[str]:
    """Names of the columns that predictions fill."""
    names = [f"predicted_{target}" for target in task.targets]
    return names + [f"probability_{c}" for c in class_names(task)]


def class_names(task: Task) -> tuple[str, ...]:
    """Names of the classes of a multi-class target, else nothing."""
    if task.kind != "multiclass":
        return ()
    return task.class_names or tuple(str(i) for i in range(task.num_classes))


def format_predictions(task: Task, values: np.ndarray) -> list[list[str]]:
    """``[G, T]`` → one list of cells per graph, six significant digits."""
    cells = [[f"{v:.6g}" for v in row] for row in values.tolist()]
    if task.kind == "multiclass":
        names = class_names(task)
        cells = [[names[best], *row] for best, row in zip(values.argmax(axis=1), cells, strict=True)]
    return cells
