"""pLSTM on directed acyclic graphs: gated linear recurrence on the line graph, as PyTorch Geometric layers.

The public names load on first use, so that ``import plstm_graph`` costs little more than importing nothing:

- :class:`LineDAG`, :class:`ToLineDAG`: a DAG with its line graph, and the PyG transform that makes one;
- :class:`PLSTMConv`, :class:`PLSTMBlock`, :class:`PLSTM`: layer, residual block, whole model;
- :func:`from_smiles`, :func:`from_networkx`: molecules and networkx graphs as PyG ``Data``.

Source: Pöppel et al., "pLSTM: parallelizable Linear Source Transition Mark networks", arXiv 2506.11997.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plstm_graph.chem.smiles import from_smiles as from_smiles
    from plstm_graph.graph.convert import from_networkx as from_networkx
    from plstm_graph.graph.convert import to_networkx as to_networkx
    from plstm_graph.graph.linedag import LineDAG as LineDAG
    from plstm_graph.graph.transform import ToLineDAG as ToLineDAG
    from plstm_graph.nn.block import PLSTMBlock as PLSTMBlock
    from plstm_graph.nn.conv import PLSTMConv as PLSTMConv
    from plstm_graph.nn.model import PLSTM as PLSTM

__version__ = "0.1.0"

_HOME = {
    "LineDAG": "plstm_graph.graph.linedag",
    "ToLineDAG": "plstm_graph.graph.transform",
    "PLSTMConv": "plstm_graph.nn.conv",
    "PLSTMBlock": "plstm_graph.nn.block",
    "PLSTM": "plstm_graph.nn.model",
    "from_smiles": "plstm_graph.chem.smiles",
    "from_networkx": "plstm_graph.graph.convert",
    "to_networkx": "plstm_graph.graph.convert",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'plstm_graph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
