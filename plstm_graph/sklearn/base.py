"""What both estimators share: settings, one training, predictions in chunks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from plstm_graph.chem import iter_featurize
from plstm_graph.errors import ConfigError, FeatureError
from plstm_graph.sklearn.inputs import CHIRALITY, check_smiles, check_weights, to_dataset
from plstm_graph.sklearn.training import train
from plstm_graph.train.config import TrainConfig, make_config
from plstm_graph.train.model_file import save_model
from plstm_graph.train.outputs import predict_batch
from plstm_graph.train.task import Task

_OF_THE_NETWORK = ("hidden_channels", "num_layers", "heads", "mode", "direction", "pooling", "dropout", "drop_path")
_OF_THE_RUN = (
    *("order", "epochs", "batch_size", "lr", "schedule", "warmup_epochs", "weight_decay", "clip_norm", "patience"),
    *("average_epochs", "accelerator"),
)
_CHUNK = 256

PARAMETERS = """
    Args:
        hidden_channels: width of the network.
        num_layers: number of blocks.
        heads: heads per layer.
        mode: ``"alternate"`` (P, D, P, D, ...), ``"P"`` or ``"D"``.
        direction: ``"both"`` in every layer, ``"alternate"``, ``"forward"`` or ``"backward"``.
        pooling: how atoms are pooled: ``"norm"``, ``"mean"``, ``"sum"``, ``"max"``, or another aggregator of PyG.
        dropout: dropout in blocks and head.
        drop_path: stochastic depth of the last block.
        model_options: further arguments of :class:`plstm_graph.PLSTM`, or ``None``.
        order: orientation of the bonds: ``"canonical"``, ``"center"``, ``"index"`` or ``"random"``.
        epochs: passes over the training rows.
        batch_size: molecules per step.
        lr: largest learning rate.
        schedule: learning rate after the warm-up, ``"cosine"`` or ``"constant"``.
        warmup_epochs: epochs over which the learning rate rises.
        weight_decay: AdamW weight decay.
        clip_norm: largest gradient norm; 0 does not clip.
        average_epochs: epochs over which a moving average of the weights reaches; 0 keeps the weights.
        validation_fraction: share of the rows that choose the best epoch and are not trained on; 0 trains on all
            rows and keeps the last epoch.
        patience: stop after this many epochs without improvement; 0 never stops early.
        random_state: number, ``RandomState`` or ``None``; a number makes ``fit`` repeatable.
        accelerator: ``"cpu"``, ``"gpu"`` or ``"auto"`` (Lightning), where to train and predict.
        workers: processes that read SMILES; 0 reads in this one."""


@dataclass(kw_only=True, eq=False, repr=False)
class SmilesEstimator(BaseEstimator):
    """Base of :class:`PLSTMClassifier` and :class:`PLSTMRegressor`, whose documentation lists the arguments.

    A dataclass, since scikit-learn wants every argument to be stored unchanged under its own name.
    """

    hidden_channels: int = 64
    num_layers: int = 4
    heads: int = 4
    mode: str = "alternate"
    direction: str = "alternate"
    pooling: str = "norm"
    dropout: float = 0.1
    drop_path: float = 0.0
    model_options: Mapping[str, Any] | None = None
    order: str = "center"
    epochs: int = 60
    batch_size: int = 64
    lr: float = 1e-3
    schedule: str = "cosine"
    warmup_epochs: float = 2.0
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    average_epochs: float = 3.0
    validation_fraction: float = 0.1
    patience: int = 0
    random_state: int | np.random.RandomState | None = None
    accelerator: str = "auto"
    workers: int = 0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    def save(self, path: str | Path) -> None:
        """Write the fitted model as a file that ``plstm-graph predict``, ``embed`` and ``explain`` take."""
        check_is_fitted(self)
        save_model(Path(path), self.spec_, self.predictor_)

    def _fit(
        self, smiles: list[object], y: np.ndarray, task: Task, sample_weight: Any, classes: np.ndarray | None = None
    ) -> None:
        """Train for ``task`` on labels as :class:`GraphPredictor` takes them; ``classes [n]`` stratify."""
        weight = check_weights(sample_weight, len(smiles))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        config = self._config(seed)
        rows = np.flatnonzero(weight)
        train_rows, valid_rows = self._split(rows, None if classes is None else classes[rows], seed)
        dataset = to_dataset(smiles, torch.from_numpy(y), weight, self.workers)
        self.spec_, self.predictor_, history = train(config, task, dataset, train_rows, valid_rows)
        self.history_ = history.epochs
        self.best_epoch_ = history.best_epoch if len(valid_rows) else len(history.epochs) - 1
        self.n_iter_ = len(history.epochs)

    def _config(self, seed: int) -> TrainConfig:
        network = {name: getattr(self, name) for name in _OF_THE_NETWORK} | dict(self.model_options or {})
        settings = {name: getattr(self, name) for name in _OF_THE_RUN}
        return make_config({"model_options": network, "seed": seed, **settings, **self._own_settings()})

    def _own_settings(self) -> dict[str, Any]:
        """Settings of a run that only one of the estimators has."""
        return {}

    def _split(self, rows: np.ndarray, classes: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
        if not 0 <= self.validation_fraction < 1:
            raise ConfigError(f"validation_fraction={self.validation_fraction} must be at least 0 and below 1")
        if self.validation_fraction == 0:
            return rows, rows[:0]
        if len(rows) < 2:
            raise FeatureError(
                f"n_samples={len(rows)} leaves nothing to validate on: give more rows, or validation_fraction=0"
            )
        held_out = min(len(rows) - 1, max(1, round(self.validation_fraction * len(rows))))
        if classes is not None:
            kinds, counts = np.unique(classes, return_counts=True)
            if counts.min() < 2 or min(held_out, len(rows) - held_out) < len(kinds):
                classes = None  # too few rows for one of every class on either side
        train_rows, valid_rows = train_test_split(rows, test_size=held_out, random_state=seed, stratify=classes)
        return np.sort(train_rows), np.sort(valid_rows)

    def _predict(self, smiles: Any) -> np.ndarray:
        """``[n, T]`` values in the units of the targets, or probabilities.

        Raises:
            SmilesError: a SMILES cannot be read; ``error.row`` is its row.
        """
        check_is_fitted(self)
        rows = check_smiles(smiles)
        gpu = self.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        device = "cuda" if gpu else "cpu"
        self.predictor_.to(device)
        chunks = iter_featurize(rows, chirality=CHIRALITY, workers=self.workers, progress=False, chunk_size=_CHUNK)
        found = [predict_batch(self.predictor_, self.spec_.batch(chunk.packed), device) for chunk in chunks]
        self.predictor_.cpu()  # so that a pickle opens where there is no such device
        return np.concatenate(found)
