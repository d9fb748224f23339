"""The Lightning module: one training step, one validation pass, the optimiser."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch_geometric.data import Batch

from plstm_graph.train.metrics import evaluate
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.schedule import OptimizerSettings, make_optimizer


class GraphModule(pl.LightningModule):
    """Trains a :class:`GraphPredictor`.

    Logs, once per epoch, ``train_loss``, ``valid_loss`` and ``valid_<metric>``; nothing per step, where logging
    would cost more than a small model does.

    Args:
        predictor: network and task.
        settings: of the optimiser.
    """

    def __init__(self, predictor: GraphPredictor, settings: OptimizerSettings) -> None:
        super().__init__()
        self.predictor = predictor
        self.settings = settings
        self.metric_name = f"valid_{predictor.task.metric}"
        self._losses: list[Tensor] = []
        self._seen: list[tuple[Tensor, Tensor, Tensor | None]] = []  # labels, raw outputs, weights

    def training_step(self, batch: Batch, index: int) -> Tensor:
        loss = self.predictor.loss(self.predictor(batch), batch.y, batch.get("sample_weight"))
        self._losses.append(loss.detach())
        return loss

    def on_train_epoch_start(self) -> None:
        self._losses.clear()

    def validation_step(self, batch: Batch, index: int) -> None:
        self._seen.append((batch.y, self.predictor(batch), batch.get("sample_weight")))

    def on_validation_epoch_start(self) -> None:
        self._seen.clear()

    def on_validation_epoch_end(self) -> None:
        labels, outputs, weights = zip(*self._seen, strict=True)
        y, raw = torch.cat(labels), torch.cat(outputs)
        weight = None if weights[0] is None else torch.cat(weights)
        value = evaluate(
            self.predictor.task,
            y.cpu().numpy(),
            self.predictor.scores(raw).cpu().numpy(),
            None if weight is None else weight.cpu().numpy(),
        )
        valid_loss = self.predictor.loss(raw, y, weight)
        loss = torch.stack(self._losses).mean()
        # every rank validates the whole split, so there is nothing to reduce but the loss of its own part
        self.log_dict({"train_loss": loss}, sync_dist=True, batch_size=1)
        lr = self.optimizers().param_groups[0]["lr"]
        self.log_dict({self.metric_name: value, "valid_loss": valid_loss, "lr": lr}, batch_size=1)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer, schedule = make_optimizer(self.predictor, self.settings)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
