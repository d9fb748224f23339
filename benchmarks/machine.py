"""What a record says about its own circumstances."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.case import Setting

PACKAGES = ("torch", "torch_geometric", "numba", "numpy", "rdkit", "ogb", "lightning", "networkx", "triton")


def describe_run(setting: Setting, molecules: str, revision: str, against: str | None) -> dict[str, Any]:
    """Machine, versions, revisions, settings and load, as plain values."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": revision,
        "against": against,
        "quick": setting.quick,
        "threads": setting.threads,
        "device": setting.device,
        "molecules": molecules,
        "machine": machine(setting.device),
        "versions": versions(),
        "load_before": os.getloadavg()[0],
    }


def describe_end(start: float) -> dict[str, float]:
    """Seconds since ``start`` on the performance counter, and the load."""
    return {"seconds": time.perf_counter() - start, "load_after": os.getloadavg()[0]}


def machine(device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, memory, operating system, and the GPU if that is the device."""
    found: dict[str, Any] = {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
    }
    if device == "cuda":
        import torch

        found["gpu"] = torch.cuda.get_device_name()
    return found


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter; those not installed are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
