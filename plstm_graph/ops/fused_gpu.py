"""The fused engine on a GPU: Triton kernels, one program per graph, head and tile of value channels.

Nothing of size E × K × V is kept for the backward pass, which computes the states again. While a kernel runs, its
states need scratch memory: a batch whose states exceed :data:`SCRATCH_BYTES` is launched in several parts. Results
are the same, bit for bit, from run to run. Without a GPU the same kernels run on CPU tensors in Triton's interpreter,
if ``TRITON_INTERPRET=1`` is set before Triton is first imported: slow, for tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from plstm_graph._optional import require
from plstm_graph.errors import EngineError
from plstm_graph.graph.linedag import LineDAG
from plstm_graph.ops.check import refuse_second_derivatives

SCRATCH_BYTES = 2**28
"""Memory for the states of one launch, unless a single graph needs more."""

TILE_ELEMENTS = 4096
"""Elements of a state that one program holds in registers, several times."""


def fused_gpu(
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
    """Evaluate the operator; see :func:`plstm_graph.ops.plstm`. Once differentiable.

    Raises:
        MissingDependencyError: Triton is not installed.
        EngineError: the tensors are on the CPU, outside Triton's interpreter.
    """
    index = (dag.edge_index, dag.line_index, dag.edge_ptr)
    heard = _forward(query, key, value, source, transition, mark, *index, reverse)
    if direct is None:
        return heard
    return heard + (direct * (query * key).sum(-1)).unsqueeze(-1) * value


@torch.library.custom_op("plstm_graph::fused_gpu", mutates_args=())
def _forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    edge_index: Tensor,
    line_index: Tensor,
    edge_ptr: Tensor,
    reverse: bool,
) -> Tensor:
    kernels = _kernels(value.device)
    out = _zeros_like(value)
    before, _, leaps = _links(line_index, edge_index.size(1)).directed(reverse)
    arguments = (
        *_contiguous(query, key, value, source, transition, mark),
        *_contiguous(*(edge_index.flip(0) if reverse else edge_index)), *before, leaps, edge_ptr,
    )  # fmt: skip
    with torch.cuda.device_of(value):
        for part in _parts(query, value, edge_ptr, edge_index.size(1)):
            kernels.forward[part.grid](*arguments, part.scratch, out, *part.first, **part.options, REVERSE=reverse)
    return out


@_forward.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(value, memory_format=torch.contiguous_format)


@torch.library.custom_op("plstm_graph::fused_gpu_backward", mutates_args=())
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
    edge_ptr: Tensor,
    reverse: bool,
) -> list[Tensor]:
    kernels = _kernels(value.device)
    inputs = _contiguous(query, key, value, source, transition, mark)
    tiles = _num_tiles(query, value)
    grads = [t.new_zeros(tiles, *t.shape) for t in inputs]
    grads[2] = _zeros_like(value)
    links = _links(line_index, edge_index.size(1))
    before, after, _ = links.directed(reverse)
    arguments = (
        *inputs, *_contiguous(*(edge_index.flip(0) if reverse else edge_index)), *before, *after,
        links.directed(not reverse)[2], edge_ptr,
    )  # fmt: skip
    counts = (query.size(0), source.size(0), transition.size(0))
    (grad_out,) = _contiguous(grad_out)
    with torch.cuda.device_of(value):
        for part in _parts(query, value, edge_ptr, edge_index.size(1)):
            kernels.backward[part.grid](
                *arguments, part.scratch, grad_out, *grads, *part.first, *counts, **part.options, REVERSE=reverse
            )
    return [grad if i == 2 else grad[0] if tiles == 1 else grad.sum(0) for i, grad in enumerate(grads)]


@_backward.register_fake
def _(grad_out: Tensor, *tensors: Any) -> list[Tensor]:
    return [torch.empty_like(t, memory_format=torch.contiguous_format) for t in tensors[:6]]


def _keep_inputs(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:9])
    ctx.reverse = inputs[9]


def _gradients(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    return (*_backward(grad_out, *ctx.saved_tensors, ctx.reverse), None, None, None, None)


_forward.register_autograd(_gradients, setup_context=_keep_inputs)
_backward.register_autograd(refuse_second_derivatives("fused"))


@dataclass(frozen=True)
class _Links:
    """Line edges as lists by edge: pointer ``[E + 1]``, edges ``[L]``, line edges ``[L]``."""

    into: tuple[Tensor, Tensor, Tensor]
    out_of: tuple[Tensor, Tensor, Tensor]
    leaps_into: Tensor  # [E] line edges into an edge that do not come from its neighbour in the order
    leaps_out_of: Tensor  # [E] line edges out of it that do not lead to its neighbour

    def directed(self, reverse: bool) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], Tensor]:
        """Predecessors, successors, and the leaps out of every edge."""
        if reverse:
            return self.out_of, self.into, self.leaps_into
        return self.into, self.out_of, self.leaps_out_of


_known_links: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def _links(line_index: Tensor, num_edges: int) -> _Links:
    """Links of a line graph, remembered for as long as ``line_index`` lives; made without waiting for the device."""
    if line_index not in _known_links:
        before, after = _contiguous(*line_index)
        leap = (after - before != 1).to(torch.int32)
        counts = [torch.zeros(num_edges, dtype=torch.int32, device=leap.device) for _ in range(2)]
        _known_links[line_index] = _Links(
            _grouped(after, before, num_edges),
            _grouped(before, after, num_edges),
            counts[0].index_add_(0, after, leap),
            counts[1].index_add_(0, before, leap),
        )
    return _known_links[line_index]


def _grouped(group: Tensor, member: Tensor, num_groups: int) -> tuple[Tensor, Tensor, Tensor]:
    group, order = torch.sort(group, stable=True)
    pointer = torch.searchsorted(group, torch.arange(num_groups + 1, device=group.device))
    return pointer, member[order], order


@dataclass(frozen=True)
class _Part:
    """One launch."""

    grid: tuple[int, int, int]
    first: tuple[int, int]  # graph and edge
    scratch: Tensor
    options: dict[str, int]


def _parts(query: Tensor, value: Tensor, edge_ptr: Tensor, num_edges: int) -> Iterator[_Part]:
    """Launches for runs of graphs whose states fit the scratch memory."""
    _, heads, width = query.shape
    depth = value.size(2)
    state_bytes = heads * width * depth * value.element_size()
    if num_edges * state_bytes == 0:
        return
    ends = [0, num_edges]  # of graphs; only read back from the device where one launch is too small
    cuts = [0, edge_ptr.numel() - 1]
    if num_edges * state_bytes > SCRATCH_BYTES:
        ends = edge_ptr.tolist()
        cuts = [0]
        for g in range(1, len(ends)):
            if (ends[g] - ends[cuts[-1]]) * state_bytes > SCRATCH_BYTES and g - 1 > cuts[-1]:
                cuts.append(g - 1)
        cuts.append(len(ends) - 1)
        ends = [ends[g] for g in cuts]
    scratch = value.new_empty(max(b - a for a, b in pairwise(ends)) * heads * width * depth)
    rows, columns = _block_sizes(width, depth)
    options = {
        "H": heads, "K": width, "V": depth, "BLOCK_K": rows, "BLOCK_V": columns,
        "num_warps": max(1, min(8, rows * columns // 1024)),
        "num_stages": 1,  # prefetching a state before it is written would be wrong
    }  # fmt: skip
    for (first, last), first_edge in zip(pairwise(cuts), ends, strict=False):
        yield _Part((last - first, heads, _num_tiles(query, value)), (first, first_edge), scratch, options)


def _block_sizes(width: int, depth: int) -> tuple[int, int]:
    """Rows and columns of the part of a state that a program holds: powers of two."""
    rows = 1 << (max(width, 1) - 1).bit_length()
    columns = 1 << (max(depth, 1) - 1).bit_length()
    return rows, min(columns, 32, max(1, TILE_ELEMENTS // rows))


def _num_tiles(query: Tensor, value: Tensor) -> int:
    return -(-value.size(2) // _block_sizes(query.size(2), value.size(2))[1])


def _zeros_like(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor, memory_format=torch.contiguous_format)


def _contiguous(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.detach().contiguous() for t in tensors)


def _kernels(device: torch.device) -> ModuleType:
    triton = require("triton", "engine='fused' on a GPU")
    from plstm_graph.ops import _triton_kernels

    if device.type == "cpu" and isinstance(_triton_kernels.forward, triton.JITFunction):
        raise EngineError(
            "the Triton kernels need tensors on a GPU, got cpu: plstm(..., engine='fused') takes compiled CPU kernels; "
            "to run these ones in Triton's interpreter, set TRITON_INTERPRET=1 before Triton is imported"
        )
    return _triton_kernels
