"""Measure one call: warm up, repeat what is too short for the clock, wait for the device."""

from __future__ import annotations

import gc
import math
import time

import torch

from benchmarks.case import Call

SHORTEST = 0.005
"""Seconds; a shorter call is repeated until a sample lasts about this long."""

REST = 0.01
"""Seconds of silence before a sample, in which idle threads of the call before fall asleep."""


def warm_up(call: Call, device: str) -> int:
    """Run a call three times and say how often to repeat it in a sample; the first run compiles what is compiled."""
    for _ in range(2):
        call.run()
    if call.own_measure:
        return 1
    return max(1, math.ceil(SHORTEST / _timed(call, 1, device)))


def sample(call: Call, repeats: int, device: str) -> float:
    """Seconds per call, or what the call measures itself."""
    gc.collect()
    time.sleep(REST)
    if call.own_measure:
        return float(call.run())
    return _timed(call, repeats, device)


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
