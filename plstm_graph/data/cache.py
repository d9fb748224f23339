"""Data sets in their packed form, read from the source files once and kept in the cache folder."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.packed_file import FORMAT
from plstm_graph.data.places import cache_folder


def cached(
    name: str, sources: Sequence[Path], form: int, make: Callable[[], PackedDataset], *, versions: Sequence[str] = ()
) -> PackedDataset:
    """The data set that ``make`` reads from ``sources``, from the cache if it is there.

    Place, size and time of the source files, ``form`` and ``versions`` are part of the cached file's name, so the set
    is made anew as soon as one of them changes. Processes that do so at the same time do not disturb each other.
    Without a writable cache folder there is a warning, and the set is made every time.

    Args:
        name: name of the set, with the options that it was made with.
        sources: the files that it is read from.
        form: a number to be raised when ``make`` changes.
        make: reads the set.
        versions: of packages that the result depends on, such as RDKit.

    Raises:
        GraphError: an edge joins nodes that its graph does not have.
    """
    seen = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
    digest = hashlib.sha256(repr((FORMAT, form, seen, list(versions))).encode()).hexdigest()[:16]
    path = cache_folder() / f"{name}-{digest}.pt"
    if path.is_file():
        return PackedDataset.load(path)
    dataset = make()
    dataset.check_edges()
    try:
        dataset.save(path)
    except OSError as error:
        warnings.warn(f"{name} cannot be cached, it will be read anew next time: {error}", stacklevel=2)
        return dataset
    return PackedDataset.load(path)
