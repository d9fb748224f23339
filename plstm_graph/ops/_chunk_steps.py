"""One step of the chunkwise engine and its adjoint, as batched dense algebra on ``B`` chunks of ``c`` edges.

Per head, with ``A = (I - T)^-1`` inside a chunk, ``X`` the transitions from the ``b`` entries, ``C_b`` their states,
and ``q_e, k_e`` holding mark and source gate already:

    read_e  = sum_e' A_ee' (q_e · k_e') v_e'  +  sum_b (A X)_eb q_e^T C_b
    C_o     = sum_e' A_oe' k_e' v_e'^T        +  sum_b (A X)_ob C_b          for the ``o`` exits

The backward pass computes A again; the gradient of a state on its way back plays the part that the state plays forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from plstm_graph.ops._chunk_plan import Step


@dataclass(frozen=True)
class Operands:
    """Inputs in the padded order of a plan, heads first; zeros where padded."""

    query: Tensor  # [H, P, K] mark * query of the node that reads
    key: Tensor  # [H, P, K] source * key of the node that writes
    value: Tensor  # [H, P, V]
    transition: Tensor  # [H, L]

    def of(self, step: Step) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value ``[H, B, c, ...]`` of one step."""
        return view(self.query, step), view(self.key, step), view(self.value, step)


def view(padded: Tensor, step: Step) -> Tensor:
    """The part ``[H, B, c, D]`` of ``[H, P, D]`` that belongs to a step."""
    return padded.narrow(1, step.first, step.batch * step.size).unflatten(1, (step.batch, step.size))


def run_step(step: Step, operands: Operands, states: Tensor, read: Tensor) -> None:
    """Write what every edge reads into ``read [H, P, V]``, and the states of the exits as :func:`pass_states` does."""
    query, key, value = operands.of(step)
    solved = _solve(step, operands.transition)
    heard = (query @ key.mT * solved) @ value
    if step.entries:
        reach = solved @ _cross(step, operands.transition)
        heard += _read(reach, _rows(states, step.entry_row, step), query)
    view(read, step).copy_(heard)
    if step.exits:
        _leave(step, operands, states, _select(step, solved) @ solved)


def pass_states(step: Step, operands: Operands, states: Tensor) -> None:
    """Write the states of the exits into ``states [H, rows, K * V]``."""
    if step.exits:
        _leave(step, operands, states, _solve(step, operands.transition, _select(step, operands.key)))


def _leave(step: Step, operands: Operands, states: Tensor, weight: Tensor) -> None:
    _, key, value = operands.of(step)
    leaving = _outer_sum(weight, key, value)
    if step.entries:
        leaving += weight @ _cross(step, operands.transition) @ _rows(states, step.entry_row, step)
    states.index_copy_(1, step.exit_row, leaving.flatten(1, 2))


def run_step_back(
    step: Step, operands: Operands, states: Tensor, grad_states: Tensor, grad_read: Tensor, grads: Operands
) -> None:
    """Adjoint of :func:`run_step`: adds to ``grad_states`` of the entries, writes the step's part of ``grads``."""
    query, key, value = operands.of(step)
    grad = view(grad_read, step)
    solved = _solve(step, operands.transition)
    score, heard = query @ key.mT, grad @ value.mT
    grad_solved = score * heard
    weight = solved * heard
    grad_query, grad_key = weight @ key, weight.mT @ query
    grad_value = (solved * score).mT @ grad
    if step.exits:
        select = _select(step, solved)
        grad_leaving = _rows(grad_states, step.exit_row, step)
        weight = (select @ solved).mT
        from_key, from_weight = _read_back(weight, grad_leaving, key, value)
        grad_key += from_key
        grad_value += _read(weight, grad_leaving, key)
        grad_solved += select.mT @ from_weight.mT
    if step.entries:
        entering = _rows(states, step.entry_row, step)
        cross = _cross(step, operands.transition)
        reach = solved @ cross
        from_query, grad_reach = _read_back(reach, entering, query, grad)
        grad_query += from_query
        grad_entering = _outer_sum(reach.mT, query, grad)
        if step.exits:
            grad_reach += select.mT @ (grad_leaving @ entering.mT)
            grad_entering += (select @ reach).mT @ grad_leaving
        add_rows(grad_states, step.entry_row, grad_entering.flatten(1, 2))
        grad_solved += grad_reach @ cross.mT
        _take(grads.transition, step.outer_line, solved.mT @ grad_reach, step.outer_at)
    if step.inner_line.numel():
        _take(grads.transition, step.inner_line, solved.mT @ grad_solved @ solved.mT, step.inner_at)
    for mine, found in zip(grads.of(step), (grad_query, grad_key, grad_value), strict=True):
        mine.copy_(found)


def add_rows(target: Tensor, rows: Tensor, values: Tensor) -> None:
    """``target[:, rows] += values`` with repeated rows summed, in an order that never changes."""
    if target.device.type == "cpu":
        target.index_add_(1, rows, values)
    else:  # index_add_ on a GPU adds in any order; this sorts the rows first
        target.transpose(0, 1).index_put_((rows,), values.transpose(0, 1), accumulate=True)


def _solve(step: Step, transition: Tensor, rows: Tensor | None = None) -> Tensor:
    """``(I - T)^-1 [H, B, c, c]`` within every chunk, or only the product ``rows [B, o, c]`` times it."""
    eye = torch.eye(step.size, dtype=transition.dtype, device=transition.device)
    if not step.inner_line.numel():
        return (eye if rows is None else rows).expand(transition.size(0), step.batch, -1, -1)
    chain = _dense(transition, step.inner_line, step.inner_at, step, step.size).neg_()
    if rows is None:
        return torch.linalg.solve_triangular(chain, eye.expand_as(chain), upper=False, unitriangular=True)
    rows = rows.expand(transition.size(0), -1, -1, -1)
    return torch.linalg.solve_triangular(chain, rows, upper=False, unitriangular=True, left=False)


def _cross(step: Step, transition: Tensor) -> Tensor:
    """Transitions ``[H, B, c, b]`` from the entries."""
    return _dense(transition, step.outer_line, step.outer_at, step, step.entries)


def _dense(transition: Tensor, lines: Tensor, at: Tensor, step: Step, width: int) -> Tensor:
    dense = transition.new_zeros(transition.size(0), step.batch * step.size * width)
    dense.index_copy_(1, at, transition.index_select(1, lines))
    return dense.view(-1, step.batch, step.size, width)


def _take(target: Tensor, lines: Tensor, dense: Tensor, at: Tensor) -> None:
    target.index_copy_(1, lines, dense.flatten(1).index_select(1, at))


def _select(step: Step, like: Tensor) -> Tensor:
    """``[B, o, c]``, one where an edge of the chunk is an exit."""
    select = like.new_zeros(step.batch, step.exits, step.size)
    return select.scatter_(-1, step.exit_at.unsqueeze(-1), 1)


def _rows(states: Tensor, rows: Tensor, step: Step) -> Tensor:
    return states.index_select(1, rows).unflatten(1, (step.batch, -1))


def _outer_sum(weight: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """``sum_c weight_oc left_c right_c^T`` as ``[..., o, K * V]``, by the smaller of two intermediates."""
    if weight.size(-2) <= right.size(-1):
        mixed = weight.unsqueeze(-2) * left.mT.unsqueeze(-3)  # [..., o, K, c]
        return (mixed.flatten(-3, -2) @ right).unflatten(-2, mixed.shape[-3:-1]).flatten(-2)
    pairs = (left.unsqueeze(-1) * right.unsqueeze(-2)).flatten(-2)  # [..., c, K * V]
    return weight @ pairs


def _read(weight: Tensor, states: Tensor, query: Tensor) -> Tensor:
    """``sum_b weight_cb query_c^T states_b`` as ``[..., c, V]``."""
    states = states.unflatten(-1, (query.size(-1), -1))
    count, width, depth = states.shape[-3:]
    if count <= width:
        each = query @ states.transpose(-3, -2).flatten(-2)
        return (weight.unsqueeze(-1) * each.unflatten(-1, (count, depth))).sum(-2)
    mixed = (weight @ states.flatten(-2)).unflatten(-1, (width, depth))
    return (query.unsqueeze(-2) @ mixed).squeeze(-2)


def _read_back(weight: Tensor, states: Tensor, query: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`_read` in ``query [..., c, K]`` and ``weight [..., c, b]``, given that of its result."""
    states = states.unflatten(-1, (query.size(-1), -1))
    count, width, depth = states.shape[-3:]
    if count <= width:
        each = (grad @ states.flatten(-3, -2).mT).unflatten(-1, (count, width))  # [..., c, b, K]
        return (weight.unsqueeze(-1) * each).sum(-2), (each * query.unsqueeze(-2)).sum(-1)
    mixed = (weight @ states.flatten(-2)).unflatten(-1, (width, depth))
    pairs = (query.unsqueeze(-1) * grad.unsqueeze(-2)).flatten(-2)
    return (mixed @ grad.unsqueeze(-1)).squeeze(-1), pairs @ states.flatten(-2).mT
