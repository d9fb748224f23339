"""One training loop for all tasks: AdamW, one cycle of the learning rate, the best validation epoch."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

Loss = Callable[[Tensor, Data], Tensor]
"""``(outputs, batch) -> loss``, a mean over the batch."""


@dataclass(frozen=True)
class Schedule:
    """Length and pace of a training.

    Args:
        epochs: at most.
        patience: epochs without a better validation score after which training stops.
        learning_rate: largest learning rate; it rises over a tenth of the steps and falls as a cosine.
        weight_decay: of AdamW.
        clip: largest gradient norm.
        goal: validation score at which training stops, as it cannot become better.
    """

    epochs: int
    patience: int
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    clip: float = 1.0
    goal: float = -math.inf


def fit(
    model: nn.Module,
    train: Iterable[Data],
    loss: Loss,
    validate: Callable[[], float],
    schedule: Schedule,
) -> dict[str, Any]:
    """Train, and leave the model of the best validation epoch.

    Args:
        model: changed in place.
        train: batches, with a length; drawn anew in every epoch.
        loss: what is made small.
        validate: score of the model on validation data, smaller is better.
        schedule: length and pace.

    Returns:
        For the record: ``best_epoch`` (from 0), ``valid`` (its score), ``curve`` (all scores) and ``seconds``.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    steps = schedule.epochs * len(train)  # type: ignore[arg-type]
    pace = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=max(steps, 20), pct_start=0.1
    )
    curve: list[float] = []
    best: dict[str, Tensor] = {}
    best_epoch = -1
    start = time.perf_counter()
    for epoch in range(schedule.epochs):
        model.train()
        for batch in train:
            optimizer.zero_grad()
            loss(model(batch), batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
            optimizer.step()
            pace.step()
        model.eval()
        with torch.no_grad():
            curve.append(validate())
        if math.isfinite(curve[-1]) and (best_epoch < 0 or curve[-1] < curve[best_epoch]):
            best, best_epoch = copy.deepcopy(model.state_dict()), epoch
        if epoch - best_epoch >= schedule.patience or curve[-1] <= schedule.goal:
            break
    if best_epoch >= 0:
        model.load_state_dict(best)
    model.eval()
    return {
        "best_epoch": best_epoch,
        "valid": curve[best_epoch],
        "curve": [round(value, 6) for value in curve],
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(time.perf_counter() - start, 1),
    }
