"""Numbers that are known of a whole graph, joined to what is pooled from its nodes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from plstm_graph.errors import ConfigError, FeatureError


class DescriptorJoin(nn.Module):
    """Standardises ``data.descriptors [G, D]`` and appends them to pooled graph vectors.

    Mean and deviation are buffers, hence part of every checkpoint; :meth:`fit` sets them.

    Args:
        size: number of descriptors D.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))

    def fit(self, values: Tensor) -> None:
        """Take mean and deviation from ``values [G, D]``; a descriptor that is constant there is only shifted."""
        values = values.double()
        std = values.std(dim=0, correction=0)
        self.mean.copy_(values.mean(dim=0))
        self.std.copy_(torch.where(std > 0, std, 1.0))

    def forward(self, pooled: Tensor, data: Data) -> Tensor:
        """``[G, d]`` → ``[G, d + D]``.

        Raises:
            FeatureError: the data has no descriptors, or another number of them.
        """
        values = data.get("descriptors")
        found = 0 if values is None else values.size(-1)
        if found != self.size:
            raise FeatureError(
                f"the model takes {self.size} descriptors per graph, but the data has {found}: give it "
                f"data.descriptors of shape [G, {self.size}]"
            )
        return torch.cat([pooled, ((values - self.mean) / self.std).to(pooled.dtype)], dim=-1)

    def extra_repr(self) -> str:
        return f"size={self.size}"


def join_descriptors(size: int, level: str) -> DescriptorJoin | None:
    """The join of a model that makes predictions for ``level``; ``None`` without descriptors.

    Raises:
        ConfigError: the model pools nothing, or the number is negative.
    """
    if size < 0 or (size and level != "graph"):
        raise ConfigError(f"descriptor_dim={size} does not fit level={level!r}: descriptors belong to whole graphs")
    return DescriptorJoin(size) if size else None
