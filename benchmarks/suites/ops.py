"""The operator: all engines on molecules, and how its cost grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from benchmarks.case import AT, Call, Case, Setting
from benchmarks.inputs import (
    BATCH,
    HEADS,
    MOLECULES,
    WIDTH,
    module_call,
    molecule_dag,
    molecules,
    node_features,
    operator_call,
    path_dag,
)  # fmt: skip
from benchmarks.peers import gin_conv

FAST = ("fused", "chunkwise")
"""Engines without a Python step per level."""


def on_molecules(setting: Setting) -> dict[str, Call]:
    """All engines on one batch; the reference on its first molecules."""
    count = 100 if setting.quick else BATCH
    few = molecule_dag(setting.molecules, 4 if setting.quick else 20, setting.device)
    dag = molecule_dag(setting.molecules, count, setting.device)
    calls = {"GINConv": _gin(setting, count)}
    for engine in _engines("fused", "chunkwise", "wavefront", "parallel"):
        calls[engine] = operator_call(engine, dag)
    return calls | {"reference": operator_call("reference", few)}


def _gin(setting: Setting, count: int, width: int = WIDTH) -> Call:
    batch = molecules(setting.molecules, count, setting.device)
    x = node_features(batch.num_nodes, width, setting.device)
    return module_call(gin_conv(width), x, [batch.edge_index], count)


def _engines(*names: str) -> list[str]:
    """Those that the library has."""
    from plstm_graph.ops import ENGINES

    return [name for name in names if name in ENGINES]


def by_graphs(setting: Setting) -> dict[str, Call]:
    """Batches of molecules."""
    calls = {}
    for count in (8, 64) if setting.quick else (1, 8, 64, 250, BATCH, 1000, MOLECULES):
        dag = molecule_dag(setting.molecules, count, setting.device)
        for engine in _engines(*FAST, "wavefront", "parallel"):
            calls[f"{engine}{AT}{dag.num_graphs}"] = operator_call(engine, dag)
        calls[f"GINConv{AT}{dag.num_graphs}"] = _gin(setting, dag.num_graphs)
    return calls


def by_depth(setting: Setting) -> dict[str, Call]:
    """Paths; engines with a Python step per level, or with dense matrices per graph, only as far as they are usable."""
    calls = {}
    for nodes in (100, 1000, 10_000) if setting.quick else (100, 316, 1000, 3162, 10_000, 31_623, 100_000):
        dag = path_dag(nodes, setting.device)
        for engine in _engines(*FAST, *(("wavefront", "parallel") if nodes <= 1000 else ())):
            calls[f"{engine}{AT}{nodes}"] = operator_call(engine, dag)
    return calls


def by_width(setting: Setting) -> dict[str, Call]:
    """Width d of the layer with 4 heads of K = V = d / 4, against GINConv d → 2 d → d."""
    count = 20 if setting.quick else BATCH
    dag = molecule_dag(setting.molecules, count, setting.device)
    calls = {}
    for width in (32, 96) if setting.quick else (32, 64, 96, 128, 192, 256, 384):
        size = width // HEADS
        calls[f"fused{AT}{width}"] = operator_call("fused", dag, HEADS, size, size)
        calls[f"GINConv{AT}{width}"] = _gin(setting, count, width)
    return calls


def _by_shape(
    setting: Setting, sizes: Sequence[int], shape: Callable[[int], tuple[int, int, int]], make_dag: Callable[..., Any]
) -> dict[str, Call]:
    dag = make_dag(setting)
    chosen = sizes[1:3] if setting.quick else sizes
    return {f"{e}{AT}{size}": operator_call(e, dag, *shape(size)) for size in chosen for e in _engines(*FAST)}


def _batch(setting: Setting) -> Any:
    return molecule_dag(setting.molecules, 20 if setting.quick else BATCH, setting.device)


def _long_path(setting: Setting) -> Any:
    return path_dag(1000 if setting.quick else 10_000, setting.device)


def copies(setting: Setting) -> dict[str, Call]:
    """Plain copies of large tensors, and the bytes that the operator has to move at least."""
    count = 20 if setting.quick else MOLECULES
    source = torch.rand(2**20 if setting.quick else 2**26, device=setting.device)
    target = torch.empty_like(source)
    copy = Call(lambda: target.copy_(source), bytes=2 * source.numel() * source.element_size())
    dag = molecule_dag(setting.molecules, count, setting.device)
    return {"copy": copy, "fused": operator_call("fused", dag)}


def _by_key_dim(size: int) -> tuple[int, int, int]:
    return HEADS, size, WIDTH // HEADS


def _by_heads(size: int) -> tuple[int, int, int]:
    return size, WIDTH // HEADS, WIDTH // HEADS


KEY_DIMS, HEAD_COUNTS = (4, 8, 16, 24, 32, 64, 128), (1, 2, 4, 8, 16)

CASES: dict[str, Case] = {
    "molecules": Case(
        f"operator on a batch of {BATCH} molecules, canonical orientation, {HEADS} heads, K = V = {WIDTH // HEADS}, "
        f"forward + backward; the reference engine on 20 of them; GINConv {WIDTH} → {2 * WIDTH} → {WIDTH}",
        on_molecules,
        base="GINConv",
    ),
    "graphs": Case("operator against the number of molecules in the batch", by_graphs, axis="molecules", rounds=9),
    "depth": Case("operator on a path of n nodes", by_depth, axis="nodes of the path", rounds=7),
    "width": Case(
        f"operator against the width d, {HEADS} heads, K = V = d / {HEADS}", by_width, axis="width d", rounds=9
    ),
    "key dim": Case(
        "operator on molecules against the key width K",
        partial(_by_shape, sizes=KEY_DIMS, shape=_by_key_dim, make_dag=_batch),
        axis="key width K", rounds=9,
    ),
    "heads": Case(
        "operator on molecules against the number of heads, each K = V = 24",
        partial(_by_shape, sizes=HEAD_COUNTS, shape=_by_heads, make_dag=_batch),
        axis="heads H", rounds=9,
    ),
    "key dim, path": Case(
        "operator on a path of 10,000 nodes against the key width K",
        partial(_by_shape, sizes=KEY_DIMS, shape=_by_key_dim, make_dag=_long_path),
        axis="key width K (path)", rounds=7,
    ),
    "bandwidth": Case(
        "bytes that must be moved (inputs, outputs and gradients, once per pass), beside a plain copy", copies
    ),
}  # fmt: skip
