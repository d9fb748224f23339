"""Compiled loops behind :mod:`plstm_graph.graph.build`: memory is linear in nodes, edges and line edges."""

from __future__ import annotations

import numpy as np

from plstm_graph._jit import jit

OK, OUT_OF_RANGE, SELF_LOOP, ACROSS_GRAPHS = 0, 1, 2, 3
UNSEEN = np.iinfo(np.int64).min


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

    The multitree is grown greedily in topological order. Since every edge but a source (one without predecessor) keeps
    a predecessor, two edges have a common ancestor exactly when they have a common source. Out-edges of a node see the
    same candidates, so the decision is one per edge: does its head keep it?

    Sources that were never joined, not even by a third, are in different components of a union-find, and need no look.
    Else the sources of the candidates are walked through and compared: time linear in their number at every such node,
    memory linear in edges.
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
    joint = np.full(num_nodes, UNSEEN, np.int64)  # where the sources of a node come together, or ~its one source
    component = np.arange(num_edges)  # parents of the union-find of sources
    a_source = np.empty(num_nodes, np.int64)  # any of those of a node
    seen_by = np.full(num_edges, -1, np.int64)
    met_by = np.full(num_edges, -1, np.int64)
    stack = np.empty(num_nodes + num_edges, np.int64)
    node_level = np.zeros(num_nodes, np.int64)
    at = 0
    for e in range(num_edges):
        n = tail[e]
        first, last = start[n], start[n + 1]
        if joint[n] == UNSEEN and first < last:
            marked, kept = first, 0  # candidates before `marked` have marked their sources
            for i in range(first, last):
                p = into[i]
                node_level[n] = max(node_level[n], level[p] + 1)
                t = tail[p]
                own = start[t] == start[t + 1]
                root = find_root(component, p if own else a_source[t])
                if own or met_by[root] != n:
                    keeps[p] = True
                else:
                    for j in range(marked, i):
                        if keeps[into[j]]:
                            walk_sources(into[j], tail, start, into, keeps, joint, seen_by, stack, n, True)
                    marked = i
                    keeps[p] = walk_sources(p, tail, start, into, keeps, joint, seen_by, stack, n, False)
                if keeps[p]:
                    met_by[root] = n
                    kept += 1
                    a_source[n] = root
                    joint[n] = ~p if own else joint[t]
            if kept > 1:
                joint[n] = n
                for i in range(first, last):
                    p = into[i]
                    if keeps[p]:
                        t = tail[p]
                        source = p if start[t] == start[t + 1] else a_source[t]
                        component[find_root(component, source)] = find_root(component, a_source[n])
        level[e] = node_level[n]
        for i in range(first, last):
            line[0, at] = into[i]
            line[1, at] = e
            multitree[at] = keeps[into[i]]
            at += 1
    return level, line, multitree


@jit()
def find_root(component, i):
    """Root of ``i`` in a union-find, halving the path to it."""
    while component[i] != i:
        component[i] = component[component[i]]
        i = component[i]
    return i


@jit()
def walk_sources(edge, tail, start, into, keeps, joint, seen_by, stack, n, mark):
    """Walk through the sources of ``edge``: mark them as seen by ``n``, or say whether none of them is so already."""
    t = tail[edge]
    stack[0] = ~edge if start[t] == start[t + 1] else joint[t]
    depth = 1
    while depth:
        depth -= 1
        here = stack[depth]
        if here < 0:
            if mark:
                seen_by[~here] = n
            elif seen_by[~here] == n:
                return False
            continue
        for i in range(start[here], start[here + 1]):
            p = into[i]
            if keeps[p]:
                t = tail[p]
                stack[depth] = ~p if start[t] == start[t + 1] else joint[t]
                depth += 1
    return True
