"""Checks of options that layers and models share."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from numbers import Integral

from plstm_graph.errors import ConfigError


def one_of(name: str, value: object, choices: Sequence[str] | dict) -> None:
    """Raise a ConfigError unless ``value`` is among ``choices``, with the nearest one named."""
    if value not in choices:
        near = difflib.get_close_matches(str(value), list(choices), n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{name}={value!r} does not exist; choose from {', '.join(map(repr, choices))}{hint}")


def check_sizes(**sizes: object) -> None:
    """Raise a ConfigError unless every size is a whole number of at least 1, or ``None``."""
    for name, size in sizes.items():
        if size is not None and (not isinstance(size, Integral) or isinstance(size, bool) or size < 1):
            kind = "" if isinstance(size, Integral) and not isinstance(size, bool) else " and a whole number"
            raise ConfigError(f"{name} must be at least 1{kind}, got {size!r}")


def check_probability(name: str, value: float) -> None:
    """Raise a ConfigError unless ``value`` is in [0, 1)."""
    if not 0 <= value < 1:
        raise ConfigError(f"{name} must be in [0, 1), got {value!r}")
