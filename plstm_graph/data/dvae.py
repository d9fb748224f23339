"""Neural architectures (NA) of D-VAE: small networks found by ENAS, as DAGs, with their accuracy."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plstm_graph.data.cache import cached
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.places import data_root, need
from plstm_graph.errors import ConfigError, TableError

FORM = 1
NAME = "neural-architectures"
FILE = "final_structures6.txt.gz"
SOURCE = "https://github.com/muhanzhang/D-VAE/blob/master/data/final_structures6.txt (compress it with gzip)"
LAYERS, OPERATIONS = 6, 6
BURN_IN = 1000
VALID = 0.1

_ROWS = np.repeat(np.arange(LAYERS), np.arange(LAYERS))  # layer of every connection bit
_TAILS = np.concatenate([np.arange(row) for row in range(LAYERS)])
_CHAIN = np.stack([np.arange(LAYERS + 1), np.arange(1, LAYERS + 2)])


def load_neural_architectures(root: str | Path | None = None) -> PackedDataset:
    """Load the set: predict the accuracy of an architecture from its DAG.

    Node 0 is the input (type 0), node i + 1 is layer i (type 2 to 7), node 7 the output (type 1). Node features are
    type and place in the chain. Edges (i, i + 1) are the chain (``edge_attr`` 0), edges (j, i + 1) the skip
    connections (``edge_attr`` 1).

    The first 1,000 lines, which ENAS wrote while it warmed up, are left out; the others are shuffled by
    ``random.Random(0)``, and the last tenth is the test part, as in D-VAE (arXiv 1904.11088) and DAGNN (2101.07965).
    The last tenth of the other nine is the validation part. The target is the accuracy, standardised by mean and
    deviation of those nine tenths; ``graph_fields["accuracy"]`` holds the accuracy itself, and
    ``graph_fields["line"]`` the line of the file, from 0.

    Args:
        root: data root; the file lies in ``<root>/dvae``.

    Raises:
        DatasetNotFoundError: there is no such file.
        TableError: the file is damaged, or a line describes no architecture; the message names it.
    """
    paths = need(data_root(root) / "dvae", [FILE], NAME, SOURCE, zipped=False)
    return cached(NAME, paths, FORM, lambda: _read(paths[0]))


def architecture_features(dataset: PackedDataset) -> tuple[Tensor, Tensor]:
    """What linear models read: one-hot operations ``[G, 36]`` and connection bits ``[G, 15]``, float64.

    Raises:
        ConfigError: the set is another one.
    """
    if not dataset.name == NAME:
        raise ConfigError(f"operations and connections are those of {NAME}, got {dataset.name}")
    types = dataset.x[:, 0].long().view(-1, LAYERS + 2)[:, 1:-1] - 2
    graph = torch.repeat_interleave(dataset.edge_ptr.diff())
    skips = dataset.edge_attr[:, 0] == 1
    tail, head = dataset.edge_index[:, skips].long()
    layer = head - 1
    bits = torch.zeros(len(dataset), _ROWS.size, dtype=torch.float64)
    bits[graph[skips], layer * (layer - 1) // 2 + tail] = 1
    return torch.nn.functional.one_hot(types, OPERATIONS).flatten(1).double(), bits


def _read(path: Path) -> PackedDataset:
    operations, bits, accuracy = _parse(path)
    count = len(accuracy)
    order = list(range(count))
    random.Random(0).shuffle(order)
    operations, bits, accuracy = operations[order], bits[order], accuracy[order]
    types = np.concatenate([np.zeros((count, 1), int), operations + 2, np.ones((count, 1), int)], axis=1)
    places = np.broadcast_to(np.arange(LAYERS + 2), types.shape)
    graph, bit = np.nonzero(bits)
    skips = np.stack([_TAILS[bit], _ROWS[bit] + 1])
    edges = np.concatenate([np.tile(_CHAIN, count), skips], axis=1)
    kind = np.repeat([0, 1], [_CHAIN.shape[1] * count, graph.size])
    owner = np.concatenate([np.repeat(np.arange(count), _CHAIN.shape[1]), graph])
    grouped = np.argsort(owner, kind="stable")
    width = _CHAIN.shape[1] + bits.sum(axis=1)
    known = int(count * 0.9)
    train = int(known * (1 - VALID))
    y = (accuracy - accuracy[:known].mean()) / (accuracy[:known].std() or 1.0)
    rows = torch.arange(count)
    return PackedDataset(
        name=NAME,
        x=torch.from_numpy(np.stack([types, places], axis=-1).reshape(-1, 2)),
        edge_index=torch.from_numpy(edges[:, grouped].copy()),
        edge_attr=torch.from_numpy(kind[grouped, None]),
        y=torch.from_numpy(y[:, None]).float(),
        node_ptr=torch.arange(count + 1) * (LAYERS + 2),
        edge_ptr=torch.from_numpy(np.concatenate([[0], width.cumsum()])),
        task="regression",
        metric="rmse",
        node_kind="category",
        edge_kind="category",
        directed=True,
        graph_fields={"accuracy": torch.from_numpy(accuracy), "line": torch.tensor(order) + BURN_IN},
        targets=["standardised_accuracy"],
        splits={"train": rows[:train], "valid": rows[train:known], "test": rows[known:]},
    )


def _parse(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Operations ``[G, 6]``, connection bits ``[G, 15]`` and accuracies ``[G]`` of the lines that count."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()[BURN_IN:]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise TableError(f"{path} cannot be read as compressed text: {error}") from error
    if len(lines) < 10:
        raise TableError(f"{path} has {len(lines)} lines after the first {BURN_IN}, which are left out; needs 10")
    operations, bits, accuracy = [], [], []
    for number, line in enumerate(lines, start=BURN_IN):
        try:
            rows, y = json.loads(f"[{line}]")
            if [len(row) for row in rows] != list(range(1, LAYERS + 1)):
                raise ValueError(f"needs {LAYERS} layers of 1 to {LAYERS} numbers")
            operations.append([_number(row[0], OPERATIONS) for row in rows])
            bits.append([_number(bit, 2) for row in rows for bit in row[1:]])
            if isinstance(y, bool) or not 0 <= y <= 1:
                raise ValueError(f"accuracy {y!r} is not between 0 and 1")
            accuracy.append(float(y))
        except (ValueError, TypeError) as error:
            raise TableError(f"{path}, line {number} (from 0): {line[:120]!r} is no architecture: {error}") from error
    return np.array(operations), np.array(bits), np.array(accuracy)


def _number(value: object, end: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < end:
        raise ValueError(f"{value!r} is not a whole number from 0 to {end - 1}")
    return value
