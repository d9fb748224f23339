"""What readers of tables yield and writers take: consecutive rows, whatever the format of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

import pyarrow as pa

from plstm_graph.errors import SmilesError


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a table.

    Attributes:
        cells: all columns, which may share names. Text stays text, also where it looks like numbers.
        unreadable: why a molecule has no SMILES, by row of this chunk; only where the reader makes the SMILES.
    """

    cells: pa.Table
    unreadable: Mapping[int, str] = field(default_factory=dict)

    def molecules(self, column: int, made: bool) -> list[object]:
        """What to hand to :func:`plstm_graph.chem.iter_featurize`: the cells of a column.

        Args:
            column: position of the column of SMILES.
            made: the reader made this column; a molecule that it could not read is an error with the reason.
        """
        values = self.cells.column(column).to_pylist()
        if made:
            for row, reason in self.unreadable.items():
                values[row] = SmilesError(reason, None, reason)
        return values


class TableReader(Protocol):
    """An open table.

    Attributes:
        name: of the file, for messages.
        schema: names and types of the columns.
        total: number of rows, or None where it is not known before the end.
        made: position of the column of SMILES that the reader made from the molecules in the file, or None.
    """

    name: str
    schema: pa.Schema
    total: int | None
    made: int | None

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """All rows in order, ``rows`` at a time; only the last chunk may be smaller, and none is empty."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class TableWriter(Protocol):
    """A table that grows; it is complete once the ``with`` block has ended."""

    def append(self, kept: pa.Table, added: pa.Table) -> None:
        """Write rows: the columns of ``kept``, then those of ``added``."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...
