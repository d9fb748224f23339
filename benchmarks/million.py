"""``python -m benchmarks.million``: DAGs of a million edges through construction and one layer, forwards and backwards.

Each DAG runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.machine import machine, versions
from benchmarks.memory import memory_status, reset_peak

CHANNELS, HEADS = 64, 4


def citation(num_edges: int, seed: int = 0) -> tuple[Tensor, int]:
    """Papers that cite about ten earlier ones each, one half of them at random, the other by copying a citation.

    Copying cites a paper in proportion to its citations. Edges lead from the cited to the citing paper.

    Returns:
        ``edge_index [2, E]``, with E a little below ``num_edges`` where a paper drew another twice, and the number of
        papers.
    """
    cites = 10
    rng = np.random.default_rng(seed)
    citing = np.repeat(np.arange(1, num_edges // cites + 1), cites)
    drawn = (rng.random(citing.size) * citing).astype(np.int64)
    earlier = (citing - 1) * cites  # citations made before
    copied = (rng.random(citing.size) * earlier).astype(np.int64)
    origin = np.where((rng.random(citing.size) < 0.5) & (earlier > 0), copied, np.arange(citing.size))
    while (origin != origin[origin]).any():
        origin = origin[origin]
    pairs = np.unique(np.stack([drawn[origin], citing]), axis=1)
    return torch.from_numpy(pairs), int(citing[-1]) + 1


def circuit(num_edges: int, seed: int = 0) -> tuple[Tensor, int]:
    """Gates in layers, each with two different inputs from the neighbourhood of its place in the layer before."""
    width, reach = max(8, round((num_edges / 2) ** 0.5 * 1.5)), 3
    layers = num_edges // (2 * width) + 1
    rng = np.random.default_rng(seed)
    gate = np.arange(width, width * layers)
    first = rng.integers(-reach, reach + 1, gate.size)
    second = first + rng.integers(1, 2 * reach + 1, gate.size)
    second = (second + reach) % (2 * reach + 1) - reach
    before = gate // width - 1
    tails = [before * width + (gate % width + offset) % width for offset in (first, second)]
    return torch.from_numpy(np.stack([np.concatenate(tails), np.tile(gate, 2)])), width * layers


CASES: dict[str, Callable[[int, int], tuple[Tensor, int]]] = {"citation": citation, "circuit": circuit}


def count_line_edges(edge_index: Tensor, num_nodes: int) -> int:
    """L, the sum over all nodes of edges in times edges out, without building anything."""
    tail, head = edge_index
    return int(torch.bincount(tail, minlength=num_nodes) @ torch.bincount(head, minlength=num_nodes))


def measure(case: str, num_edges: int) -> dict[str, Any]:
    """Seconds and peak memory (MB of 2**20 bytes, of the whole process) of every step of one case."""
    from plstm_graph import LineDAG, PLSTMConv

    _compile()
    torch.manual_seed(0)
    record: dict[str, Any] = {"case": case, "threads": torch.get_num_threads(), "start_mb": memory_status("VmRSS")}

    def timed(step: str, run: Callable[[], Any]) -> Any:
        reset_peak()
        start = time.perf_counter()
        result = run()
        record[f"{step}_seconds"] = round(time.perf_counter() - start, 3)
        record[f"{step}_peak_mb"] = round(memory_status("VmHWM"))
        return result

    edge_index, num_nodes = timed("generate", lambda: CASES[case](num_edges, 0))
    record |= {"nodes": num_nodes, "edges": edge_index.size(1), "line_edges": count_line_edges(edge_index, num_nodes)}
    print(f"{case}: {record['edges']:,} edges, {record['line_edges']:,} line edges", file=sys.stderr, flush=True)
    dag = timed("build", lambda: LineDAG.from_edge_index(edge_index, num_nodes))
    record |= {"levels": dag.num_levels, "kept_in_d_mode": int(dag.multitree.sum())}
    layer = PLSTMConv(CHANNELS, CHANNELS, heads=HEADS)
    x = torch.randn(num_nodes, CHANNELS, requires_grad=True)
    out = timed("forward", lambda: layer(x, dag))
    timed("backward", lambda: out.square().mean().backward())
    record["finite"] = bool(out.isfinite().all() and x.grad.isfinite().all())
    record["heard"] = bool((x.grad.abs().sum(dim=1) > 0).all())
    return record


def _compile() -> None:
    """Compile, or load from the cache, what is measured afterwards."""
    from plstm_graph import LineDAG, PLSTMConv

    edge_index, num_nodes = citation(3_000)
    x = torch.randn(num_nodes, CHANNELS, requires_grad=True)
    PLSTMConv(CHANNELS, CHANNELS, heads=HEADS)(x, LineDAG.from_edge_index(edge_index, num_nodes)).sum().backward()


def table(records: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = [
        "# DAGs of a million edges", "",
        "Construction of the line graph with its multitree, and one "
        f"`PLSTMConv({CHANNELS}, {CHANNELS}, heads={HEADS})` forwards and backwards, float32. Peaks are those of the "
        f"whole process during the step, in MB of 2²⁰ bytes. {about['machine']['cpu']}, "
        f"{records[0]['threads']} thread(s), torch {about['versions']['torch']}. `python -m benchmarks.million`", "",
        "| DAG | nodes | edges E | line edges L | L / E | levels | build | forward | backward |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for r in records:
        steps = (f"{r[f'{s}_seconds']:.1f} s, {r[f'{s}_peak_mb']:,} MB" for s in ("build", "forward", "backward"))
        lines.append(
            f"| {r['case']} | {r['nodes']:,} | {r['edges']:,} | {r['line_edges']:,} | "
            f"{r['line_edges'] / r['edges']:.1f} | {r['levels']:,} | {' | '.join(steps)} |"
        )
    for r in records:
        lines += ["", f"**{r['case']}**: {' '.join((CASES[r['case']].__doc__ or '').split('Returns:')[0].split())}"]
    memory = about["machine"]["memory_gb"] * 2**30
    per_line = [(r["backward_peak_mb"] - r["start_mb"]) * 2**20 / r["line_edges"] for r in records]
    lines += [
        "",
        "L is the sum over all nodes of edges in times edges out; it is printed before anything is built. Both DAGs "
        "bound the edges into a node, by ten and by two, so L stays within ten and two times E however many edges "
        "leave a hub. "
        f"All memory together comes to {min(per_line):.0f} to {max(per_line):.0f} bytes per line edge here, edges and "
        f"nodes included, so {memory / 2**30:.0f} GB hold {memory / max(per_line) / 1e6:,.0f} to "
        f"{memory / min(per_line) / 1e6:,.0f} million line edges of such DAGs with this layer. Where "
        "edges in and edges out are both many at the same nodes, L outgrows that long before E does: "
        "`LineDAG.from_edge_index` refuses 2³¹ line edges and more, and names the worst hub.",
        "",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all cases, each in a process of its own; write ``million.json`` and ``million.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    parser.add_argument("--edges", type=int, default=1_000_000, help="edges of every DAG (1,000,000)")
    parser.add_argument("--out", type=Path, default=Path("results/dags"), help="folder of the results (results/dags)")
    parser.add_argument("--case", choices=CASES, help="print one case as JSON, measured in this process")
    options = parser.parse_args(arguments)
    if options.edges < 100:
        parser.error(f"--edges must be at least 100, got {options.edges}")
    if options.case:
        print(json.dumps(measure(options.case, options.edges)))
        return 0
    records = []
    for case in CASES:
        command = [sys.executable, "-P", "-m", "benchmarks.million", "--case", case, "--edges", str(options.edges)]
        path = os.pathsep.join(folder for folder in sys.path if folder)
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"error: {case} ended with exit status {done.returncode}", file=sys.stderr)
            return 1
        records.append(json.loads(done.stdout.splitlines()[-1]))
    about = {"machine": machine(), "versions": versions()}
    options.out.mkdir(parents=True, exist_ok=True)
    text = table(records, about)
    (options.out / "million.json").write_text(json.dumps(about | {"cases": records}, indent=1) + "\n", encoding="utf-8")
    (options.out / "million.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
