"""What users hand to ``fit`` and ``predict``, checked: SMILES, labels, weights."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np
import torch

from plstm_graph.chem import featurize
from plstm_graph.data import PackedDataset
from plstm_graph.errors import FeatureError, TableError

CHIRALITY = "canonical"
"""Any SMILES of a molecule gives the same graph."""


def check_smiles(smiles: Any) -> list[object]:
    """One entry per row, from a list, an array ``[n]`` or ``[n, 1]``, a column or a one-column table of pandas.

    Raises:
        FeatureError: it has another shape, or no rows.
    """
    values = np.asarray(smiles.to_numpy() if hasattr(smiles, "to_numpy") else smiles, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise FeatureError(
            f"SMILES must be a list, or an array of shape [n] or [n, 1], got {type(smiles).__name__} of shape "
            f"{list(values.shape)}. Reshape your data, or choose the column of SMILES"
        )
    if not len(values):
        raise FeatureError("Found 0 sample(s) (shape=(0,)) while a minimum of 1 is required: there are no SMILES")
    return values.tolist()


def check_numbers(y: Any, rows: int) -> np.ndarray:
    """``[n]`` or ``[n, T]`` float64; NaN is a missing label where there are several targets.

    Raises:
        TableError: a label is no number, infinite, or missing in a single target.
        FeatureError: wrong shape or number of rows.
    """
    if y is None:
        raise TableError("This estimator requires y to be passed, but the target y is None")
    values = np.asarray(y)
    if np.iscomplexobj(values):
        raise TableError("Complex data not supported: y must hold real numbers")
    try:
        values = values.astype(float)
    except (TypeError, ValueError) as error:
        raise TableError(f"y must hold numbers, got {values.dtype}: {error}") from error
    if values.ndim not in (1, 2):
        raise FeatureError(f"y must have shape [n] or [n, targets], got {list(values.shape)}")
    check_rows("y", values, rows)
    wrong = np.isinf(values) | (np.isnan(values) & (values.ndim == 1))
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise TableError(
            f"Input y contains infinity or NaN, first in row {row}: leave such rows out (missing labels, as NaN, are "
            "allowed where y has several columns)"
        )
    return values


def check_weights(sample_weight: Any, rows: int) -> np.ndarray:
    """``[n]`` float32 with mean 1 over the rows that count; 1 without weights.

    Raises:
        FeatureError: wrong shape, negative, not finite, or all zero.
    """
    if sample_weight is None:
        return np.ones(rows, np.float32)
    values = np.asarray(sample_weight, dtype=float)
    values = np.full(rows, float(values)) if values.ndim == 0 else values
    if values.ndim != 1:
        raise FeatureError(f"Sample weights must be 1D array or scalar, got shape {list(values.shape)}")
    check_rows("sample_weight", values, rows)
    wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if wrong.size:
        raise FeatureError(f"sample_weight, row {wrong[0]}: {values[wrong[0]]} is not a weight: give 0 or more")
    if not values.any():
        raise FeatureError("all sample weights are zero: there is nothing to learn from")
    return (values / values[values > 0].mean()).astype(np.float32)


def check_rows(name: str, values: Sized, rows: int) -> None:
    """Raise :class:`FeatureError` unless ``values`` has as many rows as the SMILES."""
    if len(values) != rows:
        raise FeatureError(f"{name} has {len(values)} rows, but there are {rows} SMILES")


def to_dataset(smiles: list[object], y: torch.Tensor, weight: np.ndarray, workers: int) -> PackedDataset:
    """Graphs, labels and weights.

    Raises:
        SmilesError: a SMILES cannot be read; ``error.row`` is its row.
    """
    packed, _ = featurize(smiles, chirality=CHIRALITY, workers=workers, progress=False)
    arrays = {name: torch.from_numpy(array) for name, array in packed.items()}
    return PackedDataset(
        name="molecules",
        y=y,
        task="regression",  # the estimator's own task decides
        metric="rmse",
        node_kind="atom",
        edge_kind="bond",
        chirality=CHIRALITY,
        node_fields={"canonical_rank": arrays.pop("canonical_rank")},
        graph_fields={"sample_weight": torch.from_numpy(weight)},
        **arrays,
    )
