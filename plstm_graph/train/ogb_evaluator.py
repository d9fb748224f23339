"""OGB's own Evaluator, without what importing ogb does besides: a network thread and questions about updates."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def load_evaluator(name: str) -> Any:
    """``ogb.graphproppred.Evaluator(name)``.

    ``import ogb`` asks the package index for newer versions in a thread, through the package ``outdated``; while ogb
    is imported here, ``outdated`` looks as if it were not installed, which ogb provides for.
    """
    if "ogb" not in sys.modules:
        before = sys.modules.get("outdated")
        sys.modules["outdated"] = None  # type: ignore[assignment]  # makes "import outdated" raise ImportError
        try:
            importlib.import_module("ogb")
        finally:
            if before is None:
                del sys.modules["outdated"]
            else:
                sys.modules["outdated"] = before
    return importlib.import_module("ogb.graphproppred.evaluate").Evaluator(name)
