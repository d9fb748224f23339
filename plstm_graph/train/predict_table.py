"""Predictions for a table of molecules, streamed: rows in, rows out, in the same order."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plstm_graph.chem import FeaturizedChunk, iter_featurize
from plstm_graph.data.formats import WRITABLE, check_ending, check_not_input, create_table, open_table
from plstm_graph.data.formats.molecules import find_smiles, stream_molecules
from plstm_graph.train.descriptor_columns import find_descriptors, read_descriptors
from plstm_graph.train.molecule_predictor import MoleculePredictor
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
        notes: what to know about the new columns.
    """

    rows: int
    failed: int
    seconds: float
    out: Path
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        rate = self.rows / self.seconds if self.seconds else 0.0
        first = f"{self.rows - self.failed:,} of {self.rows:,} rows predicted, {rate:,.0f} molecules per second"
        return "\n".join([first, *self.notes, f"wrote {self.out}"])


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
    coverage: float | None = None,
    similarity: bool = True,
) -> PredictReport:
    """Write ``table`` with predictions behind its columns.

    All rows and columns of the input come out as they went in, in the same order; from Parquet to Parquet with their
    types. New columns: ``predicted_<target>`` (value, or probability of a yes/no target, or most likely class),
    ``probability_<class>`` for every class of a multi-class target; for a model that was calibrated, the columns of
    :class:`plstm_graph.train.molecule_predictor.MoleculePredictor`, such as ``<target>_low`` and ``warning``; and
    ``prediction_error``. In a CSV file columns may share a name, so long as that of the SMILES column is unique.
    A model that was trained with descriptors needs their columns; a row where one is missing has no prediction.

    Args:
        model: run folder, folder of an ensemble, or model file.
        table: CSV, Parquet or SDF, see :mod:`plstm_graph.data.formats`.
        out: CSV or Parquet file to write; rows are written as they are predicted. A Parquet file appears once it is
            complete.
        smiles_column: name of the SMILES column; by default the only one named smiles, in any case, or for SDF the
            molecules of the file.
        batch_size: molecules per step.
        device: where to run.
        workers: processes that read SMILES.
        progress: show a bar with molecules per second, if stderr is a terminal.
        coverage: of the intervals; ``None`` is 0.9, as far as the validation split was large enough.
        similarity: write the similarity to the nearest training molecule.

    Raises:
        TableError: the table cannot be read, its SMILES column is missing or ambiguous, or (Parquet) two columns
            would have one name, or a descriptor column is missing.
        ConfigError: the model does not take molecules or cannot give this coverage, a file has an unknown ending, or
            ``out`` is ``table``.
        RunError: there is no model.
    """
    start = time.perf_counter()
    check_ending(out, WRITABLE)
    check_not_input(out, table)
    predictor = MoleculePredictor.load(model, coverage=coverage, similarity=similarity, device=device)
    rows = failed = 0
    waiting: deque[pa.Table] = deque()
    with open_table(table) as source:
        column = find_smiles(source, smiles_column)
        descriptors = predictor.ensemble.spec.descriptors
        positions = find_descriptors(source, descriptors)
        chunks = iter_featurize(
            stream_molecules(source, column, batch_size, waiting),
            on_error="skip",
            chirality=predictor.ensemble.spec.chirality,
            workers=workers,
            progress=progress,
            chunk_size=batch_size,
            total=source.total,
            fingerprints=predictor.similarity,
        )
        added = prediction_schema(predictor)
        with create_table(out, source.schema, added) as target:
            for chunk in chunks:
                cells = waiting.popleft()
                known = read_descriptors(cells, positions, descriptors) if descriptors else None
                columns = predict_chunk(predictor, chunk, known)
                target.append(cells, pa.Table.from_pydict(columns, added))
                rows, failed = rows + chunk.size, failed + sum(reason is not None for reason in columns[REASON])
    return PredictReport(rows, failed, time.perf_counter() - start, out, tuple(predictor.notes))


def predict_chunk(
    predictor: MoleculePredictor, chunk: FeaturizedChunk, descriptors: tuple[np.ndarray, dict[int, str]] | None = None
) -> dict[str, Any]:
    """The new cells of every row of a chunk, by column.

    Args:
        predictor: model or ensemble.
        chunk: the molecules.
        descriptors: those of its rows, ``[rows, D]``, and why rows have none; for a model that takes them.
    """
    columns: dict[str, Any] = {}
    extra, wrong = (None, {}) if descriptors is None else descriptors
    reasons = wrong | {row - chunk.start: reason for row, _, reason in chunk.failed}
    places = chunk.row - chunk.start
    good = np.array([place not in reasons for place in places.tolist()], bool)
    if good.any():
        batch = predictor.ensemble.spec.batch(chunk.packed, None if extra is None else extra[places])
        values, others = predictor.predict(batch, chunk.packed, chunk.fingerprint)
        for name, predicted in (predicted_cells(predictor.ensemble.task, values) | others).items():
            columns[name] = spread(predicted[good], places[good], chunk.size)
    else:
        columns = {name: [None] * chunk.size for name in prediction_schema(predictor).names}
    return columns | {REASON: [reasons.get(row) for row in range(chunk.size)]}


def spread(values: np.ndarray, places: np.ndarray, rows: int) -> pa.Array:
    """``values[i]`` in row ``places[i]`` of ``rows`` rows, the others missing."""
    index = np.full(rows, -1)
    index[places] = np.arange(len(values))
    return pa.array(values).take(pa.array(index, mask=index < 0))


def prediction_columns(task: Task) -> list[str]:
    """Names of the columns that predictions fill."""
    names = [f"predicted_{target}" for target in task.targets]
    return names + [f"probability_{c}" for c in class_names(task)]


def prediction_schema(predictor: MoleculePredictor) -> pa.Schema:
    """Names and types of the columns that :func:`predict_table` adds."""
    task = predictor.ensemble.task
    fields = [pa.field(name, pa.float32()) for name in prediction_columns(task)]
    if task.kind == "multiclass":
        fields[0] = fields[0].with_type(pa.string())
    return pa.schema([*fields, *predictor.fields, pa.field(REASON, pa.string())])


def predicted_cells(task: Task, values: np.ndarray) -> dict[str, np.ndarray]:
    """``[G, T]`` predictions of G graphs, by column; see :func:`prediction_columns`."""
    columns = [column.astype(np.float32) for column in values.T]
    if task.kind == "multiclass":
        columns.insert(0, np.array(class_names(task), object)[values.argmax(axis=1)])
    return dict(zip(prediction_columns(task), columns, strict=True))


def class_names(task: Task) -> tuple[str, ...]:
    """Names of the classes of a multi-class target, else nothing."""
    if task.kind != "multiclass":
        return ()
    return task.class_names or tuple(str(i) for i in range(task.num_classes))
