"""One training without traces: no files, no output, and the caller's random numbers as they were."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.seed import isolate_rng

from plstm_graph.data import GraphLoader, PackedDataset
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.fit import fit
from plstm_graph.train.history import History
from plstm_graph.train.labels import balanced_weights, standardisation
from plstm_graph.train.load import orient, training_order, with_random_walks
from plstm_graph.train.model_file import ModelSpec
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.run import check_options
from plstm_graph.train.task import Task

ENCODERS = {"node_encoder": "atom", "edge_encoder": "bond"}

_ONE_AT_A_TIME = threading.Lock()  # torch's random numbers belong to the process, not to a thread


def train(
    config: TrainConfig, task: Task, dataset: PackedDataset, train_rows: np.ndarray, valid_rows: np.ndarray
) -> tuple[ModelSpec, GraphPredictor, History]:
    """Train on some rows, and take the epoch that is best on others.

    Without ``valid_rows`` the last epoch is taken; the history then judges on the training rows.

    Returns:
        How the network is built, the network on the CPU in evaluation mode, and the record of the epochs.

    Raises:
        ConfigError: a setting does not fit the model or the labels.
        RunError: the loss became infinite or NaN.
    """
    options = ENCODERS | check_options(config.model, config.model_options)
    spec = ModelSpec(
        config.model, dataset.num_node_features, options, config.order, molecules=True, chirality=dataset.chirality
    )
    dataset = with_random_walks(dataset, options)
    labels = dataset.y[torch.from_numpy(train_rows)]
    mean, std = standardisation(task, labels)
    balance = balanced_weights(task, labels) if config.class_weights == "balanced" else None
    best: dict[str, Any] = {}
    with _ONE_AT_A_TIME, _no_traces() as folder:
        pl.seed_everything(config.seed, workers=True, verbose=False)
        predictor = spec.build(task, mean=mean, std=std, class_weight=balance)
        history = fit(
            predictor,
            _batches(config, dataset, train_rows, shuffle=True),
            _batches(config, dataset, valid_rows if len(valid_rows) else train_rows, shuffle=False),
            len(train_rows),
            config,
            folder,
            lambda _: best.update({name: value.detach().clone() for name, value in predictor.state_dict().items()}),
            tensorboard=False,
            keep_last=False,
        )
        if len(valid_rows):
            predictor.load_state_dict(best)
    return spec, predictor.cpu().eval(), history


def _batches(config: TrainConfig, dataset: PackedDataset, rows: np.ndarray, shuffle: bool) -> GraphLoader:
    return GraphLoader(
        dataset,
        config.batch_size,
        rows=torch.from_numpy(rows),
        shuffle=shuffle,
        transform=orient(config.model, training_order(config) if shuffle else config.order),
        seed=config.seed,
    )


@contextmanager
def _no_traces() -> Iterator[Path]:
    """A folder that vanishes; random states and environment are put back."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="plstm_graph-") as folder, isolate_rng():
        try:
            yield Path(folder)
        finally:
            for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # seed_everything leaves them for child processes
                if name in before:
                    os.environ[name] = before[name]
                else:
                    os.environ.pop(name, None)
