"""Attributes of networkx nodes and edges as columns of a feature tensor, and back."""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plstm_graph.errors import FeatureError

Column = tuple[Hashable, str, Any]
"""What one column holds: ``(attribute, "number", None)``, ``(attribute, "entry", position in the vector)`` or
``(attribute, "is", category)``."""

NUMBER, ENTRY, IS = "number", "entry", "is"


def encode(
    kind: str,
    labels: Sequence[object],
    rows: Sequence[Mapping[Hashable, Any]],
    names: Iterable[Hashable] | Mapping[Hashable, int] | None,
    categories: Mapping[Hashable, Sequence[Hashable]],
    dtype: torch.dtype,
) -> tuple[Tensor | None, tuple[Column, ...]]:
    """Turn attribute dictionaries into one row of numbers each.

    Args:
        kind: ``"node"`` or ``"edge"``, for messages.
        labels: name of every node or edge, for messages.
        rows: attributes of every node or edge.
        names: attributes to take, in this order; a mapping also gives the width of each; ``None`` takes all.
        categories: values of each categorical attribute; it becomes one column per value.
        dtype: dtype of the result.

    Returns:
        The features ``[rows, columns]`` (``None`` without attributes) and what every column holds.

    Raises:
        FeatureError: a value is missing, NaN, infinite, of another width than the rest, not a number, or not a
            listed category.
    """
    if isinstance(names, (str, bytes)):
        raise FeatureError(
            f"{kind}_attrs must be a list of attribute names, got the string {names!r}: write [{names!r}]"
        )
    chosen = list(dict.fromkeys(name for row in rows for name in row)) if names is None else list(names)
    widths = names if isinstance(names, Mapping) else {}
    if unused := [name for name in categories if name not in chosen]:
        if names is not None:
            raise FeatureError(f"{kind}_categories lists {unused[0]!r}, which is not among {kind}_attrs {chosen}")
        chosen += unused
    blocks, columns = [], []
    for name in chosen:
        values = [_get(kind, label, row, name) for label, row in zip(labels, rows, strict=True)]
        if name in categories:
            block, described = _one_hot(kind, labels, values, name, list(categories[name]))
        else:
            block, described = _numbers(kind, labels, values, name, widths.get(name), dtype)
        blocks.append(block)
        columns += described
    if not blocks:
        return None, ()
    # casting before joining: int64 attributes beside float ones would go through float64 otherwise
    return torch.cat([torch.from_numpy(block).to(dtype) for block in blocks], dim=1), tuple(columns)


def decode(features: Tensor, columns: Sequence[Column]) -> list[dict[Hashable, Any]]:
    """Attribute dictionary of every row of ``features [rows, columns]``, as :func:`encode` took them.

    Raises:
        FeatureError: ``features`` has another number of columns, or a categorical attribute is not one-hot.
    """
    if features.dim() != 2 or features.size(1) != len(columns):
        raise FeatureError(
            f"the features have shape {list(features.shape)} but {len(columns)} columns were taken from networkx: "
            "delete data.layout to get them back as plain vectors"
        )
    result: list[dict[Hashable, Any]] = [{} for _ in range(features.size(0))]
    for number, (row, values) in enumerate(zip(result, features.tolist(), strict=True)):
        for (name, kind, detail), value in zip(columns, values, strict=True):
            if kind == NUMBER:
                row[name] = value
            elif kind == ENTRY:
                row.setdefault(name, []).append(value)
            elif value == 1 and name not in row:
                row[name] = detail
            elif value != 0:
                raise FeatureError(f"row {number} is not one-hot in {name!r}: the column of {detail!r} holds {value}")
    return result


def _get(kind: str, label: object, row: Mapping[Hashable, Any], name: Hashable) -> Any:
    value = row.get(name)
    if value is None:
        raise FeatureError(
            f"{kind} {label!r} has no attribute {name!r} (it has: {sorted(map(str, row)) or 'none'}): set it on every "
            f"{kind}, or name the attributes to take with {kind}_attrs=[...]"
        )
    return value


def _one_hot(
    kind: str, labels: Sequence[object], values: list[Any], name: Hashable, known: list[Hashable]
) -> tuple[np.ndarray, list[Column]]:
    index = {value: i for i, value in enumerate(known)}
    if len(index) != len(known):
        raise FeatureError(f"{kind}_categories[{name!r}] lists a value twice: {known}")
    block = np.zeros((len(values), len(known)), dtype=np.float32)
    for i, (label, value) in enumerate(zip(labels, values, strict=True)):
        if not isinstance(value, Hashable) or value not in index:
            raise FeatureError(
                f"{kind} {label!r} has {name!r} = {value!r}, which is not among the categories {known}: "
                f"add it to {kind}_categories[{name!r}]"
            )
        block[i, index[value]] = 1
    return block, [(name, IS, value) for value in known]


def _numbers(
    kind: str, labels: Sequence[object], values: list[Any], name: Hashable, width: int | None, dtype: torch.dtype
) -> tuple[np.ndarray, list[Column]]:
    arrays = [_array(kind, label, name, value, values) for label, value in zip(labels, values, strict=True)]
    scalar = all(array.ndim == 0 for array in arrays) and width in (None, 1)
    width = width or (arrays[0].size if arrays else 1)
    for label, array in zip(labels, arrays, strict=True):
        if array.size != width or (array.ndim == 0) != scalar:
            found = f"a vector of {array.size} numbers" if array.ndim else "a single number"
            wanted = "a single number" if scalar else f"a vector of {width} numbers"
            raise FeatureError(f"{kind} {label!r} has {found} in {name!r}, where {wanted} was expected")
    block = np.stack([array.reshape(width) for array in arrays]) if arrays else np.zeros((0, width))
    _check_finite(kind, labels, name, block, dtype)
    return block, [(name, NUMBER, None)] if scalar else [(name, ENTRY, i) for i in range(width)]


def _array(kind: str, label: object, name: Hashable, value: Any, values: list[Any]) -> np.ndarray:
    ragged = False
    try:
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    except ValueError:
        ragged = True
    if ragged or array.dtype.kind not in "biuf" or array.ndim > 1:
        message = (
            f"{kind} {label!r} has {name!r} = {reprlib.repr(value)}, which is neither a number nor a vector of numbers"
        )
        if not ragged and array.ndim == 0:
            seen = sorted({str(v) for v in values})[:8]
            message += (
                f": encode it as one column per value with {kind}_categories={{{name!r}: {seen}}} (list the values of "
                f"all your graphs, in one fixed order), or leave it out with {kind}_attrs=[...]"
            )
        raise FeatureError(message)
    return array


def _check_finite(kind: str, labels: Sequence[object], name: Hashable, block: np.ndarray, dtype: torch.dtype) -> None:
    if dtype.is_floating_point:
        limit = torch.finfo(dtype).max
        bad, need = ~(np.abs(block.astype(np.float64)) <= limit), f"finite and at most {limit:.3g} for {dtype}"
    else:
        info = torch.iinfo(dtype)
        bad = (block != np.floor(block)) | (block < info.min) | (block > info.max)
        need = f"an integer in [{info.min}, {info.max}] for {dtype}"
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise FeatureError(f"{kind} {labels[row]!r} has {name!r} = {block[row, column]}, which must be {need}")
