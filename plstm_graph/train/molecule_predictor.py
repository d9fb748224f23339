"""Predictions for molecules together with what says how far to trust them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch_geometric.data import Batch

from plstm_graph.chem.arrays import Packed
from plstm_graph.errors import ConfigError
from plstm_graph.train.ensemble import Ensemble, Pooled, load_molecule_ensemble

DEFAULT_COVERAGE = 0.9

SIMILARITY = "nearest_train_similarity"
"""Column of the largest Tanimoto similarity to the training molecules."""

WARNING = "warning"
"""Column that says what about a molecule is unlike the training; empty where nothing is."""


@dataclass(frozen=True)
class MoleculePredictor:
    """A model or an ensemble, with what is to be said besides its predictions.

    Attributes:
        ensemble: the members and their calibration.
        coverage: share of molecules whose value should lie within its interval; ``None`` for no intervals.
        similarity: look for the nearest training molecule.
    """

    ensemble: Ensemble
    coverage: float | None
    similarity: bool

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        coverage: float | None = None,
        similarity: bool = True,
        device: torch.device | str = "cpu",
    ) -> MoleculePredictor:
        """Read an ensemble, a run folder or a model file.

        Args:
            path: folder or file.
            coverage: between 0 and 1; ``None`` is 0.9 for regression, as far as the validation split was large enough.
            similarity: look for the nearest training molecule, if the model knows any.
            device: where to predict.

        Raises:
            RunError: there is no model.
            ConfigError: the model does not take molecules; or a coverage was asked for that it cannot give, since it
                predicts classes, was not calibrated, or was so on too few molecules.
        """
        ensemble = load_molecule_ensemble(path).to(device)
        if coverage is not None:
            _check_coverage(path, ensemble, coverage)
        elif ensemble.trust.intervals:
            coverage = DEFAULT_COVERAGE
        return cls(ensemble, coverage, similarity and ensemble.trust.domain is not None)

    @property
    def fields(self) -> list[pa.Field]:
        """Columns behind the predictions."""
        targets = self.ensemble.task.targets if self.ensemble.task.kind == "regression" else ()
        ends = ["std"] * (len(self.ensemble.members) > 1) + ["low", "high"] * (self.coverage is not None)
        fields = [pa.field(f"{target}_{end}", pa.float32()) for target in targets for end in ends]
        if self.similarity:
            fields.append(pa.field(SIMILARITY, pa.float32()))
        if self.ensemble.trust.domain is not None:
            fields.append(pa.field(WARNING, pa.string()))
        return fields

    @property
    def notes(self) -> list[str]:
        """What a user should know about the columns, a sentence each."""
        short = []
        if self.coverage is not None:
            pairs = zip(self.ensemble.task.targets, self.ensemble.trust.intervals, strict=True)
            short = [target for target, one in pairs if one.rank(self.coverage) > len(one.scores)]
        return [
            f"intervals of {target} are infinite: there were too few validation molecules for coverage "
            f"{self.coverage:g}; ask for a smaller one"
            for target in short
        ]

    def predict(
        self, batch: Batch, packed: Packed, fingerprint: np.ndarray | None = None
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Predict for G molecules.

        Args:
            batch: the molecules as the members take them, from ``ensemble.spec.batch``.
            packed: the same molecules, for their atoms and bonds.
            fingerprint: ``[G, 32]`` their fingerprints, if :attr:`similarity` is on.

        Returns:
            ``[G, T]`` mean values or calibrated probabilities, and the columns of :attr:`fields`.
        """
        device = next(self.ensemble.members[0].parameters()).device
        pooled = self.ensemble.pooled(batch.to(device))
        columns = self._intervals(pooled)
        domain = self.ensemble.trust.domain
        if domain is not None:
            similarity = domain.similarity(fingerprint) if self.similarity else None
            if similarity is not None:
                columns[SIMILARITY] = similarity.astype(np.float32)
            texts = domain.warnings(packed, similarity)
            columns[WARNING] = np.array([text or None for text in texts], object)
        return self.ensemble.predictions(pooled), columns

    def _intervals(self, pooled: Pooled) -> dict[str, np.ndarray]:
        columns = {}
        for j, target in enumerate(self.ensemble.task.targets):
            spread = None if pooled.spread is None else pooled.spread[:, j]
            if spread is not None:
                columns[f"{target}_std"] = spread.astype(np.float32)
            if self.coverage is not None:
                ends = self.ensemble.trust.intervals[j].interval(pooled.values[:, j], self.coverage, spread)
                for name, end in zip(("low", "high"), ends, strict=True):
                    columns[f"{target}_{name}"] = end.astype(np.float32)
        return columns


def _check_coverage(path: str | Path, ensemble: Ensemble, coverage: float) -> None:
    if ensemble.task.kind != "regression":
        raise ConfigError(f"{path} predicts classes: coverage={coverage} has no meaning for it, only for numbers")
    if not ensemble.trust.intervals:
        raise ConfigError(f"{path} was never calibrated on a validation split, so it has no intervals: train it again")
    for target, one in zip(ensemble.task.targets, ensemble.trust.intervals, strict=True):
        one.check(coverage, target)
