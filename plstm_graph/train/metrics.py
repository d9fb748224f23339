"""Metrics over all predictions of a split: OGB's Evaluator for OGB sets, scikit-learn otherwise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plstm_graph.errors import ConfigError
from plstm_graph.train.ogb_evaluator import load_evaluator
from plstm_graph.train.task import Task

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray | None], float]


def evaluate(task: Task, y: np.ndarray, scores: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Value of the task's metric.

    Args:
        task: names the metric, or the OGB data set whose Evaluator is to be used.
        y: ``[G, T]`` float with NaN for missing labels, or ``[G]`` int64 classes (negative: missing); for sequences
            ``[G, R]`` int64, which end with the last class, a negative number or the row.
        scores: ``[G, T]`` predictions in the units of the target, or logits; ``[G, C]`` logits for classes; for
            sequences ``[G, T]`` classes.
        weight: ``[G]`` weight of each graph, those of weight 0 count nowhere; OGB's Evaluator knows none.

    Returns:
        The metric, averaged over the targets for which it is defined.

    Raises:
        ConfigError: the metric is undefined, since a split holds a single class or no label at all; or there are
            weights for OGB's Evaluator.
    """
    if task.ogb_name is not None or task.kind == "sequence":
        if weight is not None:
            raise ConfigError(f"OGB's evaluator for {task.ogb_name or 'F1'} takes no weights: choose a metric by name")
        return _f1(task, y, scores) if task.kind == "sequence" else _evaluate_ogb(task, y, scores)
    counts = np.ones(len(y), bool) if weight is None else weight > 0
    if task.kind == "multiclass":
        known = (y >= 0) & counts
        if not known.any():
            raise ConfigError(f"{task.metric} is undefined: no graph of the split has a label")
        return _MULTICLASS[task.metric](y[known], scores[known], _take(weight, known))
    values = []
    for j in range(y.shape[1]):
        known = ~np.isnan(y[:, j]) & counts
        truth, score = y[known, j], scores[known, j]
        if len(np.unique(truth)) >= (2 if task.metric in NEEDS_TWO_VALUES else 1):
            values.append(_PER_TARGET[task.metric](truth, score, _take(weight, known)))
    if not values:
        reason = NEEDS_TWO_VALUES.get(task.metric, "no label")
        raise ConfigError(f"{task.metric} is undefined: the split has {reason} for {', '.join(task.targets)}")
    return float(np.mean(values))


def _take(weight: np.ndarray | None, known: np.ndarray) -> np.ndarray | None:
    return None if weight is None else weight[known]


def _evaluate_ogb(task: Task, y: np.ndarray, scores: np.ndarray) -> float:
    evaluator = load_evaluator(task.ogb_name)
    if task.kind == "multiclass":
        y, scores = y.reshape(-1, 1), scores.argmax(axis=1).reshape(-1, 1)
    try:
        result = evaluator.eval({"y_true": y, "y_pred": scores})
    except RuntimeError as error:
        raise ConfigError(f"OGB's evaluator for {task.ogb_name} says: {error}") from error
    return float(result[evaluator.eval_metric])


def _f1(task: Task, y: np.ndarray, classes: np.ndarray) -> float:
    """OGB's F1 of ogbg-code2, a mean over graphs; it compares sets of words, here of their numbers."""
    end = task.num_classes - 1
    told = {"seq_ref": [_words(row, end) for row in y], "seq_pred": [_words(row, end) for row in classes]}
    return float(load_evaluator("ogbg-code2").eval(told)["F1"])


def _words(row: np.ndarray, end: int) -> list[int]:
    over = np.flatnonzero((row == end) | (row < 0))
    return row[: over[0] if over.size else len(row)].tolist()


def _rocauc(y: np.ndarray, score: np.ndarray, weight: np.ndarray | None) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y, score, sample_weight=weight))


def _ap(y: np.ndarray, score: np.ndarray, weight: np.ndarray | None) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(y, score, sample_weight=weight))


def _r2(y: np.ndarray, score: np.ndarray, weight: np.ndarray | None) -> float:
    from sklearn.metrics import r2_score

    return float(r2_score(y.astype(float), score.astype(float), sample_weight=weight))


def _error(y: np.ndarray, score: np.ndarray) -> np.ndarray:
    return np.subtract(y, score, dtype=np.float64)  # squares of large numbers are beyond float32


def _rocauc_classes(y: np.ndarray, logits: np.ndarray, weight: np.ndarray | None) -> float:
    from scipy.special import softmax
    from sklearn.metrics import roc_auc_score

    if logits.shape[1] == 2:
        return float(roc_auc_score(y, logits[:, 1] - logits[:, 0], sample_weight=weight))
    chance, labels = softmax(logits, axis=1), np.arange(logits.shape[1])
    return float(roc_auc_score(y, chance, multi_class="ovr", labels=labels, sample_weight=weight))


_PER_TARGET: dict[str, Metric] = {
    "rocauc": _rocauc,
    "ap": _ap,
    "accuracy": lambda y, score, weight: float(np.average((score > 0) == (y > 0.5), weights=weight)),
    "rmse": lambda y, score, weight: float(np.sqrt(np.average(np.square(_error(y, score)), weights=weight))),
    "mae": lambda y, score, weight: float(np.average(np.abs(_error(y, score)), weights=weight)),
    "r2": _r2,
}
_MULTICLASS: dict[str, Metric] = {
    "accuracy": lambda y, logits, weight: float(np.average(logits.argmax(axis=1) == y, weights=weight)),
    "rocauc": _rocauc_classes,
}
NEEDS_TWO_VALUES = {"rocauc": "one class only", "ap": "one class only", "r2": "fewer than two different labels"}
"""Metrics that are undefined where all labels are equal, and what such a split has."""
