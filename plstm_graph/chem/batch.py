"""Many SMILES to packed graphs: in chunks, in order, on several processes, with a report of the rows that failed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Sized
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from plstm_graph.chem._progress import molecules_bar
from plstm_graph.chem.arrays import Chirality, Packed, check_chirality, concatenate, pack, spread
from plstm_graph.chem.fingerprint import noting_fingerprints, unpack_fingerprints
from plstm_graph.chem.parse import FailedRow, parse_rows, quiet_errors, smiles_error
from plstm_graph.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

_Result = tuple[int, int, Packed, list[FailedRow], np.ndarray | None]
_Make = Callable[[int, Sequence[object]], _Result]
OnError = Literal["raise", "skip", "nan"]


@dataclass(frozen=True)
class FeaturizedChunk:
    """Some consecutive rows of the input.

    Attributes:
        start: number of the first row.
        size: number of rows.
        packed: their graphs, see :data:`plstm_graph.chem.arrays.Packed`.
        row: ``[G]`` the input row of each graph.
        failed: the rows that could not be read.
        fingerprint: ``[G, 32]`` Morgan fingerprints, if asked for; see :mod:`plstm_graph.chem.fingerprint`.
    """

    start: int
    size: int
    packed: Packed
    row: np.ndarray
    failed: list[FailedRow]
    fingerprint: np.ndarray | None = None


@dataclass(frozen=True)
class FeaturizeReport:
    """What became of the input.

    Attributes:
        rows: number of input rows.
        row: ``[G]`` the input row of each graph.
        failed: the rows that could not be read, in order.
        seconds: wall time.
    """

    rows: int
    row: np.ndarray
    failed: list[FailedRow] = field(default_factory=list)
    seconds: float = 0.0

    def to_frame(self) -> pd.DataFrame:
        """The failed rows as a table with the columns row, smiles, reason."""
        import pandas as pd

        return pd.DataFrame(self.failed, columns=list(FailedRow._fields))

    def __str__(self) -> str:
        rate = f", {self.rows / self.seconds:,.0f} molecules per second" if self.seconds else ""
        lines = [f"{self.rows - len(self.failed):,} of {self.rows:,} rows read{rate}"]
        lines += [f"  row {row}: {smiles!r}: {reason}" for row, smiles, reason in self.failed[:10]]
        if len(self.failed) > 10:
            lines.append(f"  and {len(self.failed) - 10:,} more")
        return "\n".join(lines)


def featurize(
    smiles: Iterable[object],
    *,
    on_error: OnError = "raise",
    chirality: Chirality = "written",
    workers: int = 0,
    progress: bool = True,
    chunk_size: int = 500,
    output: Literal["packed", "list"] = "packed",
) -> tuple[Packed | list[Any], FeaturizeReport]:
    """Graphs of many molecules, in the order of the input.

    Args:
        smiles: strings; a list, a column of a table, any iterable.
        on_error: what a row that cannot be read does: ``"raise"`` an error that names the first one, ``"skip"`` it,
            or ``"nan"``: keep its place, so that graph i is row i. Its graph then has no atoms (``None`` in a list),
            which readers of the graphs answer with NaN.
        chirality: see :func:`plstm_graph.chem.from_smiles`.
        workers: processes that share the work; 0 works in this one.
        progress: show a bar with molecules per second, if stderr is a terminal.
        chunk_size: rows per piece of work.
        output: ``"packed"`` arrays (see :data:`plstm_graph.chem.arrays.Packed`) or a ``"list"`` of PyG ``Data``.

    Returns:
        The graphs and a :class:`FeaturizeReport`.

    Raises:
        SmilesError: a row cannot be read and ``on_error="raise"``; ``error.row`` is its number.
        ConfigError: an option has an unknown value, or ``smiles`` is a single string.
    """
    if output not in ("packed", "list"):
        raise ConfigError(f"output must be 'packed' or 'list', got {output!r}")
    begin = time.perf_counter()
    kept: list[str] = []
    source = _remembering(smiles, kept) if output == "list" and not isinstance(smiles, str) else smiles
    total = len(smiles) if isinstance(smiles, Sized) else None
    options: dict[str, Any] = {"workers": workers, "progress": progress, "chunk_size": chunk_size, "total": total}
    chunks = list(iter_featurize(source, on_error=on_error, chirality=chirality, **options))
    report = FeaturizeReport(
        rows=sum(chunk.size for chunk in chunks),
        row=np.concatenate([np.zeros(0, np.int64), *(chunk.row for chunk in chunks)]),
        failed=[failed for chunk in chunks for failed in chunk.failed],
        seconds=time.perf_counter() - begin,
    )
    packed = concatenate([chunk.packed for chunk in chunks])
    if output == "packed":
        return packed, report
    from plstm_graph.chem.smiles import unpack  # loads torch

    return unpack(packed, [kept[row] for row in report.row]), report


def iter_featurize(
    smiles: Iterable[object],
    *,
    on_error: OnError = "raise",
    chirality: Chirality = "written",
    workers: int = 0,
    progress: bool = False,
    chunk_size: int = 500,
    total: int | None = None,
    fingerprints: bool = False,
) -> Iterator[FeaturizedChunk]:
    """Like :func:`featurize`, chunk by chunk, for inputs that do not fit into memory.

    The input is read no further ahead than a few chunks per worker. ``total`` is the number of rows, for the bar;
    it is found out by itself where the input has a length. ``fingerprints`` adds Morgan fingerprints, of which a row
    that ``on_error="nan"`` keeps has one without bits.

    Raises:
        SmilesError, ConfigError: as :func:`featurize` does.
    """
    _check(smiles, on_error, chirality, workers, chunk_size)
    if total is None and isinstance(smiles, Sized):
        total = len(smiles)
    if workers:
        pack((), chirality)  # compile before forking: the workers inherit it
    make = partial(_featurize, chirality=chirality, fingerprints=fingerprints)
    return _run(smiles, on_error, make, workers, progress, chunk_size, total)


def _run(
    smiles: Iterable[object],
    on_error: OnError,
    make: _Make,
    workers: int,
    progress: bool,
    chunk_size: int,
    total: int | None,
) -> Iterator[FeaturizedChunk]:
    pieces = _pieces(smiles, chunk_size)
    work = _in_processes(pieces, make, workers) if workers else _here(pieces, make)
    with closing(work), molecules_bar(total) if progress else nullcontext() as advance:
        for start, size, packed, failed, fingerprint in work:
            if failed and on_error == "raise":
                raise smiles_error(failed[0].smiles, failed[0].reason, failed[0].row)
            lost = np.array([row for row, *_ in failed], np.int64) - start
            row = np.delete(np.arange(size), lost)
            if on_error == "nan":
                if fingerprint is not None:
                    fingerprint = np.insert(fingerprint, lost - np.arange(len(lost)), 0, axis=0)
                packed, row = spread(packed, row, size), np.arange(size)
            if advance is not None:
                advance(size)
            yield FeaturizedChunk(start, size, packed, row + start, failed, fingerprint)


def _featurize(start: int, piece: Sequence[object], *, chirality: Chirality, fingerprints: bool) -> _Result:
    failed: list[FailedRow] = []
    noted: list[bytes] = []
    with quiet_errors():
        mols = parse_rows(enumerate(piece, start), failed)
        packed = pack(noting_fingerprints(mols, noted) if fingerprints else mols, chirality)
    return start, len(piece), packed, failed, unpack_fingerprints(noted) if fingerprints else None


def _here(pieces: Iterable[tuple[int, list]], make: _Make) -> Generator[_Result, None, None]:
    for start, piece in pieces:
        yield make(start, piece)


def _in_processes(pieces: Iterable[tuple[int, list]], make: _Make, workers: int) -> Generator[_Result, None, None]:
    """Results in the order of the pieces, with at most two pieces per worker under way."""
    waiting: deque = deque()
    pool = ProcessPoolExecutor(workers)
    try:
        for start, piece in pieces:
            waiting.append((start, len(piece), pool.submit(make, start, piece)))
            if len(waiting) >= 2 * workers:
                yield _result(*waiting.popleft())
        while waiting:
            yield _result(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _result(start: int, size: int, future: Any) -> _Result:
    try:
        return future.result()
    except BrokenProcessPool as error:
        error.add_note(f"a worker process ended while rows {start} to {start + size - 1} or later ones were being read")
        raise


def _pieces(smiles: Iterable[object], chunk_size: int) -> Iterator[tuple[int, list]]:
    start, rows = 0, iter(smiles)
    while piece := list(islice(rows, chunk_size)):
        yield start, piece
        start += len(piece)


def _remembering(smiles: Iterable[object], kept: list) -> Iterator[object]:
    for value in smiles:
        kept.append(value)
        yield value


def _check(smiles: object, on_error: str, chirality: str, workers: int, chunk_size: int) -> None:
    check_chirality(chirality)
    if isinstance(smiles, str | bytes):
        raise ConfigError(
            f"smiles must be many strings, got the single {smiles!r}: put it in a list, or use from_smiles"
        )
    if on_error not in get_args(OnError):
        raise ConfigError(f"on_error must be one of {', '.join(map(repr, get_args(OnError)))}, got {on_error!r}")
    if workers < 0 or chunk_size < 1:
        raise ConfigError(f"workers must be 0 or more and chunk_size 1 or more, got {workers} and {chunk_size}")
