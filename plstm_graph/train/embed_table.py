"""Embeddings of a table of molecules as a file, Parquet or NumPy: same rows, same order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plstm_graph.errors import ConfigError, TableError
from plstm_graph.train.csv_table import find_column, open_table, read_rows
from plstm_graph.train.embed import Embeddings, embedding_width, iter_embed
from plstm_graph.train.model_file import load_molecule_model

REASON = "embedding_error"
"""Column that says why a row has no embedding; missing where it has one."""

_ROW_GROUP = 16_384


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

    A ``.parquet`` file holds all columns of the table as text, ``embedding_0``, ``embedding_1``, ... (float32, missing
    where a row has none) and ``embedding_error``. An ``.npz`` file holds ``embedding [G, d]`` (NaN where a row has
    none), ``ok [G]``, ``failed_row [M]`` and ``failed_reason [M]``. The file appears once it is complete.

    Args:
        model: run folder or model file.
        table: CSV file, may be gzipped.
        out: file to write, ``.parquet`` or ``.npz``.
        smiles_column: name of the SMILES column; by default the only one named smiles, in any case.
        batch_size: molecules per step.
        device: where to run.
        workers: processes that read SMILES.
        progress: show a bar with molecules per second, if stderr is a terminal.

    Raises:
        TableError: the table cannot be read, its SMILES column is missing or ambiguous, or (Parquet) two columns
            would have one name.
        ConfigError: the model does not take molecules, or ``out`` has another ending.
        RunError: there is no model.
    """
    start = time.perf_counter()
    if out.suffix not in (".parquet", ".npz"):
        raise ConfigError(f"{out} must end in .parquet or .npz")
    spec, predictor = load_molecule_model(model)
    predictor.to(device)
    width = embedding_width(spec, predictor, device)
    with open_table(table) as source:
        lines = read_rows(source, str(table))
        header = next(lines)
        column = find_column(header, smiles_column, str(table))
        waiting: list[list[str]] = []
        chunks = iter_embed(
            spec,
            predictor,
            _remember(lines, column, waiting),
            batch_size=batch_size,
            device=device,
            workers=workers,
            progress=progress,
        )
        part = out.with_name(out.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            if out.suffix == ".npz":
                rows, failed = _write_npz(part, chunks, waiting, width)
            else:
                rows, failed = _write_parquet(part, chunks, waiting, header, width)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    return EmbedReport(rows, failed, width, time.perf_counter() - start, out)


def _remember(lines: Iterator[list[str]], column: int, waiting: list[list[str]]) -> Iterator[str]:
    for row in lines:
        waiting.append(row)
        yield row[column]


def _write_npz(part: Path, chunks: Iterator[Embeddings], waiting: list[list[str]], width: int) -> tuple[int, int]:
    values, ok = [np.empty((0, width), np.float32)], [np.empty(0, bool)]
    rows, reasons = 0, {}
    for chunk in chunks:
        waiting.clear()  # the file has no columns of the table
        values.append(chunk.values)
        ok.append(chunk.ok)
        reasons.update({rows + row: reason for row, reason in chunk.reasons.items()})
        rows += len(chunk.values)
    with part.open("wb") as file:
        np.savez_compressed(
            file,
            embedding=np.concatenate(values),
            ok=np.concatenate(ok),
            failed_row=np.array(list(reasons), np.int64),
            failed_reason=np.array(list(reasons.values()), str),
        )
    return rows, len(reasons)


def _write_parquet(
    part: Path, chunks: Iterator[Embeddings], waiting: list[list[str]], header: list[str], width: int
) -> tuple[int, int]:
    schema = _schema(header, width)
    rows = failed = held = 0
    tables: list[pa.Table] = []
    with pq.ParquetWriter(part, schema) as writer:
        for chunk in chunks:
            lines = waiting[: len(chunk.values)]
            del waiting[: len(lines)]
            tables.append(_table(schema, lines, chunk))
            rows, failed, held = rows + len(lines), failed + len(chunk.reasons), held + len(lines)
            if held >= _ROW_GROUP:  # readers of many small groups are slow
                writer.write_table(pa.concat_tables(tables))
                tables, held = [], 0
        if tables:
            writer.write_table(pa.concat_tables(tables))
    return rows, failed


def _schema(header: list[str], width: int) -> pa.Schema:
    names = [*header, *(f"embedding_{i}" for i in range(width)), REASON]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TableError(
            f"two columns would have the name {twice!r}, which a Parquet file cannot tell apart: rename one in the "
            "table, or write to an .npz file, which holds the embeddings alone"
        )
    kinds = [pa.string()] * len(header) + [pa.float32()] * width + [pa.string()]
    return pa.schema(list(zip(names, kinds, strict=True)))


def _table(schema: pa.Schema, lines: list[list[str]], chunk: Embeddings) -> pa.Table:
    missing = ~chunk.ok
    cells = [pa.array(column, pa.string()) for column in zip(*lines, strict=True)]
    numbers = [pa.array(column, mask=missing) for column in chunk.values.T]
    reason = pa.array([chunk.reasons.get(i) for i in range(len(lines))], pa.string())
    return pa.Table.from_arrays([*cells, *numbers, reason], schema=schema)
