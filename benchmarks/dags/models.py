"""The models that the tasks compare, by the names that tables and ``--only`` use."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch_geometric.data import Data

from benchmarks.inputs import BARE
from plstm_graph.nn.baselines import build_model

PLSTM_MODES = {"plstm-P": "P", "plstm-D": "D", "plstm": "alternate"}
LOOKUP = {
    "source_bias": 0.0, "mark_bias": 0.0, "direct_bias": 0.0, "gate_std": 0.1, "key_init": "query",
    "degree_encoding": "none",
}  # fmt: skip
"""pLSTM for tasks that look something up: gates half open at the start, keys like queries, nothing but the words."""
PAPER_START = "plstm-paper-start"
"""pLSTM, P and D in turn, with the paper's degree encoding and values at the start in place of :data:`LOOKUP`."""
LOCAL = "plstm-local"
"""pLSTM with a GINE branch beside every layer, as GPS has one beside attention."""
MODELS = (*PLSTM_MODES, "gin", "gps", "dagnn")
ORIENTED = (*PLSTM_MODES, LOCAL, "dagnn")
"""Models that read directions; the others hear the neighbours on both sides."""


def make_model(
    name: str, in_channels: Any, out_channels: int, *, level: str, hidden_channels: int, num_layers: int, **options: Any
) -> nn.Module:
    """A model by name; options that it does not have are left out.

    pLSTM is the bare one, whose reach is its own, except for :data:`LOCAL`.

    Args:
        name: one of :data:`MODELS`, :data:`LOCAL`, or :data:`PAPER_START`.
        in_channels: as for :func:`plstm_graph.nn.baselines.build_model`.
        out_channels: number of outputs.
        level: ``"node"`` or ``"graph"``.
        hidden_channels: width.
        num_layers: number of layers or blocks.
        options: of some of the models, such as ``direction``.
    """
    from plstm_graph.nn.baselines import model_options

    kind = "plstm" if name in (LOCAL, PAPER_START, *PLSTM_MODES) else name
    if name == LOCAL:  # without norms of the heads, so that counts along the way arrive
        options = {"mode": "D", "direction": "both", "head_norm": "none", "dropout": 0.0} | options
    elif name in PLSTM_MODES:
        options = BARE | options | {"mode": PLSTM_MODES[name]}
    elif name == PAPER_START:
        options = {option: value for option, value in options.items() if option not in LOOKUP}
        options = BARE | {"degree_encoding": "sinusoidal"} | options
    known = model_options(kind)
    options = {option: value for option, value in options.items() if option in known}
    shared = {"level": level, "hidden_channels": hidden_channels, "num_layers": num_layers}
    model = build_model(kind, in_channels, out_channels, **options | shared)
    return AlongDAG(model) if name == "dagnn" else model


class AlongDAG(nn.Module):
    """Gives a model the edges of the line DAG in place of ``edge_index``, so that it sees the directions pLSTM sees.

    Args:
        model: reads ``data.edge_index``.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, data: Data) -> Tensor:
        dag, data = data.dag, copy.copy(data)
        data.edge_index = dag.edge_index
        return self.model(data)
