"""Compiled kernels of the layers on a CPU: what torch does in many small operations, in one pass over memory."""

from __future__ import annotations

import math

import numpy as np

from plstm_graph._jit import jit


@jit(inline="always")
def _mix(x):
    """Finaliser of MurmurHash3: every bit of the input reaches every bit of the output."""
    x ^= x >> np.uint32(16)
    x = np.uint32(x * np.uint32(0x85EBCA6B))
    x ^= x >> np.uint32(13)
    x = np.uint32(x * np.uint32(0xC2B2AE35))
    x ^= x >> np.uint32(16)
    return x


@jit()
def drop(x, out, low, high, threshold, scale):
    """Dropout of a flat array: element i stays, scaled, if a hash of i and two seeds reaches the threshold."""
    low, high, threshold = np.uint32(low), np.uint32(high), np.uint32(threshold)
    factor = x.dtype.type(scale)
    for i in range(x.size):
        keep = _mix(np.uint32(_mix(np.uint32(i) ^ low) + high)) >= threshold
        out[i] = x[i] * factor if keep else x.dtype.type(0)


@jit(error_model="numpy")
def gates_forward(node, edge, index, bounded, by_after, scale, source, mark, transition, direct, raw, total):
    """Gates from the node part ``[N, 4 H]`` and the edge part ``[E, 4 H]``, or ``[0, 4 H]`` where there is none.

    Columns are source, mark, transition, direct of nodes; source, mark, transition before, transition after of edges.
    ``index`` is tail, head ``[E]`` and before, after ``[L]``. Writes the four gates, the transitions before they are
    bounded, and what these add up to over their groups ``[E, H]``.
    """
    tail, head, before, after = index
    heads, has_edge = direct.shape[1], edge.shape[0] > 0
    for n in range(direct.shape[0]):
        for h in range(heads):
            direct[n, h] = 1 / (1 + math.exp(-node[n, 3 * heads + h]))
    for e in range(tail.size):
        for h in range(heads):
            s, m = node[tail[e], h], node[head[e], heads + h]
            if has_edge:
                s += edge[e, h]
                m += edge[e, heads + h]
            source[e, h] = 1 / (1 + math.exp(-s))
            mark[e, h] = 1 / (1 + math.exp(-m))
    for at in range(before.size):
        b, a = before[at], after[at]
        for h in range(heads):
            t = node[head[b], 2 * heads + h]
            if has_edge:
                t += edge[b, 2 * heads + h] + edge[a, 3 * heads + h]
            t = math.tanh(scale * t)
            raw[at, h] = t
            total[a if by_after else b, h] += abs(t)
    for at in range(before.size):
        group = after[at] if by_after else before[at]
        for h in range(heads):
            transition[at, h] = raw[at, h] / max(total[group, h], 1) if bounded else raw[at, h]


@jit(error_model="numpy")
def gates_backward(
    grads, source, mark, direct, raw, total, index, bounded, by_after, scale, inner, grad_node, grad_edge
):
    """Adds the gradients of :func:`gates_forward` to ``grad_node`` and ``grad_edge``; ``inner [E, H]`` starts at 0."""
    tail, head, before, after = index
    grad_source, grad_mark, grad_transition, grad_direct = grads
    heads, has_edge = direct.shape[1], grad_edge.shape[0] > 0
    for n in range(direct.shape[0]):
        for h in range(heads):
            grad_node[n, 3 * heads + h] = grad_direct[n, h] * direct[n, h] * (1 - direct[n, h])
    for e in range(tail.size):
        for h in range(heads):
            s = grad_source[e, h] * source[e, h] * (1 - source[e, h])
            m = grad_mark[e, h] * mark[e, h] * (1 - mark[e, h])
            grad_node[tail[e], h] += s
            grad_node[head[e], heads + h] += m
            if has_edge:
                grad_edge[e, h] = s
                grad_edge[e, heads + h] = m
    if bounded:
        for at in range(before.size):
            group = after[at] if by_after else before[at]
            for h in range(heads):
                inner[group, h] += grad_transition[at, h] * raw[at, h]
    for at in range(before.size):
        b, a = before[at], after[at]
        group = a if by_after else b
        for h in range(heads):
            t, g = raw[at, h], grad_transition[at, h]
            if bounded and total[group, h] >= 1:
                g = g / total[group, h] - np.sign(t) * inner[group, h] / total[group, h] ** 2
            g *= scale * (1 - t * t)
            grad_node[head[b], 2 * heads + h] += g
            if has_edge:
                grad_edge[b, 2 * heads + h] += g
                grad_edge[a, 3 * heads + h] += g


@jit(error_model="numpy")
def rms_norm_forward(x, eps, out):
    """``x / sqrt(mean(x²) + eps)`` of every row of ``x [R, V]``."""
    for r in range(x.shape[0]):
        total = x.dtype.type(0)
        for v in range(x.shape[1]):
            total += x[r, v] * x[r, v]
        inverse = x.dtype.type(1 / math.sqrt(total / x.shape[1] + eps))
        for v in range(x.shape[1]):
            out[r, v] = x[r, v] * inverse


@jit(error_model="numpy")
def rms_norm_backward(grad, x, eps, out):
    """Gradient of :func:`rms_norm_forward`."""
    for r in range(x.shape[0]):
        total, along = x.dtype.type(0), x.dtype.type(0)
        for v in range(x.shape[1]):
            total += x[r, v] * x[r, v]
            along += grad[r, v] * x[r, v]
        inverse = 1 / math.sqrt(total / x.shape[1] + eps)
        scale, shift = x.dtype.type(inverse), x.dtype.type(along * inverse**3 / x.shape[1])
        for v in range(x.shape[1]):
            out[r, v] = grad[r, v] * scale - x[r, v] * shift


@jit()
def neighbors_forward(x, edge, tail, head, own, out):
    """``own x_n + sum relu(x_m + e_mn)`` over neighbours both ways; ``edge [E, d]``, or ``[0, d]`` for none."""
    own, zero, has_edge = x.dtype.type(own), x.dtype.type(0), edge.shape[0] > 0
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[n, c] = own * x[n, c]
    for e in range(tail.size):
        t, h = tail[e], head[e]
        for c in range(x.shape[1]):
            shift = edge[e, c] if has_edge else zero
            out[h, c] += max(x[t, c] + shift, zero)
            out[t, c] += max(x[h, c] + shift, zero)


@jit()
def neighbors_backward(grad, x, edge, tail, head, own, grad_x, grad_edge):
    """Writes the gradients of :func:`neighbors_forward` by x and edge, and returns that by ``own``."""
    own, zero, has_edge, total = x.dtype.type(own), x.dtype.type(0), edge.shape[0] > 0, 0.0
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            grad_x[n, c] = own * grad[n, c]
            total += grad[n, c] * x[n, c]
    for e in range(tail.size):
        t, h = tail[e], head[e]
        for c in range(x.shape[1]):
            shift = edge[e, c] if has_edge else zero
            ahead = grad[h, c] if x[t, c] + shift > zero else zero
            back = grad[t, c] if x[h, c] + shift > zero else zero
            grad_x[t, c] += ahead
            grad_x[h, c] += back
            if has_edge:
                grad_edge[e, c] = ahead + back
    return total
