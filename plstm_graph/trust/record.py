"""All that a model file keeps for trust in its predictions, as plain values and tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from plstm_graph.trust.conformal import SplitConformal
from plstm_graph.trust.domain import Domain


@dataclass(frozen=True)
class Trust:
    """What was learnt about a model after its training, on the validation split.

    Attributes:
        intervals: one per regression target, else empty.
        temperature: one per yes/no target, or a single one for all classes; empty for regression.
        domain: what the training molecules were like; ``None`` for graphs that are no molecules.
    """

    intervals: tuple[SplitConformal, ...] = ()
    temperature: tuple[float, ...] = ()
    domain: Domain | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values and tensors, for :mod:`plstm_graph.train.packing`."""
        return {
            "intervals": [_to_tensors(one.to_dict()) for one in self.intervals],
            "temperature": list(self.temperature),
            "domain": None if self.domain is None else _to_tensors(self.domain.to_dict()),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Trust:
        """From what :meth:`to_dict` gave."""
        domain = values["domain"]
        return cls(
            tuple(SplitConformal(**_to_arrays(one)) for one in values["intervals"]),
            tuple(values["temperature"]),
            None if domain is None else Domain.from_dict(_to_arrays(domain)),
        )


def _to_tensors(values: dict[str, Any]) -> dict[str, Any]:
    return {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in values.items()}


def _to_arrays(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in values.items()}
