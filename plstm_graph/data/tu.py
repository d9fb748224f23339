"""TUDatasets, with the splits of the pLSTM paper."""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold, train_test_split

from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import cache_file, cache_folder, data_root, need
from plstm_graph.errors import ConfigError

FORMAT_VERSION = 1
SOURCE = "https://www.chrsmrrs.com/graphkerneldatasets"


def load_tu(name: str, root: str | Path | None = None) -> PackedDataset:
    """Load a set by name, read by ``torch_geometric.datasets.TUDataset`` with ``use_node_attr=True``.

    Args:
        name: ``"MUTAG"``, ``"NCI1"``, ``"PROTEINS"``, ``"PTC_FM"``, or any other set in TUDataset's layout.
        root: data root; the set lies in ``<root>/tu/NAME/raw`` or ``<root>/tu/NAME``.

    Raises:
        DatasetNotFoundError: its files are missing.
    """
    folder = data_root(root) / "tu" / name
    raw = folder / "raw" if (folder / "raw").is_dir() else folder
    wanted = [f"{name}_{part}.txt" for part in ("A", "graph_indicator", "graph_labels")]
    paths = need(raw, wanted, f"TUDataset {name}", f"{SOURCE}/{name}.zip")
    cached = cache_file(f"tu-{name}", paths, FORMAT_VERSION)
    if not cached.is_file():
        _read(name, raw).save(cached)
    return PackedDataset.load(cached)


def tu_splits(y: np.ndarray, fold: int, folds: int = 10, seed: int = 42) -> dict[str, torch.Tensor]:
    """The paper's protocol: a stratified fold to test; of the others, 1/9 (stratified) to validate, 8/9 to train.

    Args:
        y: ``[G]`` classes.
        fold: which fold is tested, from 0.
        folds: number of folds.
        seed: of both shuffles.

    Raises:
        ConfigError: there is no such fold.
    """
    if not 0 <= fold < folds:
        raise ConfigError(f"fold {fold} does not exist: there are folds 0 to {folds - 1}")
    y = np.asarray(y)
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    rest, test = list(splitter.split(np.zeros(len(y)), y))[fold]
    train, valid = train_test_split(rest, test_size=1 / (folds - 1), stratify=y[rest], random_state=seed)
    return {k: torch.from_numpy(np.sort(v)) for k, v in {"train": train, "valid": valid, "test": test}.items()}


def _read(name: str, raw: Path) -> PackedDataset:
    from torch_geometric.datasets import TUDataset

    work = cache_folder() / "tu-work"
    shutil.copytree(raw, work / name / "raw", dirs_exist_ok=True)  # PyG writes beside the raw files
    with contextlib.redirect_stderr(io.StringIO()):  # PyG announces its processing there
        graphs = TUDataset(str(work), name, use_node_attr=True)
    data, slices = graphs._data, graphs.slices
    edge_attr = data.edge_attr
    node_ptr = slices["x"] if data.x is not None else _node_pointer(graphs)
    x = data.x if data.x is not None else torch.ones(int(node_ptr[-1]), 1)
    dataset = PackedDataset(
        name=name,
        x=x,
        edge_index=data.edge_index,
        edge_attr=edge_attr,
        y=data.y,
        node_ptr=node_ptr,
        edge_ptr=slices["edge_index"],
        task="multiclass",
        metric="acc",
        num_classes=int(data.y.max()) + 1,
        node_kind="number",
        edge_kind=None if edge_attr is None else "number",
        targets=["class"],
    )
    shutil.rmtree(work / name)
    return dataset


def _node_pointer(graphs: object) -> torch.Tensor:
    sizes = torch.tensor([graph.num_nodes for graph in graphs])  # type: ignore[attr-defined]
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
