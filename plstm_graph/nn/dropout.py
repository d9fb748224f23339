"""Dropout whose random numbers cost little on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from plstm_graph.nn.checks import check_probability
from plstm_graph.nn.compiled import as_array, has_kernel


class Dropout(nn.Dropout):
    """As ``torch.nn.Dropout``; on a CPU numbers come from a hash of the place and of two seeds that torch draws.

    There torch draws one number after the other, which takes longer than many a layer. The mask is not kept for the
    backward pass, but made again.
    """

    def __init__(self, p: float) -> None:
        if p != 1:  # which leaves nothing, and is a layer all the same
            check_probability("dropout", p)
        super().__init__(p)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not 0 < self.p < 1 or not has_kernel(x):
            return super().forward(x)
        return _Drop.apply(x, self.p, torch.randint(2**32, (2,)).tolist())


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, seeds: list[int]) -> Tensor:
        from plstm_graph.nn._kernels import drop

        ctx.p, ctx.seeds = p, seeds
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        drop(as_array(x).reshape(-1), out.numpy().reshape(-1), *seeds, round(p * 2**32), 1 / (1 - p))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Drop.apply(grad, ctx.p, ctx.seeds), None, None
