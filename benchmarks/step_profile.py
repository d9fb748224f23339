"""Where the time of a training step goes: torch's profiler, summed over the parts of a model, forward and backward."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, record_function
from torch_geometric.nn import MessagePassing

MARK = "part: "

PARTS: dict[str, str] = {
    "GateMaps": "gates",
    "LayerNorm": "norm",
    "BatchNorm": "norm",
    "BatchNorm1d": "norm",
    "Linear": "linear maps",
    "GELU": "activation",
    "ReLU": "activation",
    "AtomEncoder": "encoders",
    "BondEncoder": "encoders",
    "SinusoidalEncoding": "encoders",
    "MeanAggregation": "readout",
}
"""Class of a module → name of the part; the outermost named module counts, operators by name come before it."""

OPERATORS = {"plstm_graph::": "operator", "rms_norm": "norm", "RmsNorm": "norm"}
"""What is in the name of an operator of the layer itself → name of the part."""

LAYER = "rest of the layers"
OTHER = "rest of the model"


def profile_steps(
    model: nn.Module, loader: Iterable[Any], step: Callable[[Any], None], count: int
) -> dict[str, float]:
    """Seconds per step by part, in falling order, the loader's last.

    The backward pass of an operation counts for the part that its forward pass belongs to.

    Args:
        model: the model that ``step`` trains.
        loader: gives batches; begun anew when it is exhausted.
        step: trains on one batch.
        count: number of steps.
    """
    batches, loading = _load(loader, count)
    step(batches[0])
    with ExitStack() as stack:
        for module in model.modules():
            stack.enter_context(_marked(module))
        with torch.profiler.profile(activities=[ProfilerActivity.CPU]) as profiler:
            for batch in batches:
                step(batch)
    seconds = _by_part(profiler.events())
    ordered = {part: s / count for part, s in sorted(seconds.items(), key=lambda item: -item[1])}
    return ordered | {"loader": loading}


def _load(loader: Iterable[Any], count: int) -> tuple[list[Any], float]:
    batches: list[Any] = []
    next(iter(loader))
    start = time.perf_counter()
    while len(batches) < count:
        batches += list(loader)
    return batches[:count], (time.perf_counter() - start) / len(batches)


class _marked:
    """Wrap the forward pass of a module in a profiler range that carries the name of its part."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        part = PARTS.get(type(module).__name__)
        self.part = LAYER if part is None and isinstance(module, MessagePassing) else part

    def __enter__(self) -> None:
        if self.part is None:
            return
        ranges: list[Any] = []

        def before(*_: Any) -> None:
            ranges.append(record_function(MARK + str(self.part)))
            ranges[-1].__enter__()

        def after(*_: Any) -> None:
            ranges.pop().__exit__(None, None, None)

        self.handles = (
            self.module.register_forward_pre_hook(before),
            self.module.register_forward_hook(after),
        )

    def __exit__(self, *_: object) -> None:
        for handle in self.handles if self.part is not None else ():
            handle.remove()


def _by_part(events: Iterable[FunctionEvent]) -> dict[str, float]:
    """Self time of all operators, by part."""
    events = sorted((e for e in events if e.cpu_time_total), key=lambda e: e.time_range.start)
    ranges = [e for e in events if e.name.startswith(MARK)]
    starts = [e.time_range.start for e in ranges]
    part_of_number: dict[int, str] = {}
    backward: list[tuple[FunctionEvent, int]] = []
    seconds: dict[str, float] = defaultdict(float)
    for event in events:
        if event.name.startswith(MARK):
            continue
        number = _backward_number(event)
        if number is not None:
            backward.append((event, number))
            continue
        part = _part(event, ranges, starts)
        if event.sequence_nr >= 0 and not event.name.startswith("autograd::"):
            part_of_number.setdefault(event.sequence_nr, part)
        seconds[part] += event.self_cpu_time_total / 1e6
    for event, number in backward:
        part = part_of_number.get(number, OTHER)
        named = next((p for key, p in OPERATORS.items() if key in event.name), part)
        seconds[named] += event.self_cpu_time_total / 1e6
    return {part: s for part, s in seconds.items() if s}


def _backward_number(event: FunctionEvent | None) -> int | None:
    """Number of the node of the backward graph in which an event happens."""
    number = None
    while event is not None:
        if event.name.startswith("autograd::engine::evaluate_function") and event.sequence_nr >= 0:
            return event.sequence_nr
        event = event.cpu_parent
    return number


def _part(event: FunctionEvent, ranges: list[FunctionEvent], starts: list[float]) -> str:
    if event.name.startswith("Optimizer."):
        return "optimizer"
    above: FunctionEvent | None = event
    found = None
    while above is not None:
        for key, part in OPERATORS.items():
            if key in above.name:
                return part
        if above.name.startswith("Optimizer."):
            return "optimizer"
        if above.name.startswith(MARK) and (found is None or found == LAYER):
            found = above.name.removeprefix(MARK)
        above = above.cpu_parent
    if found is not None:
        return found
    i = bisect_right(starts, event.time_range.start) - 1
    inside = i >= 0 and event.time_range.end <= ranges[i].time_range.end
    return ranges[i].name.removeprefix(MARK) if inside else OTHER
