"""What is predicted: kind of target, loss and metric; no parameters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from plstm_graph.errors import ConfigError

METRICS = {
    "regression": ("rmse", "mae", "r2"),
    "binary": ("rocauc", "ap", "accuracy"),
    "multiclass": ("accuracy", "rocauc"),
    "sequence": ("f1",),
}
"""Metrics by kind of target; the first is the default."""

LOSSES = {
    "regression": ("mse", "l1"),
    "binary": ("bce", "bce+auc"),
    "multiclass": ("cross_entropy",),
    "sequence": ("cross_entropy",),
}
"""Losses by kind of target; the first is the default."""

SMALLER_IS_BETTER = ("rmse", "mae")


@dataclass(frozen=True)
class Task:
    """What is predicted, and how it is judged.

    Args:
        kind: ``"regression"``, ``"binary"`` (one or more yes/no targets), ``"multiclass"``, or ``"sequence"`` (one
            class per target, of which the last class ends the sequence).
        targets: names of the targets.
        num_classes: number of classes C of a multi-class target or of each in a sequence, else 0.
        metric: name of the metric that chooses the best epoch.
        loss: name of the loss.
        ogb_name: OGB data set whose Evaluator computes the metric, or ``None``.
        class_names: what the classes stand for, in order.

    Raises:
        ConfigError: metric or loss do not fit the kind of target.
    """

    kind: str
    targets: tuple[str, ...]
    num_classes: int = 0
    metric: str = "auto"
    loss: str = "auto"
    ogb_name: str | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in METRICS:
            raise ConfigError(f"kind of target {self.kind!r} does not exist; choose from {', '.join(METRICS)}")
        for name, allowed in (("metric", METRICS[self.kind]), ("loss", LOSSES[self.kind])):
            if getattr(self, name) == "auto":
                object.__setattr__(self, name, allowed[0])
            elif getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name}={getattr(self, name)!r} does not fit {self.kind} targets; choose from {', '.join(allowed)}"
                )

    @property
    def num_outputs(self) -> int:
        """Outputs of the model: one per class, one per target, or for sequences one per target and class."""
        if self.kind == "sequence":
            return self.num_classes * len(self.targets)
        return self.num_classes if self.kind == "multiclass" else len(self.targets)

    @property
    def maximize(self) -> bool:
        """Whether a larger metric is better."""
        return self.metric not in SMALLER_IS_BETTER

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Task:
        """From plain values, as JSON gives them back."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
