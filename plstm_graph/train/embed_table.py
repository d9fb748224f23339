"""Embeddings of a table of molecules as a file, Parquet or NumPy: same rows, same order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from plstm_graph.data.formats import check_ending, check_not_input, create_table, open_table
from plstm_graph.data.formats.molecules import find_smiles, stream_molecules
from plstm_graph.train.embed import Embeddings, embedding_width, iter_embed
from plstm_graph.train.model_file import load_molecule_model

REASON = "embedding_error"
"""Column that says why a row has no embedding; missing where it has one."""


@dataclass(frozen=True)
class EmbedReport:
    """What became of the rows.

    Attributes:
        rows: number of rows.
        failed: rows without an embedding.
        width: numbers per embedding.
        seconds: wall time.
        out: the file written.
    """

    rows: int
    failed: int
    width: int
    seconds: float
    out: Path

    def __str__(self) -> str:
        rate = self.rows / self.seconds if self.seconds else 0.0
        return (
            f"{self.rows - self.failed:,} of {self.rows:,} rows embedded in {self.width} numbers each, "
            f"{rate:,.0f} molecules per second\nwrote {self.out}"
        )


def embed_table(
    model: Path,
    table: Path,
    out: Path,
    *,
    smiles_column: str | None = None,
    batch_size: int = 256,
    device: str = "cpu",
    workers: int = 0,
    progress: bool = True,
) -> EmbedReport:
    """Write the embedding of every molecule of ``table``.

    A ``.parquet`` file holds all columns of the table (of CSV and SDF as text, of Parquet with their types),
    ``embedding_0``, ``embedding_1``, ... (float32, missing where a row has none) and ``embedding_error``. An ``.npz``
    file holds ``embedding [G, d]`` (NaN where a row has none), ``ok [G]``, ``failed_row [M]`` and
    ``failed_reason [M]``. The file appears once it is complete.

    Args:
        model: run folder or model file.
        table: CSV, Parquet or SDF, see :mod:`plstm_graph.data.formats`.
        out: file to write, ``.parquet`` or ``.npz``.
        smiles_column: name of the SMILES column; by default the only one named smiles, in any case, or for SDF the
            molecules of the file.
        batch_size: molecules per step.
        device: where to run.
        workers: processes that read SMILES.
        progress: show a bar with molecules per second, if stderr is a terminal.

    Raises:
        TableError: the table cannot be read, its SMILES column is missing or ambiguous, or (Parquet) two columns
            would have one name.
        ConfigError: the model does not take molecules, a file has an unknown ending, or ``out`` is ``table``.
        RunError: there is no model.
    """
    start = time.perf_counter()
    suffix = check_ending(out, (".parquet", ".npz"))
    check_not_input(out, table)
    spec, predictor = load_molecule_model(model)
    predictor.to(device)
    width = embedding_width(spec, predictor, device)
    waiting: deque[pa.Table] = deque()
    with open_table(table) as source:
        column = find_smiles(source, smiles_column)
        chunks = iter_embed(
            spec,
            predictor,
            stream_molecules(source, column, batch_size, waiting),
            batch_size=batch_size,
            device=device,
            workers=workers,
            progress=progress,
            total=source.total,
        )
        if suffix == ".npz":
            rows, failed = _write_npz(out, chunks, waiting, width)
        else:
            rows, failed = _write_parquet(out, chunks, waiting, source.schema, width)
    return EmbedReport(rows, failed, width, time.perf_counter() - start, out)


def _write_npz(out: Path, chunks: Iterator[Embeddings], waiting: deque[pa.Table], width: int) -> tuple[int, int]:
    values, ok = [np.empty((0, width), np.float32)], [np.empty(0, bool)]
    rows, reasons = 0, {}
    for chunk in chunks:
        waiting.popleft()  # the file has no columns of the table
        values.append(chunk.values)
        ok.append(chunk.ok)
        reasons.update({rows + row: reason for row, reason in chunk.reasons.items()})
        rows += len(chunk.values)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(
                file,
                embedding=np.concatenate(values),
                ok=np.concatenate(ok),
                failed_row=np.array(list(reasons), np.int64),
                failed_reason=np.array(list(reasons.values()), str),
            )
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return rows, len(reasons)


def _write_parquet(
    out: Path, chunks: Iterator[Embeddings], waiting: deque[pa.Table], kept: pa.Schema, width: int
) -> tuple[int, int]:
    fields = [pa.field(f"embedding_{i}", pa.float32()) for i in range(width)]
    added = pa.schema([*fields, pa.field(REASON, pa.string())])
    rows = failed = 0
    with create_table(out, kept, added) as target:
        for chunk in chunks:
            missing = ~chunk.ok
            numbers = [pa.array(column, mask=missing) for column in chunk.values.T]
            reason = pa.array([chunk.reasons.get(i) for i in range(len(missing))], pa.string())
            target.append(waiting.popleft(), pa.Table.from_arrays([*numbers, reason], schema=added))
            rows, failed = rows + len(missing), failed + len(chunk.reasons)
    return rows, failed
