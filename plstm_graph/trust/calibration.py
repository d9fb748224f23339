"""How well probabilities agree with frequencies: expected calibration error, Brier score, log-likelihood."""

from __future__ import annotations

import numpy as np

BINS = 15
"""Bins of equal width of the expected calibration error."""


def calibration_errors(y: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Errors of predicted probabilities.

    Args:
        y: ``[n]`` 0, 1 or NaN for rows that do not count; or class numbers, negative for rows that do not count.
        probability: ``[n]`` of a yes/no target, or ``[n, C]`` of C classes.

    Returns:
        ``expected_calibration_error`` (15 bins of equal width; for classes of the most likely one, arXiv 1706.04599,
        equation 3), ``brier_score`` (mean squared error of the probabilities; for classes summed over them) and
        ``negative_log_likelihood``. Nothing if no row counts.
    """
    return _of_classes(y, probability) if probability.ndim == 2 else _of_yes_and_no(y, probability)


def _of_yes_and_no(y: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    import torch
    from sklearn.metrics import brier_score_loss, log_loss
    from torchmetrics.functional.classification import binary_calibration_error

    known = ~np.isnan(y)
    if not known.any():
        return {}
    label, p = y[known].astype(int), probability[known].astype(float)
    error = binary_calibration_error(torch.from_numpy(p), torch.from_numpy(label), n_bins=BINS)
    return {
        "expected_calibration_error": float(error),
        "brier_score": float(brier_score_loss(label, p, pos_label=1)),
        "negative_log_likelihood": float(log_loss(label, np.stack([1 - p, p], axis=1), labels=[0, 1])),
    }


def _of_classes(y: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    import torch
    from sklearn.metrics import log_loss
    from torchmetrics.functional.classification import multiclass_calibration_error

    known = y >= 0
    if not known.any():
        return {}
    label, p, classes = y[known], probability[known].astype(float), probability.shape[1]
    error = multiclass_calibration_error(torch.from_numpy(p), torch.from_numpy(label), num_classes=classes, n_bins=BINS)
    return {
        "expected_calibration_error": float(error),
        "brier_score": float(np.square(p - np.eye(classes)[label]).sum(axis=1).mean()),
        "negative_log_likelihood": float(log_loss(label, p, labels=list(range(classes)))),
    }
