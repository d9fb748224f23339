"""Compiled loops behind :mod:`plstm_graph.ops._chunk_plan`: chunks into steps, and where boundary states are kept."""

from __future__ import annotations

import numpy as np

from plstm_graph._jit import jit


@jit()
def group_chunks(order, run, size, entries, exits, row_limit, area_limit):
    """Step ``[chunks]`` of every chunk: chunks of one run with similar numbers of entries, evaluated together.

    Args:
        order: ``[chunks]`` chunks by run, then number of entries.
        run: ``[chunks]``.
        size: ``[chunks]`` number of edges.
        entries: ``[chunks]``.
        exits: ``[chunks]``.
        row_limit: most entries and exits of a step, padding included, unless a single chunk has more.
        area_limit: most elements of a step's dense matrices per head, likewise.
    """
    step = np.empty(order.size, np.int64)
    current = -1
    count, leaving, longest, fewest = 0, 0, 0, 0
    for p in range(order.size):
        c = order[p]
        length, wide = max(longest, size[c]), max(leaving, exits[c])
        full = (count + 1) * (entries[c] + wide) > row_limit or (count + 1) * length * (
            length + entries[c]
        ) > area_limit
        if p == 0 or run[order[p - 1]] != run[c] or full or entries[c] > 2 * fewest + 16:
            current += 1
            count, fewest = 0, entries[c]
            length, wide = size[c], exits[c]
        step[c] = current
        count, longest, leaving = count + 1, length, wide
    return step


@jit()
def last_uses(chunk_step, entry_ptr, entries, num_edges):
    """Last step ``[E]`` that reads the state of an edge, -1 where none does."""
    last = np.full(num_edges, -1, np.int64)
    for c in range(chunk_step.size):
        for j in range(entry_ptr[c], entry_ptr[c + 1]):
            last[entries[j]] = max(last[entries[j]], chunk_step[c])
    return last


@jit()
def cut_segments(step_ptr, chunks, exit_ptr, exits, last_use, least):
    """Segment ``[steps]`` of every step: twice ``sqrt(alive * all)`` new states each, or ``least`` if that is more.

    Args:
        step_ptr: ``[steps + 1]`` into ``chunks``, the chunks by step.
        chunks: ``[chunks]``.
        exit_ptr: ``[chunks + 1]`` into ``exits``.
        exits: edges whose state is kept.
        last_use: ``[E]`` last step that reads a state.
        least: fewest states of a segment.
    """
    num_steps = step_ptr.size - 1
    change = np.zeros(num_steps + 1, np.int64)
    for s in range(num_steps):
        for i in range(step_ptr[s], step_ptr[s + 1]):
            for j in range(exit_ptr[chunks[i]], exit_ptr[chunks[i] + 1]):
                change[s] += 1
                change[last_use[exits[j]]] -= 1
    alive, most = 0, 0
    for s in range(num_steps):
        alive += change[s]
        most = max(most, alive)
    length = max(least, int(2 * np.sqrt(most * exits.size)))
    segment = np.empty(num_steps, np.int64)
    current, filled = 0, 0
    for s in range(num_steps):
        new = 0
        for i in range(step_ptr[s], step_ptr[s + 1]):
            new += exit_ptr[chunks[i] + 1] - exit_ptr[chunks[i]]
        if filled and filled + new > length:
            current += 1
            filled = 0
        segment[s] = current
        filled += new
    return segment


@jit()
def assign_rows(first_row, segment, step_ptr, chunks, entry_ptr, entries, exit_ptr, exits, last_use):
    """Row of every entry and exit in the state buffer of its segment.

    A segment's buffer starts with ``first_row`` reserved rows and the states carried over from the segment before.

    Returns:
        entry_row, exit_row; carried as pointer ``[segments + 1]`` and rows in the buffer before; rows ``[segments]``.
    """
    num_segments = segment[-1] + 1 if segment.size else 0
    entry_row, exit_row = np.empty(entries.size, np.int64), np.empty(exits.size, np.int64)
    carried_ptr, rows = np.zeros(num_segments + 1, np.int64), np.zeros(num_segments, np.int64)
    carried = [np.int64(0) for _ in range(0)]
    row = np.empty(last_use.size, np.int64)
    alive = np.empty(exits.size, np.int64)
    num_alive, next_row = 0, first_row
    for s in range(segment.size):
        if s and segment[s] != segment[s - 1]:
            rows[segment[s - 1]] = next_row
            kept, next_row = 0, first_row
            for i in range(num_alive):
                e = alive[i]
                if last_use[e] >= s:
                    carried.append(row[e])
                    row[e] = next_row
                    alive[kept] = e
                    kept, next_row = kept + 1, next_row + 1
            num_alive = kept
            carried_ptr[segment[s] + 1] = len(carried)
        for i in range(step_ptr[s], step_ptr[s + 1]):
            c = chunks[i]
            for j in range(entry_ptr[c], entry_ptr[c + 1]):
                entry_row[j] = row[entries[j]]
            for j in range(exit_ptr[c], exit_ptr[c + 1]):
                e = exits[j]
                exit_row[j] = row[e] = next_row
                alive[num_alive] = e
                num_alive, next_row = num_alive + 1, next_row + 1
    if num_segments:
        rows[num_segments - 1] = next_row
    return entry_row, exit_row, carried_ptr, np.array(carried), rows
