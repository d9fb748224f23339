"""A data set of a few hundred tiny graphs whose target any model can learn, and runs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from plstm_graph import ToLineDAG
from plstm_graph.train.config import TrainConfig, make_config
from plstm_graph.train.source import Source
from plstm_graph.train.task import Task

SMALL = {"epochs": 4, "batch_size": 16, "warmup_epochs": 1, "lr": 0.01, "accelerator": "cpu", "order": "index"}


def small_config(**changes: object) -> TrainConfig:
    """Settings of a run of a second."""
    options = {"hidden_channels": 8, "num_layers": 2, "dropout": 0.1}
    return make_config(SMALL | {"model": "gin", "model_options": options} | changes)


class Batches:
    """Batches of some rows; notes which rows were read."""

    def __init__(self, graphs: list[Data], rows: np.ndarray, shuffle: bool, read: list[int]) -> None:
        self.graphs, self.rows, self.shuffle, self.read = graphs, rows, shuffle, read

    def __len__(self) -> int:
        return -(-len(self.rows) // 16)

    def __iter__(self) -> Iterator[Batch]:
        order = torch.randperm(len(self.rows)) if self.shuffle else torch.arange(len(self.rows))
        for part in order.split(16):
            rows = self.rows[part.numpy()]
            self.read += rows.tolist()
            yield ToLineDAG("index")(Batch.from_data_list([self.graphs[i] for i in rows]))


class TinySource(Source):
    """Source that remembers in ``read`` which rows had their graphs or labels read, in order."""

    read: list[int]
    graphs: list[Data]


@pytest.fixture
def tiny() -> Callable[..., TinySource]:
    """Makes a data set: ``tiny("binary")``; the label says whether the first feature is positive on average."""

    def make(kind: str = "binary", size: int = 120) -> TinySource:
        draw = torch.Generator().manual_seed(1)
        graphs = [_graph(draw, kind) for _ in range(size)]
        read: list[int] = []

        def labels(rows: np.ndarray) -> torch.Tensor:
            read.extend(rows.tolist())
            return torch.cat([graphs[i].y for i in rows])

        rows = np.arange(size)
        splits = {"train": rows[: size // 2], "valid": rows[size // 2 : -size // 4], "test": rows[-size // 4 :]}
        source = TinySource(
            name="tiny",
            task=Task(kind, ("y",), num_classes=2 if kind == "multiclass" else 0),
            in_channels=3,
            encoders={"node_encoder": "linear"},
            molecules=False,
            splits=splits,
            read_labels=labels,
            make_batches=lambda rows, shuffle: Batches(graphs, rows, shuffle, read),
        )
        source.read, source.graphs = read, graphs
        return source

    return make


def _graph(draw: torch.Generator, kind: str) -> Data:
    n = int(torch.randint(3, 8, (), generator=draw))
    path = torch.stack([torch.arange(n - 1), torch.arange(1, n)])
    edge_index = torch.stack([path, path.flip(0)], dim=2).reshape(2, -1)
    x = torch.randn(n, 3, generator=draw)
    mean = x[:, 0].mean()
    y = {"binary": (mean > 0).float().view(1, 1), "regression": 10 * mean.view(1, 1) + 5}.get(kind)
    return Data(x=x, edge_index=edge_index, y=(mean > 0).long().view(1) if y is None else y)


@pytest.fixture
def train_tiny(tiny: Callable[..., TinySource], monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """``train_tiny(folder, kind=..., **settings)`` runs a whole training on the tiny set."""
    from plstm_graph.train import run

    def train(folder: Path, kind: str = "binary", resume: bool = False, **settings: object) -> object:
        source = tiny(kind)
        monkeypatch.setattr(run, "load_source", lambda config: source)
        result = run.run_training(small_config(**settings), folder, resume=resume, tensorboard=False)
        train.source = source
        return result

    return train
