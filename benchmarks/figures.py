"""Medians, ratios and slopes of what a record holds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.case import AT
from benchmarks.session import NOW

CaseRecord = dict[str, Any]


def median(case: CaseRecord, call: str, version: str = NOW) -> float | None:
    """Median of the samples of a call, ``None`` where it was not measured."""
    samples = case["calls"].get(call, {}).get("samples", {}).get(version)
    return statistics.median(samples) if samples else None


def quartiles(samples: Sequence[float]) -> tuple[float, float]:
    """Lower and upper quartile."""
    low, high = np.quantile(samples, [0.25, 0.75])
    return float(low), float(high)


def ratio(case: CaseRecord, call: str, base: str, version: str = NOW, *, per_item: bool = False) -> float | None:
    """Median of a call over the median of another, per molecule if asked for."""
    above, below = median(case, call, version), median(case, base, version)
    if above is None or not below:
        return None
    share = case["calls"][base]["items"] / case["calls"][call]["items"] if per_item else 1
    return above / below * share


def rate(case: CaseRecord, call: str, version: str = NOW) -> float | None:
    """Molecules per second of a call."""
    seconds = median(case, call, version)
    return case["calls"][call]["items"] / seconds if seconds else None


def series(case: CaseRecord, version: str = NOW) -> dict[str, tuple[list[float], list[float]]]:
    """Sweeps: places on the axis and medians, by name of the series, in rising order."""
    found: dict[str, list[tuple[float, float]]] = {}
    for call in case["calls"]:
        name, _, place = call.partition(AT)
        seconds = median(case, call, version)
        if seconds is not None:
            found.setdefault(name, []).append((float(place), seconds))
    return {name: tuple(map(list, zip(*sorted(points), strict=True))) for name, points in found.items()}


def slope(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Least-squares slope of log y over log x; ``None`` for fewer than two points."""
    if len(x) < 2:
        return None
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def crossing(x: Sequence[float], first: Sequence[float], second: Sequence[float]) -> float | None:
    """Place where ``first`` stops being the cheaper one for good, by log-log interpolation.

    Returns:
        0 if it never is the cheaper one, ``None`` if it still is at the last place.
    """
    gap = np.log(np.asarray(first)) - np.log(np.asarray(second))
    cheaper = np.flatnonzero(gap < 0)
    if cheaper.size == 0:
        return 0.0
    i = int(cheaper[-1])
    if i == len(x) - 1:
        return None
    share = gap[i] / (gap[i] - gap[i + 1])
    return float(np.exp(np.log(x[i]) + share * (np.log(x[i + 1]) - np.log(x[i]))))
