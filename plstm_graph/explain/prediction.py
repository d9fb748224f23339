"""What every atom contributes to the prediction: exactly by blanking it, and to first order by gradient times input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from plstm_graph.errors import ConfigError
from plstm_graph.nn.model import PLSTM

AT_ONCE = 4096
"""Atoms per forward pass when atoms are blanked one by one."""


@dataclass(frozen=True)
class AtomContributions:
    """Contributions of the atoms of one molecule to the outputs of a model.

    Attributes:
        output: ``[T]`` raw outputs.
        blanked: ``[n, T]`` output minus the output with the features of one atom blanked: its encoded features are
            set to zero, bonds and degrees stay. Exact as a difference of two predictions; the column does not add up
            to the output, since the readout is not linear.
        gradient_input: ``[n, T]`` gradient with respect to an atom's encoded features times these features: the same
            quantity to first order.
    """

    output: Tensor
    blanked: Tensor
    gradient_input: Tensor


def atom_contributions(net: PLSTM, data: Data) -> AtomContributions:
    """Contribution of every atom (node) of one graph to every output.

    Args:
        net: a graph-level model in evaluation mode.
        data: one graph, as the model takes it (with ``dag``).

    Raises:
        ConfigError: the model does not predict for graphs, or is in training mode.
    """
    if not isinstance(net, PLSTM) or net.level != "graph":
        raise ConfigError("contributions of atoms need a PLSTM model with level='graph'")
    if net.training:
        raise ConfigError("the model is in training mode, where predictions are random: call .eval() first")
    output, first_order = _gradient_input(net, data)
    return AtomContributions(output, output - _blanked_outputs(net, data), first_order)


def _gradient_input(net: PLSTM, data: Data) -> tuple[Tensor, Tensor]:
    encoded: list[Tensor] = []

    def keep(features: Tensor) -> Tensor:
        encoded.append(features.detach().requires_grad_())
        return encoded[0]

    with torch.enable_grad(), _encoded_nodes(net, keep):
        output = net(data)[0]
        gradients = [torch.autograd.grad(value, encoded[0], retain_graph=True)[0] for value in output]
    return output.detach(), torch.stack([(g * encoded[0].detach()).sum(-1) for g in gradients], dim=-1)


@torch.no_grad()
def _blanked_outputs(net: PLSTM, data: Data) -> Tensor:
    size = data.num_nodes
    results = []
    for atoms in torch.arange(size).split(max(1, AT_ONCE // size)):
        copies = Batch.from_data_list([data] * len(atoms))
        places = torch.arange(len(atoms)) * size + atoms

        def blank(features: Tensor, places: Tensor = places) -> Tensor:
            return features.index_fill(0, places.to(features.device), 0.0)

        with _encoded_nodes(net, blank):
            results.append(net(copies))
    return torch.cat(results)


@contextmanager
def _encoded_nodes(net: PLSTM, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace what the node encoder gives, inside the ``with`` block."""
    handle = net.node_encoder.register_forward_hook(lambda _module, _inputs, encoded: change(encoded))
    try:
        yield
    finally:
        handle.remove()


def hears_otherwise(net: nn.Module) -> list[str]:
    """Ways besides the pLSTM layers in which atoms of this model hear each other, in words."""
    ways = []
    if any(getattr(block, "local", None) is not None for block in getattr(net, "blocks", ())):
        ways.append("a local branch (GINE) beside every pLSTM layer")
    if getattr(net, "virtual_nodes", None) is not None:
        ways.append("a virtual node between blocks")
    return ways
