"""Statistics of the labels of a training split: standardisation and class weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from plstm_graph.errors import ConfigError
from plstm_graph.train.metrics import NEEDS_TWO_VALUES
from plstm_graph.train.task import Task


def standardisation(task: Task, y: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Mean and standard deviation of every regression target, ``[T]`` each; 1 where a target is constant.

    Raises:
        ConfigError: a target has no label in the training split.
    """
    _check_labelled(task, y)
    if task.kind != "regression":
        return None, None
    y = y.double()
    mean = y.nanmean(dim=0)
    std = (y - mean).square().nanmean(dim=0).sqrt()
    return mean, torch.where(std > 0, std, 1.0)


def balanced_weights(task: Task, y: Tensor) -> Tensor | None:
    """Weights that make rare classes count as much as frequent ones: negatives over positives, or 1 / frequency.

    Raises:
        ConfigError: the targets are not classes, or a class does not occur.
    """
    if task.kind == "regression":
        raise ConfigError("class_weights='balanced' needs classes, but the targets are numbers")
    if task.kind == "sequence":
        raise ConfigError("class_weights='balanced' has no meaning for sequences")
    if task.kind == "multiclass":
        count = torch.bincount(y[y >= 0], minlength=task.num_classes).float()
        if (count == 0).any():
            raise ConfigError(f"class {int((count == 0).nonzero()[0])} does not occur in the training split")
        return count.sum() / (task.num_classes * count)
    positive, negative = (y == 1).sum(0).float(), (y == 0).sum(0).float()
    for j, name in enumerate(task.targets):
        if positive[j] == 0 or negative[j] == 0:
            raise ConfigError(f"target {name!r} has one class only in the training split: it cannot be balanced")
    return negative / positive


def check_judgeable(task: Task, part: str, y: Tensor, weight: np.ndarray | None = None) -> None:
    """Check that the task's metric will be defined on a part.

    Args:
        task: names the metric.
        part: name of the part, for the message.
        y: ``[G, T]`` float with NaN where missing, or ``[G]`` int64 classes, negative where missing.
        weight: ``[G]``; graphs of weight 0 do not count.

    Raises:
        ConfigError: there are too few labels, or classes, for every target.
    """
    if task.kind == "sequence":  # every graph has one, if an empty one
        return
    counts = torch.ones(len(y), dtype=torch.bool) if weight is None else torch.from_numpy(weight) > 0
    names = ", ".join(map(repr, task.targets))
    advice = "choose another split or --split-seed, or another --metric"
    if task.kind == "multiclass":
        found = set(y[(y >= 0) & counts].tolist())
        if not found:
            raise ConfigError(f"the {part} part has no label of {names}: {advice}")
        absent = [task.class_names[c] if task.class_names else c for c in range(task.num_classes) if c not in found]
        if task.metric == "rocauc" and absent:
            raise ConfigError(f"the {part} part lacks the class {absent[0]!r}, so rocauc is undefined: {advice}")
        return
    labels = [column[~column.isnan() & counts] for column in y.T]
    if max(map(len, labels)) == 0:
        raise ConfigError(f"the {part} part has no label of {names} (with a weight above 0): {advice}")
    if task.metric in NEEDS_TWO_VALUES and max(len(known.unique()) for known in labels) < 2:
        found = NEEDS_TWO_VALUES[task.metric]
        raise ConfigError(f"the {part} part has {found} of {names}, so {task.metric} is undefined: {advice}")


def _check_labelled(task: Task, y: Tensor) -> None:
    known = (y >= 0).unsqueeze(-1) if task.kind == "multiclass" else ~y.isnan()
    for j, name in enumerate(task.targets):
        if not known[:, j].any():
            raise ConfigError(f"target {name!r} has no label in the training split")
