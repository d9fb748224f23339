"""Temperature scaling: one number that makes probabilities as confident as they are right.

Guo et al., "On calibration of modern neural networks", arXiv 1706.04599, section 4.2: logits are divided by the
temperature that gives the smallest negative log-likelihood on held-out rows. Ranks, hence ROC-AUC, do not change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RANGE = (0.05, 20.0)
"""Temperatures that are considered."""


class Temperature(NamedTuple):
    """A fitted temperature, the number of rows it was fitted on, and what was peculiar, if anything."""

    value: float
    rows: int
    note: str = ""


def fit_binary_temperature(y: np.ndarray, logit: np.ndarray) -> Temperature:
    """Temperature of one yes/no target.

    Args:
        y: ``[n]`` 0, 1, or NaN for rows that do not count.
        logit: ``[n]``.
    """
    known = ~np.isnan(y)
    sign, z = 2 * y[known].astype(float) - 1, logit[known].astype(float)
    return _fit(lambda beta: float(np.logaddexp(0, -sign * z * beta).mean()), len(np.unique(sign)), len(sign))


def fit_class_temperature(y: np.ndarray, logits: np.ndarray) -> Temperature:
    """Temperature of one target with several classes.

    Args:
        y: ``[n]`` class numbers, negative for rows that do not count.
        logits: ``[n, C]``.
    """
    from scipy.special import log_softmax

    known = y >= 0
    label, z = y[known], logits[known].astype(float)

    def loss(beta: float) -> float:
        return -float(log_softmax(z * beta, axis=1)[np.arange(len(label)), label].mean())

    return _fit(loss, len(np.unique(label)), len(label))


def _fit(loss: Callable[[float], float], classes: int, rows: int) -> Temperature:
    """Minimise over the logarithm of the temperature; the loss is convex in 1 / temperature, so one minimum is all."""
    from scipy.optimize import minimize_scalar

    if classes < 2:
        return Temperature(1.0, rows, "left at 1: the validation split has fewer than two classes")
    low, high = np.log(RANGE)
    found = minimize_scalar(lambda t: loss(np.exp(-t)), bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    if found.x - low < 1e-3:
        return Temperature(1.0, rows, "left at 1: the validation split is classified without error, so none is best")
    if high - found.x < 1e-3:
        return Temperature(RANGE[1], rows, "at its upper bound: the model knows nothing about the validation split")
    return Temperature(float(np.exp(found.x)), rows)
