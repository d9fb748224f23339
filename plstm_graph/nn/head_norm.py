"""RMSNorm over the last dimension, in as few passes over memory as can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from plstm_graph.nn.compiled import as_array, has_kernel


def rms_norm(x: Tensor, eps: float) -> Tensor:
    """``x / sqrt(mean(x²) + eps)`` over the last dimension, any number of times differentiable.

    The same numbers as ``torch.nn.functional.rms_norm``, whose backward pass goes through a power, a mean and a
    product one by one. On a CPU a kernel takes one pass each way.

    Args:
        x: ``[..., V]`` floating point.
        eps: added to the mean of squares.
    """
    return (_Compiled if has_kernel(x) else _Composed).apply(x, eps)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        from plstm_graph.nn._kernels import rms_norm_forward

        ctx.save_for_backward(x)
        ctx.eps = eps
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        rms_norm_forward(_rows(x), eps, _rows(out))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        from plstm_graph.nn._kernels import rms_norm_backward

        (x,) = ctx.saved_tensors
        if torch.is_grad_enabled():  # derivatives of the derivatives are asked for: torch has them
            return _gradient(x, ctx.eps, grad), None
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        rms_norm_backward(_rows(grad), _rows(x), ctx.eps, _rows(out))
        return out, None


class _Composed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.eps = eps
        return x * _inverse(x, eps)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return _gradient(x, ctx.eps, grad), None


def _gradient(x: Tensor, eps: float, grad: Tensor) -> Tensor:
    inverse = _inverse(x, eps)  # computed again from x, so that second derivatives see it
    along = (grad * x).sum(-1, keepdim=True) * inverse**3 / x.size(-1)
    return torch.addcmul(grad * inverse, x, along, value=-1)


def _inverse(x: Tensor, eps: float) -> Tensor:
    return (torch.linalg.vector_norm(x, dim=-1, keepdim=True).square() / x.size(-1) + eps).rsqrt()


def _rows(x: Tensor) -> np.ndarray:
    return as_array(x).reshape(-1, x.size(-1))
