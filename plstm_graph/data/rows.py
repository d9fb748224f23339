"""Rows of many graphs in one tensor, and integers in as few bytes as they need."""

from __future__ import annotations

import torch
from torch import Tensor


def pointer(sizes: Tensor) -> Tensor:
    """First row of every graph and the number of all rows ``[G + 1]``, from the rows of every graph ``[G]``."""
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])


def gather_rows(ptr: Tensor, graphs: Tensor) -> tuple[Tensor, Tensor]:
    """Rows ``ptr[g] .. ptr[g + 1] - 1`` of all the graphs, one after the other, and their number per graph."""
    first = ptr[graphs]
    sizes = ptr[graphs + 1] - first
    ends = sizes.cumsum(0)
    total = int(ends[-1]) if ends.numel() else 0
    return torch.repeat_interleave(first - ends + sizes, sizes, output_size=total) + torch.arange(total), sizes


def take(value: Tensor, dim: int, rows: Tensor) -> Tensor:
    """The given rows, integers as int64."""
    return widen(value.index_select(dim, rows))


def widen(value: Tensor) -> Tensor:
    """Integers as int64; anything else as it is."""
    return value if value.is_floating_point() or value.dtype == torch.bool else value.long()


def narrow(value: Tensor) -> Tensor:
    """int64 as the smallest integer type that holds all values; anything else as it is."""
    if value.dtype != torch.int64 or value.numel() == 0:
        return value
    low, high = int(value.min()), int(value.max())
    for dtype in (torch.uint8, torch.int16, torch.int32):
        if torch.iinfo(dtype).min <= low and high <= torch.iinfo(dtype).max:
            return value.to(dtype)
    return value
