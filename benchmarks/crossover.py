"""``python -m benchmarks.crossover``: where one way to evaluate the operator becomes cheaper than another.

Derives the numbers that decide: ``SMALL_PAIRS`` of :mod:`plstm_graph.ops._fused_jobs`, and the limits by which
``engine="auto"`` chooses (:mod:`plstm_graph.ops.operator`).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import clock, revision
from benchmarks.case import Call, Setting
from benchmarks.figures import crossing
from benchmarks.inputs import HEADS, operator_call, path_dag
from benchmarks.machine import describe_end, describe_run
from benchmarks.report import circumstances, markdown, number
from benchmarks.session import Record

SHAPES = ((8, 8), (24, 24), (64, 64), (16, 64))
"""Key and value widths at which the small and the large kernels are compared."""

SIZES = (16, 32, 64, 128, 256, 512, 1024)
"""Nodes per graph."""

NODES = 2048
"""Nodes in all graphs of a batch together."""


def tree_dag(nodes: int, device: str, graphs: int) -> Any:
    """Random molecule-like graphs: degree at most 4, a ring for every 8 nodes, breadth first from node 0."""
    from plstm_graph import LineDAG

    generator = torch.Generator().manual_seed(nodes)
    parent, rings = [], []
    degree = [0] * nodes
    for node in range(1, nodes):
        free = [n for n in range(max(0, node - 6), node) if degree[n] < 3] or [node - 1]
        chosen = free[int(torch.randint(len(free), (), generator=generator))]
        degree[chosen] += 1
        parent.append((chosen, node))
        if node % 8 == 7:
            rings.append((node - 5, node))
    one = torch.tensor([*parent, *(r for r in rings if r not in parent)]).T.reshape(2, -1)
    shift = nodes * torch.arange(graphs).repeat_interleave(one.size(1))
    batch = torch.arange(graphs).repeat_interleave(nodes)
    return LineDAG.from_edge_index(one.repeat(1, graphs) + shift, nodes * graphs, batch=batch).to(device)


FAMILIES: dict[str, Callable[..., Any]] = {"path": path_dag, "molecule-like": tree_dag}


def small_pairs(quick: bool, rounds: int) -> dict[str, Any]:
    """Where the kernel for large graphs overtakes the one for small graphs, and the ``SMALL_PAIRS`` that follows."""
    from plstm_graph.ops import _fused_jobs

    present = _fused_jobs.SMALL_PAIRS
    rows, found = [], []
    for family, make in FAMILIES.items():
        for key_dim, value_dim in SHAPES[:2] if quick else SHAPES:
            small, large = [], []
            sizes = SIZES[:4] if quick else SIZES
            for nodes in sizes:
                call = operator_call("fused", make(nodes, "cpu", max(1, NODES // nodes)), HEADS, key_dim, value_dim)
                try:
                    calls = {name: Call(_with(_fused_jobs, limit, call)) for name, limit in _KERNELS.items()}
                    seconds = clock.in_turns(calls, rounds, "cpu")
                finally:
                    _fused_jobs.SMALL_PAIRS = present
                small.append(seconds["small"])
                large.append(seconds["large"])
            place = crossing(sizes, small, large)
            pairs = None if not place else place * (key_dim + value_dim) / (key_dim * value_dim)
            found += [] if pairs is None else [pairs]
            rows.append([family, key_dim, value_dim, _place(place), "–" if pairs is None else number(pairs)])
    return {
        "title": "kernel for small graphs against kernel for large graphs",
        "columns": ["graphs", "K", "V", "nodes at the crossing", "SMALL_PAIRS = n (K + V) / (K V)"],
        "rows": rows,
        "result": f"SMALL_PAIRS = {number(statistics.geometric_mean(found))} (geometric mean; at present {present:g})"
        if found
        else f"no crossing in this range; SMALL_PAIRS is {present:g}",
    }


_KERNELS = {"small": math.inf, "large": -1.0}
"""Name of a kernel → the ``SMALL_PAIRS`` that sends every graph to it."""


def _with(module: Any, limit: float, call: Call) -> Callable[[], Any]:
    def run() -> Any:
        module.SMALL_PAIRS = limit
        return call.run()

    return run


def dense_or_levels(device: str, quick: bool, rounds: int) -> dict[str, Any]:
    """``parallel`` against ``wavefront`` on batches of ever larger graphs."""
    sizes = SIZES[:3] if quick else SIZES[:5]
    rows, found = [], []
    for family, make in FAMILIES.items():
        for key_dim in (24,) if quick else (8, 24):
            dags = [make(nodes, device, max(2, NODES // nodes)) for nodes in sizes]
            seconds = [_engines(dag, ("parallel", "wavefront"), key_dim, device, rounds) for dag in dags]
            edges = [dag.num_edges / dag.num_graphs for dag in dags]
            place = crossing(edges, [s["parallel"] for s in seconds], [s["wavefront"] for s in seconds])
            found += [place / key_dim] if place else []
            rows.append([family, key_dim, _place(place), number(place / key_dim) if place else "–"])
    return {
        "title": "parallel against wavefront",
        "columns": ["graphs", "K", "edges per graph at the crossing", "over K"],
        "rows": rows,
        "result": f"parallel up to {number(statistics.geometric_mean(found))} × K edges per graph (geometric mean)"
        if found
        else "no crossing in this range",
    }


def chunks_or_levels(device: str, quick: bool, rounds: int) -> dict[str, Any]:
    """``chunkwise`` against ``wavefront`` on one path, and on several beside each other."""
    rows = []
    lengths = (32, 128) if quick else (32, 128, 512, 2048)
    for graphs in (1,) if quick else (1, 16):
        dags = [path_dag(nodes, device, graphs) for nodes in lengths if nodes * graphs <= 2**16]
        seconds = [_engines(dag, ("wavefront", "chunkwise"), 24, device, rounds) for dag in dags]
        places = [dag.num_levels for dag in dags]
        place = crossing(places, [s["wavefront"] for s in seconds], [s["chunkwise"] for s in seconds])
        rows.append([graphs, _place(place)])
    return {
        "title": "wavefront against chunkwise",
        "columns": ["paths in the batch", "levels from which chunkwise is cheaper"],
        "rows": rows,
        "result": "chunkwise from the number of levels above",
    }


def choices(device: str, quick: bool, rounds: int) -> dict[str, Any]:
    """All engines on batches of paths, and what ``engine="auto"`` takes."""
    from plstm_graph.ops import explain_engine

    rows, worst = [], 1.0
    for nodes in (16, 128) if quick else (16, 128, 1024, 8192):
        for graphs in (1, 8) if quick else (1, 8, 64):
            if nodes * graphs > 2**14:
                continue
            dag = path_dag(nodes, device, graphs)
            usable = [engine for engine in _ALL if nodes <= _LONGEST.get(engine, nodes)]
            seconds = _engines(dag, usable, 24, device, rounds)
            chosen, best = explain_engine(dag).engine, min(seconds, key=seconds.__getitem__)
            loss = seconds[chosen] / seconds[best]
            worst = max(worst, loss)
            rows.append([nodes, graphs, *(_milliseconds(seconds.get(e)) for e in _ALL), best, chosen, f"{loss:.2f}"])
    return {
        "title": "all engines on batches of paths, K = V = 24",
        "columns": ["nodes", "graphs", *(f"{e}, ms" for e in _ALL), "cheapest", "auto", "auto ÷ cheapest"],
        "rows": rows,
        "result": f"engine='auto' costs at most {worst:.2f} times the cheapest engine here",
    }


_ALL = ("fused", "chunkwise", "wavefront", "parallel")
_LONGEST = {"wavefront": 1024, "parallel": 256}
"""Longest paths that an engine is tried on."""


def _engines(dag: Any, engines: Sequence[str], key_dim: int, device: str, rounds: int) -> dict[str, float]:
    from plstm_graph.ops import ENGINES

    calls = {e: operator_call(e, dag, HEADS, key_dim, key_dim) for e in engines if e in ENGINES}
    return clock.in_turns(calls, rounds, device)


def _place(value: float | None) -> str:
    if value is None:
        return "beyond the largest"
    return number(value) if value else "below the smallest"


def _milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else number(1e3 * seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write ``crossover.md`` and ``crossover.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crossover", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few and small graphs: only shows that it works")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    setting = Setting("", options.threads, options.device, options.quick)
    record: Record = describe_run(setting, "not used; paths and molecule-like graphs", revision.current(), None)
    start = time.perf_counter()
    common = (options.device, options.quick, options.rounds)
    record["tables"] = [make(*common) for make in (choices, chunks_or_levels, dense_or_levels)]
    if options.device == "cpu":
        record["tables"].append(small_pairs(options.quick, options.rounds))
    record |= describe_end(start)
    text = _text(record)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "crossover.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (options.out / "crossover.md").write_text(text, encoding="utf-8")
    print(text)


def _text(record: Record) -> str:
    parts = ["# Crossovers", circumstances(record)]
    for table in record["tables"]:
        parts += [f"## {table['title']}", markdown(table["columns"], table["rows"]), f"**{table['result']}**"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
