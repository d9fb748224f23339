"""``plstm-graph doctor``."""

from __future__ import annotations

import time
from typing import Any

import typer


def doctor() -> None:
    """Print versions, devices and engines, and test the engines on a random graph."""
    from rich.console import Console

    out = Console(highlight=False)
    _print_versions(out)
    _print_devices(out)
    failed = _print_engines(out)
    if failed:
        out.print(f"[red]{len(failed)} engine(s) disagree with the reference: {', '.join(failed)}[/red]")
        raise typer.Exit(1)
    out.print("all well")


def _print_versions(out: Any) -> None:
    from rich.table import Table

    from plstm_graph.data.places import data_root
    from plstm_graph.train.run_folder import revision, versions

    grid = Table.grid(padding=(0, 2))
    for package, number in versions().items():
        grid.add_row(package, number or "not installed")
    grid.add_row("git revision", revision() or "not in a checkout")
    grid.add_row("data root", str(data_root()))
    out.print(grid)


def _print_devices(out: Any) -> None:
    import os

    import torch

    out.print(f"\ndevices\n  cpu: {os.cpu_count()} cores, {torch.get_num_threads()} threads")
    for i in range(torch.cuda.device_count()):
        p = torch.cuda.get_device_properties(i)
        out.print(f"  cuda:{i}: {p.name}, {p.total_memory / 2**30:.0f} GiB")
    if torch.backends.mps.is_available():
        out.print("  mps: Apple GPU")


def _print_engines(out: Any) -> list[str]:
    """Outputs and gradients of every engine beside those of the reference; returns the engines that differ."""
    import torch

    from plstm_graph.errors import EngineError
    from plstm_graph.ops import ENGINES, explain_engine

    dag, tensors = _random_call()
    choice = explain_engine(dag, key_dim=8)
    out.print(f"\nengines, on {dag}\n  auto takes {choice.engine}: {choice.reason}")
    expected, failed = _values("reference", tensors, dag), []
    for engine in ENGINES:
        try:
            _values(engine, tensors, dag)  # compiles
            start = time.perf_counter()
            found = _values(engine, tensors, dag)
            took = (time.perf_counter() - start) * 1e3
        except EngineError as error:
            out.print(f"  {engine:<10} not here: {error}")
            continue
        worst = max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True))
        good = worst < 1e-8
        failed += [] if good else [engine]
        out.print(f"  {engine:<10} {took:8.1f} ms, largest difference {worst:.1e} {'ok' if good else 'WRONG'}")
    if torch.cuda.is_available():
        out.print(f"  on cuda, auto takes {explain_engine(dag, key_dim=8, device='cuda').engine}")
    return failed


def _random_call(graphs: int = 20, nodes: int = 25, heads: int = 2, width: int = 8) -> tuple[Any, list[Any]]:
    import torch

    from plstm_graph import LineDAG

    make = torch.Generator().manual_seed(0)
    ends = torch.randint(nodes, (2, graphs * 2 * nodes), generator=make).sort(dim=0).values
    ends = ends + nodes * torch.arange(graphs).repeat_interleave(2 * nodes)
    dag = LineDAG.from_edge_index(
        ends[:, ends[0] < ends[1]], graphs * nodes, batch=torch.arange(graphs).repeat_interleave(nodes)
    )
    n, e, line = dag.num_nodes, dag.num_edges, dag.num_line_edges
    tensors = [torch.randn(n, heads, width, generator=make, dtype=torch.float64) for _ in range(3)]
    tensors += [torch.rand(size, heads, generator=make, dtype=torch.float64) for size in (e, line, e)]
    tensors[4] *= 0.4  # keeps sums over many paths near one
    return dag, tensors


def _values(engine: str, tensors: list[Any], dag: Any) -> list[Any]:
    """Output and the six gradients."""
    from plstm_graph.ops import plstm

    leaves = [t.clone().requires_grad_() for t in tensors]
    result = plstm(*leaves, dag, engine=engine)
    result.square().sum().backward()
    return [result.detach(), *(leaf.grad for leaf in leaves)]
