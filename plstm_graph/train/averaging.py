"""A moving average of the weights, which small validation splits judge with less noise than the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class WeightAverage(pl.Callback):
    """Puts the exponential moving average of the predictor's weights in their place between epochs.

    Validation, ``best.pt`` and the end of training see the average, training steps see the weights.

    Args:
        steps: number of steps over which the average reaches; fewer in the first of them.
    """

    def __init__(self, steps: float) -> None:
        self.steps = steps
        self.swapped = False

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._average = AveragedModel(module.predictor, multi_avg_fn=moving_average(self.steps), use_buffers=True)

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._average.to(module.device)  # the weights were not there yet when the average was set up

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.swapped:
            self._swap(module)

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *step: Any) -> None:
        self._average.update_parameters(module.predictor)

    def on_validation_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._swap(module)

    def state_dict(self) -> dict[str, Any]:
        return {"average": self._average.state_dict(), "swapped": self.swapped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._average.load_state_dict(state_dict["average"])
        self.swapped = state_dict["swapped"]

    @torch.no_grad()
    def _swap(self, module: pl.LightningModule) -> None:
        now, average = module.predictor, self._average.module
        for a, b in zip(
            chain(now.parameters(), now.buffers()), chain(average.parameters(), average.buffers()), strict=True
        ):
            held = a.clone()
            a.copy_(b)
            b.copy_(held)
        self.swapped = not self.swapped


def moving_average(steps: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Update of an average: decay ``1 - 1 / steps``, at first ``(1 + n) / (10 + n)`` after n updates if less.

    Whole numbers, such as counts, are not averaged but taken as they are.
    """

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        if not averaged[0].is_floating_point():
            torch._foreach_copy_(averaged, current)
            return
        decay = min(1 - 1 / max(1.0, steps), (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(decay)(averaged, current, count)

    return update
