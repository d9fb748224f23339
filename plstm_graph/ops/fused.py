"""One pass per graph and head, on the device of the inputs; states are recomputed in the backward pass."""

from __future__ import annotations

from torch import Tensor

from plstm_graph.errors import EngineError
from plstm_graph.graph.linedag import LineDAG
from plstm_graph.ops.check import check_scalar


def run(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    dag: LineDAG,
    reverse: bool,
    direct: Tensor | None = None,
) -> Tensor:
    """Evaluate the operator by the fused kernel of the device; see :func:`plstm_graph.ops.plstm`.

    Raises:
        EngineError: there is no fused kernel for the device, or for matrix-valued transitions.
    """
    check_scalar("fused", transition)
    tensors = (query, key, value, source, transition, mark)
    if value.device.type == "cpu":
        from plstm_graph.ops.fused_cpu import fused_cpu

        return fused_cpu(*tensors, dag, reverse, direct)
    if value.device.type == "cuda":
        from plstm_graph.ops.fused_gpu import fused_gpu

        return fused_gpu(*tensors, dag, reverse, direct)
    raise EngineError(f"engine='fused' has no kernel for {value.device}: use 'wavefront', which runs everywhere")
