"""Peptides-func and Peptides-struct of the Long Range Graph Benchmark, from LRGB's own files."""

from __future__ import annotations

import ast
import pickle
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from plstm_graph.data.cache import cached
from plstm_graph.data.ogb import read_splits
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import data_root, need
from plstm_graph.errors import ConfigError, TableError

FORM = 2
SOURCE = "https://github.com/vijaydwivedi75/lrgb"


@dataclass(frozen=True)
class _Set:
    folder: str
    table: str
    splits: str
    task: str
    metric: str
    targets: tuple[str, ...]


_AXES = ("Inertia_mass", "Inertia_valence", "length")
SETS = {
    "peptides-func": _Set(
        "peptides-functional",
        "raw/peptide_multi_class_dataset.csv.gz",
        "splits_random_stratified_peptide.pickle",
        "binary",
        "ap",
        (
            *("antifungal", "cell_cell_communication", "anticancer", "drug_delivery_vehicle", "antimicrobial"),
            *("antiviral", "antihypertensive", "antibacterial", "antiparasitic", "toxic"),
        ),
    ),
    "peptides-struct": _Set(
        "peptides-structural",
        "raw/peptide_structure_dataset.csv.gz",
        "splits_random_stratified_peptide_structure.pickle",
        "regression",
        "mae",
        (*(f"{name}_{axis}" for name in _AXES for axis in "abc"), "Spherocity", "Plane_best_fit"),
    ),
}


def load_lrgb(name: str, root: str | Path | None = None) -> PackedDataset:
    """Load a set by name, with LRGB's split; OGB's atom and bond features are computed from the SMILES.

    The targets of Peptides-struct are standardised over the whole set, as LRGB does it, so that errors compare with
    published ones. The split is read from ``split_csv/{train,val,test}.csv`` if present, else from LRGB's pickle.

    Args:
        name: ``"peptides-func"`` or ``"peptides-struct"``.
        root: data root; the set lies in ``<root>/lrgb/peptides-functional`` (``-structural``).

    Raises:
        ConfigError: there is no such set.
        DatasetNotFoundError: files are missing; LRGB's have to be downloaded by hand.
        TableError: a file is damaged, or files contradict each other.
        SmilesError: a row cannot be read as a molecule.
    """
    from rdkit import rdBase

    if name not in SETS:
        raise ConfigError(f"{name!r} is none of LRGB's sets {', '.join(SETS)}")
    folder = data_root(root) / "lrgb" / SETS[name].folder
    splits = [SETS[name].splits]
    if (folder / "split_csv").is_dir():
        splits = [f"split_csv/{part}.csv" for part in ("train", "val", "test")]
    paths = need(folder, [SETS[name].table, *splits], name, SOURCE, zipped=False)
    return cached(name, paths, FORM, lambda: _read(name, folder), versions=[rdBase.rdkitVersion])


def _read(name: str, folder: Path) -> PackedDataset:
    from plstm_graph.chem.batch import featurize

    this = SETS[name]
    try:
        table = pd.read_csv(folder / this.table)
        smiles = table["smiles"].tolist()
        if this.task == "binary":
            y = np.array([ast.literal_eval(text) for text in table["labels"]], np.float32)
        else:
            y = table[list(this.targets)].astype(float)
            y = ((y - y.mean()) / y.std()).to_numpy(np.float32)
    except (KeyError, ValueError, SyntaxError, OSError, EOFError, zlib.error) as error:
        raise TableError(f"{folder / this.table} cannot be read as LRGB's table of {name}: {error!r}") from error
    if y.shape != (len(smiles), len(this.targets)):
        raise TableError(f"{folder / this.table} has targets {list(y.shape)}, not [{len(smiles)}, {len(this.targets)}]")
    packed, _ = featurize(smiles)
    tensors = {key: torch.from_numpy(array) for key, array in packed.items()}
    return PackedDataset(
        name=name,
        y=torch.from_numpy(y),
        task=this.task,
        metric=this.metric,
        node_kind="atom",
        edge_kind="bond",
        chirality="written",
        node_fields={"canonical_rank": tensors.pop("canonical_rank")},
        text_fields={"smiles": smiles},
        targets=list(this.targets),
        splits=_splits(folder, this, len(smiles)),
        **tensors,
    )


def _splits(folder: Path, this: _Set, graphs: int) -> dict[str, torch.Tensor]:
    if (folder / "split_csv").is_dir():
        return read_splits(folder / "split_csv", graphs, files=("train.csv", "val.csv", "test.csv"))
    with (folder / this.splits).open("rb") as file:
        try:
            parts = _ArraysOnly(file).load()
            splits = {ours: np.asarray(parts[its], np.int64) for ours, its in zip(_PARTS, _ITS, strict=True)}
        except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
            raise TableError(f"{folder / this.splits} cannot be read as LRGB's split: {error!r}") from error
    for part, rows in splits.items():
        if rows.size and (rows.min() < 0 or rows.max() >= graphs):
            raise TableError(f"{folder / this.splits}: {part} goes up to row {rows.max()}, but there are {graphs:,}")
    return {part: torch.from_numpy(rows) for part, rows in splits.items()}


_PARTS, _ITS = ("train", "valid", "test"), ("train", "val", "test")


class _ArraysOnly(pickle.Unpickler):
    """Reads NumPy arrays in plain containers, and refuses everything else that a pickle could make or run."""

    def find_class(self, module: str, name: str) -> object:
        if (module.replace("numpy._core", "numpy.core"), name) in (
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        ):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, not just arrays")
