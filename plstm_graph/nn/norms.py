"""Norms of node features by name."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch_geometric.nn import BatchNorm

from plstm_graph.nn.checks import one_of

NORMS = {
    "layer": nn.LayerNorm,
    "rms": nn.RMSNorm,
    "batch": partial(BatchNorm, allow_single_element=True),  # a batch may be a single atom
    "none": lambda channels: nn.Identity(),
}


def make_norm(name: str, channels: int) -> nn.Module:
    """A norm over channels (``"layer"``, ``"rms"``), over the nodes of a batch (``"batch"``), or ``"none"``.

    Args:
        name: one of :data:`NORMS`.
        channels: width of what is normalised.

    Raises:
        ConfigError: another name.
    """
    one_of("block_norm", name, NORMS)
    return NORMS[name](channels)
