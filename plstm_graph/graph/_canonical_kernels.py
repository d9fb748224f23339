"""Compiled colour refinement, and breadth-first distances from a root."""

from __future__ import annotations

import numpy as np

from plstm_graph._jit import jit
from plstm_graph.graph._kernels import stable_sort


@jit()
def _mix(z):
    """The splitmix64 finaliser: every input bit changes half of the output bits."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit()
def _refine(color, lo, hi, tail, head, edge_color, columns):
    """Refine the colours of nodes lo..hi in place until the number of classes stays; return that number."""
    size = hi - lo
    classes = 0
    heard = np.empty(size, np.uint64)
    while True:
        ordered = np.sort(color[lo:hi])
        found = 1
        for i in range(1, size):
            if ordered[i] != ordered[i - 1]:
                found += 1
        if found in (classes, size):
            return found
        classes = found
        heard[:] = np.uint64(0)
        for c in columns:
            t, h = tail[c], head[c]
            heard[t - lo] += _mix(color[h] + _mix(edge_color[c] + np.uint64(1)))
            heard[h - lo] += _mix(color[t] + _mix(edge_color[c] + np.uint64(2)))
        for n in range(lo, hi):
            color[n] = _mix(color[n] * np.uint64(0x9E3779B97F4A7C15) + heard[n - lo])


@jit()
def refine_all(tail, head, node_ptr, graph_of, node_color, edge_color):
    """Canonical rank ``[N]`` of every node within its graph."""
    num_graphs = node_ptr.size - 1
    graph_of_column = graph_of[tail]
    by_graph = stable_sort(graph_of_column, num_graphs, np.arange(tail.size))
    rank = np.empty(graph_of.size, np.int64)
    color = node_color.copy()
    first = 0
    for g in range(num_graphs):
        lo, hi = node_ptr[g], node_ptr[g + 1]
        last = first
        while last < by_graph.size and graph_of_column[by_graph[last]] == g:
            last += 1
        columns = by_graph[first:last]
        first = last
        if hi == lo:
            continue
        while _refine(color, lo, hi, tail, head, edge_color, columns) < hi - lo:
            ordered = np.argsort(color[lo:hi], kind="mergesort") + lo
            i = 1
            while color[ordered[i]] != color[ordered[i - 1]]:
                i += 1
            color[ordered[i - 1]] = _mix(color[ordered[i - 1]] ^ np.uint64(0xD6E8FEB86659FD93))
        ordered = np.argsort(color[lo:hi], kind="mergesort") + lo
        for i in range(ordered.size):
            rank[ordered[i]] = i
    return rank


@jit()
def _distances(root, start, neighbor, distance, queue):
    """Breadth-first distances from ``root`` into ``distance`` (-1 where unreached); return (reached, farthest)."""
    distance[root] = 0
    queue[0] = root
    taken, filled = 0, 1
    while taken < filled:
        n = queue[taken]
        taken += 1
        for j in range(start[n], start[n + 1]):
            m = neighbor[j]
            if distance[m] < 0:
                distance[m] = distance[n] + 1
                queue[filled] = m
                filled += 1
    return filled, distance[queue[filled - 1]]


@jit()
def distance_from_root(tail, head, num_nodes, rank, central):
    """Distance ``[N]`` of every node from the root of its connected component.

    The root is the node of least ``rank``; if ``central``, the one of least rank among those of least eccentricity.
    """
    both_tail = np.concatenate((tail, head))
    neighbor = np.concatenate((head, tail))[stable_sort(both_tail, num_nodes, np.arange(both_tail.size))]
    start = np.zeros(num_nodes + 1, np.int64)
    for t in both_tail:
        start[t + 1] += 1
    for n in range(num_nodes):
        start[n + 1] += start[n]
    result = np.full(num_nodes, -1, np.int64)
    distance = np.full(num_nodes, -1, np.int64)
    queue = np.empty(num_nodes, np.int64)
    for n in range(num_nodes):
        if result[n] >= 0:
            continue
        reached, _ = _distances(n, start, neighbor, distance, queue)
        members = queue[:reached].copy()
        distance[members] = -1
        root, least = -1, 0
        for m in members:
            far = 0
            if central:
                _, far = _distances(m, start, neighbor, distance, queue)
                distance[members] = -1
            if root < 0 or far < least or (far == least and rank[m] < rank[root]):
                root, least = m, far
        _distances(root, start, neighbor, result, queue)
    return result
