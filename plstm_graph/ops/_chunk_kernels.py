"""Compiled loops behind :mod:`plstm_graph.ops._chunk_plan`, linear in edges and line edges: from levels to chunks.

Line edges ``(before, after)`` come in an order in which all that lead into an edge stand before all that leave it.
"""

from __future__ import annotations

import numpy as np

from plstm_graph._jit import jit


@jit()
def evaluation_levels(before, after, num_edges):
    """Level of every edge: above all that lead into it; edges that nothing leads into wait for their first reader.

    Waiting keeps the states of a thousand side branches of a long path from being alive all at once.
    """
    level = np.zeros(num_edges, np.int64)
    first_reader = np.full(num_edges, -1, np.int64)
    fed = np.zeros(num_edges, np.bool_)
    for i in range(before.size):
        b, a = before[i], after[i]
        level[a] = max(level[a], level[b] + 1)
        fed[a] = True
    for i in range(before.size):
        b, a = before[i], after[i]
        if first_reader[b] < 0 or level[a] < first_reader[b]:
            first_reader[b] = level[a]
    for e in range(num_edges):
        if not fed[e] and first_reader[e] > 0:
            level[e] = first_reader[e] - 1
    return level


@jit()
def predecessors(before, after, num_edges):
    """Predecessors by edge: pointer ``[E + 1]``, edges ``[L]`` and their position among the line edges ``[L]``."""
    pointer = np.zeros(num_edges + 1, np.int64)
    for i in range(after.size):
        pointer[after[i] + 1] += 1
    for e in range(num_edges):
        pointer[e + 1] += pointer[e]
    at = pointer[:-1].copy()
    pred, line = np.empty(after.size, np.int64), np.empty(after.size, np.int64)
    for i in range(after.size):
        a = after[i]
        pred[at[a]], line[at[a]] = before[i], i
        at[a] += 1
    return pointer, pred, line


@jit()
def _root(parent, e):
    while parent[e] != e:
        parent[e] = parent[parent[e]]
        e = parent[e]
    return e


@jit()
def cut_runs(level, order, pred_ptr, pred, limit):
    """Run ``[E]`` of every edge: consecutive levels whose connected components have at most ``limit`` edges.

    Args:
        level: ``[E]`` level of every edge.
        order: ``[E]`` edges by level.
        pred_ptr: ``[E + 1]``, with ``pred`` the predecessors of every edge.
        pred: ``[L]``.
        limit: most edges of a component; single levels, where all components have one edge, always pass.
    """
    parent, size = np.arange(level.size), np.ones(level.size, np.int64)
    run = np.full(level.size, -1, np.int64)
    current, first = 0, 0
    while first < order.size:
        last = first
        largest = 1
        while last < order.size and level[order[last]] == level[order[first]]:
            e = order[last]
            run[e] = current
            for i in range(pred_ptr[e], pred_ptr[e + 1]):
                if run[pred[i]] == current:
                    a, b = _root(parent, e), _root(parent, pred[i])
                    if a != b:
                        parent[a] = b
                        size[b] += size[a]
                        largest = max(largest, size[b])
            last += 1
        if largest > limit:
            current += 1
            for p in range(first, last):
                e = order[p]
                run[e], parent[e], size[e] = current, e, 1
        first = last
    return run


@jit()
def components(run, before, after):
    """Smallest edge ``[E]`` of the connected component of every edge, by line edges within a run."""
    parent = np.arange(run.size)
    for i in range(before.size):
        if run[before[i]] == run[after[i]]:
            a, b = _root(parent, after[i]), _root(parent, before[i])
            parent[max(a, b)] = min(a, b)
    for e in range(run.size):
        parent[e] = _root(parent, e)
    return parent


@jit()
def pack(order, run, component, least):
    """Fill chunks with whole components of one run: chunk ``[E]``, place in it ``[E]``, number of chunks.

    Args:
        order: ``[E]`` edges by run, component, level.
        run: ``[E]``.
        component: ``[E]`` smallest edge of the component.
        least: edges by which a chunk may exceed the run's largest component.
    """
    num_edges = order.size
    size = np.zeros(num_edges, np.int64)
    largest = np.zeros(run.max() + 1 if num_edges else 0, np.int64)
    for e in range(num_edges):
        size[component[e]] += 1
        largest[run[e]] = max(largest[run[e]], size[component[e]])
    chunk, local = np.empty(num_edges, np.int64), np.empty(num_edges, np.int64)
    current, filled = -1, 0
    for p in range(num_edges):
        e = order[p]
        new_run = p == 0 or run[order[p - 1]] != run[e]
        room = least + largest[run[e]]
        if new_run or (component[order[p - 1]] != component[e] and filled + size[component[e]] > room):
            current += 1
            filled = 0
        chunk[e], local[e] = current, filled
        filled += 1
    return chunk, local, current + 1


@jit()
def crossings(order, chunk, local, num_chunks, pred_ptr, pred):
    """What enters and leaves every chunk.

    Returns:
        column ``[L]`` (per predecessor: its place in the chunk, or among the entries), outer ``[L]`` (whether it comes
        from another chunk), entries as pointer ``[chunks + 1]`` and edges, exits as pointer ``[chunks + 1]`` and edges.
    """
    column, outer = np.empty(pred.size, np.int64), np.zeros(pred.size, np.bool_)
    stamp, at = np.full(chunk.size, -1, np.int64), np.empty(chunk.size, np.int64)
    leaves = np.zeros(chunk.size, np.bool_)
    entry_ptr, entries = np.zeros(num_chunks + 1, np.int64), np.empty(pred.size, np.int64)
    count = 0
    for p in range(order.size):
        e = order[p]
        c = chunk[e]
        if local[e] == 0:
            entry_ptr[c] = count
        for i in range(pred_ptr[e], pred_ptr[e + 1]):
            b = pred[i]
            if chunk[b] == c:
                column[i] = local[b]
                continue
            outer[i] = True
            leaves[b] = True
            if stamp[b] != c:
                stamp[b] = c
                at[b] = count - entry_ptr[c]
                entries[count] = b
                count += 1
            column[i] = at[b]
    entry_ptr[num_chunks] = count
    exit_ptr, exits = np.zeros(num_chunks + 1, np.int64), np.empty(leaves.sum(), np.int64)
    left = 0
    for p in range(order.size):
        e = order[p]
        if local[e] == 0:
            exit_ptr[chunk[e]] = left
        if leaves[e]:
            exits[left] = e
            left += 1
    exit_ptr[num_chunks] = left
    return column, outer, entry_ptr, entries[:count], exit_ptr, exits
