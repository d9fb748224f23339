"""Dropout whose random numbers cost little on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """As ``torch.nn.Dropout``, with the probability rounded to 2⁻¹⁶ on a CPU.

    There torch draws one number of double precision per element, which made up an eighth of a training step on
    molecules; here four elements share one of 64 bits.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0 or self.p == 1 or not x.is_cpu or torch.compiler.is_compiling():
            return super().forward(x)
        return _Drop.apply(x, round(self.p * 2**16) / 2**16)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        bits = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), 2**63 - 1).view(torch.int16)
        keep = (bits[: x.numel()] >= round(p * 2**16) - 2**15).view(x.shape)
        ctx.save_for_backward(keep)
        ctx.scale = 1 / (1 - p)
        return (x * keep).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return grad * keep * ctx.scale, None
