"""Tables of molecules: a column of SMILES, target columns, splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from plstm_graph.chem.batch import FeaturizeReport, featurize
from plstm_graph.chem.scaffold import scaffold_split
from plstm_graph.data.packed import PackedDataset
from plstm_graph.errors import ConfigError, TableError

PARTS = ("train", "valid", "test")
SPLITS = ("random", "scaffold", "column")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV file (also compressed) with all cells as text, empty ones as missing; names may stand twice.

    Raises:
        TableError: the file is missing, empty or damaged.
    """
    try:
        rows = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise TableError(f"there is no file {path}") from error
    except (ValueError, OSError, EOFError) as error:
        raise TableError(f"{path} cannot be read as CSV: {error}") from error
    table = rows.iloc[1:].reset_index(drop=True)
    table.columns = ["" if pd.isna(name) else name for name in rows.iloc[0]]
    return table


def pick_column(table: pd.DataFrame, column: str) -> pd.Series:
    """The one column of that name.

    Raises:
        TableError: there is none, or several.
    """
    found = int((table.columns == column).sum())
    if found == 0:
        raise TableError(f"there is no column {column!r}; the table has {', '.join(map(repr, table.columns))}")
    if found > 1:
        raise TableError(f"the column name {column!r} stands {found} times in the table: rename all but one")
    return table[column]


def numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    """A column as float, NaN where the cell is empty.

    Raises:
        TableError: a cell holds something else; the message names its row.
    """
    cells = pick_column(table, column)
    values = pd.to_numeric(cells, errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(np.isnan(values) & cells.notna().to_numpy() | np.isinf(values))
    wrong = [i for i in wrong if str(cells.iloc[i]).strip().lower() not in ("nan", "na", "n/a", "null", "none", "")]
    if wrong:
        raise TableError(
            f"column {column!r}, row {wrong[0] + 1}: {cells.iloc[wrong[0]]!r} is not a number; empty the cell if the "
            f"value is missing ({len(wrong)} such cells)"
        )
    return values


def load_table(
    path: str | Path,
    *,
    smiles_column: str = "smiles",
    targets: Sequence[str] | None = None,
    task: str | None = None,
    split: str = "random",
    split_column: str = "split",
    seed: int = 0,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    on_error: str = "raise",
    workers: int = 0,
    name: str | None = None,
) -> tuple[PackedDataset, FeaturizeReport]:
    """A CSV table as a data set.

    Args:
        path: the file.
        smiles_column: name of the column of SMILES.
        targets: names of the target columns; by default all other columns that hold nothing but numbers.
        task: ``"regression"``, ``"binary"`` or ``"multiclass"``; by default binary if all values are 0 or 1, else
            regression.
        split: ``"random"``, ``"scaffold"`` (see :func:`plstm_graph.chem.scaffold.scaffold_split`) or ``"column"``.
        split_column: for ``split="column"``, the column that says train, valid or test.
        seed: of the random split.
        fractions: of train, valid and test, for random and scaffold splits.
        on_error: ``"raise"`` or ``"skip"`` rows whose SMILES cannot be read.
        workers: processes that featurise.
        name: name of the set; that of the file by default.

    Returns:
        The data set and the report of the featurisation. ``graph_fields["row"]`` is the row of every graph.

    Raises:
        TableError: a column is missing, stands twice, or holds something it should not.
        SmilesError: a row cannot be read and ``on_error="raise"``.
        ConfigError: unknown split or task.
    """
    if split not in SPLITS:
        raise ConfigError(f"split={split!r} does not exist; choose from {', '.join(SPLITS)}")
    if on_error not in ("raise", "skip"):
        raise ConfigError(f"on_error={on_error!r} does not exist for training; choose 'raise' or 'skip'")
    table = read_table(path)
    smiles = pick_column(table, smiles_column)
    chosen = list(targets) if targets else _number_columns(table, {smiles_column, split_column})
    if not chosen:
        raise TableError(f"{path}: no target column given, and no column but {smiles_column!r} holds numbers")
    y = np.stack([numbers(table, column) for column in chosen], axis=1)
    packed, report = featurize(
        smiles.tolist(), on_error=on_error, chirality="canonical", workers=workers, progress=False
    )
    y = y[report.row]
    task = task or _guess_task(y)
    label, num_classes = _labels(y, task, chosen)
    dataset = PackedDataset(
        name=name or Path(path).name.split(".")[0],
        x=torch.from_numpy(packed["x"]),
        edge_index=torch.from_numpy(packed["edge_index"]),
        edge_attr=torch.from_numpy(packed["edge_attr"]),
        y=label,
        node_ptr=torch.from_numpy(packed["node_ptr"]),
        edge_ptr=torch.from_numpy(packed["edge_ptr"]),
        task=task,
        metric={"regression": "rmse", "binary": "rocauc", "multiclass": "acc"}[task],
        num_classes=num_classes,
        node_kind="atom",
        edge_kind="bond",
        node_fields={"canonical_rank": torch.from_numpy(packed["canonical_rank"])},
        graph_fields={"row": torch.from_numpy(report.row)},
        smiles=smiles.iloc[report.row].tolist(),
        targets=chosen,
    )
    dataset.splits = _split(dataset, table, split, split_column, seed, fractions)
    return dataset, report


def _number_columns(table: pd.DataFrame, others: set[str]) -> list[str]:
    once = [c for c in table.columns if (table.columns == c).sum() == 1 and c not in others]
    return [
        c
        for c in once
        if table[c].notna().any() and pd.to_numeric(table[c], errors="coerce").notna().eq(table[c].notna()).all()
    ]


def _guess_task(y: np.ndarray) -> str:
    return "binary" if np.isin(y[~np.isnan(y)], (0, 1)).all() else "regression"


def _labels(y: np.ndarray, task: str, columns: list[str]) -> tuple[torch.Tensor, int]:
    known = y[~np.isnan(y)]
    if task == "regression":
        return torch.from_numpy(y).float(), 0
    if task == "binary":
        if not np.isin(known, (0, 1)).all():
            raise TableError(
                f"a binary target holds 0 and 1, but {columns} also hold {known[~np.isin(known, (0, 1))][0]}"
            )
        return torch.from_numpy(y).float(), 0
    if task == "multiclass":
        if y.shape[1] != 1 or np.isnan(y).any() or (known < 0).any() or (known % 1).any():
            raise TableError(f"a multi-class target is one full column of classes 0, 1, 2, ..., got {columns}")
        return torch.from_numpy(y[:, 0]).long(), int(known.max()) + 1
    raise ConfigError(f"task={task!r} does not exist; choose from regression, binary, multiclass")


def _split(
    dataset: PackedDataset, table: pd.DataFrame, split: str, column: str, seed: int, fractions: Sequence[float]
) -> dict[str, torch.Tensor]:
    if split == "scaffold":
        return {k: torch.from_numpy(v) for k, v in scaffold_split(dataset.smiles, fractions=fractions).items()}
    if split == "column":
        cells = pick_column(table, column).iloc[dataset.graph_fields["row"].tolist()].str.strip().str.lower()
        wrong = ~cells.isin([*PARTS, "val"])
        if wrong.any():
            row = int(cells.index[wrong.to_numpy()][0]) + 1
            raise TableError(f"column {column!r}, row {row}: {cells[wrong].iloc[0]!r} is none of train, valid, test")
        part = cells.replace("val", "valid").to_numpy()
        return {k: torch.from_numpy(np.flatnonzero(part == k)) for k in PARTS}
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ConfigError(f"fractions must be three numbers from 0 to 1 that sum to 1, got {tuple(fractions)}")
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed))
    first, second = round(fractions[0] * len(order)), round((fractions[0] + fractions[1]) * len(order))
    parts = zip(PARTS, order.tensor_split([first, second]), strict=True)
    return {k: rows.sort().values for k, rows in parts}
