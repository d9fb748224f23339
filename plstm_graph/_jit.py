"""Numba compilation with an on-disk cache where one can be written, and in memory where none can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def jit(**options: Any) -> Callable[[Callable], Callable]:
    """``numba.njit`` that caches machine code on disk and falls back to memory if no cache folder is writable."""

    def wrap(function: Callable) -> Callable:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # numba: "cannot cache function: no locator available"
            return numba.njit(nogil=True, **options)(function)

    return wrap
