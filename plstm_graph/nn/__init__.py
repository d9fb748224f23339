"""Layers and models; names load on first use, so that a layer does not pay for the baselines."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "PLSTMConv": "plstm_graph.nn.conv",
    "PLSTMBlock": "plstm_graph.nn.block",
    "PLSTM": "plstm_graph.nn.model",
    "AtomEncoder": "plstm_graph.nn.encoders",
    "BondEncoder": "plstm_graph.nn.encoders",
    "DegreeEncoder": "plstm_graph.nn.encoders",
    "SinusoidalEncoding": "plstm_graph.nn.encoders",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'plstm_graph.nn' has no attribute {name!r}")
