"""Tables of molecules: a column of SMILES, target columns, weights, descriptors, splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plstm_graph.chem.batch import FeaturizeReport, featurize
from plstm_graph.data.columns import METRICS, check_roles, read_extras, read_targets
from plstm_graph.data.join import join_datasets
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.read_table import find_targets, pick_column, read_molecules
from plstm_graph.data.splits import FRACTIONS, NUM_FOLDS, PARTS, column_split, split_dataset, usable
from plstm_graph.errors import ConfigError, SmilesError, TableError


def load_table(
    path: str | Path,
    *,
    valid_path: str | Path | None = None,
    test_path: str | Path | None = None,
    split: str = "random",
    split_column: str | None = None,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    fold: int = 0,
    num_folds: int = NUM_FOLDS,
    targets: Sequence[str] = (),
    **options: Any,
) -> tuple[PackedDataset, FeaturizeReport]:
    """A table as a data set with splits; rows count from 0, without the header.

    Args:
        path: the file: CSV, Parquet or SDF, see :mod:`plstm_graph.data.formats`.
        valid_path: a file with the same columns that is the valid part.
        test_path: a file with the same columns that is the test part. Parts without a file of their own are taken
            from ``path``, by ``split``, in the proportions that ``fractions`` gives them. Graphs of further files are
            numbered behind those of ``path``, valid first.
        split: ``"random"``, ``"scaffold"``, ``"kfold"``, ``"scaffold-kfold"`` (see
            :func:`plstm_graph.data.splits.split_dataset`), or ``"column"``.
        split_column: for ``split="column"``, the column that says train, valid or test in every row.
        seed: of random splits and folds.
        fractions: of train, valid and test, for random and scaffold splits.
        fold: which fold is test, from 0.
        num_folds: number of folds.
        targets, options: see :func:`read_dataset`.

    Returns:
        The data set and the report of the featurisation of ``path``. ``graph_fields`` hold, per graph, its ``row`` in
        its file, ``sample_weight`` (mean 1 over the train part) if there are weights, and ``descriptors``.

    Raises:
        TableError: a column is missing, stands twice, or holds something that it should not; columns that are not
            used may have any name and content.
        SmilesError: a row cannot be read and ``on_error="raise"``.
        ConfigError: unknown split, task or policy, or files beside a split that does not go with them.
    """
    if (split == "column") != (split_column is not None):
        raise ConfigError("split='column' and split_column go together: give both or neither")
    dataset, report, parts = read_dataset(path, targets=targets, split_column=split_column, **options)
    further = {part: file for part, file in (("valid", valid_path), ("test", test_path)) if file is not None}
    if further:
        if split not in ("random", "scaffold"):
            raise ConfigError(f"split={split!r} does not go with files for valid or test: take random or scaffold")
        dataset = _split_with_files(dataset, further, split, seed, fractions, options)
    elif parts is not None:
        dataset.splits = parts
    else:
        dataset.splits = split_dataset(dataset, split, seed=seed, fractions=fractions, fold=fold, num_folds=num_folds)
    _normalise_weights(dataset)
    return dataset, report


def read_dataset(
    path: str | Path,
    *,
    smiles_column: str | None = None,
    targets: Sequence[str] = (),
    task: str = "auto",
    split_column: str | None = None,
    weight_column: str | None = None,
    descriptors: Sequence[str] = (),
    on_error: str = "raise",
    workers: int = 0,
    name: str | None = None,
) -> tuple[PackedDataset, FeaturizeReport, dict[str, Tensor] | None]:
    """A table as a data set without splits.

    Args:
        path: the file: CSV, Parquet or SDF, see :mod:`plstm_graph.data.formats`.
        smiles_column: name of the column of SMILES; by default the only one called smiles, in any case, or for SDF the
            molecules of the file.
        targets: names of the target columns; by default the only other column that holds numbers.
        task: ``"regression"``, ``"binary"`` (targets 0 and 1), ``"multiclass"`` (one target, numbers or text), or
            ``"auto"``: binary if all values are 0 or 1, else regression.
        split_column: column that says train, valid or test in every row.
        weight_column: column of weights, 0 or more, how much a row counts.
        descriptors: columns of numbers that the model takes beside the graph.
        on_error: what a row whose SMILES cannot be read does: ``"raise"`` an error, ``"skip"`` it, or ``"nan"``: keep
            its place, as a graph without atoms and with missing targets that is in no part of the split.
        workers: processes that featurise.
        name: name of the set; that of the file by default.

    Returns:
        The data set, the report of the featurisation, and the parts that ``split_column`` gives.

    Raises:
        TableError, SmilesError, ConfigError: as :func:`load_table`.
    """
    table, smiles_column, molecules = read_molecules(path, smiles_column)
    others = [smiles_column, *descriptors, *filter(None, (split_column, weight_column))]
    columns = list(targets) or find_targets(table, others)
    check_roles(columns, descriptors, weight_column)
    y, task, class_names = read_targets(table, columns, task)
    fields = read_extras(table, weight_column, descriptors)
    smiles = pick_column(table, smiles_column)
    packed, report = featurize(molecules, on_error=on_error, chirality="canonical", workers=workers, progress=True)
    arrays = {key: torch.from_numpy(array) for key, array in packed.items()}
    row = torch.from_numpy(report.row)
    y = y[row]
    y[arrays["node_ptr"].diff() == 0] = -1 if task == "multiclass" else np.nan
    dataset = PackedDataset(
        name=name or Path(path).name.split(".")[0],
        y=y,
        task=task,
        metric=METRICS[task],
        num_classes=len(class_names),
        node_kind="atom",
        edge_kind="bond",
        chirality="canonical",
        node_fields={"canonical_rank": arrays.pop("canonical_rank")},
        graph_fields={"row": row} | {key: values[row] for key, values in fields.items()},
        text_fields={"smiles": smiles.fillna("").iloc[report.row].tolist()},
        targets=columns,
        class_names=class_names,
        **arrays,
    )
    if split_column is None:
        return dataset, report, None
    there = usable(dataset).nonzero().flatten()
    parts = column_split(pick_column(table, split_column).iloc[row[there].tolist()])
    return dataset, report, {part: there[positions] for part, positions in parts.items()}


def _split_with_files(
    dataset: PackedDataset,
    files: Mapping[str, str | Path],
    split: str,
    seed: int,
    fractions: Sequence[float],
    options: Mapping[str, Any],
) -> PackedDataset:
    """``dataset`` and the sets in ``files`` as one, each of them a part of its own."""
    shares = [0.0 if part in files else share for part, share in zip(PARTS, fractions, strict=True)]
    if not sum(shares):
        raise ConfigError(f"fractions={tuple(fractions)} leave nothing to train on")
    splits = split_dataset(dataset, split, seed=seed, fractions=[share / sum(shares) for share in shares])
    datasets, size = [dataset], len(dataset)
    for part, file in files.items():
        try:
            more, _, _ = read_dataset(file, targets=dataset.targets, **options)
        except TableError as error:
            raise TableError(f"{file}: {error}") from error
        except SmilesError as error:
            raise SmilesError(f"{file}: {error}", error.smiles, error.reason, error.row) from error
        splits[part] = usable(more).nonzero().flatten() + size
        datasets.append(more)
        size += len(more)
    joined = join_datasets(datasets)
    joined.splits = splits
    return joined


def _normalise_weights(dataset: PackedDataset) -> None:
    """Give the weights mean 1 over the train part."""
    weight = dataset.graph_fields.get("sample_weight")
    if weight is None:
        return
    mean = weight[dataset.splits["train"]].double().mean()
    if not mean > 0:
        raise TableError("all weights of the train part are 0: there is nothing to learn from")
    dataset.graph_fields["sample_weight"] = (weight / mean).float()
