"""What the fused engine does on the CPU: a call's arrays, cut into jobs, on as many threads as torch uses.

Jobs write to disjoint memory, so results do not depend on the number of threads. The threads are Python threads around
kernels that release the interpreter lock: unlike OpenMP pools they survive a fork and do not spin beside torch's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

SMALL_PAIRS = 20.0
"""A graph of n nodes counts as small if ``n (K + V) <= SMALL_PAIRS * K * V``: measured crossover of the kernels."""

SEGMENT_BYTES = 2**18
"""Memory for the states of one segment, a fraction of a core's cache."""


def evaluate(tensors: Sequence[Tensor], graphs: Graphs) -> Tensor:
    """Output ``[N, H, V]`` of query, key, value, source, transition, mark and direct gate (empty for none)."""
    out = _zeros(tensors[2])
    _run(_forward_jobs(_Inputs(*tensors), graphs, out.numpy()))
    return out


def differentiate(grad_out: Tensor, tensors: Sequence[Tensor], graphs: Graphs) -> list[Tensor]:
    """Gradients of the seven tensors of :func:`evaluate`."""
    grads = [_zeros(t) for t in tensors]
    tiles: list[tuple[np.ndarray, ...]] = []
    _run(_backward_jobs(_Inputs(*tensors), graphs, *_arrays(grad_out), tuple(g.numpy() for g in grads), tiles))
    for partial_grads in tiles:  # in the order of the tiles, whichever thread was first
        for total, part in zip(grads, partial_grads, strict=True):
            total += torch.from_numpy(part)
    return grads


class _Inputs:
    """The tensors of a call as arrays: for small graphs as they lie in memory, for large ones in a row."""

    def __init__(self, query: Tensor, key: Tensor, value: Tensor, *gates: Tensor) -> None:
        self.nodes = (query.detach(), key.detach(), value.detach())
        self.gates = _arrays(*gates)
        self.sizes = (query.size(1), query.size(2), value.size(2))

    @cached_property
    def rows(self) -> tuple[Any, ...]:
        """Flat query, key and value, each with the place of node 0 and the distance from node to node."""
        found: list[Any] = []
        for tensor in self.nodes:
            if tensor.stride()[1:] != (tensor.size(2), 1):
                tensor = tensor.contiguous()
            found += [_flat(tensor), tensor.storage_offset(), tensor.stride(0)]
        return tuple(found)

    @cached_property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Contiguous query, key, value ``[N, H, .]`` and the gates source, transition, mark."""
        return (*_arrays(*self.nodes), *self.gates[:3])

    @property
    def direct(self) -> np.ndarray:
        """Direct gate ``[N, H]``, or empty."""
        return self.gates[3]


def _flat(tensor: Tensor) -> np.ndarray:
    """The whole memory that ``tensor`` is a view of."""
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    return torch.as_strided(tensor, (size,), (1,), 0).numpy()


class Graphs:
    """Index arrays of a call, by processing position."""

    def __init__(
        self, edge_index: Tensor, line_index: Tensor, node_ptr: Tensor, edge_ptr: Tensor, reverse: bool
    ) -> None:
        from plstm_graph.ops import _fused_small

        tail, head, before, after, self.node_ptr, self.edge_ptr = _arrays(*edge_index, *line_index, node_ptr, edge_ptr)
        self._splits: dict[tuple, tuple[np.ndarray, list[np.ndarray]]] = {}
        self.order = _fused_small.processing_order(tail, head, before, after, self.node_ptr, self.edge_ptr, reverse)

    def split(self, key_dim: int, value_dim: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """Numbers of the large graphs, and of the small ones in runs of about equal work, a few per thread.

        There is nothing to do in graphs without nodes.
        """
        asked = (key_dim, value_dim, torch.get_num_threads(), SMALL_PAIRS)
        if asked not in self._splits:
            self._splits[asked] = self._split(*asked)
        return self._splits[asked]

    def _split(
        self, key_dim: int, value_dim: int, threads: int, small_pairs: float
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        nodes = np.diff(self.node_ptr)
        if key_dim == 0 or value_dim == 0:
            nodes = np.zeros_like(nodes)
        is_small = nodes * (key_dim + value_dim) <= small_pairs * key_dim * value_dim
        small, large = np.flatnonzero(is_small & (nodes > 0)), np.flatnonzero(~is_small & (nodes > 0))
        if small.size == 0:
            return large, []
        work = np.cumsum(nodes[small] ** 2)
        wanted = min(small.size, 4 * threads)
        ends = np.searchsorted(work, work[-1] * np.arange(1, wanted) / wanted)
        return large, [run for run in np.split(small, ends) if run.size]


Job = Callable[[], None]


def _forward_jobs(inputs: _Inputs, graphs: Graphs, out: np.ndarray) -> Iterator[Job]:
    from plstm_graph.ops import _fused_large, _fused_small

    large, small_runs = graphs.split(*inputs.sizes[1:])
    for g in large:
        first, last = graphs.edge_ptr[g : g + 2]
        slot, _, num_slots = _fused_large.assign_slots(graphs.order, first, last)
        for h in range(out.shape[1]):
            for low, high in _tiles(out, large.size):
                yield partial(_large_forward, inputs, graphs, g, slot, num_slots, first, last, h, low, high, out)
    for chunk in small_runs:
        yield partial(
            _fused_small.forward, inputs.rows, inputs.sizes, *inputs.gates,
            graphs.order, chunk, graphs.node_ptr, graphs.edge_ptr, out.reshape(-1),
        )  # fmt: skip


def _backward_jobs(
    inputs: _Inputs,
    graphs: Graphs,
    grad_out: np.ndarray,
    grads: tuple[np.ndarray, ...],
    tiles: list[tuple[np.ndarray, ...]],
) -> Iterator[Job]:
    from plstm_graph.ops import _fused_large, _fused_small

    large, small_runs = graphs.split(*inputs.sizes[1:])
    flat_grads = (*(g.reshape(-1) for g in grads[:3]), *grads[3:])
    ranges = _tiles(grad_out, large.size)
    if large.size:
        tiles.extend(tuple(np.zeros_like(g) for g in grads) for _ in ranges[1:])
    for g in large:
        first, last = graphs.edge_ptr[g : g + 2]
        slot, last_use, num_slots = _fused_large.assign_slots(graphs.order, first, last)
        for h in range(grad_out.shape[1]):
            for (low, high), into in zip(ranges, [grads, *tiles], strict=True):
                state_bytes = inputs.sizes[1] * (high - low) * grad_out.itemsize
                length = max(SEGMENT_BYTES // state_bytes, int((num_slots * (last - first)) ** 0.5), 1)
                pointer, alive = _fused_large.segment_borders(last_use, length)
                yield partial(
                    _large_backward, inputs, graphs, g, slot, last_use, num_slots, pointer, alive,
                    first, last, h, low, high, length, grad_out, into,
                )  # fmt: skip
    for chunk in small_runs:
        yield partial(
            _fused_small.backward, inputs.rows, inputs.sizes, *inputs.gates,
            graphs.order, chunk, graphs.node_ptr, graphs.edge_ptr, grad_out.reshape(-1), flat_grads,
        )  # fmt: skip


def _large_forward(inputs, graphs, g, slot, num_slots, first, last, h, low, high, out) -> None:
    from plstm_graph.ops import _fused_large as kernels

    kernels.forward(*inputs.arrays, graphs.order, slot, num_slots, first, last, h, low, high, out)
    if inputs.direct.size:
        kernels.forward_direct(*inputs.arrays[:3], inputs.direct, *graphs.node_ptr[g : g + 2], h, low, high, out)


def _large_backward(
    inputs, graphs, g, slot, last_use, num_slots, pointer, alive, first, last, h, low, high, length, grad_out, grads
) -> None:
    from plstm_graph.ops import _fused_large as kernels

    kernels.backward(
        *inputs.arrays, graphs.order, slot, last_use, num_slots, pointer, alive,
        first, last, h, low, high, length, grad_out, grads,
    )  # fmt: skip
    if inputs.direct.size:
        kernels.backward_direct(
            *inputs.arrays[:3], inputs.direct, *graphs.node_ptr[g : g + 2], h, low, high, grad_out, grads
        )


def _tiles(out: np.ndarray, num_large: int) -> list[tuple[int, int]]:
    """Ranges of value channels: of 32, or of 16 where graphs and heads alone would leave cores idle.

    Depends on shapes only, never on the number of threads, so that results do not either.
    """
    heads, depth = out.shape[1], out.shape[2]
    if num_large * heads >= 8:
        return [(0, depth)]
    width = 32 if num_large * heads >= 4 else 16  # every range walks through all edges, so wide ones are cheaper
    return [(low, min(low + width, depth)) for low in range(0, max(depth, 1), width)]


def _zeros(like: Tensor) -> Tensor:
    """Zeros straight from the operating system, which need not be written before the kernels write them."""
    return torch.from_numpy(np.zeros(tuple(like.shape), dtype=torch.empty(0, dtype=like.dtype).numpy().dtype))


def _arrays(*tensors: Tensor) -> tuple[np.ndarray, ...]:
    return tuple(t.detach().contiguous().numpy() for t in tensors)


def _run(jobs: Iterator[Job]) -> None:
    """Run all jobs on as many threads as torch uses."""
    waiting = iter(list(jobs))

    def drain() -> None:
        for job in waiting:
            job()

    helpers = torch.get_num_threads() - 1
    futures = [_pool(os.getpid()).submit(drain) for _ in range(min(helpers, waiting.__length_hint__() - 1))]
    drain()
    for future in futures:
        future.result()


@lru_cache(maxsize=1)
def _pool(pid: int) -> ThreadPoolExecutor:
    """Threads of this process; a forked child gets its own."""
    return ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="plstm")
