"""The suites by name; a suite is a module with ``CASES`` and, where it has more to tell, ``TABLES``."""

from __future__ import annotations

SUITES: dict[str, str] = {name: f"benchmarks.suites.{name}" for name in ("ops", "layers", "prep", "train")}
