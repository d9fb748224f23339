"""Matrix-valued transitions for state tracking, with spectral bounds that hold by construction.

A.5 and A.6 of arXiv 2506.11997: ``T = a U diag(σ) Vᵀ`` with orthogonal U and V, singular values ``|σ| <= 1``, and in
P-mode weights ``a`` that add up to one over the outgoing line edges.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.utils import softmax

from plstm_graph.errors import ConfigError


def householder_product(vectors: Tensor) -> Tensor:
    """Product of reflections ``H_1 H_2 ... H_R`` with ``H = I - 2 w wᵀ / |w|²``.

    Args:
        vectors: ``[..., R, J]``, of any length; a vector of zeros reflects nothing.

    Returns:
        ``[..., J, J]``, orthogonal.
    """
    unit = vectors * (vectors.square().sum(-1, keepdim=True) + 1e-24).rsqrt()
    product = torch.eye(vectors.size(-1), dtype=vectors.dtype, device=vectors.device)
    for reflection in unit.unbind(-2):
        along = product @ reflection.unsqueeze(-1)
        product = product - 2 * along * reflection.unsqueeze(-2)
    return product


def skew_exponential(entries: Tensor) -> Tensor:
    """Exponential of the skew-symmetric matrices whose upper triangles are given: rotations.

    Args:
        entries: ``[..., J (J - 1) / 2]``, row by row.

    Returns:
        ``[..., J, J]``, orthogonal with determinant one.
    """
    size = round((1 + (1 + 8 * entries.size(-1)) ** 0.5) / 2)
    row, column = torch.triu_indices(size, size, 1, device=entries.device)
    upper = entries.new_zeros(*entries.shape[:-1], size * size)
    upper = upper.index_copy(-1, row * size + column, entries).unflatten(-1, (size, size))
    return torch.linalg.matrix_exp(upper - upper.mT)


class MatrixTransition(nn.Module):
    """From ``width`` numbers per line edge and head to a J × J matrix of spectral norm at most one. No parameters.

    Args:
        states: states J.
        orthogonal: ``"householder"``, products of ⌈J / 2⌉ reflections for each of U and V, so that their product
            together with the signs of σ reaches every orthogonal matrix; or ``"exponential"`` of skew matrices.
        singular: ``"tanh"``, singular values ``tanh(scale * s)``; or ``"one"``, which makes T = U Vᵀ a rotation that
            forgets nothing.
        directed: P-mode; a softmax over each group of line edges makes the spectral norms of a group add up to at most
            one, which is (9) with the spectral norm in place of the absolute value.
        scale: factor inside the tanh.
        bias: of the singular values at the start.

    Raises:
        ConfigError: fewer than one state, or fewer than two where only rotations are left.
    """

    def __init__(
        self, states: int, orthogonal: str, singular: str, directed: bool, scale: float = 5.0, bias: float = 1.0
    ) -> None:
        super().__init__()
        if states < 1 or (singular == "one" and states < 2):
            least = 2 if singular == "one" else 1
            raise ConfigError(f"state_size must be at least {least} with singular={singular!r}, got {states}")
        self.states, self.singular, self.directed, self.scale, self.bias = states, singular, directed, scale, bias
        self.reflections = (states + 1) // 2
        self.orthogonal = orthogonal
        factor = self.reflections * states if orthogonal == "householder" else states * (states - 1) // 2
        self.widths = (factor, factor, states if singular == "tanh" else 0, int(directed))

    @property
    def width(self) -> int:
        """Numbers per line edge and head."""
        return sum(self.widths)

    def start(self) -> Tensor:
        """``[width]`` biases at the start: U = V at random and so T = diag(tanh(scale * bias)), close to one."""
        factor = torch.randn(self.widths[0])
        return torch.cat([factor, factor, torch.full((self.widths[2],), self.bias), torch.zeros(self.widths[3])])

    def forward(self, raw: Tensor, group: Tensor, num_groups: int) -> Tensor:
        """Transitions ``[L, H, J, J]``.

        Args:
            raw: ``[L, H, width]``; bfloat16 and float16 become float32.
            group: ``[L]``, the line edges over which direction weights add up to one.
            num_groups: number of groups.
        """
        with torch.autocast(raw.device.type, enabled=False):  # half precision would not keep the factors orthogonal
            raw = raw.float() if raw.dtype in (torch.bfloat16, torch.float16) else raw
            left, right, singular, weight = raw.split(self.widths, dim=-1)
            matrix = self._orthogonal(left)
            if self.singular == "tanh":
                matrix = matrix * torch.tanh(self.scale * singular).unsqueeze(-2)
            matrix = matrix @ self._orthogonal(right).mT
            if self.directed:
                matrix = matrix * softmax(weight, group, num_nodes=num_groups).unsqueeze(-1)
            return matrix

    def _orthogonal(self, numbers: Tensor) -> Tensor:
        if self.orthogonal == "householder":
            return householder_product(numbers.unflatten(-1, (self.reflections, self.states)))
        return skew_exponential(numbers)
