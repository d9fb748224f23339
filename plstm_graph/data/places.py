"""Where data sets lie, and where the library may keep what it made of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from plstm_graph.errors import DatasetNotFoundError


def data_root(root: str | Path | None = None) -> Path:
    """The folder of all data sets: ``root``, else the environment variable PLSTM_GRAPH_DATA, else ``datasets/``."""
    return Path(root or os.environ.get("PLSTM_GRAPH_DATA") or "datasets")


def cache_folder() -> Path:
    """Folder for derived files: the environment variable PLSTM_GRAPH_CACHE, else ``~/.cache/plstm_graph``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PLSTM_GRAPH_CACHE") or Path(base) / "plstm_graph")


def cache_file(name: str, sources: list[Path], version: int) -> Path:
    """Path of the cached form of a data set; another one as soon as a source file or the form changes."""
    seen = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
    digest = hashlib.sha256(repr((version, seen)).encode()).hexdigest()[:16]
    return cache_folder() / f"{name}-{digest}.pt"


def need(folder: Path, names: list[str], what: str, source: str) -> list[Path]:
    """Paths of the files ``names`` in ``folder``.

    Raises:
        DatasetNotFoundError: one is missing; the message says what to put where.
    """
    paths = [folder / name for name in names]
    missing = [path.relative_to(folder).as_posix() for path in paths if not path.is_file()]
    if missing:
        raise DatasetNotFoundError(
            f"{what} is not under {folder}: {', '.join(missing)} missing. Download it from {source} and unpack it "
            f"there, or name the data root by --root or the environment variable PLSTM_GRAPH_DATA"
        )
    return paths
