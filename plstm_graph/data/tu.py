"""TUDatasets, with the splits of the pLSTM paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from plstm_graph.data.cache import cached
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import data_root, need
from plstm_graph.errors import ConfigError, TableError

FORM = 2
SOURCE = "https://www.chrsmrrs.com/graphkerneldatasets"

FOLDS = 10
"""Of the protocol of arXiv 2506.11997, D.4."""

NAMES = (
    *("MUTAG", "NCI1", "PROTEINS", "PTC_FM"),
    *("AIDS", "BZR", "COX2", "DHFR", "FRANKENSTEIN", "Mutagenicity", "NCI109", "PTC_FR", "PTC_MM", "PTC_MR"),
    *("DD", "ENZYMES", "COLLAB", "IMDB-BINARY", "IMDB-MULTI", "REDDIT-BINARY", "REDDIT-MULTI-5K", "ZINC_full"),
)
"""The four sets of the paper, and other well-known ones; any other can be loaded as well."""


def load_tu(name: str, root: str | Path | None = None) -> PackedDataset:
    """Load a set by name, read by ``torch_geometric.io.read_tu_data``, on which PyG's ``TUDataset`` is built.

    Node and edge features are the attributes, if there are any, followed by the one-hot labels, as with
    ``TUDataset(..., use_node_attr=True, use_edge_attr=True)``; a set without node features gets a constant one.
    Isolated nodes are kept. ``canonical_rank`` is that of :func:`plstm_graph.graph.canonical_rank`.

    Args:
        name: ``"MUTAG"``, ``"NCI1"``, ``"PROTEINS"``, ``"PTC_FM"``, or any other set in TUDataset's layout.
        root: data root; the set lies in ``<root>/tu/NAME/raw`` or ``<root>/tu/NAME``, and is downloaded if that does
            not exist.

    Returns:
        The set, without splits: see :func:`tu_splits`.

    Raises:
        DatasetNotFoundError: files are missing and cannot be downloaded.
        TableError: a file is damaged, or files contradict each other.
        GraphError: an edge joins two graphs.
    """
    folder = data_root(root) / "tu" / name
    raw = folder / "raw" if (folder / "raw").is_dir() else folder
    need(raw, [f"{name}_A.txt", f"{name}_graph_indicator.txt"], f"TUDataset {name}", f"{SOURCE}/{name}.zip")
    return cached(f"tu-{name}", sorted(raw.glob(f"{name}_*.txt")), FORM, lambda: _read(name, raw))


def tu_splits(
    y: Tensor | np.ndarray, fold: int, folds: int = FOLDS, seed: int = 42, *, stratify: bool = True
) -> dict[str, Tensor]:
    """The paper's protocol: one fold to test; of the others, 1/9 to validate and 8/9 to train, all stratified.

    Args:
        y: ``[G]`` classes.
        fold: which fold is tested, from 0.
        folds: number of folds.
        seed: of both shuffles.
        stratify: keep the share of each class; ``False`` for targets that are numbers.

    Returns:
        ``{"train": ..., "valid": ..., "test": ...}``, ascending graph numbers, int64.

    Raises:
        ConfigError: there is no such fold, or a class has fewer graphs than there are folds.
    """
    from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

    if not 0 <= fold < folds:
        raise ConfigError(f"fold {fold} does not exist: there are folds 0 to {folds - 1}")
    y = np.asarray(y)
    if len(y) < folds or (stratify and np.unique(y, return_counts=True)[1].min() < folds):
        raise ConfigError(f"{folds} folds need at least {folds} graphs" + " of every class" * stratify)
    splitter = (StratifiedKFold if stratify else KFold)(n_splits=folds, shuffle=True, random_state=seed)
    rest, test = list(splitter.split(np.zeros(len(y)), y))[fold]
    train, valid = train_test_split(
        rest, test_size=1 / (folds - 1), stratify=y[rest] if stratify else None, random_state=seed
    )
    return {k: torch.from_numpy(np.sort(v)) for k, v in {"train": train, "valid": valid, "test": test}.items()}


def _read(name: str, raw: Path) -> PackedDataset:
    from torch_geometric.io import read_tu_data

    from plstm_graph.graph.canonical import canonical_rank

    node_ptr = _check_files(name, raw)
    try:
        data, slices, _ = read_tu_data(str(raw), name)
    except (ValueError, IndexError, RuntimeError) as error:
        raise TableError(f"{raw} cannot be read as a TUDataset: {error}") from error
    edge_ptr = slices["edge_index"]  # ends before the last graphs if these have no edges
    edge_ptr = torch.cat([edge_ptr, edge_ptr[-1:].expand(len(node_ptr) - len(edge_ptr))])
    numbers = data.y.is_floating_point()
    y = data.y.reshape(len(node_ptr) - 1, -1) if numbers else data.y.reshape(-1)
    dataset = PackedDataset(
        name=name,
        x=data.x if data.x is not None else torch.ones(int(node_ptr[-1]), 1),
        edge_index=data.edge_index,
        edge_attr=data.edge_attr,
        y=y,
        node_ptr=node_ptr,
        edge_ptr=edge_ptr,
        task="regression" if numbers else "multiclass",
        metric="mae" if numbers else "accuracy",
        num_classes=0 if numbers else int(y.max()) + 1,
        node_kind="number",
        edge_kind=None if data.edge_attr is None else "number",
        targets=[f"target_{i}" for i in range(y.size(1))] if numbers else ["class"],
    )
    dataset.check_edges()
    whole = dataset.collate(slice(None))
    rank = canonical_rank(whole.edge_index, whole.num_nodes, whole.x, dataset.edge_attr, whole.batch)
    return replace(dataset, node_fields={"canonical_rank": rank})


def _check_files(name: str, raw: Path) -> Tensor:
    """First node of every graph; checks what PyG's reader takes for granted.

    Raises:
        TableError: files do not have the rows that others ask for, or one may be cut off.
    """
    lines = {}
    for path in raw.glob(f"{name}_*.txt"):
        content = path.read_bytes()
        if not content.endswith(b"\n"):  # PyG's reader would leave its last line out
            raise TableError(f"{path} does not end with a line break: it is cut off, or lacks just that")
        lines[path.name[len(name) + 1 : -4]] = content.count(b"\n")
    path = raw / f"{name}_graph_indicator.txt"
    try:
        graph = pd.read_csv(path, header=None, dtype=np.int64)[0].to_numpy() - 1
    except ValueError as error:
        raise TableError(f"{path} cannot be read as a list of graph numbers: {error}") from error
    if graph[0] != 0 or (np.diff(graph) < 0).any() or (np.diff(graph) > 1).any():
        raise TableError(f"{path} must count the graphs from 1 upwards, node by node")
    expected = {"A": "edge", "graph_indicator": "node"}
    size = {"edge": lines["A"], "node": lines["graph_indicator"], "graph": int(graph[-1]) + 1}
    expected |= {f"{kind}_{what}": kind for kind in size for what in ("labels", "attributes")}
    for file, count in lines.items():
        if file in expected and count != size[expected[file]]:
            raise TableError(
                f"{raw}/{name}_{file}.txt has {count:,} lines, but there are {size[expected[file]]:,} {expected[file]}s"
            )
    if not {"graph_labels", "graph_attributes"} & set(lines):
        raise TableError(f"{raw} has neither {name}_graph_labels.txt nor {name}_graph_attributes.txt")
    return torch.from_numpy(np.concatenate([[0], np.bincount(graph).cumsum()]))
