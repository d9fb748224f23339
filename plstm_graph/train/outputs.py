"""Run a model over batches, outside Lightning."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch_geometric.data import Batch

from plstm_graph.train.metrics import evaluate
from plstm_graph.train.predictor import GraphPredictor


@torch.inference_mode()
def predict_batch(predictor: GraphPredictor, batch: Batch, device: torch.device | str = "cpu") -> np.ndarray:
    """Predictions for users, ``[G, T]``: values in the units of the targets, or probabilities."""
    return predictor.predictions(predictor(batch.to(device))).cpu().numpy()


@torch.inference_mode()
def score_batches(
    predictor: GraphPredictor, batches: Iterable[Batch], device: torch.device | str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Labels ``[G, T]`` and scores ``[G, T]`` of all batches, in evaluation mode, in their order.

    Labels of classes are ``[G]``, those of sequences ``[G, R]``; see :meth:`GraphPredictor.truth`.
    """
    predictor.eval()
    truths, scores = [], []
    for batch in batches:
        batch = batch.to(device)
        truths.append(predictor.truth(batch).cpu())
        scores.append(predictor.scores(predictor(batch)).cpu())
    return torch.cat(truths).numpy(), torch.cat(scores).numpy()


def evaluate_batches(predictor: GraphPredictor, batches: Iterable[Batch], device: torch.device | str = "cpu") -> float:
    """Value of the task's metric over all batches, in evaluation mode.

    Raises:
        ConfigError: the metric is undefined on these labels.
    """
    return evaluate(predictor.task, *score_batches(predictor, batches, device))
