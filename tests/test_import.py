"""What ``import plstm_graph`` costs, and what every public name promises."""

from __future__ import annotations

import importlib
import inspect
import statistics
import subprocess
import sys
import time

import pytest

import plstm_graph

HEAVY = ("rdkit", "ogb", "lightning", "networkx", "matplotlib", "numba", "pandas", "sklearn", "typer", "rich", "triton")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300).stdout


def test_import_is_light():
    loaded = run(f"import sys, plstm_graph; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert loaded.strip() == "[]"


@pytest.mark.parametrize("name", ["LineDAG", "ToLineDAG", "PLSTMConv", "PLSTMBlock", "PLSTM"])
def test_layers_and_graphs_load_nothing_heavy_beyond_pyg(name):
    loaded = run(
        f"import sys, torch_geometric\nbefore = set(sys.modules)\nfrom plstm_graph import {name}\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules and m not in before])"
    )
    assert loaded.strip() == "[]"


@pytest.mark.serial
def test_import_time():
    ours, theirs = [], []
    for _ in range(4):
        for module, times in (("plstm_graph", ours), ("torch_geometric", theirs)):
            start = time.perf_counter()
            run(f"import {module}")
            times.append(time.perf_counter() - start)
    assert statistics.median(ours) < 1.5 * statistics.median(theirs)


@pytest.mark.parametrize("name", [n for n in plstm_graph.__all__ if n != "__version__"])
def test_public_names_are_documented(name):
    value = getattr(plstm_graph, name)
    documentation = inspect.getdoc(value)
    assert documentation, name
    parameters = inspect.signature(value).parameters
    missing = [
        p for p, spec in parameters.items() if p not in documentation and spec.kind not in (2, 4) and p != "_cache"
    ]
    assert not missing, f"{name} does not say what {missing} mean"


def test_every_module_imports():
    import pkgutil

    broken = []
    for module in pkgutil.walk_packages(plstm_graph.__path__, "plstm_graph."):
        if module.name.endswith("__main__") or "triton" in module.name:
            continue
        try:
            importlib.import_module(module.name)
        except Exception as error:
            broken.append(f"{module.name}: {error!r}")
    assert not broken


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'LineDag'"):
        plstm_graph.LineDag  # noqa: B018
