"""From the settings of a run to its data: the set by name, its task, encoders that fit, and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plstm_graph.data import GraphLoader, PackedDataset, load
from plstm_graph.errors import ConfigError
from plstm_graph.graph import AddRandomWalks, ToLineDAG
from plstm_graph.train.config import TrainConfig, convert
from plstm_graph.train.labels import check_judgeable
from plstm_graph.train.source import Source
from plstm_graph.train.task import METRICS, Task

DRAWN = ("random-root", "random")
"""Orientations that are new at every call."""
GRAPHS_AT_ONCE = 512
"""Graphs whose random walks are found at once: few enough for the powers of their adjacency matrices."""


def load_source(config: TrainConfig) -> Source:
    """Load the data of a run.

    Raises:
        ConfigError: there is no such data set, or a setting does not fit it.
        DatasetNotFoundError: its files are missing.
    """
    return make_source(load_dataset(config), config)


def load_dataset(config: TrainConfig) -> PackedDataset:
    """The graphs of a run; raises what :func:`load_source` raises."""
    return load(
        config.data,
        split=config.split,
        fold=config.fold,
        num_folds=config.num_folds,
        seed=config.split_seed,
        fractions=config.fractions,
        valid_path=config.valid_data,
        test_path=config.test_data,
        smiles_column=config.smiles_column,
        targets=config.target,
        task=config.task,
        split_column=config.split_column,
        weight_column=config.weight_column,
        descriptors=config.descriptor,
        workers=config.workers,
    )


def make_source(dataset: PackedDataset, config: TrainConfig) -> Source:
    """Task, splits and batches of a run on graphs that are loaded.

    Raises:
        ConfigError: a setting does not fit the data.
    """
    dataset = with_random_walks(dataset, config.model_options)
    final, training = (orient(config.model, order) for order in (config.order, training_order(config)))
    task = make_task(dataset, config)
    _check_test_orders(config, task)

    def batches(rows: np.ndarray, shuffle: bool, transform: Callable[[Any], Any] | None) -> Iterable:
        return GraphLoader(
            dataset,
            config.batch_size,
            rows=torch.from_numpy(rows),
            shuffle=shuffle,
            transform=transform,
            num_workers=config.workers,
            seed=config.seed,
        )

    def read_labels(rows: np.ndarray) -> Tensor:
        return dataset.y[torch.from_numpy(rows)]

    weight = dataset.graph_fields.get("sample_weight")
    source = Source(
        name=dataset.name,
        task=task,
        in_channels=_channels(dataset.node_kind, dataset.num_node_features, dataset.node_categories),
        encoders=_encoders(dataset),
        molecules=dataset.node_kind == "atom",
        chirality=dataset.chirality or "written",
        splits={part: rows.numpy() for part, rows in dataset.splits.items()},
        row=dataset.graph_fields["row"].numpy() if "row" in dataset.graph_fields else None,
        smiles=dataset.smiles,
        weight=None if weight is None else weight.numpy(),
        descriptors=config.descriptor,
        descriptor_values=dataset.graph_fields.get("descriptors"),
        read_labels=read_labels,
        make_batches=lambda rows, shuffle: batches(rows, shuffle, training if shuffle else final),
        make_reordered=lambda rows: batches(rows, False, training),
        read_graphs=lambda rows: dataset.subset(torch.from_numpy(rows)),
    )
    for part in ("valid", "test"):  # before training, not after it: whether there is anything to judge by
        check_judgeable(source.task, part, read_labels(source.splits[part]), source.weights(part))
    return source


def training_order(config: TrainConfig) -> str:
    """Orientation of the training graphs: outwards from new roots all the time, where later it is from the centre."""
    return config.train_order or ("random-root" if config.order == "center" else config.order)


def _check_test_orders(config: TrainConfig, task: Task) -> None:
    """Refuse an average over orientations that there is not, or where every one of them would be the same."""
    if not config.test_orders:
        return
    if task.kind == "sequence":
        raise ConfigError(f"test_orders={config.test_orders}: sequences have no mean; leave it out")
    if config.model != "plstm":
        raise ConfigError(f"test_orders={config.test_orders}: {config.model} reads no orientation; leave it out")
    order = training_order(config)
    if order not in DRAWN:
        raise ConfigError(
            f"test_orders={config.test_orders} averages over the orientations of training, but order {order!r} is "
            f"always the same: give train_order one of {', '.join(DRAWN)}"
        )


def orient(model: str, order: str) -> ToLineDAG | None:
    """What a batch goes through before the model sees it: only pLSTM needs line DAGs."""
    return ToLineDAG(order) if model == "plstm" else None


def with_random_walks(dataset: PackedDataset, options: Mapping[str, Any]) -> PackedDataset:
    """The data set with the node field ``rwse`` if ``rwse_dim`` is among the options of the model, else as it is.

    Raises:
        ConfigError: ``rwse_dim`` is no number of steps.
    """
    steps = convert("rwse_dim", options.get("rwse_dim", 0), int)
    if not steps:
        return dataset
    walks = AddRandomWalks(steps)
    found = [walks(dataset.collate(rows)).rwse for rows in torch.arange(len(dataset)).split(GRAPHS_AT_ONCE)]
    return replace(dataset, node_fields={**dataset.node_fields, "rwse": torch.cat(found)})


def make_task(dataset: PackedDataset, config: TrainConfig) -> Task:
    """The task of a data set; OGB's Evaluator judges OGB's sets unless another metric is asked for.

    Raises:
        ConfigError: the set's task has no trainer, or metric or loss do not fit it.
    """
    if dataset.task not in METRICS:
        raise ConfigError(
            f"{dataset.name} asks for {dataset.task} predictions, which this trainer does not make; "
            f"it trains {', '.join(METRICS)}"
        )
    metric = dataset.metric if config.metric == "auto" else config.metric
    return Task(
        dataset.task,
        tuple(dataset.targets),
        num_classes=dataset.num_classes,
        metric=metric,
        loss=config.loss,
        ogb_name=dataset.name if dataset.name.startswith("ogbg-") and metric == dataset.metric else None,
        class_names=tuple(dataset.class_names),
    )


def _encoders(dataset: PackedDataset) -> dict[str, Any]:
    """Encoders that fit the features, as options of the models."""
    node = {"atom": "atom", "category": "embedding", "number": "linear"}[dataset.node_kind]
    if dataset.edge_kind is None:
        return {"node_encoder": node}
    edge = {"bond": "bond", "category": "embedding", "number": "linear"}[dataset.edge_kind]
    width = _channels(dataset.edge_kind, dataset.num_edge_features, dataset.edge_categories)
    return {"node_encoder": node, "edge_encoder": edge, "edge_dim": width}


def _channels(kind: str, features: int, categories: list[int]) -> int | list[int]:
    return categories if kind == "category" else features
