"""Source, Transition, Mark and Direct gates of one direction, from node and edge features."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from plstm_graph.graph.linedag import LineDAG
from plstm_graph.nn.compiled import as_array, differentiable_gradients, edge_array, has_kernel, index_arrays
from plstm_graph.nn.state_tracking import MatrixTransition


class Gates(NamedTuple):
    """Gate values: source and mark ``[E, H]``, transition ``[L, H]``, direct ``[N, H]``.

    With matrix-valued transitions source and mark are ``[E, H, J]``, transition is ``[L, H, J, J]``.
    """

    source: Tensor
    transition: Tensor
    mark: Tensor
    direct: Tensor


class GateMaps(nn.Module):
    """Linear maps to the four gates, split by where their inputs live, gathered and added.

    A gate of an edge hears one node and the edge; a transition hears the node that its two edges share, and both
    edges. No ``[L, 3 d]`` tensor is built.

    Args:
        in_channels: node feature width.
        heads: number of heads H.
        edge_dim: edge feature width, or ``None``.
        mode: ``"P"`` or ``"D"``.
        norm: for P-mode, ``"l1"`` bounds the sums over outgoing line edges by one (equation 9), ``"linf"`` those over
            incoming ones.
        source_bias, mark_bias, direct_bias, transition_bias: values of the gate biases at the start.
        transition_scale: factor in front of the transition's tanh.
        gate_std: standard deviation of the gate weights at the start.
        matrix: makes matrix-valued transitions of J states; ``None`` for numbers.
        grid_axes: P-mode on regular grids of this many axes: what enters a cell is sent on along each axis in
            proportions that add up to one; ``None`` gives every line edge a transition of its own.
    """

    def __init__(
        self,
        in_channels: int,
        heads: int,
        edge_dim: int | None,
        mode: str,
        norm: str,
        source_bias: float,
        mark_bias: float,
        direct_bias: float,
        transition_bias: float,
        transition_scale: float,
        gate_std: float,
        matrix: MatrixTransition | None = None,
        grid_axes: int | None = None,
    ) -> None:
        super().__init__()
        self.heads, self.mode, self.norm, self.matrix = heads, mode, norm, matrix
        self.grid_axes = grid_axes if mode == "P" else None
        self.transition_scale, self.gate_std = transition_scale, gate_std
        self.biases = (source_bias, mark_bias, transition_bias, direct_bias)
        states, width = (matrix.states, matrix.width) if matrix else (1, self.grid_axes or 1)
        self.node_widths = (heads * states, heads * states, heads * width, heads)
        by_edge = 0 if self.grid_axes else heads * width
        self.edge_widths = (heads * states, heads * states, by_edge, by_edge)
        self.node = nn.Linear(in_channels, sum(self.node_widths))
        self.edge = nn.Linear(edge_dim, sum(self.edge_widths), bias=False) if edge_dim else None
        self.reset_parameters()

    @property
    def bounds(self) -> tuple[bool, bool, float]:
        """Whether sums of transitions are bounded, whether over what comes in, and the scale inside the tanh."""
        return self.mode == "P", self.norm == "linf", float(self.transition_scale)

    def reset_parameters(self) -> None:
        """Small normal weights, and the biases given at construction."""
        nn.init.normal_(self.node.weight, std=self.gate_std)
        with torch.no_grad():
            self.node.bias.copy_(torch.tensor(self.biases).repeat_interleave(torch.tensor(self.node_widths)))
            if self.grid_axes is not None:
                self.node.bias.split(self.node_widths)[2].zero_()  # along the diagonal
            if self.matrix is not None:
                start = torch.cat([self.matrix.start() for _ in range(self.heads)])
                self.node.bias.split(self.node_widths)[2].copy_(start)
        if self.edge is not None:
            nn.init.normal_(self.edge.weight, std=self.gate_std)

    def forward(self, x: Tensor, dag: LineDAG, edge: Tensor | None, reverse: bool) -> Gates:
        """Gate values; ``x [N, in_channels]``, ``edge [E, edge_dim]`` in the order of ``dag.edge_index``.

        They are float32 for shorter dtypes, in which three times a third is more than one.
        """
        node, edge = _at_least_float32(self.node(x)), None if edge is None else _at_least_float32(self.edge(edge))
        if self.matrix is None and self.grid_axes is None and has_kernel(node, dag):
            return Gates(*_Compiled.apply(node, edge, self, dag, reverse)[:4])
        return self.from_parts(node, edge, dag, reverse)

    def from_parts(self, node: Tensor, edge: Tensor | None, dag: LineDAG, reverse: bool) -> Gates:
        """Gate values from what nodes and edges add to them, by torch's operations."""
        source, mark, transition, direct = node.split(self.node_widths, dim=-1)
        tail, head = dag.edge_index.flip(0) if reverse else dag.edge_index
        before, after = dag.line_index.flip(0) if reverse else dag.line_index
        # index_select, because the backward pass of x[index] adds up in an order that depends on the threads
        source, mark = source.index_select(0, tail), mark.index_select(0, head)
        if edge is not None:
            edge_source, edge_mark, edge_before, edge_after = edge.split(self.edge_widths, dim=-1)
            source, mark = source + edge_source, mark + edge_mark
        if self.grid_axes is not None:
            passed = _along_axes(transition, self.grid_axes, head[before], dag.edge_axis[after])
            return Gates(source.sigmoid(), passed, mark.sigmoid(), direct.sigmoid())
        passed = transition.index_select(0, head[before])
        if edge is not None:
            passed = passed + edge_before.index_select(0, before) + edge_after.index_select(0, after)
        group = before if self.norm == "l1" else after
        if self.matrix is not None:
            source, mark, passed = (gate.unflatten(-1, (self.heads, -1)) for gate in (source, mark, passed))
            passed = self.matrix(passed, group, dag.num_edges)
        else:
            passed = torch.tanh(self.transition_scale * passed)
            if self.mode == "P":
                passed = _bounded(passed, group, dag.num_edges)
        return Gates(source.sigmoid(), passed, mark.sigmoid(), direct.sigmoid())


class _Compiled(torch.autograd.Function):
    """:meth:`GateMaps.from_parts` in one pass over memory forwards and one backwards, on one thread."""

    @staticmethod
    def forward(
        ctx: Any, node: Tensor, edge: Tensor | None, maps: GateMaps, dag: LineDAG, reverse: bool
    ) -> tuple[Tensor, ...]:
        from plstm_graph.nn._kernels import gates_forward

        sizes = (dag.num_edges, dag.num_line_edges, dag.num_edges, dag.num_nodes)  # of source, transition, mark, direct
        gates = [node.new_empty(size, maps.heads) for size in sizes]
        raw, total = torch.empty_like(gates[1]), torch.zeros_like(gates[0])
        source, transition, mark, direct = gates
        gates_forward(
            as_array(node), edge_array(edge, node), index_arrays(dag, reverse), *maps.bounds,
            *(t.numpy() for t in (source, mark, transition, direct, raw, total)),
        )  # fmt: skip
        ctx.maps, ctx.dag, ctx.reverse = maps, dag, reverse
        ctx.mark_non_differentiable(raw, total)
        ctx.save_for_backward(node, edge, source, mark, direct, raw, total)
        return (*gates, raw, total)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        from plstm_graph.nn._kernels import gates_backward

        node, edge, source, mark, direct, raw, total = ctx.saved_tensors
        if torch.is_grad_enabled():  # derivatives of the derivatives are asked for: torch has them
            gates = ctx.maps.from_parts(node, edge, ctx.dag, ctx.reverse)
            return (*differentiable_gradients(gates, [node, edge], grads[:4]), None, None, None)
        grad_node = torch.zeros_like(node, memory_format=torch.contiguous_format)
        grad_edge = None if edge is None else torch.zeros_like(edge, memory_format=torch.contiguous_format)
        given_source, given_transition, given_mark, given_direct = (as_array(g) for g in grads[:4])
        gates_backward(
            (given_source, given_mark, given_transition, given_direct),
            *(t.numpy() for t in (source, mark, direct, raw, total)),
            index_arrays(ctx.dag, ctx.reverse), *ctx.maps.bounds,
            torch.zeros_like(total).numpy(), grad_node.numpy(), edge_array(grad_edge, node),
        )  # fmt: skip
        return grad_node, grad_edge, None, None, None


def _at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _bounded(transition: Tensor, group: Tensor, num_edges: int) -> Tensor:
    """Scale transitions down where their absolute values add up to more than one over a group of line edges."""
    total = transition.new_zeros(num_edges, transition.size(1)).index_add(0, group, transition.abs())
    return transition / total.clamp(min=1).index_select(0, group)


def _along_axes(angle: Tensor, axes: int, node: Tensor, axis: Tensor) -> Tensor:
    """Share of each line edge ``[L, H]`` in what enters the cell ``node`` and leaves along ``axis``.

    A softmax of the cell's numbers ``angle [N, H * axes]``: for two axes (α, 1 - α) with α a sigmoid (section 4.3).
    """
    share = angle.unflatten(-1, (-1, axes)).softmax(-1)
    return share.transpose(1, 2).flatten(0, 1).index_select(0, node * axes + axis)
