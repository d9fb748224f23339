"""Node and edge encoders of the baselines: linear, or sums of embeddings with the sizes of OGB's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plstm_graph.errors import ConfigError

ATOM_SIZES = (119, 5, 12, 12, 10, 6, 6, 2, 2)
"""Number of values of each of OGB's nine atom features (ogb.utils.features.get_atom_feature_dims)."""
BOND_SIZES = (5, 6, 2)
"""Number of values of each of OGB's three bond features (ogb.utils.features.get_bond_feature_dims)."""


class SumEmbedding(nn.Module):
    """Sum of one embedding per column: ``[N, F]`` int64 → ``[N, d]``."""

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(sum(sizes), width)  # one table with offsets: one gather in place of F
        self.register_buffer("offset", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        for part in self.table.weight.data.split(sizes):
            nn.init.xavier_uniform_(part)

    def forward(self, x: Tensor) -> Tensor:
        return self.table(x + self.offset).sum(dim=-2)


def make_encoder(kind: str, channels: int, width: int) -> nn.Module:
    """Encoder by name.

    Args:
        kind: ``"linear"`` (float features ``[N, channels]``), ``"atom"`` or ``"bond"`` (OGB's integer features), or
            ``"embedding"`` (one integer feature with ``channels`` values).
        channels: number of input features, or of values for ``"embedding"``.
        width: output width d.

    Raises:
        ConfigError: another name.
    """
    if kind == "linear":
        return ToFloat(nn.Linear(channels, width))
    sizes = {"atom": ATOM_SIZES, "bond": BOND_SIZES, "embedding": (channels,)}.get(kind)
    if sizes is None:
        raise ConfigError(f"encoder {kind!r} does not exist; choose from linear, atom, bond, embedding")
    return SumEmbedding(sizes, width)


class ToFloat(nn.Module):
    """A linear map that also takes integer (one-hot or count) features."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(-1) if x.dim() == 1 else x
        return self.linear(x.to(self.linear.weight.dtype))
