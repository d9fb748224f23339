"""Where the time of a training step goes: torch's profiler, summed over the parts of a model, forward and backward."""

from __future__ import annotations

import time
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
    "NumberEncoder": "encoders",
    "SinusoidalEncoding": "encoders",
    "MeanAggregation": "readout",
    "NormAggregation": "readout",
    "Dropout": "dropout",
}
"""Class of a module → name of the part; the outermost one counts."""

OPERATORS = {"plstm_graph::": "operator", "_FusedCPU": "operator", "rms_norm": "norm", "aten::linear": "linear maps"}
"""What is in the name of an operator that a layer calls itself, not through a module → name of the part."""

LAYER = "rest of the layers"
OTHER = "rest of the model"


def profile_steps(model: nn.Module, loader: Iterable[Any], step: Callable[[Any], None], count: int) -> dict[str, float]:
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
    part_of_number: dict[int, str] = {}
    backward: list[tuple[FunctionEvent, int]] = []
    seconds: dict[str, float] = defaultdict(float)
    for event in sorted((e for e in events if e.cpu_time_total), key=lambda e: e.time_range.start):
        number = _backward_number(event)
        if number is not None:
            backward.append((event, number))
            continue
        part = _part(event)
        # operations that make no node carry the number of the next one that does, so the last one counts
        part_of_number[event.sequence_nr] = part
        if not event.name.startswith(MARK):
            seconds[part] += event.self_cpu_time_total / 1e6
    for event, number in backward:
        part = part_of_number.get(number, OTHER)
        seconds[_operator(event, part) or part] += event.self_cpu_time_total / 1e6
    return {part: s for part, s in seconds.items() if s}


def _backward_number(event: FunctionEvent | None) -> int | None:
    """Number of the node of the backward graph in which an event happens."""
    while event is not None:
        if event.name.startswith("autograd::engine::evaluate_function"):
            return event.sequence_nr
        event = event.cpu_parent
    return None


def _part(event: FunctionEvent) -> str:
    """Part of an event of the forward pass or of the optimizer: the outermost module that is named in PARTS."""
    found, named = OTHER, None
    above: FunctionEvent | None = event
    while above is not None:
        if above.name.startswith("Optimizer."):
            return "optimizer"
        if above.name.startswith(MARK):
            part = above.name.removeprefix(MARK)
            found = part if part != LAYER or found == OTHER else found
        named = _operator(above, found) or named
        above = above.cpu_parent
    return named if named is not None and found in (LAYER, OTHER) else found


def _operator(event: FunctionEvent, part: str) -> str | None:
    """Part of an operator that a layer calls outside of its modules."""
    if part not in (LAYER, OTHER):
        return None
    return next((name for key, name in OPERATORS.items() if key in event.name), None)
