"""The Lightning module: one training step, one validation pass, the optimiser."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch_geometric.data import Batch

from plstm_graph.errors import RunError
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

    Raises:
        RunError: in training, the loss or an output for the validation split became infinite or NaN.
    """

    def __init__(self, predictor: GraphPredictor, settings: OptimizerSettings) -> None:
        super().__init__()
        self.predictor = predictor
        self.settings = settings
        self.metric_name = f"valid_{predictor.task.metric}"
        self._losses: list[Tensor] = []
        self._seen: list[tuple[Tensor, Tensor, Tensor | None]] = []  # labels, raw outputs, weights
        self._told: list[tuple[Tensor, Tensor, Tensor]] = []  # of sequences: truth, classes, summed loss

    def training_step(self, batch: Batch, index: int) -> Tensor:
        loss = self.predictor.loss(self.predictor(batch), batch.y, batch.get("sample_weight"))
        self._losses.append(loss.detach())
        return loss

    def on_train_epoch_start(self) -> None:
        self._losses.clear()

    def validation_step(self, batch: Batch, index: int) -> None:
        raw, weight = self.predictor(batch), batch.get("sample_weight")
        if self.predictor.task.kind == "sequence":  # raw outputs of a whole split would not fit in memory
            loss = self.predictor.loss(raw, batch.y, weight) * len(batch.y)
            self._told.append((self.predictor.truth(batch), self.predictor.scores(raw), loss))
        else:
            self._seen.append((batch.y, raw, weight))

    def on_validation_epoch_start(self) -> None:
        self._seen.clear()
        self._told.clear()

    def on_validation_epoch_end(self) -> None:
        loss = torch.stack(self._losses).mean()
        self._check_finite("training loss", loss)  # before metrics that refuse such values in their own words
        value, valid_loss = self._judge_sequences() if self._told else self._judge()
        # every rank validates the whole split, so there is nothing to reduce but the loss of its own part
        self.log_dict({"train_loss": loss}, sync_dist=True, batch_size=1)
        lr = self.optimizers().param_groups[0]["lr"]
        self.log_dict({self.metric_name: value, "valid_loss": valid_loss, "lr": lr}, batch_size=1)

    def _judge_sequences(self) -> tuple[float, Tensor]:
        """Metric and loss."""
        truth, classes, losses = (torch.cat([torch.atleast_1d(t) for t in ts]) for ts in zip(*self._told, strict=True))
        value = evaluate(self.predictor.task, truth.cpu().numpy(), classes.cpu().numpy())
        return value, losses.sum() / len(classes)

    def _judge(self) -> tuple[float, Tensor]:
        """Metric and loss."""
        labels, outputs, weights = zip(*self._seen, strict=True)
        y, raw = torch.cat(labels), torch.cat(outputs)
        self._check_finite("output for the validation split", raw)
        weight = None if weights[0] is None else torch.cat(weights)
        value = evaluate(
            self.predictor.task,
            y.cpu().numpy(),
            self.predictor.scores(raw).cpu().numpy(),
            None if weight is None else weight.cpu().numpy(),
        )
        return value, self.predictor.loss(raw, y, weight)

    def _check_finite(self, what: str, values: Tensor) -> None:
        wrong = values[~values.isfinite()]
        if wrong.numel():
            raise RunError(
                f"the {what} became {float(wrong.flatten()[0])} in epoch {self.current_epoch + 1}: lower --lr, "
                "or set --clip-norm"
            )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer, schedule = make_optimizer(self.predictor, self.settings)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
