"""Level by level: all edges of a wavefront at once, in plain torch, on any device.

States of shape ``[E, H, K, V]`` (``[E, H, J, K, V]`` for matrix-valued transitions) are kept for the backward pass. The
backward pass is the same solve on the reversed line graph, written in differentiable operations, so second derivatives
work.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from plstm_graph.graph.linedag import LineDAG


def run(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    dag: LineDAG,
    reverse: bool,
) -> Tensor:
    """Evaluate the operator with one step per level; see :func:`plstm_graph.ops.plstm`."""
    tail, head = dag.edge_index.flip(0) if reverse else dag.edge_index
    # index_select, because the backward pass of key[tail] adds up in an order that depends on the threads
    key, value_of_tail, query = key.index_select(0, tail), value.index_select(0, tail), query.index_select(0, head)
    if source.dim() == 3:
        written = source[..., None] * (key[..., None] * value_of_tail[:, :, None]).flatten(2)[:, :, None]
        state = line_solve(transition, written, dag, reverse)
        marked = torch.einsum("ehj,ehjd->ehd", mark, state).unflatten(-1, (key.size(-1), -1))
        read = torch.einsum("ehk,ehkv->ehv", query, marked)
    else:
        written = source[:, :, None, None] * key[..., None] * value_of_tail[:, :, None]
        state = line_solve(transition, written.flatten(2), dag, reverse).view_as(written)
        read = mark[:, :, None] * torch.einsum("ehk,ehkv->ehv", query, state)
    return torch.zeros_like(value).index_add(0, head, read)


def line_solve(transition: Tensor, written: Tensor, dag: LineDAG, reverse: bool = False) -> Tensor:
    """Solve ``(I - T) C = B`` on the line graph.

    Args:
        transition: ``[L, H]`` weights of the line edges, or ``[L, H, J, J]`` matrices.
        written: ``[E, H, D]`` right-hand side B, or ``[E, H, J, D]``.
        dag: the line graph.
        reverse: follow the line edges backwards. This moves the entry (block) of a line edge to the other side of the
            diagonal; a matrix stays as it is, from the state it meets first to the one it leads to.

    Returns:
        As ``written``, twice differentiable in both inputs.
    """
    return _LineSolve.apply(transition, written, dag, reverse)


class _LineSolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, transition: Tensor, written: Tensor, dag: LineDAG, reverse: bool) -> Tensor:
        state = _substitute(transition, written, _schedule(dag, reverse))
        ctx.save_for_backward(transition, state)
        ctx.dag, ctx.reverse = dag, reverse
        return state

    @staticmethod
    def backward(ctx, grad_state: Tensor) -> tuple[Tensor | None, ...]:
        transition, state = ctx.saved_tensors
        matrices = transition.dim() == 4
        # the adjoint of a matrix between two states is its transpose, on the way back
        grad_written = line_solve(transition.mT if matrices else transition, grad_state, ctx.dag, not ctx.reverse)
        before, after = ctx.dag.line_index.flip(0) if ctx.reverse else ctx.dag.line_index
        grad_transition = None
        if ctx.needs_input_grad[0] and matrices:
            grad_transition = grad_written[after] @ state[before].mT
        elif ctx.needs_input_grad[0]:
            grad_transition = (state[before] * grad_written[after]).sum(-1)
        return grad_transition, grad_written, None, None


@dataclass(frozen=True)
class _Schedule:
    """Edges and line edges grouped by wavefront, in the order of evaluation."""

    edges: Tensor  # [E] edge at every place of the level order
    place: Tensor  # [E] place of every edge
    lines: Tensor  # [L] line edges by the wavefront they feed
    before: Tensor  # [L] place of the edge they come from
    after: Tensor  # [L] place, within its wavefront, of the edge they lead to
    edge_ends: list[int]
    line_ends: list[int]


def _substitute(transition: Tensor, written: Tensor, plan: _Schedule) -> Tensor:
    state = written[plan.edges]
    apply = torch.matmul if transition.dim() == 4 else torch.mul
    weight = transition[plan.lines] if transition.dim() == 4 else transition[plan.lines].unsqueeze(-1)
    fronts = zip(pairwise([0, *plan.edge_ends]), pairwise([0, *plan.line_ends]), strict=True)
    for (first, last), (line_first, line_last) in fronts:
        if line_first < line_last:
            lines = slice(line_first, line_last)
            passed = apply(weight[lines], state[plan.before[lines]])
            state[first:last].index_add_(0, plan.after[lines], passed)
    return state[plan.place]


def _schedule(dag: LineDAG, reverse: bool) -> _Schedule:
    """Levels ascending, or descending when reversed: successors of an edge have higher levels, so both are valid."""
    return dag.cached(f"wavefront_schedule_{'reverse' if reverse else 'forward'}", lambda: _make_schedule(dag, reverse))


def _make_schedule(dag: LineDAG, reverse: bool) -> _Schedule:
    num_levels = dag.num_levels
    level = (num_levels - 1 - dag.level) if reverse else dag.level
    before, after = dag.line_index.flip(0) if reverse else dag.line_index
    edges = torch.argsort(level, stable=True)
    place = torch.empty_like(edges)
    place[edges] = torch.arange(edges.numel(), device=edges.device)
    edge_ends = torch.bincount(level, minlength=num_levels).cumsum(0)
    lines = torch.argsort(level[after], stable=True)
    line_ends = torch.bincount(level[after], minlength=num_levels).cumsum(0)
    first = torch.cat([edge_ends.new_zeros(1), edge_ends])
    return _Schedule(
        edges=edges,
        place=place,
        lines=lines,
        before=place[before[lines]],
        after=(place[after] - first[level[after]])[lines],
        edge_ends=edge_ends.tolist(),
        line_ends=line_ends.tolist(),
    )
