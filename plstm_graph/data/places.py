"""Where data sets lie, and where the library may keep what it made of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from plstm_graph.data.download import download
from plstm_graph.errors import DatasetNotFoundError


def data_root(root: str | Path | None = None) -> Path:
    """The folder of all data sets: ``root``, else the environment variable PLSTM_GRAPH_DATA, else ``datasets/``."""
    return Path(root or os.environ.get("PLSTM_GRAPH_DATA") or "datasets")


def cache_folder() -> Path:
    """Folder for derived files: the environment variable PLSTM_GRAPH_CACHE, else ``~/.cache/plstm_graph``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PLSTM_GRAPH_CACHE") or Path(base) / "plstm_graph")


def need(folder: Path, names: Sequence[str], what: str, source: str, *, zipped: bool = True) -> list[Path]:
    """Paths of the files ``names`` in ``folder``, which is downloaded from ``source`` if it does not exist.

    Args:
        folder: folder of the data set.
        names: files in it.
        what: name of the data set.
        source: address of a zip file of the folder; with ``zipped=False``, of a page to get the files from.
        zipped: whether ``source`` can be downloaded.

    Raises:
        DatasetNotFoundError: a file is missing and cannot be downloaded; the message says what to put where.
    """
    reason = download(source, folder) if zipped and not folder.exists() else ""
    paths = [folder / name for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if not path.is_file()]
    if missing:
        place = folder.absolute()
        lacks = f"lacks {', '.join(missing)}" if folder.exists() or not zipped else "does not exist"
        todo = (
            f"Unpack {source} there, so that {place / names[0]} exists" if zipped else f"Put them there from {source}"
        )
        raise DatasetNotFoundError(
            f"{what} is not complete: {place} {lacks}. {reason}{todo}, or give another data root (argument root, or "
            f"environment variable PLSTM_GRAPH_DATA)"
        )
    return paths
