"""Data sets: by name, from tables, built in; packed in few tensors and handed out in batches."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plstm_graph.data.catalog import folds_of as folds_of
    from plstm_graph.data.catalog import load as load
    from plstm_graph.data.catalog import names as names
    from plstm_graph.data.catalog import seed_matters as seed_matters
    from plstm_graph.data.demo import make_demo as make_demo
    from plstm_graph.data.loader import GraphLoader as GraphLoader
    from plstm_graph.data.packed import PackedDataset as PackedDataset
    from plstm_graph.data.splits import split_dataset as split_dataset
    from plstm_graph.data.table import load_table as load_table
    from plstm_graph.data.tu import tu_splits as tu_splits

_HOME = {
    "GraphLoader": "loader",
    "PackedDataset": "packed",
    "folds_of": "catalog",
    "load": "catalog",
    "load_table": "table",
    "make_demo": "demo",
    "names": "catalog",
    "seed_matters": "catalog",
    "split_dataset": "splits",
    "tu_splits": "tu",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"plstm_graph.data.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'plstm_graph.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
