"""Compiled loops behind :mod:`plstm_graph.graph.build`: linear in nodes, edges and line edges."""

from __future__ import annotations

import numpy as np

from plstm_graph._jit import jit

OK, OUT_OF_RANGE, SELF_LOOP, ACROSS_GRAPHS = 0, 1, 2, 3


@jit()
def first_problem(tail, head, num_nodes, graph_of, self_loops):
    """Return (kind, column) of the first column that cannot be an edge, or (OK, -1)."""
    for c in range(tail.size):
        t, h = tail[c], head[c]
        if t < 0 or h < 0 or t >= num_nodes or h >= num_nodes:
            return OUT_OF_RANGE, c
        if t == h and not self_loops:
            return SELF_LOOP, c
        if graph_of[t] != graph_of[h]:
            return ACROSS_GRAPHS, c
    return OK, -1


@jit()
def stable_sort(keys, num_keys, items):
    """Counting sort of ``items`` by ``keys[item]``; items with equal keys keep their order."""
    start = np.zeros(num_keys + 1, np.int64)
    for i in items:
        start[keys[i] + 1] += 1
    for k in range(num_keys):
        start[k + 1] += start[k]
    out = np.empty(items.size, np.int64)
    for i in items:
        out[start[keys[i]]] = i
        start[keys[i]] += 1
    return out


@jit()
def longest_path_layers(tail, head, num_nodes):
    """Length of the longest path into every node (Kahn); nodes on or behind a cycle keep -1."""
    waiting = np.zeros(num_nodes, np.int64)
    start = np.zeros(num_nodes + 1, np.int64)
    for c in range(tail.size):
        waiting[head[c]] += 1
        start[tail[c] + 1] += 1
    for n in range(num_nodes):
        start[n + 1] += start[n]
    out = stable_sort(tail, num_nodes, np.arange(tail.size))
    longest = np.zeros(num_nodes, np.int64)
    layer = np.full(num_nodes, -1, np.int64)
    queue = np.empty(num_nodes, np.int64)
    filled = 0
    for n in range(num_nodes):
        if waiting[n] == 0:
            queue[filled] = n
            filled += 1
    taken = 0
    while taken < filled:
        n = queue[taken]
        taken += 1
        layer[n] = longest[n]
        for j in range(start[n], start[n + 1]):
            h = head[out[j]]
            longest[h] = max(longest[h], longest[n] + 1)
            waiting[h] -= 1
            if waiting[h] == 0:
                queue[filled] = h
                filled += 1
    return layer


@jit()
def one_cycle(tail, head, layer):
    """Nodes of one cycle, in the direction of the edges, given layers with -1 on and behind cycles."""
    before = np.full(layer.size, -1, np.int64)
    for c in range(tail.size):
        if layer[tail[c]] < 0 and layer[head[c]] < 0:
            before[head[c]] = tail[c]
    n = 0
    while layer[n] >= 0 or before[n] < 0:
        n += 1
    seen = np.zeros(layer.size, np.bool_)
    while not seen[n]:
        seen[n] = True
        n = before[n]
    cycle = [n]
    m = before[n]
    while m != n:
        cycle.append(m)
        m = before[m]
    return np.array(cycle[::-1])


@jit()
def one_edge_each(tail, head, position):
    """Columns that become DAG edges, when edges point from lower to higher position, in topological order.

    Copies that run along the DAG pair up with copies that run against it; of a pair the former is taken.
    """
    low = np.empty(tail.size, np.int64)
    high = np.empty(tail.size, np.int64)
    for c in range(tail.size):
        a, b = position[tail[c]], position[head[c]]
        low[c], high[c] = min(a, b), max(a, b)
    num = position.size
    columns = stable_sort(low, num, stable_sort(high, num, np.arange(tail.size)))
    keep = np.empty(tail.size, np.int64)
    kept = 0
    i = 0
    while i < columns.size:
        j = i
        along = 0
        while j < columns.size and low[columns[j]] == low[columns[i]] and high[columns[j]] == high[columns[i]]:
            c = columns[j]
            if position[tail[c]] == low[c]:
                keep[kept] = c
                kept += 1
                along += 1
            j += 1
        against = 0
        for k in range(i, j):
            c = columns[k]
            if position[tail[c]] != low[c]:
                against += 1
                if against > along:
                    keep[kept] = c
                    kept += 1
        i = j
    return keep[:kept]


@jit()
def count_line_edges(tail, head, num_nodes):
    """Number of line edges, and the node that contributes most of them."""
    into = np.zeros(num_nodes, np.int64)
    out = np.zeros(num_nodes, np.int64)
    for e in range(tail.size):
        into[head[e]] += 1
        out[tail[e]] += 1
    total, worst = 0, 0
    for n in range(num_nodes):
        total += into[n] * out[n]
        if into[n] * out[n] > into[worst] * out[worst]:
            worst = n
    return total, worst


@jit()
def line_graph(tail, head, num_nodes, num_line_edges):
    """Levels ``[E]`` and line edges ``[2, L]`` of topologically sorted edges, with the multitree flags ``[L]``.

    The multitree is grown greedily in topological order. An edge enters its head's candidates with the set of
    sources (edges without predecessor) that reach it; since every edge but a source keeps at least one predecessor,
    two edges have a common ancestor exactly when they have a common source. Out-edges of a node see the same
    candidates, so the decision is one per edge: does its head keep it?
    """
    num_edges = tail.size
    start = np.zeros(num_nodes + 1, np.int64)
    for e in range(num_edges):
        start[head[e] + 1] += 1
    for n in range(num_nodes):
        start[n + 1] += start[n]
    into = stable_sort(head, num_nodes, np.arange(num_edges))

    level = np.empty(num_edges, np.int64)
    line = np.empty((2, num_line_edges), np.int64)
    multitree = np.empty(num_line_edges, np.bool_)
    keeps = np.zeros(num_edges, np.bool_)
    seen_by = np.full(num_edges, -1, np.int64)
    pool = np.empty(max(16, 4 * num_edges), np.int64)
    used = 0
    pool_start = np.full(num_nodes, -1, np.int64)
    pool_end = np.zeros(num_nodes, np.int64)
    node_level = np.zeros(num_nodes, np.int64)
    at = 0
    for e in range(num_edges):
        n = tail[e]
        first, last = start[n], start[n + 1]
        if pool_start[n] < 0:
            pool_start[n] = used
            for i in range(first, last):
                p = into[i]
                node_level[n] = max(node_level[n], level[p] + 1)
                t = tail[p]
                own = start[t] == start[t + 1]
                disjoint = True
                if own:
                    disjoint = seen_by[p] != n
                else:
                    for j in range(pool_start[t], pool_end[t]):
                        if seen_by[pool[j]] == n:
                            disjoint = False
                            break
                if not disjoint:
                    continue
                keeps[p] = True
                size = 1 if own else pool_end[t] - pool_start[t]
                if used + size > pool.size:
                    grown = np.empty(2 * pool.size + size, np.int64)
                    grown[:used] = pool[:used]
                    pool = grown
                if own:
                    pool[used] = p
                    seen_by[p] = n
                    used += 1
                else:
                    for j in range(pool_start[t], pool_end[t]):
                        pool[used] = pool[j]
                        seen_by[pool[j]] = n
                        used += 1
            pool_end[n] = used
        level[e] = node_level[n]
        for i in range(first, last):
            line[0, at] = into[i]
            line[1, at] = e
            multitree[at] = keeps[into[i]]
            at += 1
    return level, line, multitree
