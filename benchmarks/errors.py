"""The one error that a benchmark run raises on purpose."""

from __future__ import annotations


class BenchmarkError(RuntimeError):
    """A run cannot start or go on; the message says why."""
