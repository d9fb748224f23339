"""Peak memory of one training step, in a process of its own: ``python -m benchmarks.memory MODEL MOLECULES COUNT``."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.inputs import BARE, WIDTH, molecule_dag, molecules

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "GIN": ("gin", {"node_encoder": "atom"}),
    "GINE": ("gine", {"node_encoder": "atom", "edge_encoder": "bond"}),
    "GPS": ("gps", {"node_encoder": "atom", "edge_encoder": "bond"}),
    "pLSTM, alternating directions": ("plstm", BARE | {"node_encoder": "atom", "direction": "alternate"}),
    "pLSTM, both directions": ("plstm", BARE | {"node_encoder": "atom"}),
    "pLSTM, both directions, edge features": ("plstm", BARE | {"node_encoder": "atom", "edge_encoder": "bond"}),
}
"""Name in the table → name in the library and options; all have four layers of the same width."""

RETURN_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_ARENA_MAX": "1"}
"""glibc then gives freed memory back at once, so that a step before does not hide what this one takes."""


def peak_megabytes(model: str, molecules_file: str, count: int, threads: int) -> float:
    """Peak of a training step in a fresh process, in MB (2**20 bytes) beyond what lay there before the step."""
    command = [sys.executable, "-P", "-m", "benchmarks.memory", model, molecules_file, str(count)]
    path = os.pathsep.join(folder for folder in sys.path if folder)
    environment = os.environ | RETURN_MEMORY | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the process that measures {model} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def step_peak(model: str, molecules_file: str, count: int) -> float:
    """Run three training steps and say how far the third one went beyond what it found, in MB."""
    from plstm_graph.nn.baselines import build_model

    torch.manual_seed(0)
    batch = molecules(molecules_file, count)
    name, options = MODELS[model]
    if name == "plstm":
        batch.dag = molecule_dag(molecules_file, count)
    net = build_model(name, 9, 1, **{"hidden_channels": WIDTH, "num_layers": 4} | options)
    optimizer = torch.optim.AdamW(net.parameters())

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(net(batch), (batch.y > 0).float()).backward()
        optimizer.step()

    for _ in range(2):
        step()
    optimizer.zero_grad()
    ctypes.CDLL(None).malloc_trim(0)
    reset_peak()
    before = memory_status("VmRSS")
    step()
    return memory_status("VmHWM") - before


def reset_peak() -> None:
    """Let this process's peak memory start anew from what it holds now."""
    Path("/proc/self/clear_refs").write_text("5")


def memory_status(field: str) -> float:
    """``VmRSS``, the memory of this process now, or ``VmHWM``, its peak, in MB of 2**20 bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{field}:")[1].split()[0]) / 1024


if __name__ == "__main__":
    print(step_peak(sys.argv[1], sys.argv[2], int(sys.argv[3])))
