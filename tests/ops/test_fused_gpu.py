"""The Triton kernels: in the interpreter, compiled for GPUs that need not be there, and on one that is."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from plstm_graph.errors import EngineError, MissingDependencyError
from plstm_graph.ops.fused_gpu import _block_sizes, fused_gpu
from tests.oracles import random_tensors
from tests.strategies import path_dag

CASES = Path(__file__).with_name("fused_gpu_cases.py")
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed (extra 'gpu')")


def run_python(*arguments: str, **environment: str) -> None:
    """Run in a fresh process: whether Triton interprets or compiles is decided when it is first imported."""
    environment = {**os.environ, "TRITON_DEFAULT_FP_FUSION": "1", **environment}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, env=environment, cwd=CASES.parents[2], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


@needs_triton
def test_kernels_in_the_interpreter():
    run_python("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(CASES), TRITON_INTERPRET="1")


@needs_triton
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_kernels_on_the_gpu():
    run_python("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(CASES), TRITON_INTERPRET="0")


COMPILE = """
import sys
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from plstm_graph.ops import _triton_kernels
target = {"cuda": GPUTarget("cuda", 80, 32), "hip": GPUTarget("hip", "gfx942", 64)}[sys.argv[1]]
floats = {"query", "key", "value", "source", "transition", "mark", "scratch", "out"}
sizes = {"H": 4, "K": 24, "V": 24, "BLOCK_K": 32, "BLOCK_V": 32, "REVERSE": True}
for kernel in (_triton_kernels.forward, _triton_kernels.backward):
    for dtype in ("*fp32", "*fp64"):
        signature = {}
        for name in kernel.arg_names:
            if name in sizes:
                signature[name] = "constexpr"
            elif name in floats or name.startswith("grad_"):
                signature[name] = dtype
            elif name.startswith(("first_", "num_")):
                signature[name] = "i32"
            else:
                signature[name] = "*i32" if name == "leaps" else "*i64"
        options = {"num_warps": 4, "num_stages": 1}
        built = compile(ASTSource(kernel, signature, sizes), target=target, options=options)
        code = built.asm["ptx" if sys.argv[1] == "cuda" else "amdgcn"]
        assert ("bar.sync" if sys.argv[1] == "cuda" else "s_barrier") in code, "states pass between warps unguarded"
        assert "ld.global.nc" not in code, "states read through the read-only cache"
"""


@needs_triton
@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_kernels_compile_to_machine_code_without_a_gpu(target, tmp_path):
    run_python("-c", COMPILE, target, TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path))


def test_a_missing_triton_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    dag = path_dag(3)
    with pytest.raises(MissingDependencyError, match=r"plstm-graph\[gpu\]"):
        fused_gpu(*random_tensors(dag, 1, 1, 1).values(), dag, False, None)


@needs_triton
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="CPU tensors are fine in the interpreter")
def test_cpu_tensors_are_refused():
    dag = path_dag(3)
    with pytest.raises(EngineError, match="TRITON_INTERPRET=1"):
        fused_gpu(*random_tensors(dag, 1, 1, 1).values(), dag, False, None)


@pytest.mark.parametrize(
    ("width", "depth", "block"),
    [(1, 1, (1, 1)), (24, 24, (32, 32)), (33, 5, (64, 8)), (128, 128, (128, 32)), (1000, 64, (1024, 4))],
)
def test_blocks_are_powers_of_two_that_fit_registers(width, depth, block):
    assert _block_sizes(width, depth) == block
