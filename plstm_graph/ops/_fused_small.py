"""Compiled kernels for small graphs: gated linear attention over ancestors, a graph at a time.

For a graph with n nodes and m edges the weights ``W [m, n]`` say how much of each node's key and value an edge holds;
``G [n, n]``, their marked sum, is the gating matrix. Both stay in cache, so a head costs O(m n + pairs (K + V)) and
nothing of size K × V exists. The backward pass computes W and G again.
"""

from __future__ import annotations

import numpy as np

from plstm_graph._jit import jit

DOT = {"reassoc", "contract", "nsz"}


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
def _ancestors(order, g, node_ptr, edge_ptr, reach, anc_ptr, anc):
    """List the ancestors of every node of graph g, by topological number."""
    source_node, mark_node, _, _, _, _, local = order
    n = node_ptr[g + 1] - node_ptr[g]
    reach[:n, :n] = 0
    for p in range(edge_ptr[g], edge_ptr[g + 1]):
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
    anc_ptr[n] = count


@jit(fastmath=DOT)
def _dot(a, b, size):
    """Inner product of the first ``size`` entries."""
    total = a[0] * b[0]
    for x in range(1, size):
        total += a[x] * b[x]
    return total


@jit(fastmath={"contract"})
def _add(out, scale, row, size):
    """``out += scale * row`` on the first ``size`` entries."""
    for x in range(size):
        out[x] += scale * row[x]


@jit(fastmath={"contract"})
def _weights(source, transition, mark, order, first, last, h, weight, gating):
    """Fill W and G of one graph and head; G holds zeros."""
    source_node, mark_node, edge, pred_ptr, pred, pred_line, local = order
    for p in range(first, last):
        t, d = local[source_node[p]], local[mark_node[p]]
        row = weight[p - first]
        for j in range(t):
            row[j] = 0
        row[t] = source[edge[p], h]
        for i in range(pred_ptr[p], pred_ptr[p + 1]):
            _add(row, transition[pred_line[i], h], weight[pred[i] - first], local[source_node[pred[i]]] + 1)
        _add(gating[d], mark[edge[p], h], row, t + 1)


@jit()
def largest(graphs, node_ptr, edge_ptr):
    """Largest number of nodes and of edges among the given graphs."""
    n, m = 0, 0
    for g in graphs:
        n = max(n, node_ptr[g + 1] - node_ptr[g])
        m = max(m, edge_ptr[g + 1] - edge_ptr[g])
    return n, m


@jit()
def _global_numbers(local, lo, hi, node):
    for i in range(lo, hi):
        node[local[i]] = i


@jit(fastmath={"contract"})
def forward(query, key, value, source, transition, mark, order, graphs, node_ptr, edge_ptr, out):
    """Outputs ``[N, H, V]`` of the given graphs, written into ``out``, which holds zeros."""
    heads, width, depth = query.shape[1], query.shape[2], value.shape[2]
    n, m = largest(graphs, node_ptr, edge_ptr)
    reach, anc_ptr, anc = np.empty((n, n), np.uint8), np.empty(n + 1, np.int64), np.empty(n * n, np.int64)
    weight, gating = np.empty((m, n), query.dtype), np.empty((n, n), query.dtype)
    node = np.empty(n, np.int64)
    for g in graphs:
        lo, hi, first, last = node_ptr[g], node_ptr[g + 1], edge_ptr[g], edge_ptr[g + 1]
        _global_numbers(order[6], lo, hi, node)
        _ancestors(order, g, node_ptr, edge_ptr, reach, anc_ptr, anc)
        for h in range(heads):
            gating[: hi - lo, : hi - lo] = 0
            _weights(source, transition, mark, order, first, last, h, weight, gating)
            for d in range(hi - lo):
                asked, heard = query[node[d], h], out[node[d], h]
                for i in range(anc_ptr[d], anc_ptr[d + 1]):
                    s = anc[i]
                    score = gating[d, s] * _dot(asked, key[node[s], h], width)
                    _add(heard, score, value[node[s], h], depth)


@jit(fastmath={"contract"})
def backward(query, key, value, source, transition, mark, order, graphs, node_ptr, edge_ptr, grad_out, grads):
    """Gradients of the given graphs, written into the six tensors of ``grads``, which hold zeros."""
    grad_query, grad_key, grad_value, grad_source, grad_transition, grad_mark = grads
    heads, width, depth = query.shape[1], query.shape[2], value.shape[2]
    n, m = largest(graphs, node_ptr, edge_ptr)
    reach, anc_ptr, anc = np.empty((n, n), np.uint8), np.empty(n + 1, np.int64), np.empty(n * n, np.int64)
    weight, gating = np.empty((m, n), query.dtype), np.empty((n, n), query.dtype)
    d_weight, d_gating = np.empty((m, n), query.dtype), np.empty((n, n), query.dtype)
    node = np.empty(n, np.int64)
    for g in graphs:
        lo, hi, first, last = node_ptr[g], node_ptr[g + 1], edge_ptr[g], edge_ptr[g + 1]
        _global_numbers(order[6], lo, hi, node)
        _ancestors(order, g, node_ptr, edge_ptr, reach, anc_ptr, anc)
        for h in range(heads):
            gating[: hi - lo, : hi - lo] = 0
            d_gating[: hi - lo, : hi - lo] = 0
            _weights(source, transition, mark, order, first, last, h, weight, gating)
            for d in range(hi - lo):
                nd = node[d]
                asked, wanted, grad_asked = query[nd, h], grad_out[nd, h], grad_query[nd, h]
                for i in range(anc_ptr[d], anc_ptr[d + 1]):
                    s = anc[i]
                    ns = node[s]
                    score = _dot(asked, key[ns, h], width)
                    heard = _dot(wanted, value[ns, h], depth)
                    d_gating[d, s] = heard * score
                    d_score = heard * gating[d, s]
                    _add(grad_asked, d_score, key[ns, h], width)
                    _add(grad_key[ns, h], d_score, asked, width)
                    _add(grad_value[ns, h], score * gating[d, s], wanted, depth)
            _gate_gradients(
                transition, mark, order, first, last, h, weight, d_weight, d_gating, grad_source, grad_transition, grad_mark
            )


@jit(fastmath={"contract"})
def _gate_gradients(
    transition, mark, order, first, last, h, weight, d_weight, d_gating, grad_source, grad_transition, grad_mark
):
    """From the gradient of G to those of the gates, by the same recurrence backwards."""
    source_node, mark_node, edge, pred_ptr, pred, pred_line, local = order
    for r in range(last - first):
        for j in range(local[source_node[first + r]] + 1):
            d_weight[r, j] = 0
    for p in range(last - 1, first - 1, -1):
        t, d, e = local[source_node[p]], local[mark_node[p]], edge[p]
        row, d_row, d_gate = weight[p - first], d_weight[p - first], d_gating[d]
        grad_mark[e, h] = _dot(d_gate, row, t + 1)
        _add(d_row, mark[e, h], d_gate, t + 1)
        grad_source[e, h] = d_row[t]
        for i in range(pred_ptr[p], pred_ptr[p + 1]):
            b, line, wide = pred[i] - first, pred_line[i], local[source_node[pred[i]]] + 1
            grad_transition[line, h] = _dot(d_row, weight[b], wide)
            _add(d_weight[b], transition[line, h], d_row, wide)
