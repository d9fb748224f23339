"""Compiled kernels for small graphs: gated linear attention over ancestors, a graph at a time.

Gates come as in :func:`plstm_graph.ops.plstm`; ``direct`` is empty where there is none. For a graph with n nodes and
m edges the weights ``W [m, n]`` say how much of each node's key and value an edge holds;
``G [n, n]``, their marked sum, is the gating matrix. Both stay in cache, so a head costs O(m n + pairs (K + V)) and
nothing of size K × V exists. The backward pass computes W and G again.
"""

from __future__ import annotations

import numpy as np

from plstm_graph._jit import jit

FAST = {"reassoc", "contract", "nsz"}
"""Sums may be vectorised; NaN and infinity keep their meaning."""


@jit()
def processing_order(tail, head, line_from, line_to, node_ptr, edge_ptr, reverse):
    """Arrays by processing position: edges of every graph in order, or backwards if ``reverse``.

    Returns:
        source_node, mark_node, edge ``[E]``; pred_ptr ``[E + 1]`` into pred ``[L]`` (positions of predecessors) and
        pred_line ``[L]`` (their line edges); local ``[N]``, topological number of every node within its graph.
    """
    num_edges, num_lines = tail.size, line_from.size
    source_node = np.empty(num_edges, np.int64)
    mark_node = np.empty(num_edges, np.int64)
    edge = np.empty(num_edges, np.int64)
    place = np.empty(num_edges, np.int64)
    local = np.full(node_ptr[-1], -1, np.int64)
    for g in range(node_ptr.size - 1):
        first, last = edge_ptr[g], edge_ptr[g + 1]
        count = 0
        for p in range(first, last):
            e = first + last - 1 - p if reverse else p
            edge[p], place[e] = e, p
            source_node[p], mark_node[p] = (head[e], tail[e]) if reverse else (tail[e], head[e])
            if local[source_node[p]] < 0:
                local[source_node[p]] = count
                count += 1
        for n in range(node_ptr[g], node_ptr[g + 1]):
            if local[n] < 0:
                local[n] = count
                count += 1
    before, after = (line_to, line_from) if reverse else (line_from, line_to)
    pred_ptr = np.zeros(num_edges + 1, np.int64)
    for line in range(num_lines):
        pred_ptr[place[after[line]] + 1] += 1
    for p in range(num_edges):
        pred_ptr[p + 1] += pred_ptr[p]
    at = pred_ptr[:-1].copy()
    pred = np.empty(num_lines, np.int64)
    pred_line = np.empty(num_lines, np.int64)
    for line in range(num_lines):
        p = place[after[line]]
        pred[at[p]], pred_line[at[p]] = place[before[line]], line
        at[p] += 1
    return source_node, mark_node, edge, pred_ptr, pred, pred_line, local


@jit()
def _ancestors(source_node, mark_node, local, lo, hi, first, last, itself, node, reach, anc_ptr, anc):
    """List the ancestors of every node of one graph (and ``itself``), and its nodes, by topological number."""
    n = hi - lo
    for i in range(lo, hi):
        node[local[i]] = i
    for d in range(n):
        for s in range(d):
            reach[d, s] = 0
    for p in range(first, last):
        s, d = local[source_node[p]], local[mark_node[p]]
        for j in range(s):
            reach[d, j] |= reach[s, j]
        reach[d, s] = 1
    count = 0
    for d in range(n):
        anc_ptr[d] = count
        for s in range(d):
            if reach[d, s]:
                anc[count] = s
                count += 1
        if itself:
            anc[count] = d
            count += 1
    anc_ptr[n] = count


@jit(inline="always")
def _row(number):
    """An index that numba need not check for wrapping round."""
    return np.uint64(number)


@jit()
def _clear(square, size):
    for i in range(size):
        for j in range(size):
            square[i, j] = 0


@jit(fastmath=FAST)
def _weights(
    source, transition, mark, source_node, mark_node, edge, pred_ptr, pred, pred_line, local,
    first, last, h, size, weight, gating,
):  # fmt: skip
    """Fill W and G of one graph and head."""
    _clear(gating, size)
    for p in range(first, last):
        r, e, t, d = _row(p - first), _row(edge[p]), local[source_node[p]], _row(local[mark_node[p]])
        for j in range(t):
            weight[r, j] = 0
        weight[r, t] = source[e, h]
        for i in range(pred_ptr[p], pred_ptr[p + 1]):
            b, gate, wide = _row(pred[i] - first), transition[pred_line[i], h], local[source_node[pred[i]]] + 1
            for j in range(wide):
                weight[r, j] += gate * weight[b, j]
        gate = mark[e, h]
        for j in range(t + 1):
            gating[d, j] += gate * weight[r, j]


@jit(fastmath=FAST)
def _gate_gradients(
    transition, mark, source_node, mark_node, edge, pred_ptr, pred, pred_line, local, first, last, h,
    weight, d_weight, d_gating, grad_source, grad_transition, grad_mark,
):  # fmt: skip
    """From the gradient of G to those of the gates, by the same recurrence backwards."""
    for p in range(first, last):
        r = _row(p - first)
        for j in range(local[source_node[p]] + 1):
            d_weight[r, j] = 0
    for p in range(last - 1, first - 1, -1):
        r, e, t, d = _row(p - first), _row(edge[p]), local[source_node[p]], _row(local[mark_node[p]])
        gate, total = mark[e, h], mark[e, h] * 0
        for j in range(t + 1):
            total += d_gating[d, j] * weight[r, j]
            d_weight[r, j] += gate * d_gating[d, j]
        grad_mark[e, h] = total
        grad_source[e, h] = d_weight[r, t]
        for i in range(pred_ptr[p], pred_ptr[p + 1]):
            b, line, wide = _row(pred[i] - first), _row(pred_line[i]), local[source_node[pred[i]]] + 1
            gate, total = transition[line, h], gate * 0
            for j in range(wide):
                total += d_weight[r, j] * weight[b, j]
                d_weight[b, j] += gate * d_weight[r, j]
            grad_transition[line, h] = total


@jit()
def _set_diagonal(gating, direct, node, size, h):
    if direct.size:
        for d in range(size):
            gating[d, d] = direct[node[d], h]


@jit()
def largest(graphs, node_ptr, edge_ptr):
    """Largest number of nodes and of edges among the given graphs."""
    n, m = 0, 0
    for g in graphs:
        n = max(n, node_ptr[g + 1] - node_ptr[g])
        m = max(m, edge_ptr[g + 1] - edge_ptr[g])
    return n, m


@jit(fastmath=FAST)
def forward(rows, sizes, source, transition, mark, direct, order, graphs, node_ptr, edge_ptr, out):
    """Outputs of the given graphs, added to ``out [N * H * V]``, which holds zeros.

    ``rows`` are flat query, key and value, with the place of node 0 and the distance between nodes for each; ``sizes``
    are H, K and V.
    """
    query, q0, q_step, key, k0, k_step, value, v0, v_step = rows
    source_node, mark_node, edge, pred_ptr, pred, pred_line, local = order
    heads, width, depth = sizes
    n, m = largest(graphs, node_ptr, edge_ptr)
    reach, anc_ptr, anc = np.empty((n, n), np.uint8), np.empty(n + 1, np.int64), np.empty(n * n, np.int64)
    weight, gating = np.empty((heads, m, n), source.dtype), np.empty((heads, n, n), source.dtype)
    node = np.empty(n, np.int64)
    for g in graphs:
        lo, hi, first, last = node_ptr[g], node_ptr[g + 1], edge_ptr[g], edge_ptr[g + 1]
        _ancestors(source_node, mark_node, local, lo, hi, first, last, direct.size > 0, node, reach, anc_ptr, anc)
        for h in range(heads):
            _weights(
                source, transition, mark, source_node, mark_node, edge, pred_ptr, pred, pred_line, local,
                first, last, h, hi - lo, weight[h], gating[h],
            )  # fmt: skip
            _set_diagonal(gating[h], direct, node, hi - lo, h)
        # heads inside: adding twice in a row to the same few numbers would wait for memory
        for d in range(hi - lo):
            for i in range(anc_ptr[d], anc_ptr[d + 1]):
                s = _row(anc[i])
                for h in range(heads):
                    q, k = _row(q0 + node[d] * q_step + h * width), _row(k0 + node[s] * k_step + h * width)
                    v, o = _row(v0 + node[s] * v_step + h * depth), _row((node[d] * heads + h) * depth)
                    score = query[q] * key[k]
                    for j in range(_row(1), _row(width)):
                        score += query[q + j] * key[k + j]
                    score *= gating[h, d, s]
                    for j in range(_row(0), _row(depth)):
                        out[o + j] += score * value[v + j]


@jit(fastmath=FAST)
def backward(rows, sizes, source, transition, mark, direct, order, graphs, node_ptr, edge_ptr, grad_out, grads):
    """Gradients of the given graphs, added to the seven tensors of ``grads``, which hold zeros.

    ``grad_out`` and the gradients of query, key and value are flat ``[N * H * .]``; see :func:`forward`.
    """
    query, q0, q_step, key, k0, k_step, value, v0, v_step = rows
    grad_query, grad_key, grad_value, grad_source, grad_transition, grad_mark, grad_direct = grads
    source_node, mark_node, edge, pred_ptr, pred, pred_line, local = order
    heads, width, depth = sizes
    n, m = largest(graphs, node_ptr, edge_ptr)
    reach, anc_ptr, anc = np.empty((n, n), np.uint8), np.empty(n + 1, np.int64), np.empty(n * n, np.int64)
    weight, gating = np.empty((heads, m, n), source.dtype), np.empty((heads, n, n), source.dtype)
    d_weight, d_gating = np.empty((m, n), source.dtype), np.empty((heads, n, n), source.dtype)
    node = np.empty(n, np.int64)
    for g in graphs:
        lo, hi, first, last = node_ptr[g], node_ptr[g + 1], edge_ptr[g], edge_ptr[g + 1]
        _ancestors(source_node, mark_node, local, lo, hi, first, last, direct.size > 0, node, reach, anc_ptr, anc)
        for h in range(heads):
            _weights(
                source, transition, mark, source_node, mark_node, edge, pred_ptr, pred, pred_line, local,
                first, last, h, hi - lo, weight[h], gating[h],
            )  # fmt: skip
            _set_diagonal(gating[h], direct, node, hi - lo, h)
            _clear(d_gating[h], hi - lo)
        for d in range(hi - lo):
            for i in range(anc_ptr[d], anc_ptr[d + 1]):
                s = _row(anc[i])
                for h in range(heads):
                    q, k = _row(q0 + node[d] * q_step + h * width), _row(k0 + node[s] * k_step + h * width)
                    v, o = _row(v0 + node[s] * v_step + h * depth), _row((node[d] * heads + h) * depth)
                    score, heard = query[q] * key[k], grad_out[o] * value[v]
                    for j in range(_row(1), _row(width)):
                        score += query[q + j] * key[k + j]
                    for j in range(_row(1), _row(depth)):
                        heard += grad_out[o + j] * value[v + j]
                    d_gating[h, d, s] = heard * score
                    if d == anc[i]:
                        grad_direct[node[d], h] = heard * score
                    heard *= gating[h, d, s]
                    score *= gating[h, d, s]
                    gq, gk = _row((node[d] * heads + h) * width), _row((node[s] * heads + h) * width)
                    gv = _row((node[s] * heads + h) * depth)
                    for j in range(_row(0), _row(width)):
                        grad_query[gq + j] += heard * key[k + j]
                    for j in range(_row(0), _row(width)):
                        grad_key[gk + j] += heard * query[q + j]
                    for j in range(_row(0), _row(depth)):
                        grad_value[gv + j] += score * grad_out[o + j]
        for h in range(heads):
            _gate_gradients(
                transition, mark, source_node, mark_node, edge, pred_ptr, pred, pred_line, local, first, last, h,
                weight[h], d_weight, d_gating[h], grad_source, grad_transition, grad_mark,
            )  # fmt: skip
