"""OGB's graph-property data sets, read from OGB's own raw files.

OGB's PyG loader asks questions on the terminal, needs an older ``torch.load`` and goes graph by graph; here the same
files are read at once. Features are taken as they are stored, so that figures mean what they mean on the leaderboard.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import cache_file, data_root, need
from plstm_graph.errors import ConfigError, TableError

FORMAT_VERSION = 1
TASKS = {
    "binary classification": "binary",
    "multiclass classification": "multiclass",
    "regression": "regression",
    "subtoken prediction": "sequence",
}


def names() -> list[str]:
    """Names of all sets, such as ``"ogbg-molhiv"``."""
    return [name for name in _master().columns if name != "ogbg-code2"] + ["ogbg-code2"]


def load_ogb(name: str, root: str | Path | None = None) -> PackedDataset:
    """Load a set by name, with OGB's split.

    Molecules keep both directions of every bond, interleaved as in OGB's loader, their SMILES, and the atoms'
    ``canonical_rank`` by RDKit. ``ogbg-ppa`` has no node features and gets a constant one. ``ogbg-code2`` is loaded
    by :mod:`plstm_graph.data.code2`.

    Args:
        name: ``"ogbg-molhiv"``, ...
        root: data root; the set lies in ``<root>/ogb/ogbg_molhiv``.

    Raises:
        ConfigError: there is no such set.
        DatasetNotFoundError: its files are missing.
        TableError: its files contradict each other.
    """
    if name == "ogbg-code2":
        from plstm_graph.data.code2 import load_code2

        return load_code2(root)
    if name not in _master().columns:
        raise ConfigError(f"OGB has no graph-property data set {name!r}; it has {', '.join(names())}")
    info = _master()[name]
    folder = data_root(root) / "ogb" / name.replace("-", "_")
    raw = [f"raw/{part}.csv.gz" for part in ("edge", "num-node-list", "num-edge-list", "graph-label", "edge-feat")]
    raw += ["raw/node-feat.csv.gz"] if info["has_node_attr"] == "True" else []
    raw += ["mapping/mol.csv.gz"] if info["data type"] == "mol" else []
    raw += [f"split/{info['split']}/{part}.csv.gz" for part in ("train", "valid", "test")]
    paths = need(folder, raw, name, info["url"])
    cached = cache_file(name, paths, FORMAT_VERSION)
    if cached.is_file():
        return PackedDataset.load(cached)
    dataset = _read(name, info, folder)
    dataset.save(cached)
    return dataset


def _master() -> pd.DataFrame:
    """OGB's own table of its sets, without importing OGB, which would ask the network for a newer version."""
    package = importlib.util.find_spec("ogb").submodule_search_locations[0]
    return pd.read_csv(Path(package) / "graphproppred" / "master.csv", index_col=0, keep_default_na=False, dtype=str)


def _read(name: str, info: pd.Series, folder: Path) -> PackedDataset:
    molecules = info["data type"] == "mol"
    node_ptr = _pointer(read_csv(folder / "raw/num-node-list.csv.gz", np.int64)[:, 0])
    bond_ptr = _pointer(read_csv(folder / "raw/num-edge-list.csv.gz", np.int64)[:, 0])
    edges = read_csv(folder / "raw/edge.csv.gz", np.int64)
    edge_attr = read_csv(folder / "raw/edge-feat.csv.gz", np.int64 if molecules else np.float32)
    x = np.zeros((node_ptr[-1], 1), np.int64)
    if info["has_node_attr"] == "True":
        x = read_csv(folder / "raw/node-feat.csv.gz", np.int64 if molecules else np.float32)
    label = read_csv(folder / "raw/graph-label.csv.gz", np.float32)
    _check(name, {"edge": (edges, bond_ptr[-1]), "edge-feat": (edge_attr, bond_ptr[-1])})
    _check(name, {"node-feat": (x, node_ptr[-1]), "graph-label": (label, node_ptr.size - 1)})
    task = TASKS[info["task type"]]
    smiles, fields = None, {}
    if molecules:
        smiles = pd.read_csv(folder / "mapping/mol.csv.gz")["smiles"].astype(str).tolist()
        fields["canonical_rank"] = torch.from_numpy(_ranks(smiles, node_ptr, x, edges, edge_attr, bond_ptr))
    return PackedDataset(
        name=name,
        x=torch.from_numpy(x),
        edge_index=torch.from_numpy(np.stack([edges, edges[:, ::-1]], axis=1).reshape(-1, 2).T.copy()),
        edge_attr=torch.from_numpy(edge_attr.repeat(2, axis=0)),
        y=torch.from_numpy(label[:, 0].astype(np.int64) if task == "multiclass" else label),
        node_ptr=torch.from_numpy(node_ptr),
        edge_ptr=torch.from_numpy(2 * bond_ptr),
        task=task,
        metric=info["eval metric"],
        num_classes=int(info["num classes"]) if task == "multiclass" else 0,
        node_kind="atom" if molecules else "category",
        edge_kind="bond" if molecules else "number",
        node_fields=fields,
        smiles=smiles,
        targets=[f"target_{i}" for i in range(label.shape[1])],
        splits=read_splits(folder / "split" / info["split"]),
    )


def read_csv(path: Path, dtype: type) -> np.ndarray:
    """A headless table of numbers ``[rows, columns]``.

    Raises:
        TableError: the file is damaged or holds something else than numbers.
    """
    try:
        return np.ascontiguousarray(pd.read_csv(path, header=None, dtype=dtype).to_numpy())
    except (ValueError, EOFError, OSError) as error:
        raise TableError(f"{path} cannot be read as a table of numbers: {error}") from error


def read_splits(folder: Path) -> dict[str, torch.Tensor]:
    """Row numbers of the three parts."""
    parts = {part: read_csv(folder / f"{part}.csv.gz", np.int64)[:, 0] for part in ("train", "valid", "test")}
    return {part: torch.from_numpy(rows.copy()) for part, rows in parts.items()}


def _pointer(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])


def _check(name: str, tables: dict[str, tuple[np.ndarray, int]]) -> None:
    for file, (table, rows) in tables.items():
        if len(table) != rows:
            raise TableError(f"{name}: raw/{file}.csv.gz has {len(table):,} rows, the other files say {rows:,}")


def _ranks(
    smiles: list[str],
    node_ptr: np.ndarray,
    x: np.ndarray,
    edges: np.ndarray,
    edge_attr: np.ndarray,
    bond_ptr: np.ndarray,
) -> np.ndarray:
    """Canonical rank of every atom: RDKit's, or for SMILES that today's RDKit refuses, that of the stored graph.

    The atoms of a stored graph stand in the order of its SMILES.
    """
    from rdkit import Chem, rdBase

    from plstm_graph.graph.canonical import canonical_rank

    ranks = np.empty(node_ptr[-1], np.int64)
    with rdBase.BlockLogs():
        for g, text in enumerate(smiles):
            nodes, bonds = slice(*node_ptr[g : g + 2]), slice(*bond_ptr[g : g + 2])
            mol = Chem.MolFromSmiles(text)
            if mol is not None and mol.GetNumAtoms() == nodes.stop - nodes.start:
                ranks[nodes] = Chem.CanonicalRankAtoms(mol, breakTies=True)
                continue
            graph = torch.from_numpy(edges[bonds].T.copy()), nodes.stop - nodes.start
            ranks[nodes] = canonical_rank(
                *graph, torch.from_numpy(x[nodes]), torch.from_numpy(edge_attr[bonds])
            ).numpy()
    return ranks
