"""Listen in on the pLSTM layers of a model: what went into the operator and what came out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from plstm_graph.graph.linedag import LineDAG
from plstm_graph.nn.conv import PLSTMConv
from plstm_graph.nn.gates import Gates


@dataclass(frozen=True)
class OperatorCall:
    """One call of the operator: one layer, one direction.

    Attributes:
        layer: number of the layer, from 0, in the order in which the model runs them.
        mode: ``"P"`` or ``"D"``.
        reverse: ran on the reversed DAG.
        dag: the line DAG, in D-mode the pruned one.
        query, key: ``[N, H, K]``, queries scaled.
        value: ``[N, H, V]``.
        gates: the gate values.
        output: ``[N, H, V]``, what the operator gave, before normalisation.
    """

    layer: int
    mode: str
    reverse: bool
    dag: LineDAG
    query: Tensor
    key: Tensor
    value: Tensor
    gates: Gates
    output: Tensor


@contextmanager
def recorded(model: nn.Module) -> Iterator[list[OperatorCall]]:
    """Collect every operator call that ``model`` makes inside the ``with`` block; the model is left as it was."""
    calls: list[OperatorCall] = []
    layers = [module for module in model.modules() if isinstance(module, PLSTMConv)]
    for number, conv in enumerate(layers):
        conv.message_and_aggregate = _listener(conv, number, calls)
    try:
        yield calls
    finally:
        for conv in layers:
            del conv.message_and_aggregate  # the class's own method shows again


def _listener(conv: PLSTMConv, number: int, calls: list[OperatorCall]):
    def listen(dag: LineDAG, query: Tensor, key: Tensor, value: Tensor, gates: Gates, reverse: bool) -> Tensor:
        output = type(conv).message_and_aggregate(conv, dag, query, key, value, gates, reverse)
        calls.append(OperatorCall(number, conv.mode, reverse, dag, query, key, value, gates, output))
        return output

    return listen
