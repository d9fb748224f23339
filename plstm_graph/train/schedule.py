"""Optimiser, and learning rate over the steps of a run: linear warm-up, then cosine decay to zero or constant."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR


@dataclass(frozen=True)
class OptimizerSettings:
    """What :func:`make_optimizer` needs.

    Args:
        lr: largest learning rate.
        weight_decay: decoupled weight decay of weight matrices.
        schedule: ``"cosine"`` or ``"constant"``, after the warm-up.
        warmup: steps of linear warm-up.
        total: steps of the whole run.
        fused: update all weights in one pass, a tenth of the time for many small ones; Lightning then cannot clip
            gradients of mixed precision.
    """

    lr: float
    weight_decay: float
    schedule: str
    warmup: int
    total: int
    fused: bool = True


def factor(step: int, schedule: str, warmup: int, total: int) -> float:
    """Factor of the learning rate at ``step`` (from 0): ``(step + 1) / warmup``, then half a cosine to 0, or 1."""
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    progress = (step - warmup) / max(1, total - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def make_optimizer(net: nn.Module, settings: OptimizerSettings) -> tuple[AdamW, LambdaLR]:
    """AdamW and its schedule; biases, norms and the starting values of gates do not decay."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = AdamW([g for g in groups if g["params"]], lr=settings.lr, fused=settings.fused)
    return optimizer, LambdaLR(optimizer, lambda step: factor(step, settings.schedule, settings.warmup, settings.total))
