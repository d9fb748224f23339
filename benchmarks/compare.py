"""Whether one set of test values is better than another, in standard errors of the difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from plstm_graph.train.records import Record

TIE = 2.0
"""Differences below this many standard errors count as none."""


def standard_error(values: Sequence[float]) -> float:
    """Standard error of the mean; NaN for a single value."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def mean_and_error(values: Sequence[float]) -> str:
    """``0.826 ± 0.007``, mean and standard error, or the one value."""
    error = standard_error(values)
    return f"{fmean(values):.3f}" + ("" if math.isnan(error) else f" ± {error:.3f}")


def advantage(ours: Sequence[Record], theirs: Sequence[Record]) -> float:
    """How much better ``ours`` is on the test part, in standard errors of the difference; negative if it is worse."""
    a, b = ([r["test"] for r in records] for records in (ours, theirs))
    sign = -1 if ours[0]["metric"] in ("rmse", "mae") else 1
    error = math.hypot(standard_error(a), standard_error(b))
    return sign * (fmean(a) - fmean(b)) / error if error else math.nan


def verdict(difference: float) -> str:
    """``+3.1 (better)``, ``-0.4 (tie)``."""
    if math.isnan(difference):
        return "–"
    word = "tie" if abs(difference) < TIE else "better" if difference > 0 else "worse"
    return f"{difference:+.1f} ({word})"
