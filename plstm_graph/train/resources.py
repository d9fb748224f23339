"""Peak memory and parameters."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn


def reset_peak_memory() -> None:
    """Start measuring anew, where the system allows it (Linux, and any GPU)."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_mb() -> float:
    """Largest resident memory of this process in MB (2**20 bytes), on Linux since :func:`reset_peak_memory`."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        import resource  # POSIX only

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)


def peak_device_memory_mb() -> float | None:
    """Largest memory allocated on the GPU in MB, or ``None`` without one."""
    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None


def count_parameters(net: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
