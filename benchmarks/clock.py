"""Measure one call: warm up, repeat what is too short for the clock, wait for the device."""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Mapping

import torch

from benchmarks.case import Call

SHORTEST = 0.005
"""Seconds; a shorter call is repeated until a sample lasts about this long."""

REST = 0.01
"""Seconds of silence before a sample, in which idle threads of the call before fall asleep."""


def warm_up(call: Call, device: str) -> int:
    """Run a call a few times and say how often to repeat it in a sample; the first run compiles what is compiled."""
    call.run()
    if call.own_measure:
        return 1
    call.run()
    return max(1, math.ceil(SHORTEST / _timed(call, 1, device)))


def sample(call: Call, repeats: int, device: str) -> float:
    """Seconds per call, or what the call measures itself."""
    gc.collect()
    time.sleep(REST)
    if call.own_measure:
        return float(call.run())
    return _timed(call, repeats, device)


def in_turns(calls: Mapping[str, Call], rounds: int, device: str) -> dict[str, float]:
    """Median of every call, all of them measured in turns in this process."""
    repeats = {name: warm_up(call, device) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(calls), len(calls)):
            samples[name].append(sample(calls[name], repeats[name], device))
    return {name: statistics.median(values) for name, values in samples.items()}


def _timed(call: Call, repeats: int, device: str) -> float:
    _wait(device)
    gc.disable()
    start = time.perf_counter()
    for _ in range(repeats):
        call.run()
    _wait(device)
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds / repeats


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
