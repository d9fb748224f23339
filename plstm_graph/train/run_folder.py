"""What a run folder holds besides weights: configuration, versions, split, metrics, curves."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import plstm_graph
from plstm_graph.errors import PLSTMGraphError, RunError
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.source import Source

PACKAGES = (
    "torch",
    "torch_geometric",
    "lightning",
    "numba",
    "numpy",
    "rdkit",
    "ogb",
    "networkx",
    "scikit-learn",
    "pandas",
    "igraph",
    "torch_scatter",
    "triton",
)


def versions() -> dict[str, str | None]:
    """Versions of Python, this library and what it uses; ``None`` for what is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), "plstm_graph": plstm_graph.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def revision() -> str | None:
    """Git revision of this library's source, with ``+`` behind it if files differ; ``None`` outside a checkout."""
    source = Path(plstm_graph.__file__).resolve().parent
    try:
        root = _git(source, "rev-parse", "--show-toplevel")
        if Path(root).resolve() != source.parent:
            return None  # installed inside some other project's checkout
        changed = _git(source, "status", "--porcelain", "--untracked-files=no", "--", str(source))
        return _git(source, "rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def opened_folder(folder: Path, config: TrainConfig, resume: bool) -> Iterator[None]:
    """Make a run folder, write ``config.yaml`` and ``versions.json``, and send log messages to its ``log.txt``.

    If settings or data are refused before anything was trained, a new folder goes again, so that the corrected
    command can use it.

    Raises:
        RunError: the folder holds another run and ``resume`` is off; or ``resume`` is on and its settings differ.
    """
    existed = folder.exists()
    new = not existed or not any(folder.iterdir())
    _open(folder, config, resume)
    try:
        with _log_to(folder):
            yield
    except PLSTMGraphError as error:
        if new and not isinstance(error, RunError) and next(folder.rglob("*.pt"), None) is None:
            shutil.rmtree(folder)
            if existed:
                folder.mkdir()
        raise


def _open(folder: Path, config: TrainConfig, resume: bool) -> None:
    written = folder / "config.yaml"
    if resume and written.is_file():
        _check_same(read_yaml(written), config, folder)
    elif folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty: choose another folder with --out, or go on with --resume")
    folder.mkdir(parents=True, exist_ok=True)
    write_yaml(written, config.to_dict())
    write_json(folder / "versions.json", {"revision": revision(), **versions()})


@contextmanager
def _log_to(folder: Path) -> Iterator[None]:
    handler = logging.FileHandler(folder / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("plstm_graph")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _check_same(old: Mapping[str, Any], config: TrainConfig, folder: Path) -> None:
    new = config.to_dict()
    for key, value in new.items():
        if old.get(key) != value:
            raise RunError(
                f"{folder} was started with {key}={old.get(key)!r}, not {value!r}: a resumed run keeps its settings"
            )


def keep_splits(folder: Path, source: Source) -> None:
    """Write ``split.json``, the rows (graphs) of every part, and ``data.json``, a fingerprint of what they hold.

    Raises:
        RunError: the folder has another fingerprint: what was trained on before could be tested on now.
    """
    file, found = folder / "data.json", {"data": source.name, "sha256": _fingerprint(source)}
    if file.is_file() and json.loads(file.read_text(encoding="utf-8")) != found:
        raise RunError(
            f"{folder} was started on other data: graphs, labels or parts of {source.name} have changed since; "
            "a resumed run keeps its data, so start anew with another --out"
        )
    splits = {name: [int(i) for i in rows] for name, rows in source.splits.items()}
    write_json(folder / "split.json", splits, indent=None)
    write_json(file, found)


def _fingerprint(source: Source) -> str:
    """Of the parts, the SMILES in them if there are any, and the labels that are read before the test."""
    found = hashlib.sha256()
    for part, rows in source.splits.items():
        smiles = None if source.smiles is None else [source.smiles[i] for i in rows]
        found.update(json.dumps([part, [int(i) for i in rows], smiles]).encode())
        if part != "test":
            found.update(source.labels(part).numpy().tobytes())
    return found.hexdigest()


def write_json(path: Path, value: Any, indent: int | None = 2) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(value, indent=indent) + "\n", encoding="utf-8")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def write_yaml(path: Path, value: Mapping[str, Any]) -> None:
    """Write a YAML file, keys in the given order."""
    import yaml

    path.write_text(yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True), encoding="utf-8")


def draw_curves(path: Path, epochs: list[dict[str, float]], best_epoch: int, metric: str) -> None:
    """Training loss and validation metric over the epochs, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    x = [row["epoch"] + 1 for row in epochs]
    for axis, key, label in zip(figure.subplots(1, 2), ("train_loss", "valid"), ("training loss", metric), strict=True):
        axis.plot(x, [row[key] for row in epochs], marker="." if len(x) < 30 else "")
        axis.axvline(x[best_epoch], color="0.6", linestyle=":", label=f"best epoch, {x[best_epoch]}")
        axis.set(xlabel="epoch", ylabel=label)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=120)
