"""The molecules of an open table, as those who read it in chunks want them."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterator

import pyarrow as pa

from plstm_graph.data.formats.chunk import TableReader
from plstm_graph.errors import TableError


def find_smiles(table: TableReader, column: str | None) -> int:
    """Position of the column of SMILES.

    It is the one called ``column``; by default the one that the reader makes of the molecules in the file, or the only
    one called smiles in any case.

    Raises:
        TableError: there is none, or several.
    """
    names = [name.strip() for name in table.schema.names]
    if column is None and table.made is not None:
        return table.made
    found = [i for i, name in enumerate(names) if (name == column if column is not None else name.lower() == "smiles")]
    if len(found) == 1:
        return found[0]
    wanted = f"column {column!r}" if column is not None else "column named smiles"
    if found:
        places = ", ".join(f"{names[i]!r} (column {i + 1})" for i in found)
        differ = len({names[i] for i in found}) == len(found)
        advice = "name the one you mean with --smiles-column" if differ else "rename all but one"
        raise TableError(f"{table.name} has more than one {wanted}: {places}; {advice}")
    near = difflib.get_close_matches(column or "smiles", names, n=1)
    hint = "" if column is not None else "; name it with --smiles-column"
    if len(names) == 1 and any(separator in names[0] for separator in ";\t"):
        hint = "; columns must be separated by commas."
    elif near:
        hint += f"; did you mean {near[0]!r}?"
    raise TableError(f"{table.name} has no {wanted}{hint} Its columns: {', '.join(map(repr, names))}")


def stream_molecules(table: TableReader, column: int, rows: int, waiting: deque[pa.Table]) -> Iterator[object]:
    """The molecules of a table one by one; the cells of all columns go to ``waiting``, in chunks of ``rows``.

    A consumer that works in chunks of ``rows`` finds the cells of its first unfinished chunk at the left.
    """
    for chunk in table.chunks(rows):
        waiting.append(chunk.cells)
        yield from chunk.molecules(column, column == table.made)
