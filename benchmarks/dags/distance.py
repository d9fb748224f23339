"""Accuracy against distance: keys in trees, a class across a ring, pairs at the start of a long DAG.

The data are those of :mod:`plstm_graph.data.long_range`; every step of training draws new graphs, so the accuracy in
training is that on test graphs. For trees and rings there is one training run per size, tested at that size. For
recall there is one run on short distances, tested on long ones. In trees, all models get four times the steps from a
depth of 5 on; from :data:`DEEP` on they get six times, as many channels as there are keys to tell apart, and trees of
one and two depths less in training. GIN has as many layers as the answer is far away (at most 16 for recall), the other
models two. pLSTM starts with gates and keys for looking things up
(:data:`~benchmarks.dags.models.LOOKUP`), but for one model that keeps the paper's start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.data import Batch, Data

from benchmarks.dags.distance_report import write_report
from benchmarks.dags.models import LOOKUP, MODELS, PAPER_START, make_model
from benchmarks.dags.parts import Part, run_parts, setting_key
from benchmarks.dags.training import Schedule, fit
from plstm_graph.data.long_range import make_recall, make_ring_transfer, make_tree_neighbors_match
from plstm_graph.train.records import Record

ROWS = (*MODELS, PAPER_START)
TREE, RING, RECALL = "tree-neighbors-match", "ring-transfer", "recall"
MAKERS: dict[str, Callable[..., list[Data]]] = {
    TREE: make_tree_neighbors_match, RING: make_ring_transfer, RECALL: make_recall,
}  # fmt: skip
DEEP = 7
"""Depth from which on trees need smaller ones beside them in training."""
RECALL_WORDS = 8
RING_CLASSES = 5

EPOCH = 50
"""Steps between two validations."""

VALID_SEED, TEST_SEED = 10_000_000, 20_000_000


@dataclass(frozen=True)
class Setting:
    """One part: everything that its record depends on.

    Args:
        train: smallest and largest size of the training graphs, drawn evenly in the logarithm for every batch.
        test: sizes tested.
        test_graphs: test graphs of every size.
        steps: steps of training, at most.
    """

    task: str
    model: str
    seed: int
    train: tuple[int, int]
    test: tuple[int, ...]
    layers: int
    width: int = 32
    steps: int = 1000
    batch: int = 32
    test_graphs: int = 256
    learning_rate: float = 3e-3


def settings(task: str, seeds: int, quick: bool) -> list[Setting]:
    """All parts of a task, in the order in which they run."""
    make = {TREE: _trees, RING: _rings, RECALL: _recall}[task]
    return [make(model, size, seed, quick) for size in _sizes(task, quick) for seed in range(seeds) for model in ROWS]


def _sizes(task: str, quick: bool) -> tuple[int, ...]:
    if task == RECALL:
        return (100,)  # trained up to here
    if task == TREE:
        return (2, 3) if quick else (2, 3, 4, 5, 6, 7, 8)
    return (10, 20) if quick else (10, 20, 40, 60, 80, 100)


def _trees(model: str, size: int, seed: int, quick: bool) -> Setting:
    steps = 1000 if size < 5 else 4000 if size < DEEP else 6000
    full = {"width": max(64, 2**size), "steps": steps, "batch": min(64, 2 ** (11 - size)), "learning_rate": 1e-3}
    length = _QUICK if quick else full
    layers = size + 1 if model == "gin" else 2
    smallest = size if size < DEEP else size - 2
    return Setting(TREE, model, seed, (smallest, size), (size,), layers, **length)


def _rings(model: str, size: int, seed: int, quick: bool) -> Setting:
    length = _QUICK if quick else {"steps": 300, "batch": 16}
    layers = size // 2 if model == "gin" else 2
    return Setting(RING, model, seed, (size, size), (size,), layers, **length)


def _recall(model: str, size: int, seed: int, quick: bool) -> Setting:
    if quick:
        return Setting(RECALL, model, seed, (5, 10), (10, 30), 2, **_QUICK)
    test = (10, 30, 100, 300, 1000, 3000, 10_000)
    if model == "gps":
        test = test[:5]  # attention keeps a number for every pair of nodes
    if model == "dagnn":
        test = test[:6]  # one step of the interpreter per level, and per layer and direction
    return Setting(RECALL, model, seed, (10, size), test, 16 if model == "gin" else 2, batch=16, test_graphs=64)


_QUICK: dict[str, Any] = {"width": 8, "steps": 2, "batch": 4, "test_graphs": 8}


def run_tree(folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...] = ()) -> None:
    """Tree-NeighborsMatch."""
    _run(TREE, folder, seeds, quick, say, only)


def run_ring(folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...] = ()) -> None:
    """Ring transfer."""
    _run(RING, folder, seeds, quick, say, only)


def run_recall(folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...] = ()) -> None:
    """Associative recall along random DAGs."""
    _run(RECALL, folder, seeds, quick, say, only)


def _run(task: str, folder: Path, seeds: int, quick: bool, say: Callable[[str], None], only: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    parts = [
        Part(setting_key(asdict(s)), s.seed, (s.model, str(s.train[1])), lambda s=s: asdict(s) | train_and_test(s))
        for s in settings(task, seeds, quick)
    ]
    skip = guesses_before if task == TREE else None  # on rings, a seed may fail at one size and not at a larger one
    records = run_parts(folder / f"{task}.jsonl", parts, only, say, _figures, skip)
    print(write_report(task, records, folder, ROWS))
    say(f"written to {folder}")


def guesses_before(part: Part, records: Sequence[Record]) -> str:
    """Why a part need not be run: with every seed, its model guesses at the largest smaller size that was run.

    A model guesses if it is right less than twice as often as chance.
    """
    model, size = part.names
    smaller = [r for r in records if r["model"] == model and r["train"][1] < int(size)]
    largest = max((r["train"][1] for r in smaller), default=0)
    shares = [r["accuracy"][str(largest)] / r["chance"] for r in smaller if r["train"][1] == largest]
    return f"{model} guesses at {largest}" if shares and max(shares) < 2 else ""


def train_and_test(setting: Setting) -> Record:
    """Train one model; its accuracy at every size tested, and that of guessing."""
    torch.manual_seed(setting.seed)
    model, chance = make_network(setting)
    valid = [
        batch
        for i, size in enumerate(sorted(set(setting.train)))
        for batch in graphs(setting, size, 2 * setting.batch, VALID_SEED + i)
    ]
    epochs = math.ceil(setting.steps / EPOCH)
    record = fit(
        model,
        Fresh(setting),
        lambda out, batch: F.cross_entropy(out[batch.asked], batch.y),
        lambda: 1 - accuracy(model, valid),
        Schedule(epochs, epochs, setting.learning_rate, goal=0.0),
    )
    found = {}
    for i, size in enumerate(setting.test):
        found[str(size)] = round(accuracy(model, graphs(setting, size, setting.test_graphs, TEST_SEED + i)), 4)
    return record | {"accuracy": found, "chance": chance}


def make_network(setting: Setting) -> tuple[nn.Module, float]:
    """The model of a part, and the accuracy of guessing."""
    leaves = 2 ** setting.train[1]
    channels, outputs = {
        TREE: ([leaves + 1, leaves + 1], leaves),
        RING: (RING_CLASSES, RING_CLASSES),
        RECALL: ([RECALL_WORDS + 1] * 3, RECALL_WORDS),
    }[setting.task]
    model = make_model(
        setting.model, channels, outputs, level="node", hidden_channels=setting.width, num_layers=setting.layers,
        node_encoder="linear" if setting.task == RING else "embedding",
        direction="both" if setting.task == RING else "forward", **LOOKUP,
        # up to 256 keys to tell apart
        key_dim=setting.width if setting.task == TREE else None,
    )  # fmt: skip
    return model, 1 / outputs


class Fresh:
    """Batches of graphs that are drawn when they are asked for; a new ``EPOCH`` of them at every iteration.

    Args:
        setting: sizes, batch, and seed; no two seeds share a batch.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting, self.drawn = setting, 0

    def __len__(self) -> int:
        return min(EPOCH, self.setting.steps)

    def __iter__(self) -> Iterator[Batch]:
        low, high = (math.log(size) for size in self.setting.train)
        for _ in range(len(self)):
            seed = 100_000 * self.setting.seed + self.drawn
            self.drawn += 1
            share = float(torch.rand((), generator=torch.Generator().manual_seed(seed)))
            size = round(math.exp(low + share * (high - low)))
            yield Batch.from_data_list(MAKERS[self.setting.task](self.setting.batch, size, seed=seed))


def graphs(setting: Setting, size: int, count: int, seed: int) -> Iterator[Batch]:
    """Graphs of one size, in batches that shrink where graphs are large."""
    made = MAKERS[setting.task](count, size, seed=seed)
    batch = max(1, min(64, 30_000 // made[0].num_nodes))
    for start in range(0, count, batch):
        yield Batch.from_data_list(made[start : start + batch])


@torch.no_grad()
def accuracy(model: nn.Module, batches: Any) -> float:
    """Share of graphs whose answer is right."""
    model.eval()
    right = torch.cat([model(batch)[batch.asked].argmax(-1) == batch.y for batch in batches])
    return float(right.double().mean())


def _figures(record: Record) -> str:
    shares = ", ".join(f"{size}: {100 * share:.0f} %" for size, share in record["accuracy"].items())
    return f"{shares}; {record['seconds']:.0f} s"
