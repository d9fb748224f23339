"""Several models that predict together; a single model is an ensemble of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch_geometric.data import Batch

import plstm_graph
from plstm_graph.errors import ConfigError, RunError
from plstm_graph.train import packing
from plstm_graph.train.model_file import ENSEMBLE, ModelSpec, read_model
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task
from plstm_graph.trust.record import Trust


class Pooled(NamedTuple):
    """What members say together.

    Attributes:
        values: ``[G, T]`` float64: the members' mean value (regression), or the logit of their mean probability
            (classes: its logarithm), before any temperature.
        spread: ``[G, T]`` unbiased deviation of the members' values; ``None`` for classes and for a single member.
    """

    values: np.ndarray
    spread: np.ndarray | None


def pool(task: Task, scores: np.ndarray) -> Pooled:
    """Members' scores ``[M, G, T]`` (see :meth:`GraphPredictor.scores`) as those of the ensemble.

    Probabilities are averaged first and calibrated afterwards (Rahaman and Thiery, "Uncertainty quantification and
    deep ensembles", arXiv 2007.08792): the other way round, the mean of calibrated members is too cautious.
    """
    from scipy.special import log_expit, log_softmax, logsumexp

    scores = scores.astype(float)
    if task.kind == "regression":
        return Pooled(scores.mean(axis=0), scores.std(axis=0, ddof=1) if len(scores) > 1 else None)
    if len(scores) == 1:
        return Pooled(scores[0], None)
    if task.kind == "binary":
        return Pooled(logsumexp(log_expit(scores), axis=0) - logsumexp(log_expit(-scores), axis=0), None)
    return Pooled(logsumexp(log_softmax(scores, axis=-1), axis=0) - np.log(len(scores)), None)


def probabilities(task: Task, logits: np.ndarray, temperature: Iterable[float] = ()) -> np.ndarray:
    """``[G, T]`` logits of :func:`pool` as probabilities, calibrated if there are temperatures."""
    from scipy.special import expit, softmax

    logits = logits / np.array([*temperature] or [1.0])
    return expit(logits) if task.kind == "binary" else softmax(logits, axis=-1)


@dataclass(frozen=True)
class Ensemble:
    """Trained models of one task, and what is known about the trust that they deserve.

    Attributes:
        spec: how the networks are built and fed; they take the same batches.
        members: the models, in evaluation mode.
        trust: calibration, made for exactly these members together.
    """

    spec: ModelSpec
    members: tuple[GraphPredictor, ...]
    trust: Trust = field(default_factory=Trust)

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self.members[0].task

    def to(self, device: torch.device | str) -> Ensemble:
        """Move all members."""
        for member in self.members:
            member.to(device)
        return self

    @torch.inference_mode()
    def pooled(self, batch: Batch) -> Pooled:
        """What the members say together about a batch that is on their device."""
        return pool(self.task, np.stack([m.scores(m(batch)).cpu().numpy() for m in self.members]))

    def predictions(self, pooled: Pooled) -> np.ndarray:
        """``[G, T]`` for users: mean values, or calibrated probabilities."""
        if self.task.kind == "regression":
            return pooled.values
        return probabilities(self.task, pooled.values, self.trust.temperature)


def save_ensemble(folder: Path, members: Iterable[str], ensemble: Ensemble) -> None:
    """Write ``ensemble.pt``: which folders beside it hold the members, and the trust in all of them together."""
    names = list(members)
    content = {
        "kind": "ensemble",
        "version": plstm_graph.__version__,
        "members": names,
        "sha256": [_digest(folder / name / "best.pt") for name in names],
        "task": ensemble.task.to_dict(),
        "trust": ensemble.trust.to_dict(),
    }
    packing.save(folder / ENSEMBLE, content)


def load_ensemble(path: str | Path) -> Ensemble:
    """Read the folder of an ensemble, a run folder, or a model file; everything in evaluation mode, on the CPU.

    Raises:
        RunError: there is no model at ``path``, or a member is missing or was replaced since the calibration.
    """
    path = Path(path)
    if not (path / ENSEMBLE).is_file():
        spec, predictor, trust = read_model(path)
        return Ensemble(spec, (predictor,), trust)
    content = packing.load(path / ENSEMBLE)
    members = []
    for name, digest in zip(content["members"], content["sha256"], strict=True):
        spec, predictor, _ = read_model(path / name)
        if _digest(path / name / "best.pt") != digest:
            raise RunError(
                f"{path / name / 'best.pt'} is not the model that {path / ENSEMBLE} was calibrated with: "
                "train the ensemble again"
            )
        members.append(predictor)
    return Ensemble(spec, tuple(members), Trust.from_dict(content["trust"]))


def load_molecule_ensemble(path: str | Path) -> Ensemble:
    """:func:`load_ensemble`, for models that are to read SMILES.

    Raises:
        RunError: there is no model at ``path``.
        ConfigError: the model does not take molecules.
    """
    ensemble = load_ensemble(path)
    if not ensemble.spec.molecules:
        raise ConfigError(f"{path} was trained on graphs that are not molecules with atom features: it takes no SMILES")
    return ensemble


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
