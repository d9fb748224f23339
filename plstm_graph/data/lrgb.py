"""Peptides-func and Peptides-struct of the Long Range Graph Benchmark, from LRGB's own tables."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from plstm_graph.chem.batch import featurize
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import cache_file, data_root, need
from plstm_graph.errors import ConfigError

FORMAT_VERSION = 1
SETS = {
    "peptides-func": ("peptides-functional", "peptide_multi_class_dataset.csv.gz", "binary", "ap"),
    "peptides-struct": ("peptides-structural", "peptide_structure_dataset.csv.gz", "regression", "mae"),
}
NOT_TARGETS = ("smiles", "peptide_seq", "identifier", "labels")


def load_lrgb(name: str, root: str | Path | None = None) -> PackedDataset:
    """Load a set by name, with LRGB's split; OGB's atom and bond features are computed from the SMILES.

    Args:
        name: ``"peptides-func"`` or ``"peptides-struct"``.
        root: data root; the set lies in ``<root>/lrgb/peptides-functional`` (``-structural``).

    Raises:
        ConfigError: there is no such set.
        DatasetNotFoundError: its files are missing.
    """
    if name not in SETS:
        raise ConfigError(f"{name!r} is none of LRGB's sets {', '.join(SETS)}")
    folder, table, task, metric = SETS[name]
    base = data_root(root) / "lrgb" / folder
    files = [f"raw/{table}", *(f"split_csv/{part}.csv" for part in ("train", "val", "test"))]
    paths = need(base, files, name, "https://github.com/vijaydwivedi75/lrgb")
    cached = cache_file(name, paths, FORMAT_VERSION)
    if not cached.is_file():
        _read(name, base, paths[0], task, metric).save(cached)
    return PackedDataset.load(cached)


def _read(name: str, base: Path, table: Path, task: str, metric: str) -> PackedDataset:
    rows = pd.read_csv(table)
    if "labels" in rows:
        y = np.array([ast.literal_eval(text) for text in rows["labels"]], np.float32)
        targets = [f"class_{i}" for i in range(y.shape[1])]
    else:
        targets = [c for c in rows.columns if c not in NOT_TARGETS]
        y = rows[targets].to_numpy(np.float32)
    packed, _ = featurize(rows["smiles"].tolist(), progress=False)
    parts = {"train": "train", "valid": "val", "test": "test"}
    splits = {k: pd.read_csv(base / f"split_csv/{v}.csv", header=None)[0].to_numpy() for k, v in parts.items()}
    tensors = {k: torch.from_numpy(v) for k, v in packed.items()}
    return PackedDataset(
        name=name,
        y=torch.from_numpy(y),
        task=task,
        metric=metric,
        node_kind="atom",
        edge_kind="bond",
        node_fields={"canonical_rank": tensors.pop("canonical_rank")},
        smiles=rows["smiles"].tolist(),
        targets=targets,
        splits={k: torch.from_numpy(v.copy()) for k, v in splits.items()},
        **tensors,
    )
