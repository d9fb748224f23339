"""How the chunkwise engine cuts a DAG: index arrays, made once per line graph and direction.

Levels are grouped into **runs**. Within a run the line graph falls into connected components, which know nothing of
each other: a path gives one component per run, a batch of molecules one per molecule. Components are packed into
**chunks**, and all chunks of a run with similar borders form a **step**: one batch of dense matrices. Where levels are
so wide that three of them already connect too much, a run is one level or two. **Segments** of steps share one buffer
of boundary states, so that neither direction of evaluation ever holds many more states than are alive at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

ZERO_ROW, SPARE_ROW, FIRST_ROW = 0, 1, 2
"""Rows of every state buffer: zeros for padded entries, a row that padded exits write to, the first real state."""

LEAST_CHUNK = 16
"""Edges that small components may add to a chunk."""

STATE_ELEMENTS = 2**24
"""Elements of the states that a step gathers, and of the smallest segment buffer (64 MiB in float32)."""

AREA_ELEMENTS = 2**23
"""Elements of each of a step's dense matrices."""

_plans: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


@dataclass(frozen=True)
class Step:
    """``batch`` chunks of at most ``size`` edges, ``entries`` states coming in and ``exits`` going out, all padded."""

    batch: int
    size: int
    entries: int
    exits: int
    first: int  # position of the step's first edge in the padded order
    inner_line: Tensor  # [i] line edges within a chunk
    inner_at: Tensor  # [i] their flat position in [batch, size, size]
    outer_line: Tensor  # [o] line edges that cross a border
    outer_at: Tensor  # [o] their flat position in [batch, size, entries]
    entry_row: Tensor  # [batch * entries] rows of the state buffer
    exit_at: Tensor  # [batch, exits] places in the chunk
    exit_row: Tensor  # [batch * exits] rows of the state buffer


@dataclass(frozen=True)
class Segment:
    """Steps that share a buffer of ``rows`` states; ``carried`` are rows of the buffer before, copied to the start."""

    steps: list[Step]
    carried: Tensor
    rows: int


@dataclass(frozen=True)
class Plan:
    """Padded order of all edges, and the segments that walk through it."""

    length: int
    place: Tensor  # [E] position of every edge in the padded order
    segments: list[Segment]


def make_plan(line_index: Tensor, num_edges: int, reverse: bool, chunk_edges: int, heads: int, state_size: int) -> Plan:
    """Plan for the line graph ``line_index [2, L]``, remembered for as long as that tensor lives.

    Args:
        line_index: ``[2, L]`` line edges, sorted by the second row.
        num_edges: E.
        reverse: read it backwards.
        chunk_edges: most edges of a chunk, unless a level alone is wider.
        heads: H; with ``state_size`` it bounds the memory of a step.
        state_size: K * V.
    """
    known = _plans.setdefault(line_index, {})
    row_limit = max(1, STATE_ELEMENTS // max(1, heads * state_size))
    area_limit = max(1, AREA_ELEMENTS // max(1, heads))
    arguments = (num_edges, reverse, chunk_edges, row_limit, area_limit)
    if arguments not in known:
        before, after = line_index.cpu().numpy()
        if reverse:
            before, after = after[::-1], before[::-1]
        lines = np.arange(before.size)[::-1] if reverse else np.arange(before.size)
        known[arguments] = _Planner(
            np.ascontiguousarray(before), np.ascontiguousarray(after), lines, *arguments, line_index.device
        ).plan()
    return known[arguments]


class _Planner:
    def __init__(
        self,
        before: np.ndarray,
        after: np.ndarray,
        lines: np.ndarray,
        num_edges: int,
        reverse: bool,
        chunk_edges: int,
        row_limit: int,
        area_limit: int,
        device: torch.device,
    ) -> None:
        from plstm_graph.ops import _chunk_borders as borders
        from plstm_graph.ops import _chunk_kernels as kernels

        self.device, self.num_edges = device, num_edges
        pred_ptr, pred, at = kernels.predecessors(before, after, num_edges)
        self.line, self.after = lines[at], np.repeat(np.arange(num_edges), np.diff(pred_ptr))
        level = kernels.evaluation_levels(before, after, num_edges)
        run = kernels.cut_runs(level, np.argsort(level, kind="stable"), pred_ptr, pred, chunk_edges)
        component = kernels.components(run, before, after)
        order = np.lexsort((level, component, run))
        self.chunk, self.local, chunks = kernels.pack(order, run, component, LEAST_CHUNK)
        self.column, self.outer, self.entry_ptr, self.entries, self.exit_ptr, self.exits = kernels.crossings(
            order, self.chunk, self.local, chunks, pred_ptr, pred
        )
        self.size, entering, leaving = np.bincount(self.chunk), np.diff(self.entry_ptr), np.diff(self.exit_ptr)
        run_of_chunk = np.empty(chunks, np.int64)
        run_of_chunk[self.chunk] = run
        self.chunks = np.lexsort((entering, run_of_chunk))
        self.step = borders.group_chunks(self.chunks, run_of_chunk, self.size, entering, leaving, row_limit, area_limit)
        self.step_ptr = _pointer(self.step)
        last_use = borders.last_uses(self.step, self.entry_ptr, self.entries, num_edges)
        self.segment = borders.cut_segments(self.step_ptr, self.chunks, self.exit_ptr, self.exits, last_use, row_limit)
        self.entry_row, self.exit_row, self.carried_ptr, self.carried, self.rows = borders.assign_rows(
            FIRST_ROW, self.segment, self.step_ptr, self.chunks, self.entry_ptr, self.entries,
            self.exit_ptr, self.exits, last_use,
        )  # fmt: skip

    def plan(self) -> Plan:
        member = np.empty_like(self.chunks)  # number of a chunk within its step
        member[self.chunks] = np.arange(self.chunks.size) - self.step_ptr[self.step[self.chunks]]
        batch = np.diff(self.step_ptr)
        size, entries, exits = (
            _largest(count, self.step, batch.size)
            for count in (self.size, np.diff(self.entry_ptr), np.diff(self.exit_ptr))
        )
        first = np.concatenate([[0], np.cumsum(batch * size)])
        of_edge = self.step[self.chunk]
        place = first[of_edge] + member[self.chunk] * size[of_edge] + self.local
        inner, outer = self._lines(~self.outer, member, size, size), self._lines(self.outer, member, size, entries)
        entry_row = self._padded(self.entry_ptr, self.entry_row, member, batch, entries, ZERO_ROW)
        exit_row = self._padded(self.exit_ptr, self.exit_row, member, batch, exits, SPARE_ROW)
        exit_at = self._padded(self.exit_ptr, self.local[self.exits], member, batch, exits, 0)
        steps = [
            Step(*shape, *inner[s], *outer[s], entry_row[s], exit_at[s].view(int(batch[s]), int(exits[s])), exit_row[s])
            for s, shape in enumerate(
                zip(*(a.tolist() for a in (batch, size, entries, exits, first[:-1])), strict=True)
            )
        ]
        ends = _pointer(self.segment)
        carried = self._tensor(self.carried).split(np.diff(self.carried_ptr).tolist())
        segments = [
            Segment(steps[a:b], rows_before, rows)
            for a, b, rows_before, rows in zip(ends, ends[1:], carried, self.rows.tolist(), strict=False)
        ]
        return Plan(int(first[-1]), self._tensor(place), segments)

    def _lines(
        self, wanted: np.ndarray, member: np.ndarray, size: np.ndarray, width: np.ndarray
    ) -> list[tuple[Tensor, Tensor]]:
        """Line edges by step, and their flat position in the step's ``[batch, size, width]``."""
        chosen = np.flatnonzero(wanted)
        after = self.after[chosen]
        chunk = self.chunk[after]
        step = self.step[chunk]
        at = (member[chunk] * size[step] + self.local[after]) * width[step] + self.column[chosen]
        order = np.argsort(step, kind="stable")
        counts = np.bincount(step, minlength=size.size).tolist()
        lines, at = self._tensor(self.line[chosen[order]]), self._tensor(at[order])
        return list(zip(lines.split(counts), at.split(counts), strict=True))

    def _padded(
        self,
        pointer: np.ndarray,
        items: np.ndarray,
        member: np.ndarray,
        batch: np.ndarray,
        width: np.ndarray,
        padding: int,
    ) -> list[Tensor]:
        """Items of chunks, padded to ``[batch * width]`` per step."""
        first = np.concatenate([[0], np.cumsum(batch * width)])
        counts = np.diff(pointer)
        chunk = np.repeat(np.arange(counts.size), counts)
        step = self.step[chunk]
        out = np.full(first[-1], padding)
        out[first[step] + member[chunk] * width[step] + np.arange(items.size) - pointer[chunk]] = items
        return list(self._tensor(out).split((batch * width).tolist()))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64)).to(self.device)


def _pointer(group: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(group))]).astype(np.int64)


def _largest(count: np.ndarray, group: np.ndarray, num_groups: int) -> np.ndarray:
    largest = np.zeros(num_groups, np.int64)
    np.maximum.at(largest, group, count)
    return largest
