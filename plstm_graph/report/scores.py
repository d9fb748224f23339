"""Scores of predictions by scikit-learn; NaN where a score is not defined."""

from __future__ import annotations

import math

import numpy as np
from sklearn import metrics

THRESHOLD = 0.5
"""Probability from which a yes/no target counts as predicted."""


def regression_scores(true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Scores of one target ``[G]``."""
    return {
        "RMSE": metrics.root_mean_squared_error(true, predicted),
        "MAE": metrics.mean_absolute_error(true, predicted),
        "R²": metrics.r2_score(true, predicted) if len(true) > 1 else math.nan,
    }


def binary_scores(true: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Scores of one yes/no target ``[G]``; the last four with the threshold :data:`THRESHOLD`."""
    both = len(np.unique(true)) == 2
    said = probability >= THRESHOLD
    return {
        "ROC-AUC": metrics.roc_auc_score(true, probability) if both else math.nan,
        "Average precision": metrics.average_precision_score(true, probability) if both else math.nan,
        "Accuracy": metrics.accuracy_score(true, said),
        "Balanced accuracy": metrics.balanced_accuracy_score(true, said) if both else math.nan,
        "F1": metrics.f1_score(true, said, zero_division=math.nan),
        "MCC": metrics.matthews_corrcoef(true, said) if both else math.nan,
    }


def class_scores(true: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Scores of a multi-class target: classes ``[G]`` and probabilities ``[G, C]``."""
    classes = np.arange(probability.shape[1])
    probability = probability / probability.sum(axis=1, keepdims=True)  # rounded in the file
    said = probability.argmax(axis=1)
    found = np.unique(true)
    return {
        "Accuracy": metrics.accuracy_score(true, said),
        "Balanced accuracy": metrics.recall_score(true, said, labels=found, average="macro"),
        "Macro F1": metrics.f1_score(true, said, labels=found, average="macro", zero_division=0),
        "Log loss": metrics.log_loss(true, probability, labels=classes) if len(classes) > 1 else math.nan,
    }


def scores_by_class(true: np.ndarray, said: np.ndarray, classes: int) -> list[tuple[float, float, float, int]]:
    """Precision, recall, F1 and number of graphs of every class."""
    precision, recall, f1, count = metrics.precision_recall_fscore_support(
        true, said, labels=np.arange(classes), zero_division=math.nan
    )
    return list(zip(precision.tolist(), recall.tolist(), f1.tolist(), count.tolist(), strict=True))
