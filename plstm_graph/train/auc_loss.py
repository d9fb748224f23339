"""A loss for the area under the ROC curve: every positive is to stand a margin above every negative."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MARGIN = 1.0
"""By how much the logit of a positive is to exceed that of a negative."""


def auc_margin_loss(raw: Tensor, y: Tensor, known: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over pairs of a positive and a negative of ``max(0, MARGIN - (s_positive - s_negative))^2``.

    The ROC-AUC is the share of such pairs in right order; the squared hinge is its usual convex bound (Gao and Zhou,
    arXiv 1208.0645). All pairs of a target are counted, in O(G log G): the negatives that come too close to
    a positive are the highest ones, so their sums are differences of cumulative sums.

    Args:
        raw: ``[G, T]`` logits.
        y: ``[G, T]``, 1 or 0 where known.
        known: bool ``[G, T]``.
        weight: ``[G]`` factor of each graph; a pair counts with the product of both.

    Returns:
        Mean over the targets that have pairs, 0 if none has any.
    """
    positive, negative = known & (y > 0.5), known & (y <= 0.5)
    paired = [t for t in range(raw.size(1)) if positive[:, t].any() and negative[:, t].any()]
    if not paired:
        return 0.0 * raw.sum()
    weight = torch.ones_like(raw[:, 0]) if weight is None else weight
    # sums of squares of many negatives nearly cancel: in double precision they may
    scores, weight = raw.double(), weight.double()
    each = [
        _pairs(scores[positive[:, t], t], scores[negative[:, t], t], weight[positive[:, t]], weight[negative[:, t]])
        for t in paired
    ]
    return torch.stack(each).mean().to(raw.dtype)


def _pairs(positive: Tensor, negative: Tensor, weight_positive: Tensor, weight_negative: Tensor) -> Tensor:
    """Weighted mean of the squared hinges of all pairs."""
    negative, order = negative.sort(descending=True)
    weight_negative = weight_negative[order]
    powers = torch.stack([torch.ones_like(negative), negative, negative.square()])
    sums = F.pad((powers * weight_negative).cumsum(dim=1), (1, 0))
    gap = MARGIN - positive
    close = torch.searchsorted(-negative.detach(), gap.detach())  # how many negatives have s > -gap
    count, first, second = sums[:, close]
    total = count * gap.square() + 2 * gap * first + second
    pairs = weight_positive.sum() * weight_negative.sum()
    return (total * weight_positive).sum() / pairs.clamp(min=1e-12)
