"""OGB's graph-property data sets, read from OGB's own raw files.

OGB's PyG loader asks questions on the terminal, needs an older ``torch.load`` and goes graph by graph; here the same
files are read at once. Features are taken as they are stored, so that figures mean what they mean on the leaderboard.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from plstm_graph._optional import require
from plstm_graph.data.cache import cached
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import data_root, need
from plstm_graph.errors import ConfigError, TableError

FORM = 2
TASKS = {"binary classification": "binary", "multiclass classification": "multiclass", "regression": "regression"}
METRICS = {"acc": "accuracy"}
"""OGB's names of metrics → this library's, where they differ."""

SPLIT_FILES = ("train.csv.gz", "valid.csv.gz", "test.csv.gz")


def names() -> list[str]:
    """Names of all sets, such as ``"ogbg-molhiv"``."""
    return list(_master().columns)


def load_ogb(name: str, root: str | Path | None = None) -> PackedDataset:
    """Load a set by name, with OGB's split.

    Molecules keep both directions of every bond, interleaved as in OGB's loader, their SMILES, and the atoms'
    ``canonical_rank`` by RDKit. ``ogbg-ppa`` has no node features and gets a constant one. ``ogbg-code2`` is loaded
    by :func:`plstm_graph.data.code2.load_code2`.

    Args:
        name: ``"ogbg-molhiv"``, ...
        root: data root; the set lies in ``<root>/ogb/ogbg_molhiv``, and is downloaded if that does not exist.

    Raises:
        ConfigError: there is no such set.
        DatasetNotFoundError: files are missing and cannot be downloaded.
        TableError: a file is damaged, or files contradict each other.
        GraphError: an edge joins nodes that its graph does not have.
    """
    if name == "ogbg-code2":
        from plstm_graph.data.code2 import load_code2

        return load_code2(root)
    info = describe(name)
    folder = ogb_folder(name, root)
    raw = [f"raw/{part}.csv.gz" for part in ("edge", "num-node-list", "num-edge-list", "graph-label", "edge-feat")]
    raw += ["raw/node-feat.csv.gz"] if info["has_node_attr"] == "True" else []
    raw += ["mapping/mol.csv.gz"] if info["data type"] == "mol" else []
    raw += [f"split/{info['split']}/{file}" for file in SPLIT_FILES]
    paths = need(folder, raw, name, info["url"])
    return cached(name, paths, FORM, lambda: _read(name, folder), versions=_rdkit_version())


def describe(name: str) -> pd.Series:
    """OGB's own record of a set: number of tasks, metric, kind of task, address, ...

    Raises:
        ConfigError: there is no such set.
    """
    if name not in _master().columns:
        raise ConfigError(f"OGB has no graph-property data set {name!r}; it has {', '.join(names())}")
    return _master()[name]


def ogb_folder(name: str, root: str | Path | None) -> Path:
    """Folder of a set in OGB's layout."""
    return data_root(root) / "ogb" / name.replace("-", "_")


@cache
def _master() -> pd.DataFrame:
    """OGB's table of its sets, without importing OGB, which would ask the network for a newer version."""
    spec = importlib.util.find_spec("ogb")
    folder = Path(spec.submodule_search_locations[0] if spec else require("ogb", "reading OGB's sets").__path__[0])
    return pd.read_csv(folder / "graphproppred" / "master.csv", index_col=0, keep_default_na=False, dtype=str)


def _rdkit_version() -> list[str]:
    from rdkit import rdBase

    return [rdBase.rdkitVersion]


def _read(name: str, folder: Path) -> PackedDataset:
    info = describe(name)
    molecules = info["data type"] == "mol"
    node_ptr, bond_ptr = read_pointers(folder)
    kind = np.int64 if molecules else np.float32
    edges = read_numbers(folder / "raw/edge.csv.gz", np.int64, bond_ptr[-1])
    edge_attr = read_numbers(folder / "raw/edge-feat.csv.gz", kind, bond_ptr[-1])
    x = np.zeros((node_ptr[-1], 1), np.int64)
    if info["has_node_attr"] == "True":
        x = read_numbers(folder / "raw/node-feat.csv.gz", kind, node_ptr[-1])
    label = read_numbers(folder / "raw/graph-label.csv.gz", np.float32, node_ptr.size - 1)
    task = TASKS[info["task type"]]
    dataset = PackedDataset(
        name=name,
        x=torch.from_numpy(x),
        edge_index=torch.from_numpy(np.stack([edges, edges[:, ::-1]], axis=1).reshape(-1, 2).T.copy()),
        edge_attr=torch.from_numpy(edge_attr.repeat(2, axis=0)),
        y=torch.from_numpy(label[:, 0].astype(np.int64) if task == "multiclass" else label),
        node_ptr=torch.from_numpy(node_ptr),
        edge_ptr=torch.from_numpy(2 * bond_ptr),
        task=task,
        metric=METRICS.get(info["eval metric"], info["eval metric"]),
        num_classes=int(info["num classes"]) if task == "multiclass" else 0,
        node_kind="atom" if molecules else "category",
        edge_kind="bond" if molecules else "number",
        targets=[f"target_{i}" for i in range(label.shape[1])],
        splits=read_splits(folder / "split" / info["split"], node_ptr.size - 1),
    )
    return _with_molecules(dataset, folder / "mapping/mol.csv.gz") if molecules else dataset


def _with_molecules(dataset: PackedDataset, mapping: Path) -> PackedDataset:
    """Add SMILES, names of the targets and canonical ranks; row i of the mapping is graph i."""
    try:
        table = pd.read_csv(mapping, dtype=str, keep_default_na=False)
        smiles = table["smiles"].tolist()
    except (KeyError, ValueError, EOFError, OSError, zlib.error) as error:
        raise TableError(f"{mapping} cannot be read as a table with a column smiles: {error!r}") from error
    if len(smiles) != len(dataset):
        raise TableError(f"{mapping} has {len(smiles):,} rows, but there are {len(dataset):,} graphs")
    dataset.check_edges()  # ranks of graphs with wrong edges would be errors of their own
    others = [column for column in table.columns if column not in ("smiles", "mol_id")]
    return dataclasses.replace(
        dataset,
        targets=others if len(others) == dataset.num_tasks else dataset.targets,
        text_fields={"smiles": smiles},
        chirality="written",
        node_fields={"canonical_rank": _ranks(dataset, smiles, mapping)},
    )


def _ranks(dataset: PackedDataset, smiles: list[str], mapping: Path) -> torch.Tensor:
    """Canonical rank of every atom: RDKit's, or that of the stored graph where today's RDKit refuses the SMILES.

    Atoms are stored in the order of the SMILES, which is checked by their elements.
    """
    from plstm_graph.chem.batch import featurize
    from plstm_graph.graph.canonical import canonical_rank

    packed, _ = featurize(smiles, on_error="nan")
    sizes, found = dataset.node_ptr.diff().numpy(), np.diff(packed["node_ptr"])
    same = sizes == found
    ours, theirs = np.repeat(same, sizes), np.repeat(same, found)
    differs = dataset.x[:, 0].numpy()[ours] != packed["x"][theirs, 0]
    graph = np.repeat(np.arange(len(same)), sizes)
    same[graph[ours][differs]] = False
    strangers = np.flatnonzero(~same & (found > 0))
    if len(strangers) > len(same) // 100:
        raise TableError(
            f"{mapping} does not belong to the graphs: {len(strangers):,} of {len(same):,} rows have other atoms, the "
            f"first is row {strangers[0]}, {smiles[strangers[0]]!r}"
        )
    ours, theirs = np.repeat(same, sizes), np.repeat(same, found)
    rank = torch.empty(len(graph), dtype=torch.int64)
    rank[torch.from_numpy(ours)] = torch.from_numpy(packed["canonical_rank"][theirs])
    rest = dataset.collate(torch.from_numpy(np.flatnonzero(~same)))
    if rest.num_graphs:
        rank[torch.from_numpy(~ours)] = canonical_rank(
            rest.edge_index, rest.num_nodes, rest.x, rest.edge_attr, rest.batch
        )
    return rank


def read_numbers(path: Path, dtype: type, rows: int | None = None) -> np.ndarray:
    """A headless table of numbers ``[rows, columns]``.

    Raises:
        TableError: the file is damaged, holds something else than numbers, or another number of rows.
    """
    try:
        table = pd.read_csv(path, header=None, dtype=dtype).to_numpy(copy=True)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise TableError(f"{path} cannot be read as a table of numbers: {error}") from error
    if rows is not None and len(table) != rows:
        raise TableError(f"{path} has {len(table):,} rows, but the other files say {rows:,}")
    return np.ascontiguousarray(table)


def read_pointers(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """First node and first edge of every graph, ``[G + 1]`` each, from the files with their numbers per graph."""
    nodes = read_numbers(folder / "raw/num-node-list.csv.gz", np.int64)[:, 0]
    edges = read_numbers(folder / "raw/num-edge-list.csv.gz", np.int64, nodes.size)[:, 0]
    return np.concatenate([[0], nodes.cumsum()]), np.concatenate([[0], edges.cumsum()])


def read_splits(folder: Path, graphs: int, files: Sequence[str] = SPLIT_FILES) -> dict[str, torch.Tensor]:
    """Graph numbers of the three parts, from one file for each.

    Raises:
        TableError: a file is damaged, or holds a number that is not that of a graph.
    """
    splits = {}
    for part, file in zip(("train", "valid", "test"), files, strict=True):
        rows = read_numbers(folder / file, np.int64)[:, 0].copy()
        wrong = rows[(rows < 0) | (rows >= graphs)]
        if wrong.size:
            raise TableError(f"{folder / file} names graph {wrong[0]}, but there are {graphs:,} graphs")
        splits[part] = torch.from_numpy(rows)
    return splits
