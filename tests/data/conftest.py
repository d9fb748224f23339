"""Caches of their own, no network, and small data sets in the layouts of the real ones."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from plstm_graph.chem import featurize
from plstm_graph.data.packed import PackedDataset

MOLECULES = ("CCO", "c1ccccc1O", "C", "CC(=O)Oc1ccccc1C(=O)O", "[Na+].[Cl-]", "C[C@H](N)C(=O)O", "N#Cc1ccncc1", "CCl")


@pytest.fixture(scope="session")
def _folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(_folders: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of all tests of this session; nothing is ever downloaded."""
    monkeypatch.setenv("PLSTM_GRAPH_CACHE", str(_folders))
    monkeypatch.setenv("PLSTM_GRAPH_OFFLINE", "1")
    monkeypatch.delenv("PLSTM_GRAPH_DATA", raising=False)
    return _folders


@pytest.fixture
def packed() -> Callable[..., PackedDataset]:
    """Makes a random set of graphs of 0 to 8 nodes."""

    def make(graphs: int = 23, seed: int = 0, edge_attr: bool = True, multiclass: bool = False) -> PackedDataset:
        draw = np.random.default_rng(seed)
        nodes = draw.integers(0, 9, graphs)
        columns = np.where(nodes > 0, draw.integers(0, 12, graphs), 0)
        size = np.repeat(nodes, columns)
        y = draw.normal(size=(graphs, 2)).astype(np.float32)
        y[draw.random(y.shape) < 0.2] = np.nan
        return PackedDataset(
            name="random",
            x=torch.from_numpy(draw.integers(-3, 300, (nodes.sum(), 4))),
            edge_index=torch.from_numpy(draw.integers(0, np.maximum(size, 1), (2, columns.sum()))),
            edge_attr=torch.from_numpy(draw.normal(size=(columns.sum(), 3)).astype(np.float32)) if edge_attr else None,
            y=torch.from_numpy(draw.integers(0, 5, graphs)) if multiclass else torch.from_numpy(y),
            node_ptr=torch.from_numpy(np.concatenate([[0], nodes.cumsum()])),
            edge_ptr=torch.from_numpy(np.concatenate([[0], columns.cumsum()])),
            task="multiclass" if multiclass else "regression",
            metric="accuracy" if multiclass else "rmse",
            num_classes=5 if multiclass else 0,
            edge_kind="number" if edge_attr else None,
            node_fields={
                "canonical_rank": torch.from_numpy(np.concatenate([draw.permutation(n) for n in nodes])),
                "position": torch.from_numpy(draw.normal(size=(nodes.sum(), 2))),
                "marked": torch.from_numpy(draw.random(nodes.sum()) < 0.5),
            },
            graph_fields={"weight": torch.from_numpy(draw.random(graphs))},
            text_fields={"label": [f"graph {i}" for i in range(graphs)]},
            targets=["first", "second"],
            splits={"train": torch.arange(0, 10), "valid": torch.arange(10, 15), "test": torch.arange(15, graphs)},
        )

    return make


@pytest.fixture
def write_gz() -> Callable[..., None]:
    """Writes a table without header, gzipped."""

    def write(path: Path, rows: Sequence | np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(path, header=False, index=False, compression="gzip")

    return write


@pytest.fixture
def ogb_molecules(tmp_path: Path, write_gz: Callable[..., None]) -> Callable[..., Path]:
    """Writes a set of molecules in OGB's layout under ``<root>/ogb`` and returns the root.

    The stored features are OGB's, but for the chirality column, where every atom has 3: no SMILES says so.
    """

    def write(name: str = "ogbg-molesol", smiles: Sequence[str] = MOLECULES, labels: object = None) -> Path:
        base = tmp_path / "ogb" / name.replace("-", "_")
        arrays, _ = featurize(smiles, progress=False)
        arrays["x"][:, 1] = 3
        labels = np.arange(len(smiles)) / 2 if labels is None else labels
        raw = {
            "num-node-list": np.diff(arrays["node_ptr"]),
            "num-edge-list": np.diff(arrays["edge_ptr"]) // 2,
            "edge": arrays["edge_index"][:, ::2].T,
            "node-feat": arrays["x"],
            "edge-feat": arrays["edge_attr"][::2],
            "graph-label": labels,
        }
        for file, rows in raw.items():
            write_gz(base / f"raw/{file}.csv.gz", rows)
        thirds = np.array_split(np.arange(len(smiles)), 3)
        for part, rows in zip(("train", "valid", "test"), thirds, strict=True):
            write_gz(base / f"split/scaffold/{part}.csv.gz", rows)
        mapping = pd.DataFrame({"solubility": np.ravel(labels)[: len(smiles)], "smiles": smiles, "mol_id": ""})
        (base / "mapping").mkdir(exist_ok=True)
        mapping.to_csv(base / "mapping/mol.csv.gz", index=False)
        return tmp_path

    return write


def cut_off(path: Path) -> None:
    """Shorten a file to two thirds, as a broken download would."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def drop_last_line(path: Path) -> None:
    """Remove the last line of a gzipped text file."""
    with gzip.open(path, "rb") as file:
        lines = file.readlines()
    with gzip.open(path, "wb") as file:
        file.writelines(lines[:-1])
