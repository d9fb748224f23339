"""State tracking: train on depths up to 16, test up to 256, with transitions of three kinds.

The data are those of :func:`plstm_graph.data.state_tracking.make_state_tracking`: exchanges of two of n items along
paths and trees. A node counts as right if the places of all items are right, so guessing gives 1 / n!.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.loader import DataLoader

from benchmarks.dags.parts import Part, run_parts, setting_key
from benchmarks.dags.state_tracking_report import write_report
from benchmarks.inputs import BARE
from plstm_graph import PLSTM
from plstm_graph.data.state_tracking import make_state_tracking, state_tracking_tokens
from plstm_graph.nn.gates import GateMaps

TASKS = {"parity": 2, "S3": 3, "S5": 5}
"""Task → number of items."""

MODELS = ("scalar [0, 1]", "scalar [-1, 1]", "matrix, tanh", "matrix, rotation")
BINS = ((1, 16), (17, 32), (33, 64), (65, 128), (129, 256))
"""Distances from the root, first and last; the first bin is what was trained on."""


@dataclass(frozen=True)
class Setting:
    """One part: everything that its record depends on."""

    task: str
    model: str
    seed: int
    steps: int
    width: int
    heads: int
    graphs: int = 1024
    batch: int = 32
    train_depth: int = 16
    test_graphs: int = 64
    test_depth: int = 256
    learning_rate: float = 3e-3
    smoothing: float = 0.1

    @property
    def key(self) -> str:
        """Twelve letters that differ between two settings."""
        return setting_key(asdict(self))


def settings(seeds: int, quick: bool) -> list[Setting]:
    """All parts, in the order in which they run."""
    small: dict[str, Any] = {"graphs": 64, "test_graphs": 4} if quick else {}
    sizes = {"parity": (500, 32, 4), "S3": (500, 32, 4), "S5": (1000, 64, 8)}
    return [
        Setting(task, model, seed, 5 if quick else steps, width, heads, **small)
        for task, (steps, width, heads) in sizes.items()
        for model in MODELS
        for seed in range(seeds)
    ]


def run(folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...] = ()) -> None:
    """Train and test the parts that ``state-tracking.jsonl`` lacks; write table and figure of those there are."""
    torch.set_num_threads(1)  # as many levels as steps, each too small for more
    parts = [
        Part(s.key, s.seed, (s.task, s.model), lambda s=s: asdict(s) | train_and_test(s))
        for s in settings(seeds, quick)
    ]
    records = run_parts(folder / "state-tracking.jsonl", parts, only, say, _figures)
    print(write_report(records, folder, TASKS, MODELS, BINS))
    say(f"written to {folder}")


def train_and_test(setting: Setting) -> dict[str, Any]:
    """Loss at the end, accuracy per bin of distances on paths and trees, and seconds of training."""
    items = TASKS[setting.task]
    torch.manual_seed(setting.seed)
    model = make_model(setting)
    data = [
        graph
        for width in (1, 2)
        for graph in make_state_tracking(
            setting.graphs, setting.train_depth, items=items, width=width, seed=2 * setting.seed + width
        )
    ]
    start = time.perf_counter()
    loss = _train(model, data, setting, items)
    seconds = time.perf_counter() - start
    found = {}
    for name, width in (("path", 1), ("tree", 2)):
        test = make_state_tracking(
            setting.test_graphs, setting.test_depth, items=items, width=width, seed=10_000 + width
        )
        found[name] = accuracy(model, test, items)
    parameters = sum(p.numel() for p in model.parameters())
    return {"loss": loss, **found, "parameters": parameters, "seconds": round(seconds, 1)}


def make_model(setting: Setting) -> PLSTM:
    """One block in D-mode, forward; the models differ in their transitions only."""
    items = TASKS[setting.task]
    options: dict[str, Any] = BARE | {"source_bias": 0.0, "mark_bias": 0.0, "direct_bias": -4.0, "gate_std": 0.5}
    options |= {"hidden_channels": setting.width, "direction": "forward"}
    if setting.model.startswith("matrix"):
        options |= {"state_size": items, "singular": "tanh" if setting.model == "matrix, tanh" else "one"}
    model = PLSTM(
        state_tracking_tokens(items), items * items, num_layers=1, heads=setting.heads, mode="D",
        degree_encoding="none", level="node", head_norm="none", **options,
    )  # fmt: skip
    if setting.model == "scalar [0, 1]":
        for maps in model.modules():
            if isinstance(maps, GateMaps):
                maps.register_forward_hook(lambda _, __, gates: gates._replace(transition=(1 + gates.transition) / 2))
    return model


def _train(model: nn.Module, data: list, setting: Setting, items: int) -> float:
    optimizer = torch.optim.AdamW(model.parameters(), lr=setting.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, setting.learning_rate, total_steps=setting.steps, pct_start=0.1
    )
    loader = DataLoader(data, batch_size=setting.batch, shuffle=True)
    losses: list[float] = []
    while len(losses) < setting.steps:
        for batch in loader:
            logits = model(batch).unflatten(-1, (items, items))
            # without smoothing the gradient dies away before the transitions are exact enough for long paths
            loss = F.cross_entropy(logits.flatten(0, 1), batch.y.flatten(), label_smoothing=setting.smoothing)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if len(losses) == setting.steps:
                break
    last = losses[-20:]
    return sum(last) / len(last)


@torch.no_grad()
def accuracy(model: nn.Module, data: list, items: int) -> list[float]:
    """Share of nodes in every bin of distances for which the places of all items are right."""
    model.eval()
    right: list[Tensor] = []
    distance: list[Tensor] = []
    for batch in DataLoader(data, batch_size=32):
        right.append((model(batch).unflatten(-1, (items, items)).argmax(-1) == batch.y).all(-1))
        distance.append(batch.depth)
    hit, far = torch.cat(right).double(), torch.cat(distance)
    return [round(float(hit[(far >= first) & (far <= last)].mean()), 4) for first, last in BINS]


def _figures(record: dict[str, Any]) -> str:
    shares = f"path {_percent(record['path'])}, tree {_percent(record['tree'])}"
    return f"loss {record['loss']:.3f}, {shares}, {record['seconds']:.0f} s"


def _percent(shares: list[float]) -> str:
    return " ".join(f"{100 * share:.0f}" for share in shares) + " %"
