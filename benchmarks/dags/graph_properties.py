"""Graph properties: single-source shortest paths, eccentricity and diameter of small graphs of ten families.

The data are those of :func:`plstm_graph.data.graph_properties.make_graph_properties`. Models are trained on targets
divided by the largest one of the training part. Two scores are recorded, both a mean over nodes, then over graphs:
``scaled``, log10 of the mean squared error of these targets, as in SONAR's code
(``GraphPropPred/utils/gpp_dataset.py`` in github.com/gravins/SONAR), and ``hops``, that of distances in edges. A-DGN's
code hands the same scaling to its data set, but as an argument that is read only after the graphs were processed, and
the errors above one that its paper prints fit targets in edges. The two scores differ by a constant of the task.

Undirected graphs need an order. ``center`` and ``canonical`` know nothing about the task. ``source`` goes breadth
first from the source of the shortest paths, so it does a part of the work itself; one model runs without this help,
too. GIN and GPS have no order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from benchmarks.dags.graph_properties_report import write_report
from benchmarks.dags.models import LOCAL, make_model
from benchmarks.dags.parts import Part, run_parts, setting_key
from benchmarks.dags.training import Schedule, fit
from plstm_graph import ToLineDAG
from plstm_graph.data.graph_properties import make_graph_properties
from plstm_graph.data.loader import GraphLoader
from plstm_graph.data.packed import PackedDataset
from plstm_graph.graph.orientation import node_order
from plstm_graph.train.records import Record

PROPERTIES = {"sssp": "distance", "eccentricity": "eccentricity", "diameter": "y"}
"""Task → where its target stands; the first two are one number per node, the last is one per graph."""

NO_ORDER = "none"
LONG: dict[str, Any] = {"layers": 10, "width": 64, "batch": 16, "epochs": 120, "patience": 120, "learning_rate": 1e-3}
"""Settings of the one model that is trained at length: its errors keep falling with the number of steps."""

MEDIUM = LONG | {"layers": 8, "epochs": 40, "patience": 40}
"""The same for the two properties that end sooner."""


@dataclass(frozen=True)
class Setting:
    """One part: everything that its record depends on."""

    task: str
    model: str
    order: str
    seed: int
    epochs: int = 30
    patience: int = 30
    width: int = 32
    layers: int = 3
    heads: int = 2
    batch: int = 64
    learning_rate: float = 3e-3
    graphs: tuple[int, int, int] = (5120, 640, 1280)
    data_seed: int = 0


def settings(seeds: int, quick: bool) -> list[Setting]:
    """All parts, in the order in which they run."""
    small: dict[str, Any] = {"epochs": 1, "width": 8, "layers": 2, "batch": 16, "graphs": (32, 16, 16)} if quick else {}
    variants = []
    for task in PROPERTIES:
        informed = "source" if task == "sssp" else "center"
        variants += [(task, model, informed) for model in (LOCAL, "plstm", "dagnn")]
        variants += [(task, model, NO_ORDER) for model in ("gin", "gps")]
    variants.append(("sssp", LOCAL, "canonical"))
    # GIN, and the branch beside pLSTM, hear as far as they have layers
    depth = {} if quick else {"gin": {"layers": 16}, LOCAL: {"layers": 8}, "dagnn": {"layers": 2}}
    long = {} if quick else {("sssp", LOCAL, "source"): LONG} | {(t, LOCAL, "center"): MEDIUM for t in PROPERTIES}
    return [
        Setting(task, model, order, seed, **small | depth.get(model, {}) | long.get((task, model, order), {}))
        for seed in range(seeds)
        for task, model, order in variants
    ]


def run(folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...] = ()) -> None:
    """Train the parts that ``graph-properties.jsonl`` lacks; write table and figure of those there are."""
    torch.set_num_threads(1)
    parts = [
        Part(setting_key(asdict(s)), s.seed, (s.task, s.model, s.order), lambda s=s: asdict(s) | train_and_test(s))
        for s in settings(seeds, quick)
    ]
    records = run_parts(
        folder / "graph-properties.jsonl", parts, only, say, lambda r: f"{r['hops']:.3f}, {r['seconds']:.0f} s"
    )
    print(write_report(records, folder, tuple(PROPERTIES)))
    say(f"written to {folder}")


def train_and_test(setting: Setting) -> Record:
    """Train one model; its scores on the test part."""
    dataset = load(setting.graphs, setting.data_seed)
    scale = largest(dataset, setting.task)
    torch.manual_seed(setting.seed)
    node = setting.task != "diameter"
    model = make_model(
        setting.model, 2 if setting.task == "sssp" else 1, 1, level="node" if node else "graph", pooling="max",
        hidden_channels=setting.width, num_layers=setting.layers, heads=setting.heads,
    )  # fmt: skip

    def batches(part: str) -> GraphLoader:
        orient = None if setting.order == NO_ORDER else ToLineDAG(f"{setting.order}_rank")
        return GraphLoader(
            dataset,
            setting.batch,
            rows=dataset.splits[part],
            shuffle=part == "train",
            transform=lambda batch: _prepare(batch, setting.task, scale, orient),
            seed=setting.seed,
        )

    record = fit(
        model,
        batches("train"),
        # in edges: the errors of scaled targets become so small that AdamW's epsilon would stop it
        lambda out, batch: errors(out, batch, node).mean() * scale**2,
        lambda: score(model, batches("valid"), node),
        Schedule(setting.epochs, setting.patience, setting.learning_rate),
    )
    with torch.no_grad():
        scaled = score(model, batches("test"), node)
    return record | {"scaled": round(scaled, 4), "hops": round(scaled + 2 * math.log10(scale), 4), "scale": scale}


@cache
def load(graphs: tuple[int, int, int], seed: int) -> PackedDataset:
    """The data with all orders, drawn once per process."""
    dataset = make_graph_properties(*graphs, seed=seed)
    whole = dataset.collate(slice(None))
    for order in ("canonical", "center"):
        dataset.node_fields[f"{order}_rank"] = node_order(order, whole)
    return dataset


def largest(dataset: PackedDataset, task: str) -> float:
    """Largest target of the training part."""
    return float(dataset.collate(dataset.splits["train"])[PROPERTIES[task]].max())


def errors(out: Tensor, batch: Batch, node: bool) -> Tensor:
    """``[G]`` mean squared error of every graph."""
    error = (out[:, 0] - batch.target).square()
    return scatter(error, batch.batch, dim_size=batch.num_graphs, reduce="mean") if node else error


def score(model: torch.nn.Module, batches: GraphLoader, node: bool) -> float:
    """log10 of the mean squared error over nodes, then graphs."""
    found = torch.cat([errors(model(batch), batch, node) for batch in batches])
    return float(found.mean().clamp(min=1e-12).log10())  # NaN stays NaN


def _prepare(batch: Batch, task: str, scale: float, orient: ToLineDAG | None) -> Batch:
    batch.target = batch[PROPERTIES[task]].flatten() / scale
    if task != "sssp":
        batch.x = batch.x[:, :1]  # there is no source
    return batch if orient is None else orient(batch)
