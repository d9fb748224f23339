"""Chunk by chunk: dense algebra inside a chunk of edges, K × V states only between chunks; for deep or huge DAGs.

Plain torch on any device. The number of sequential steps is about E / :data:`CHUNK_EDGES` for a path, and less where
a batch of graphs can be walked through side by side (see :mod:`plstm_graph.ops._chunk_plan`). Nothing of size K × V
is kept for the backward pass, which computes the boundary states again, segment by segment. Chunks may hold edges of
several graphs, so a NaN in one graph can show in another one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from plstm_graph.graph.linedag import LineDAG
from plstm_graph.ops._chunk_plan import FIRST_ROW, ZERO_ROW, Plan, Segment, make_plan
from plstm_graph.ops._chunk_steps import Operands, add_rows, pass_states, run_step, run_step_back
from plstm_graph.ops.check import check_scalar, refuse_second_derivatives

CHUNK_EDGES, CHUNK_EDGES_CPU = 128, 64
"""Most edges of a chunk, unless it lies within one level; a CPU would rather take more steps than larger matrices."""


def run(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    dag: LineDAG,
    reverse: bool,
    chunk_edges: int | None = None,
) -> Tensor:
    """Evaluate the operator in chunks of at most ``chunk_edges`` edges; see :func:`plstm_graph.ops.plstm`.

    Raises:
        EngineError: the transitions are matrices.
    """
    check_scalar("chunkwise", transition)
    if chunk_edges is None:
        chunk_edges = CHUNK_EDGES_CPU if value.device.type == "cpu" else CHUNK_EDGES
    return _forward(query, key, value, source, transition, mark, dag.edge_index, dag.line_index, reverse, chunk_edges)


@torch.library.custom_op("plstm_graph::chunkwise", mutates_args=())
def _forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    edge_index: Tensor,
    line_index: Tensor,
    reverse: bool,
    chunk_edges: int,
) -> Tensor:
    if source.numel() == 0 or query.numel() == 0 or value.numel() == 0:
        return torch.zeros_like(value, memory_format=torch.contiguous_format)
    tail, head = edge_index.flip(0) if reverse else edge_index
    plan = _plan(line_index, query, value, reverse, chunk_edges, edge_index.size(1))
    operands = _operands(plan, query, key, value, source, transition, mark, tail, head)
    read = torch.empty_like(operands.value)
    states = None
    for segment in plan.segments:
        states = _enter(segment, states, operands)
        for step in segment.steps:
            run_step(step, operands, states, read)
    return _sum_at(head, read.index_select(1, plan.place), value)


@_forward.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(value, memory_format=torch.contiguous_format)


@torch.library.custom_op("plstm_graph::chunkwise_backward", mutates_args=())
def _backward(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    edge_index: Tensor,
    line_index: Tensor,
    reverse: bool,
    chunk_edges: int,
) -> list[Tensor]:
    inputs = (query, key, value, source, transition, mark)
    if source.numel() == 0 or query.numel() == 0 or value.numel() == 0:
        return [torch.zeros_like(t, memory_format=torch.contiguous_format) for t in inputs]
    tail, head = edge_index.flip(0) if reverse else edge_index
    plan = _plan(line_index, query, value, reverse, chunk_edges, edge_index.size(1))
    operands = _operands(plan, *inputs, tail, head)
    grads = Operands(
        *(torch.empty_like(t) for t in (operands.query, operands.key, operands.value, operands.transition))
    )
    _walk_back(plan, operands, _to_plan(plan, grad_out.index_select(0, head)), grads)
    grad_read, grad_written, grad_value = (g.index_select(1, plan.place) for g in (grads.query, grads.key, grads.value))
    grad_mark = query.index_select(0, head).mul_(grad_read.transpose(0, 1)).sum(-1)
    grad_source = key.index_select(0, tail).mul_(grad_written.transpose(0, 1)).sum(-1)
    return [
        _sum_at(head, grad_read.mul_(mark.T.unsqueeze(-1)), query),
        _sum_at(tail, grad_written.mul_(source.T.unsqueeze(-1)), key),
        _sum_at(tail, grad_value, value),
        grad_source,
        grads.transition.T.contiguous(),
        grad_mark,
    ]


@_backward.register_fake
def _(grad_out: Tensor, *tensors: Any) -> list[Tensor]:
    return [torch.empty_like(t, memory_format=torch.contiguous_format) for t in tensors[:6]]


def _keep_inputs(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:8])
    ctx.options = inputs[8:]


def _gradients(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    return (*_backward(grad_out, *ctx.saved_tensors, *ctx.options), None, None, None, None)


_forward.register_autograd(_gradients, setup_context=_keep_inputs)
_backward.register_autograd(refuse_second_derivatives("chunkwise"))


def _walk_back(plan: Plan, operands: Operands, grad_read: Tensor, grads: Operands) -> None:
    """Fill ``grads``: once forward for the states at the segments' borders, then segment by segment back."""
    borders = [operands.key.new_empty(operands.key.size(0), 0, 1)]
    states = None
    for segment, following in zip(plan.segments, plan.segments[1:], strict=False):
        states = _enter(segment, states, operands)
        for step in segment.steps:
            pass_states(step, operands, states)
        borders.append(states.index_select(1, following.carried))
    grad_later, carried = None, None
    for segment, border in zip(reversed(plan.segments), reversed(borders), strict=True):
        states = _buffer(segment, operands)
        states[:, _carried_rows(segment.carried)] = border
        for step in segment.steps:
            pass_states(step, operands, states)
        grad_states = torch.zeros_like(states)
        if grad_later is not None:
            grad_states[:, carried] = grad_later[:, _carried_rows(carried)]
        for step in reversed(segment.steps):
            run_step_back(step, operands, states, grad_states, grad_read, grads)
        grad_later, carried = grad_states, segment.carried


def _enter(segment: Segment, before: Tensor | None, operands: Operands) -> Tensor:
    """State buffer of a segment, with what is carried over from the one ``before``."""
    states = _buffer(segment, operands)
    if before is not None:
        states[:, _carried_rows(segment.carried)] = before.index_select(1, segment.carried)
    return states


def _carried_rows(carried: Tensor) -> slice:
    return slice(FIRST_ROW, FIRST_ROW + carried.numel())


def _buffer(segment: Segment, operands: Operands) -> Tensor:
    heads, _, width = operands.key.shape
    states = operands.key.new_empty(heads, segment.rows, width * operands.value.size(-1))
    states[:, ZERO_ROW] = 0
    return states


def _plan(line_index: Tensor, query: Tensor, value: Tensor, reverse: bool, chunk_edges: int, num_edges: int) -> Plan:
    return make_plan(line_index, num_edges, reverse, chunk_edges, query.size(1), query.size(2) * value.size(2))


def _operands(
    plan: Plan,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    tail: Tensor,
    head: Tensor,
) -> Operands:
    return Operands(
        query=_to_plan(plan, query.index_select(0, head).mul_(mark.unsqueeze(-1))),
        key=_to_plan(plan, key.index_select(0, tail).mul_(source.unsqueeze(-1))),
        value=_to_plan(plan, value.index_select(0, tail)),
        transition=transition.T.contiguous(),
    )


def _to_plan(plan: Plan, edges: Tensor) -> Tensor:
    """``[E, H, D]`` to ``[H, P, D]``, the padded order of the plan."""
    padded = edges.new_zeros(edges.size(1), plan.length, edges.size(2))
    return padded.index_copy_(1, plan.place, edges.transpose(0, 1))


def _sum_at(node: Tensor, edges: Tensor, like: Tensor) -> Tensor:
    """Sum ``[H, E, D]`` over the edges of every node into ``[N, H, D]``."""
    total = like.new_zeros(like.size(1), like.size(0), like.size(2))
    add_rows(total, node, edges)
    return total.transpose(0, 1).contiguous()
