"""What a benchmark is: named calls that are measured in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

AT = " @ "
"""Joins the name of a series and its place on the axis in the name of a call of a sweep, as in ``"fused @ 1000"``."""


@dataclass(frozen=True)
class Setting:
    """What a case needs to know to set itself up.

    Args:
        molecules: file written by :func:`benchmarks.inputs.write_molecules`.
        threads: CPU threads of torch and of the engines.
        device: ``"cpu"`` or ``"cuda"``.
        quick: smaller inputs, for trying things out; its figures mean nothing.
    """

    molecules: str
    threads: int = 2
    device: str = "cpu"
    quick: bool = False


class Call(NamedTuple):
    """One thing to measure.

    Attributes:
        run: what is timed; its result is thrown away, unless ``own_measure``.
        items: molecules (or graphs) that one call handles, 0 where that means nothing.
        bytes: memory that one call has to read and write at least, 0 where that means nothing.
        own_measure: ``run`` returns the figure itself, in the unit of its case.
    """

    run: Callable[[], Any]
    items: int = 0
    bytes: int = 0
    own_measure: bool = False


@dataclass(frozen=True)
class Case:
    """Calls that belong together: measured in the same rounds, compared with one of them.

    Args:
        about: what is measured, for the table.
        setup: makes the calls; nothing in it is timed.
        base: the call that all others are divided by; ``None`` where there is nothing to compare.
        axis: for a sweep, what the numbers behind :data:`AT` count.
        rounds: how often every call is measured.
        unit: ``"s"``, or ``"MB"`` for calls that measure memory.
    """

    about: str
    setup: Callable[[Setting], dict[str, Call]]
    base: str | None = None
    axis: str | None = None
    rounds: int = 21
    unit: str = "s"


Table = dict[str, Any]
"""``{"columns": [...], "rows": [[...], ...]}``, for what is no measurement in turns, such as a profile."""
