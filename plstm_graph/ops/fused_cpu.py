"""The fused engine on the CPU: compiled kernels, on as many threads as torch uses.

Small graphs go through :mod:`plstm_graph.ops._fused_small` (weights instead of states), large ones through
:mod:`plstm_graph.ops._fused_large` (states, kept only while they are needed). Both compute what they need again in
the backward pass. :mod:`plstm_graph.ops._fused_jobs` cuts a call into jobs for them; here are the ways into autograd.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from plstm_graph.graph.linedag import LineDAG
from plstm_graph.ops._fused_jobs import Graphs, differentiate, evaluate
from plstm_graph.ops.check import refuse_second_derivatives


def fused_cpu(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    dag: LineDAG,
    reverse: bool,
    direct: Tensor | None,
) -> Tensor:
    """Evaluate the operator; see :func:`plstm_graph.ops.plstm`. Once differentiable."""
    direct = value.new_empty(0, value.size(1)) if direct is None else direct
    tensors = (query, key, value, source, transition, mark, direct)
    index = (dag.edge_index, dag.line_index, dag.node_ptr, dag.edge_ptr)
    if dag.traced:  # one operator in the graph
        return _forward(*tensors, *index, reverse)
    # in eager mode a function does the same with less overhead, and keeps what it knows of the graphs
    graphs = dag.cached(f"fused_graphs_{reverse}", lambda: Graphs(*index, reverse))
    return _FusedCPU.apply(*tensors, graphs)


class _FusedCPU(torch.autograd.Function):  # named in profiles
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        ctx.save_for_backward(*inputs[:7])
        ctx.graphs = inputs[7]
        return evaluate(inputs[:7], inputs[7])

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        return (*_FusedCPUGradients.apply(grad_out, *ctx.saved_tensors, ctx.graphs), None)


class _FusedCPUGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        return tuple(differentiate(inputs[0], inputs[1:8], inputs[8]))

    backward = staticmethod(refuse_second_derivatives("fused"))


@torch.library.custom_op("plstm_graph::fused_cpu", mutates_args=(), device_types="cpu")
def _forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    direct: Tensor,
    edge_index: Tensor,
    line_index: Tensor,
    node_ptr: Tensor,
    edge_ptr: Tensor,
    reverse: bool,
) -> Tensor:
    graphs = Graphs(edge_index, line_index, node_ptr, edge_ptr, reverse)
    return evaluate((query, key, value, source, transition, mark, direct), graphs)


@_forward.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(value, memory_format=torch.contiguous_format)


@torch.library.custom_op("plstm_graph::fused_cpu_backward", mutates_args=(), device_types="cpu")
def _backward(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    direct: Tensor,
    edge_index: Tensor,
    line_index: Tensor,
    node_ptr: Tensor,
    edge_ptr: Tensor,
    reverse: bool,
) -> list[Tensor]:
    graphs = Graphs(edge_index, line_index, node_ptr, edge_ptr, reverse)
    return differentiate(grad_out, (query, key, value, source, transition, mark, direct), graphs)


@_backward.register_fake
def _(grad_out: Tensor, *tensors: Any) -> list[Tensor]:
    return [torch.empty_like(t, memory_format=torch.contiguous_format) for t in tensors[:7]]


def _keep_inputs(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:11])
    ctx.reverse = inputs[11]


def _gradients(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    return (*_backward(grad_out, *ctx.saved_tensors, ctx.reverse), None, None, None, None, None)


_forward.register_autograd(_gradients, setup_context=_keep_inputs)
_backward.register_autograd(refuse_second_derivatives("fused"))
