"""Split-conformal prediction intervals: widths from the errors on molecules that were not trained on.

Papadopoulos et al., "Inductive confidence machines for regression" (ECML 2002); Lei et al., "Distribution-free
predictive inference for regression", arXiv 1604.04173, sections 2.2 and 5.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plstm_graph.errors import ConfigError

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Coverages at which held-out coverage is reported."""


@dataclass(frozen=True)
class SplitConformal:
    """Intervals for one target.

    If the calibration rows and a new one are exchangeable, the interval holds the true value with a probability of
    at least the coverage, and of at most coverage + 1 / (n + 1) if scores do not tie: over all draws of calibration
    rows *and* new row, not for each kind of molecule by itself.

    Attributes:
        scores: ``[n]`` ascending scores of the calibration rows: ``|y - prediction|``, over the spread if there is one.
        floor: smallest spread that is divided by, in the unit of the target.
        normalised: scores are divided by a spread, and intervals are multiplied by one.
    """

    scores: np.ndarray
    floor: float = 0.0
    normalised: bool = False

    @classmethod
    def fit(
        cls, y: np.ndarray, prediction: np.ndarray, spread: np.ndarray | None = None, floor: float = 0.0
    ) -> SplitConformal:
        """Calibrate on rows that the model was not trained on.

        Args:
            y: ``[n]`` true values; rows with NaN do not count.
            prediction: ``[n]``.
            spread: ``[n]`` how uncertain each prediction is, such as the deviation within an ensemble, or ``None``.
            floor: smallest spread to divide by; fixed without looking at these rows.
        """
        known = ~np.isnan(y)
        scores = np.abs(y[known].astype(float) - prediction[known])
        if spread is not None:
            scores = scores / _at_least(spread[known], floor)
        return cls(np.sort(scores), floor, spread is not None)

    @property
    def largest_coverage(self) -> float:
        """n / (n + 1): beyond it intervals are infinite."""
        return len(self.scores) / (len(self.scores) + 1)

    def rank(self, coverage: float) -> int:
        """``ceil((n + 1) coverage)``: the score of this rank, from 1, is the quantile; above n there is none.

        Raises:
            ConfigError: the coverage is not between 0 and 1.
        """
        if not 0 < coverage < 1:
            raise ConfigError(f"coverage={coverage} must lie between 0 and 1, such as 0.9")
        return math.ceil(round((len(self.scores) + 1) * coverage, 9))  # 100 * 0.07 is 7.000000000000001

    def quantile(self, coverage: float) -> float:
        """The ``ceil((n + 1) coverage) / n`` quantile of the scores; infinite if n is too small.

        Raises:
            ConfigError: the coverage is not between 0 and 1.
        """
        rank = self.rank(coverage)
        return float(self.scores[rank - 1]) if rank <= len(self.scores) else math.inf

    def check(self, coverage: float, target: str) -> None:
        """Raise :class:`ConfigError` if there are too few calibration rows for this coverage."""
        if math.isinf(self.quantile(coverage)):
            n, wanted = len(self.scores), math.ceil(round(coverage / (1 - coverage), 9))
            raise ConfigError(
                f"coverage={coverage} of {target!r} needs at least {wanted} validation molecules with a value, and the "
                f"model was calibrated on {n}: "
                + (f"ask for at most {math.floor(1000 * self.largest_coverage) / 1000:g}" if n else "there is none")
            )

    def interval(
        self, prediction: np.ndarray, coverage: float, spread: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends, ``[G]`` each; infinite if there are too few calibration rows.

        Args:
            prediction: ``[G]``.
            coverage: between 0 and 1.
            spread: ``[G]``, if and only if the scores were divided by a spread.

        Raises:
            ConfigError: the coverage is not between 0 and 1, or a spread is missing or not wanted.
        """
        if (spread is not None) != self.normalised:
            raise ConfigError(
                "these intervals " + ("need the spread of the predictions" if self.normalised else "take no spread")
            )
        width = self.quantile(coverage)
        half = np.full(len(prediction), width) if spread is None else width * _at_least(spread, self.floor)
        return prediction - half, prediction + half

    def to_dict(self) -> dict[str, Any]:
        """Plain values and arrays."""
        return {"scores": self.scores, "floor": self.floor, "normalised": self.normalised}


def _at_least(spread: np.ndarray, floor: float) -> np.ndarray:
    """A spread of zero would make a score infinite, or an interval a point."""
    return np.maximum(np.asarray(spread, float), max(floor, np.finfo(float).tiny))


def coverage_table(
    conformal: SplitConformal,
    y: np.ndarray,
    prediction: np.ndarray,
    spread: np.ndarray | None = None,
    levels: Sequence[float] = LEVELS,
) -> list[dict[str, Any]]:
    """How often intervals hold the true value on rows that calibrated nothing.

    Args:
        conformal: the calibrated intervals.
        y: ``[m]`` true values; rows with NaN do not count.
        prediction: ``[m]``.
        spread: ``[m]`` or ``None``.
        levels: coverages.

    Returns:
        For every level: ``coverage`` asked for; ``observed`` share of rows inside; ``expected_low`` and
        ``expected_high``, between which exchangeable rows would fall in 90 % of draws (beta-binomial distribution,
        Vovk, "Conditional validity of inductive conformal predictors", arXiv 1209.2673); ``mean_width``, ``None``
        where intervals are infinite. Nothing if no row has a value.
    """
    from scipy.stats import betabinom

    known = ~np.isnan(y)
    if not known.any():
        return []
    y, prediction = y[known].astype(float), prediction[known]
    spread = None if spread is None else spread[known]
    rows, n, m = [], len(conformal.scores), len(y)
    for level in levels:
        low, high = conformal.interval(prediction, level, spread)
        rank = conformal.rank(level)
        if rank > n:
            expected = (1.0, 1.0)
        else:
            expected = tuple(float(v) / m for v in betabinom.ppf((0.05, 0.95), m, rank, n + 1 - rank))
        rows.append(
            {
                "coverage": level,
                "observed": float(np.mean((low <= y) & (y <= high))),
                "expected_low": expected[0],
                "expected_high": expected[1],
                "mean_width": float(np.mean(high - low)) if rank <= n else None,
            }
        )
    return rows
