"""Numbers as the report writes them."""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """Four significant digits; a dash for what is not defined."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:#.4g}".rstrip(".")


def duration(seconds: float) -> str:
    """``48.1 s``, ``12 min 5 s``, ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
