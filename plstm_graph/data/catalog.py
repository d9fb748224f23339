"""Data sets by name."""

from __future__ import annotations

import difflib
import logging
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from plstm_graph.data.formats import READABLE, check_ending, ending
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import cache_folder, data_root
from plstm_graph.data.splits import FRACTIONS, IN_FOLDS, NUM_FOLDS, split_dataset
from plstm_graph.errors import ConfigError

DEMO_FORM = 1

log = logging.getLogger("plstm_graph")


def load(
    name: str,
    root: str | Path | None = None,
    *,
    split: str = "auto",
    fold: int = 0,
    num_folds: int = NUM_FOLDS,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    valid_path: str | Path | None = None,
    test_path: str | Path | None = None,
    smiles_column: str | None = None,
    targets: Sequence[str] = (),
    task: str = "auto",
    split_column: str | None = None,
    weight_column: str | None = None,
    descriptors: Sequence[str] = (),
    on_error: str = "raise",
    workers: int = 0,
) -> PackedDataset:
    """Load a data set with its splits; never asks anything.

    Args:
        name: ``"demo"``, ``"ogbg-..."``, ``"peptides-func"``, ``"peptides-struct"``, ``"neural-architectures"``,
            a TUDataset such as ``"MUTAG"``, or the path of a table (CSV, Parquet or SDF).
        root: data root, see :func:`plstm_graph.data.places.data_root`.
        split: ``"auto"``: the set's own split, for TUDatasets the paper's ten folds, for tables a random one; or
            ``"random"``, ``"scaffold"``, ``"kfold"``, ``"scaffold-kfold"`` (see
            :func:`plstm_graph.data.splits.split_dataset`), or ``"column"`` (tables only).
        fold: which fold is tested, from 0: of a k-fold split, or of the ten folds of a TUDataset.
        num_folds: number of folds of a k-fold split.
        seed: of random splits and folds.
        fractions: of train, valid and test in random and scaffold splits.
        valid_path, test_path: for tables, see :func:`plstm_graph.data.table.load_table`.
        smiles_column, targets, task, split_column, weight_column, descriptors, on_error, workers: for tables, see
            :func:`plstm_graph.data.table.read_dataset`; the demo set takes ``targets`` and ``task`` as well (by default
            it predicts ``logp``).

    Raises:
        ConfigError: there is no such data set, or an option has no meaning for it.
        DatasetNotFoundError: files are missing and cannot be downloaded; the message says what to put where.
        TableError, GraphError, SmilesError: what is in the files is wrong.
    """
    if _is_table(name):
        return _load_table(
            name,
            smiles_column=smiles_column,
            targets=tuple(targets) or (("logp",) if name == "demo" else ()),
            task=task,
            split="random" if split == "auto" else split,
            split_column=split_column,
            weight_column=weight_column,
            descriptors=tuple(descriptors),
            valid_path=valid_path,
            test_path=test_path,
            seed=seed,
            fractions=fractions,
            fold=fold,
            num_folds=num_folds,
            on_error=on_error,
            workers=workers,
        )
    of_tables = {
        "smiles_column": smiles_column, "targets": targets, "split_column": split_column, "valid_path": valid_path,
        "test_path": test_path, "weight_column": weight_column, "descriptors": descriptors,
    }  # fmt: skip
    if Path(name).is_file():
        check_ending(name, READABLE)
    for option, value in of_tables.items():
        if value:
            raise ConfigError(f"{name} is not a table: {option}={value!r} has no meaning for it")
    if task != "auto":
        raise ConfigError(f"{name} is not a table: task={task!r} has no meaning for it")
    dataset = _load_named(name, root)
    in_folds = split == "auto" and not dataset.splits
    if fold and not in_folds and split not in IN_FOLDS:
        raise ConfigError(f"{name} with split={split!r} has no folds: fold={fold} has no meaning for it")
    if in_folds:
        from plstm_graph.data.tu import tu_splits

        dataset.splits = tu_splits(dataset.y, fold, stratify=dataset.task == "multiclass")
    elif split != "auto":
        dataset.splits = split_dataset(dataset, split, seed=seed, fractions=fractions, fold=fold, num_folds=num_folds)
    return dataset


def folds_of(name: str, split: str, num_folds: int) -> int:
    """How many folds :func:`load` has of a set; 1 for a split without folds."""
    if split in IN_FOLDS:
        return num_folds
    from plstm_graph.data.tu import FOLDS

    one_split = _is_table(name) or name.startswith(("ogbg-", "peptides-")) or name == "neural-architectures"
    return 1 if split != "auto" or one_split else FOLDS


def seed_matters(
    name: str, split: str, valid_path: str | Path | None = None, test_path: str | Path | None = None
) -> bool:
    """Whether another ``seed`` gives :func:`load` another split."""
    if valid_path is not None and test_path is not None:
        return False
    return split in ("random", *IN_FOLDS) or (split == "auto" and _is_table(name))


def _is_table(name: str) -> bool:
    return name == "demo" or bool(ending(name))


def names() -> list[str]:
    """Names of all sets that :func:`load` knows; besides these it takes tables."""
    from plstm_graph.data.lrgb import SETS
    from plstm_graph.data.ogb import names as ogb_names
    from plstm_graph.data.tu import NAMES

    return ["demo", *ogb_names(), *SETS, *NAMES, "neural-architectures"]


def demo_file() -> Path:
    """The built-in demo set as a CSV file in the cache folder, written on first use."""
    from rdkit import rdBase

    from plstm_graph.data.demo import write_demo

    path = cache_folder() / f"demo-{DEMO_FORM}-rdkit{rdBase.rdkitVersion}.csv"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        write_demo(part)
        os.replace(part, path)
    return path


def _load_table(name: str, **options: object) -> PackedDataset:
    from plstm_graph.data.table import load_table

    if name == "demo":
        return load_table(demo_file(), name="demo", **options)[0]
    dataset, report = load_table(name, **options)
    if report.failed:
        log.warning("%s: %s", name, report)
    return dataset


def _load_named(name: str, root: str | Path | None) -> PackedDataset:
    if name.startswith("ogbg-"):
        from plstm_graph.data.ogb import load_ogb
        from plstm_graph.data.ogb import names as ogb_names

        if name in ogb_names():
            return load_ogb(name, root)
    if name == "neural-architectures":
        from plstm_graph.data.dvae import load_neural_architectures

        return load_neural_architectures(root)
    if name.startswith("peptides-"):
        from plstm_graph.data.lrgb import SETS, load_lrgb

        if name in SETS:
            return load_lrgb(name, root)
    from plstm_graph.data.tu import NAMES, load_tu

    if name in NAMES or (name and Path(name).name == name and (data_root(root) / "tu" / name).is_dir()):
        return load_tu(name, root)
    raise ConfigError(_unknown(name, root))


def _unknown(name: str, root: str | Path | None) -> str:
    near = difflib.get_close_matches(name, names(), n=1) or [
        known for known in names() if known.lower() == name.lower()
    ]
    if near:
        return f"there is no data set {name!r}; did you mean {near[0]!r}?"
    return (
        f"there is no data set {name!r}; known are {', '.join(names())}, tables ({', '.join(READABLE)}), and any "
        f"other TUDataset whose files are in {data_root(root) / 'tu' / 'NAME' / 'raw'}"
    )
