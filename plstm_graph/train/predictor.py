"""A model together with its task: loss on labels, scores for metrics, values for users."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import Data

from plstm_graph.train.auc_loss import auc_margin_loss
from plstm_graph.train.task import Task


class GraphPredictor(nn.Module):
    """A network whose raw outputs become a loss, a score or a prediction.

    Regression targets are standardised inside: the network sees mean 0 and deviation 1, losses are in these units,
    scores and predictions in the units of the table. Both numbers are buffers, hence part of every checkpoint.
    Probabilities are those of logits over ``temperature`` (``[T]``, or ``[1]`` for classes), which is 1 unless the
    model was calibrated; losses and scores know nothing of it.

    Args:
        net: module with ``forward(data) -> [G, T]``.
        task: what is predicted.
        mean: ``[T]`` mean of each regression target over the training split.
        std: ``[T]`` its standard deviation.
        class_weight: weight of the positive class per target ``[T]`` (binary) or per class ``[C]`` (multi-class).
    """

    def __init__(
        self,
        net: nn.Module,
        task: Task,
        mean: Tensor | None = None,
        std: Tensor | None = None,
        class_weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.net, self.task = net, task
        size = task.num_outputs
        self.register_buffer("mean", torch.zeros(size) if mean is None else mean.float())
        self.register_buffer("std", torch.ones(size) if std is None else std.float())
        self.register_buffer("temperature", torch.ones(1), persistent=False)  # the model file keeps it with its trust
        self.register_buffer("class_weight", class_weight, persistent=False)  # of use in training only

    def forward(self, data: Data) -> Tensor:
        """Raw outputs ``[G, T]``: standardised values or logits."""
        return self.net(data)

    def loss(self, raw: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean loss over the labels that are there.

        Args:
            raw: ``[G, T]`` from :meth:`forward`.
            y: ``[G, T]`` float, NaN where missing, or ``[G]`` int64 classes, negative where missing; for sequences
                ``[G, T]`` int64 classes.
            weight: ``[G]`` factor of each graph's loss, 1 on average over the training split. The mean is still over
                the number of labels, so that a graph counts the same in whatever batch it falls.
        """
        raw = raw.float()
        if self.task.kind == "multiclass":
            each = F.cross_entropy(raw, y, self.class_weight, ignore_index=-1, reduction="none")
            total = (each if weight is None else each * weight).sum()
            return total / self._label_weight(y).clamp(min=1e-12)
        if self.task.kind == "sequence":
            each = F.cross_entropy(self._heads(raw).transpose(1, 2), y, reduction="none").mean(dim=1)
            return (each if weight is None else each * weight).mean()
        known = ~y.isnan()
        y = torch.where(known, y, 0.0).to(raw.dtype)
        if self.task.kind == "binary":
            each = F.binary_cross_entropy_with_logits(raw, y, pos_weight=self.class_weight, reduction="none")
        else:
            function = F.mse_loss if self.task.loss == "mse" else F.l1_loss
            each = function(raw, (y - self.mean) / self.std, reduction="none")
        each = each if weight is None else each * weight.unsqueeze(1)
        loss = (each * known).sum() / known.sum().clamp(min=1)
        return loss + auc_margin_loss(raw, y, known, weight) if self.task.loss == "bce+auc" else loss

    def _label_weight(self, y: Tensor) -> Tensor:
        if self.class_weight is None:
            return (y >= 0).sum().float()
        return (self.class_weight[y.clamp(min=0)] * (y >= 0)).sum()

    def truth(self, batch: Data) -> Tensor:
        """What metrics compare with: ``y``, or for sequences ``reference [G, R]`` (whole names, see code2) if given."""
        reference = batch.get("reference") if self.task.kind == "sequence" else None
        return batch.y if reference is None else reference

    def _heads(self, raw: Tensor) -> Tensor:
        """Logits of a sequence, ``[G, T, C]``."""
        return raw.unflatten(-1, (len(self.task.targets), self.task.num_classes))

    def scores(self, raw: Tensor) -> Tensor:
        """``[G, T]`` for metrics: values in the units of the targets, logits, or for sequences classes."""
        if self.task.kind == "sequence":
            return self._heads(raw).argmax(dim=-1)
        return raw.float() * self.std + self.mean if self.task.kind == "regression" else raw.float()

    def predictions(self, raw: Tensor) -> Tensor:
        """``[G, T]`` for users: values in the units of the targets, probabilities, or for sequences classes."""
        if self.task.kind in ("regression", "sequence"):
            return self.scores(raw)
        logits = raw.float() / self.temperature
        return logits.sigmoid() if self.task.kind == "binary" else logits.softmax(dim=-1)
