"""Triton kernels of the fused engine: one program walks through the edges of one (graph, head, tile of value channels).

The state of the edge before stays in registers. States that another edge reads later go through ``scratch``, global
memory that only this program touches: a barrier after every edge makes what one warp wrote visible to the others.
Nodes are added to by one program only, edge after edge, so no atomics are needed and sums have one order.

Shapes, all contiguous: nodes ``[N, H, K]`` and ``[N, H, V]``, gates ``[E, H]`` and ``[L, H]``, scratch
``[edges of the launch, H, K, V]``. ``write_node`` and ``read_node`` are tail and head of every edge, or head and tail
in reverse. Predecessors and successors are lists by edge: a pointer ``[E + 1]``, edges ``[L]`` and line edges ``[L]``.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _block(scratch, e, first_edge, h, rows, cols, H: tl.constexpr, K: tl.constexpr, V: tl.constexpr):
    return scratch + ((e - first_edge) * H + h) * (K * V) + rows[:, None] * V + cols[None, :]


@triton.jit
def _new_state(
    key, value, source, transition, write_node, pred_ptr, pred, pred_line, scratch, first_edge,
    e, previous, state, h, rows, cols, inside, H: tl.constexpr, K: tl.constexpr, V: tl.constexpr,
):  # fmt: skip
    """Equation (5); ``state`` is that of edge ``previous``."""
    n = tl.load(write_node + e)
    k = tl.load(key + (n * H + h) * K + rows, mask=rows < K, other=0)
    v = tl.load(value + (n * H + h) * V + cols, mask=cols < V, other=0)
    fresh = (tl.load(source + e * H + h) * k)[:, None] * v[None, :]
    for i in range(tl.load(pred_ptr + e), tl.load(pred_ptr + e + 1)):
        b = tl.load(pred + i)
        weight = tl.load(transition + tl.load(pred_line + i) * H + h)
        if b == previous:
            fresh += weight * state
        else:
            fresh += weight * tl.load(_block(scratch, b, first_edge, h, rows, cols, H, K, V), mask=inside, other=0)
    return fresh


@triton.jit(do_not_specialize=["first_graph", "first_edge"])
def forward(
    query, key, value, source, transition, mark, write_node, read_node, pred_ptr, pred, pred_line, leaps, edge_ptr,
    scratch, out, first_graph, first_edge,
    H: tl.constexpr, K: tl.constexpr, V: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_V: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    """Add ``M_e q^T C_e`` of every edge to ``out``, which holds zeros.

    ``leaps [E]`` counts the edges that read a state and are not next in order: only for these it goes to memory.
    """
    g = tl.program_id(0).to(tl.int64) + first_graph
    h = tl.program_id(1).to(tl.int64)
    rows = tl.arange(0, BLOCK_K).to(tl.int64)
    cols = tl.program_id(2).to(tl.int64) * BLOCK_V + tl.arange(0, BLOCK_V)
    inside = (rows < K)[:, None] & (cols < V)[None, :]
    first, last = tl.load(edge_ptr + g), tl.load(edge_ptr + g + 1)
    state = tl.zeros((BLOCK_K, BLOCK_V), dtype=scratch.dtype.element_ty)
    previous = first * 0 - 1
    for p in range(first, last):
        e = p
        if REVERSE:
            e = first + last - 1 - p
        state = _new_state(
            key, value, source, transition, write_node, pred_ptr, pred, pred_line, scratch, first_edge,
            e, previous, state, h, rows, cols, inside, H, K, V,
        )  # fmt: skip
        previous = e
        n = tl.load(read_node + e)
        q = tl.load(query + (n * H + h) * K + rows, mask=rows < K, other=0)
        heard = out + (n * H + h) * V + cols
        read = tl.load(mark + e * H + h) * tl.sum(q[:, None] * state, axis=0)
        tl.store(heard, tl.load(heard, mask=cols < V, other=0) + read, mask=cols < V)
        if tl.load(leaps + e) > 0:
            tl.store(_block(scratch, e, first_edge, h, rows, cols, H, K, V), state, mask=inside)
        tl.debug_barrier()


@triton.jit(do_not_specialize=["first_graph", "first_edge", "num_nodes", "num_edges", "num_lines"])
def backward(
    query, key, value, source, transition, mark, write_node, read_node,
    pred_ptr, pred, pred_line, succ_ptr, succ, succ_line, leaps, edge_ptr,
    scratch, grad_out, grad_query, grad_key, grad_value, grad_source, grad_transition, grad_mark,
    first_graph, first_edge, num_nodes, num_edges, num_lines,
    H: tl.constexpr, K: tl.constexpr, V: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_V: tl.constexpr, REVERSE: tl.constexpr,
):  # fmt: skip
    """Add gradients by tile of value channels: ``grad_query, grad_key [tiles, N, H, K]``, ``grad_value [N, H, V]``,
    ``grad_source, grad_mark [tiles, E, H]``, ``grad_transition [tiles, L, H]``; all hold zeros.

    The states are computed again and all kept in scratch. On the way back the gradient of an edge's state takes the
    place of the state; ``leaps [E]`` counts edges before that are not next on the way back.
    """
    g = tl.program_id(0).to(tl.int64) + first_graph
    h = tl.program_id(1).to(tl.int64)
    tile = tl.program_id(2).to(tl.int64)
    rows = tl.arange(0, BLOCK_K).to(tl.int64)
    cols = tile * BLOCK_V + tl.arange(0, BLOCK_V)
    inside = (rows < K)[:, None] & (cols < V)[None, :]
    first, last = tl.load(edge_ptr + g), tl.load(edge_ptr + g + 1)
    state = tl.zeros((BLOCK_K, BLOCK_V), dtype=scratch.dtype.element_ty)
    previous = first * 0 - 1
    for p in range(first, last):
        e = p
        if REVERSE:
            e = first + last - 1 - p
        state = _new_state(
            key, value, source, transition, write_node, pred_ptr, pred, pred_line, scratch, first_edge,
            e, previous, state, h, rows, cols, inside, H, K, V,
        )  # fmt: skip
        previous = e
        tl.store(_block(scratch, e, first_edge, h, rows, cols, H, K, V), state, mask=inside)
        tl.debug_barrier()

    later = tl.zeros((BLOCK_K, BLOCK_V), dtype=scratch.dtype.element_ty)
    previous = first * 0 - 1
    for p in range(first, last):
        e = first + last - 1 - p
        if REVERSE:
            e = p
        n = tl.load(read_node + e)
        q = tl.load(query + (n * H + h) * K + rows, mask=rows < K, other=0)
        d = tl.load(grad_out + (n * H + h) * V + cols, mask=cols < V, other=0)
        gate = tl.load(mark + e * H + h)
        here = _block(scratch, e, first_edge, h, rows, cols, H, K, V)
        state = tl.load(here, mask=inside, other=0)
        heard = tl.sum(state * d[None, :], axis=1)
        tl.store(grad_mark + (tile * num_edges + e) * H + h, tl.sum(q * heard, axis=0))
        at = grad_query + ((tile * num_nodes + n) * H + h) * K + rows
        tl.store(at, tl.load(at, mask=rows < K, other=0) + gate * heard, mask=rows < K)

        grad = (gate * q)[:, None] * d[None, :]
        for i in range(tl.load(succ_ptr + e), tl.load(succ_ptr + e + 1)):
            a = tl.load(succ + i)
            line = tl.load(succ_line + i)
            follower = later
            if a != previous:
                follower = tl.load(_block(scratch, a, first_edge, h, rows, cols, H, K, V), mask=inside, other=0)
            grad += tl.load(transition + line * H + h) * follower
            product = tl.sum(tl.sum(state * follower, axis=1), axis=0)
            tl.store(grad_transition + (tile * num_lines + line) * H + h, product)
        later = grad
        previous = e

        n = tl.load(write_node + e)
        k = tl.load(key + (n * H + h) * K + rows, mask=rows < K, other=0)
        v = tl.load(value + (n * H + h) * V + cols, mask=cols < V, other=0)
        gate = tl.load(source + e * H + h)
        heard = tl.sum(grad * v[None, :], axis=1)
        tl.store(grad_source + (tile * num_edges + e) * H + h, tl.sum(k * heard, axis=0))
        at = grad_key + ((tile * num_nodes + n) * H + h) * K + rows
        tl.store(at, tl.load(at, mask=rows < K, other=0) + gate * heard, mask=rows < K)
        at = grad_value + (n * H + h) * V + cols
        written = gate * tl.sum(grad * k[:, None], axis=0)
        tl.store(at, tl.load(at, mask=cols < V, other=0) + written, mask=cols < V)
        tl.debug_barrier()  # all warps have read the state that the gradient replaces
        if tl.load(leaps + e) > 0:
            tl.store(here, grad, mask=inside)
            tl.debug_barrier()
