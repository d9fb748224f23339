"""Parquet files: columns keep their types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from plstm_graph.data.formats.chunk import Chunk
from plstm_graph.errors import TableError

_ROW_GROUP = 16_384
_ROW_GROUP_BYTES = 1 << 24


class ParquetReader:
    """A Parquet file.

    Raises:
        TableError: it is damaged, or no Parquet file.
    """

    made: int | None = None

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"{path} cannot be read as Parquet: {error}") from error
        self.schema = self._file.schema_arrow
        self.total: int | None = self._file.metadata.num_rows

    def chunks(self, rows: int) -> Iterator[Chunk]:
        held = self.schema.empty_table()
        for batch in self._batches(rows):
            held = pa.concat_tables([held, pa.Table.from_batches([batch], self.schema)])
            while len(held) >= rows:
                yield Chunk(held.slice(0, rows))
                held = held.slice(rows)
        if len(held):
            yield Chunk(held)

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``rows`` rows; they end where a row group ends."""
        batches = self._file.iter_batches(batch_size=rows)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise TableError(f"{self.name} is damaged: {error}") from error
            if batch is None:
                return
            yield batch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


class ParquetWriter:
    """A Parquet file; it appears once it is complete, since half of one cannot be read."""

    def __init__(self, path: Path, kept: pa.Schema, added: pa.Schema) -> None:
        names = [*kept.names, *added.names]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise TableError(
                f"two columns of {path} would have the name {twice!r}, which a Parquet file cannot tell apart: rename "
                "one in the input, or write another format"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._part = path, path.with_name(path.name + ".part")
        self._schema = pa.schema([*kept, *added], kept.metadata)
        self._writer = pq.ParquetWriter(self._part, self._schema)
        self._held: list[pa.Table] = []

    def append(self, kept: pa.Table, added: pa.Table) -> None:
        self._held.append(pa.Table.from_arrays([*kept.columns, *added.columns], schema=self._schema))
        rows, size = sum(map(len, self._held)), sum(table.nbytes for table in self._held)
        if rows >= _ROW_GROUP or size >= _ROW_GROUP_BYTES:  # readers of many small groups are slow
            self._write()

    def _write(self) -> None:
        if self._held:
            self._writer.write_table(pa.concat_tables(self._held))
        self._held = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error[0] is None:
                self._write()
            self._writer.close()
            if error[0] is None:
                self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)
