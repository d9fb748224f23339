"""A moving average of the weights, which small validation splits judge with less noise than the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn


class WeightAverage(pl.Callback):
    """Puts the exponential moving average of the predictor's weights in their place between epochs.

    Validation, ``best.pt`` and the end of training see the average, training steps see the weights.

    Args:
        steps: number of steps over which the average reaches; fewer in the first of them.
    """

    def __init__(self, steps: float) -> None:
        self.steps = steps
        self.swapped = False
        self.count = 0

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._average = [tensor.clone() for tensor in _tensors(module.predictor)]

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # the weights were not there yet when the average was set up; walking all modules takes as long as an update
        self._weights = _tensors(module.predictor)
        self._average = [a.to(w.device, w.dtype) for a, w in zip(self._average, self._weights, strict=True)]

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.swapped:
            self._swap()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *step: Any) -> None:
        update_average(self._average, self._weights, self.steps, self.count)
        self.count += 1

    def on_validation_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._swap()

    def state_dict(self) -> dict[str, Any]:
        return {"average": self._average, "count": self.count, "swapped": self.swapped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._average, self.count, self.swapped = (state_dict[name] for name in ("average", "count", "swapped"))

    def _swap(self) -> None:
        for weight, average in zip(self._weights, self._average, strict=True):
            held = weight.clone()
            weight.copy_(average)
            average.copy_(held)
        self.swapped = not self.swapped


def _tensors(module: nn.Module) -> list[Tensor]:
    """All parameters and buffers, detached, in memory that they share with the module."""
    return [tensor.detach() for tensor in (*module.parameters(), *module.buffers())]


def update_average(average: Sequence[Tensor], weights: Sequence[Tensor], steps: float, count: int) -> None:
    """Move ``average`` towards ``weights``, in place.

    Args:
        average: one tensor per weight.
        weights: weights and other tensors; whole numbers, such as counts, are not averaged but taken as they are.
        steps: decay is ``1 - 1 / steps``, at first ``(1 + count) / (10 + count)`` if less; the first update copies.
        count: number of updates before.
    """
    decay = min(1 - 1 / max(1.0, steps), (1 + count) / (10 + count)) if count else 0.0
    numbers = [i for i, tensor in enumerate(weights) if tensor.is_floating_point()]
    if numbers:
        torch._foreach_lerp_([average[i] for i in numbers], [weights[i] for i in numbers], 1 - decay)
    for kept, tensor in zip(average, weights, strict=True):
        if not tensor.is_floating_point():
            kept.copy_(tensor)
