"""All models by name, and the options that each takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from plstm_graph.nn.baselines.models import BASELINES, _net
from plstm_graph.nn.baselines.skeleton import GraphNet
from plstm_graph.nn.checks import one_of
from plstm_graph.nn.conv import PLSTMConv
from plstm_graph.nn.model import PLSTM

MODELS: dict[str, Callable[..., nn.Module]] = {"plstm": PLSTM, **BASELINES}
"""Models by name: called as ``(in_channels, out_channels, *, ...)``, with ``forward(data) -> [G, T]``."""

_FIXED_BY_MODEL = {"own_residual", "share_layers"}
_OWN_LAYERS = {
    "gps": {"block_norm", "residual", "last_relu"},
    "lstm": {"block_norm", "residual", "last_relu", "dropout", "virtual_node"},
}


def model_options(name: str) -> dict[str, inspect.Parameter]:
    """Keyword arguments of a model by name, with their defaults.

    Raises:
        ConfigError: there is no such model.
    """
    one_of("model", name, MODELS)
    own = _keyword_only(MODELS[name])
    if name == "plstm":  # passes what it does not know on to its layers
        layer = inspect.signature(PLSTMConv).parameters
        return own | {k: v for k, v in layer.items() if k not in own and k not in ("in_channels", "out_channels")}
    refused = _FIXED_BY_MODEL | _OWN_LAYERS.get(name, set())
    shared = _keyword_only(GraphNet) | _keyword_only(_net)
    return {k: v for k, v in (shared | own).items() if k not in refused}


def build_model(name: str, in_channels: Any, out_channels: int, **options: Any) -> nn.Module:
    """Make a model by name.

    Args:
        name: ``"plstm"``, ``"gcn"``, ``"gin"``, ``"gine"``, ``"gat"``, ``"mpnn"``, ``"gps"``, ``"lstm"`` or
            ``"dagnn"``.
        in_channels: number of node features, or of categories for ``node_encoder="embedding"``.
        out_channels: number of outputs T.
        options: keyword arguments of the model; see :func:`model_options`.

    Raises:
        ConfigError: the model, or one of its options, does not exist; the message names the nearest one.
    """
    allowed = model_options(name)
    for option in options:
        one_of(f"option of {name}", option, allowed)
    return MODELS[name](in_channels, out_channels, **options)


def _keyword_only(function: Callable) -> dict[str, inspect.Parameter]:
    return {k: v for k, v in inspect.signature(function).parameters.items() if v.kind is v.KEYWORD_ONLY}
