"""Compiled kernels for large graphs: K × V states, kept only as long as an edge still needs them.

Every state lives in a slot from the edge that makes it to the last edge that reads it; slots are reused. The forward
pass over a path thus needs two slots, over a grid about one row of cells. The backward pass runs over segments of
edges, last segment first: it restores the states alive at the segment's start, which a first sweep stored, computes
the segment's states again, and walks back through them. One call handles one head and the value channels
``first_v .. last_v`` of one graph, so a single huge graph still occupies all cores.
"""

from __future__ import annotations

import numpy as np

from plstm_graph._jit import jit


@jit()
def assign_slots(order, first, last):
    """Slot of every edge of a graph ``[m]``, the last edge that reads it ``[m]``, and the number of slots."""
    pred_ptr, pred = order[3], order[4]
    m = last - first
    last_use = np.arange(m)
    for p in range(m):
        for i in range(pred_ptr[first + p], pred_ptr[first + p + 1]):
            last_use[pred[i] - first] = p
    slot = np.empty(m, np.int64)
    free = np.empty(m, np.int64)
    num_free, num_slots = 0, 0
    for p in range(m):
        if num_free:
            num_free -= 1
            slot[p] = free[num_free]
        else:
            slot[p] = num_slots
            num_slots += 1
        for i in range(pred_ptr[first + p], pred_ptr[first + p + 1]):
            b = pred[i] - first
            if last_use[b] == p:
                free[num_free] = slot[b]
                num_free += 1
        if last_use[p] == p:
            free[num_free] = slot[p]
            num_free += 1
    return slot, last_use, num_slots


@jit()
def segment_borders(last_use, length):
    """Edges alive at the start of every segment: pointer ``[segments + 1]`` and edge numbers."""
    m = last_use.size
    segments = (m + length - 1) // length
    pointer = np.zeros(segments + 1, np.int64)
    for p in range(m):
        for s in range(p // length + 1, last_use[p] // length + 1):
            pointer[s + 1] += 1
    for s in range(segments):
        pointer[s + 1] += pointer[s]
    at = pointer[:-1].copy()
    alive = np.empty(pointer[-1], np.int64)
    for p in range(m):
        for s in range(p // length + 1, last_use[p] // length + 1):
            alive[at[s]] = p
            at[s] += 1
    return pointer, alive


@jit(fastmath={"contract"})
def _write(state, key, value, gate, n, h, first_v):
    """``state = gate * key value^T``."""
    for a in range(state.shape[0]):
        w = gate * key[n, h, a]
        for b in range(state.shape[1]):
            state[a, b] = w * value[n, h, first_v + b]


@jit(fastmath={"contract"})
def _add(out, gate, state):
    """``out += gate * state``."""
    for a in range(out.shape[0]):
        for b in range(out.shape[1]):
            out[a, b] += gate * state[a, b]


@jit(fastmath={"reassoc", "contract", "nsz"})
def forward_direct(query, key, value, direct, lo, hi, h, first_v, last_v, out):
    """Add the direct term ``D_n (q_n · k_n) v_n`` of the nodes ``lo .. hi - 1``."""
    for n in range(lo, hi):
        score = direct[n, h] * 0
        for a in range(query.shape[2]):
            score += query[n, h, a] * key[n, h, a]
        score *= direct[n, h]
        for b in range(first_v, last_v):
            out[n, h, b] += score * value[n, h, b]


@jit(fastmath={"reassoc", "contract", "nsz"})
def backward_direct(query, key, value, direct, lo, hi, h, first_v, last_v, grad_out, grads):
    """Add the gradients of the direct term of the nodes ``lo .. hi - 1``."""
    grad_query, grad_key, grad_value, _, _, _, grad_direct = grads
    for n in range(lo, hi):
        score, heard = direct[n, h] * 0, direct[n, h] * 0
        for a in range(query.shape[2]):
            score += query[n, h, a] * key[n, h, a]
        for b in range(first_v, last_v):
            heard += grad_out[n, h, b] * value[n, h, b]
            grad_value[n, h, b] += direct[n, h] * score * grad_out[n, h, b]
        grad_direct[n, h] += heard * score
        heard *= direct[n, h]
        for a in range(query.shape[2]):
            grad_query[n, h, a] += heard * key[n, h, a]
            grad_key[n, h, a] += heard * query[n, h, a]


@jit(fastmath={"contract"})
def forward(query, key, value, source, transition, mark, order, slot, num_slots, first, last, h, first_v, last_v, out):
    """Add ``M_e q^T C_e`` of every edge to ``out [N, H, V]``."""
    source_node, mark_node, edge, pred_ptr, pred, pred_line, _ = order
    width, depth = query.shape[2], last_v - first_v
    states = np.empty((num_slots, width, depth), query.dtype)
    for p in range(first, last):
        e, n = edge[p], mark_node[p]
        state = states[slot[p - first]]
        _write(state, key, value, source[e, h], source_node[p], h, first_v)
        for i in range(pred_ptr[p], pred_ptr[p + 1]):
            _add(state, transition[pred_line[i], h], states[slot[pred[i] - first]])
        heard = out[n, h]
        gate = mark[e, h]
        for a in range(width):
            w = gate * query[n, h, a]
            for b in range(depth):
                heard[first_v + b] += w * state[a, b]


@jit(fastmath={"contract"})
def _borders(
    key, value, source, transition, order, slot, num_slots, pointer, alive, first, last, h, first_v, length, stored
):
    """Run the states forward and store those alive at the start of every segment."""
    source_node, _, edge, pred_ptr, pred, pred_line, _ = order
    states = np.empty((num_slots, stored.shape[1], stored.shape[2]), stored.dtype)
    for p in range(first, last):
        if (p - first) % length == 0:
            s = (p - first) // length
            for i in range(pointer[s], pointer[s + 1]):
                stored[i] = states[slot[alive[i]]]
        state = states[slot[p - first]]
        _write(state, key, value, source[edge[p], h], source_node[p], h, first_v)
        for i in range(pred_ptr[p], pred_ptr[p + 1]):
            _add(state, transition[pred_line[i], h], states[slot[pred[i] - first]])


@jit(fastmath={"reassoc", "contract", "nsz"})
def _inner(a, b):
    total = a[0, 0] * 0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            total += a[i, j] * b[i, j]
    return total


@jit(fastmath={"reassoc", "contract", "nsz"})
def _mark_gradients(query, grad_out, gate, n, h, first_v, state, grad_state, grad_query):
    """Backward of ``out[n] += gate * q^T state``: adds to grad_state and grad_query, returns the gradient of gate."""
    total = gate * 0
    for a in range(state.shape[0]):
        w, dot = gate * query[n, h, a], gate * 0
        for b in range(state.shape[1]):
            grad_state[a, b] += w * grad_out[n, h, first_v + b]
            dot += state[a, b] * grad_out[n, h, first_v + b]
        grad_query[n, h, a] += gate * dot
        total += query[n, h, a] * dot
    return total


@jit(fastmath={"reassoc", "contract", "nsz"})
def _source_gradients(key, value, gate, n, h, first_v, grad_state, grad_key, grad_value):
    """Backward of ``state = gate * k v^T``: adds to grad_key and grad_value, returns the gradient of gate."""
    total = gate * 0
    for a in range(grad_state.shape[0]):
        w, dot = gate * key[n, h, a], gate * 0
        for b in range(grad_state.shape[1]):
            grad_value[n, h, first_v + b] += w * grad_state[a, b]
            dot += grad_state[a, b] * value[n, h, first_v + b]
        grad_key[n, h, a] += gate * dot
        total += key[n, h, a] * dot
    return total


@jit(fastmath={"contract"})
def backward(
    query, key, value, source, transition, mark, order, slot, last_use, num_slots, pointer, alive,
    first, last, h, first_v, last_v, length, grad_out, grads,
):  # fmt: skip
    """Add the gradients of one graph, head and range of value channels to the tensors of ``grads``."""
    grad_query, grad_key, grad_value, grad_source, grad_transition, grad_mark, _ = grads
    source_node, mark_node, edge, pred_ptr, pred, pred_line, _ = order
    m, width, depth, dtype = last - first, query.shape[2], last_v - first_v, query.dtype
    stored = np.empty((alive.size, width, depth), dtype)
    if pointer.size > 2:
        _borders(
            key,
            value,
            source,
            transition,
            order,
            slot,
            num_slots,
            pointer,
            alive,
            first,
            last,
            h,
            first_v,
            length,
            stored,
        )
    states = np.empty((min(length, m), width, depth), dtype)
    grad_states = np.empty((num_slots, width, depth), dtype)
    border = np.full(m, -1, np.int64)
    for s in range(pointer.size - 2, -1, -1):
        begin, end = s * length, min(m, (s + 1) * length)
        for i in range(pointer[s], pointer[s + 1]):
            border[alive[i]] = i
        for r in range(begin, end):
            p = first + r
            state = states[r - begin]
            _write(state, key, value, source[edge[p], h], source_node[p], h, first_v)
            for i in range(pred_ptr[p], pred_ptr[p + 1]):
                b = pred[i] - first
                _add(state, transition[pred_line[i], h], states[b - begin] if b >= begin else stored[border[b]])
        for r in range(end - 1, begin - 1, -1):
            p = first + r
            e, state, grad_state = edge[p], states[r - begin], grad_states[slot[r]]
            if last_use[r] == r:  # nobody reads this state: its slot holds another's leftovers
                grad_state[:] = 0
            grad_mark[e, h] += _mark_gradients(
                query, grad_out, mark[e, h], mark_node[p], h, first_v, state, grad_state, grad_query
            )
            grad_source[e, h] += _source_gradients(
                key, value, source[e, h], source_node[p], h, first_v, grad_state, grad_key, grad_value
            )
            for i in range(pred_ptr[p], pred_ptr[p + 1]):
                b, line = pred[i] - first, pred_line[i]
                before = states[b - begin] if b >= begin else stored[border[b]]
                grad_before = grad_states[slot[b]]
                if last_use[b] == r:  # the last reader comes first on the way back
                    grad_before[:] = 0
                grad_transition[line, h] += _inner(before, grad_state)
                _add(grad_before, transition[line, h], grad_state)
