"""Data sets by name."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import cache_folder, data_root
from plstm_graph.errors import ConfigError

TU_NAMES = ("MUTAG", "NCI1", "PROTEINS", "PTC_FM")
DEMO_VERSION = 1


def load(name: str, root: str | Path | None = None, *, seed: int = 0, **table: Any) -> PackedDataset:
    """Load a data set with its splits.

    Args:
        name: ``"demo"``, ``"ogbg-..."``, ``"peptides-func"``, a TUDataset such as ``"MUTAG"`` (split by
            :func:`plstm_graph.data.tu.tu_splits`, so ``splits`` is empty), or the path of a CSV file.
        root: data root, see :func:`plstm_graph.data.places.data_root`.
        seed: of a random split.
        table: options of :func:`plstm_graph.data.table.load_table`, for CSV files and the demo set.

    Raises:
        ConfigError: there is no such data set.
        DatasetNotFoundError: its files are missing; the message says what to put where.
    """
    if name == "demo" or name.lower().endswith((".csv", ".csv.gz")):
        from plstm_graph.data.table import load_table

        options = {"seed": seed, **{k: v for k, v in table.items() if v is not None}}
        if name == "demo":
            options = {"targets": ["logp"], "name": "demo", **options}
        return load_table(demo_file() if name == "demo" else name, **options)[0]
    unused = sorted(k for k, v in table.items() if v is not None)
    if unused:
        raise ConfigError(f"{name} is not a table: the options {', '.join(unused)} have no meaning for it")
    if name.startswith("ogbg-"):
        from plstm_graph.data.ogb import load_ogb

        return load_ogb(name, root)
    if name.startswith("peptides-"):
        from plstm_graph.data.lrgb import load_lrgb

        return load_lrgb(name, root)
    if name in TU_NAMES or (data_root(root) / "tu" / name).is_dir():
        from plstm_graph.data.tu import load_tu

        return load_tu(name, root)
    raise ConfigError(_unknown(name))


def demo_file() -> Path:
    """The built-in demo set as a CSV file in the cache folder, written on first use."""
    from plstm_graph.data.demo import write_demo

    path = cache_folder() / f"demo-v{DEMO_VERSION}.csv"
    if not path.is_file():
        part = path.with_suffix(".part")
        write_demo(part)
        part.replace(path)
    return path


def _unknown(name: str) -> str:
    from plstm_graph.data.lrgb import SETS
    from plstm_graph.data.ogb import names

    known = ["demo", *names(), *SETS, *TU_NAMES]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}, and the path of a CSV file"
    return f"there is no data set {name!r}{hint}"
