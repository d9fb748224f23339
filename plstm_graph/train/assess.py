"""After a training: calibrate on the validation split, then show on the test split what that is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch_geometric.data import Batch

from plstm_graph.train.ensemble import Pooled, pool, probabilities
from plstm_graph.train.outputs import score_batches
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.source import Source
from plstm_graph.train.task import Task
from plstm_graph.trust.calibration import calibration_errors
from plstm_graph.trust.conformal import SplitConformal, coverage_table
from plstm_graph.trust.domain import MOST, QUANTILE, Domain
from plstm_graph.trust.plots import draw_coverage, draw_reliability
from plstm_graph.trust.record import Trust
from plstm_graph.trust.temperature import Temperature, fit_binary_temperature, fit_class_temperature

SMALLEST_SPREAD = 1e-3
"""Spread of an ensemble below which it does not count, over the deviation of the target in the training split."""


class Scored(NamedTuple):
    """A split and what the members of an ensemble say about it.

    Attributes:
        y: labels, as :func:`plstm_graph.train.metrics.evaluate` takes them.
        scores: ``[M, G, T]`` of every member.
        pooled: what they say together.
    """

    y: np.ndarray
    scores: np.ndarray
    pooled: Pooled

    @classmethod
    def of_one(cls, task: Task, y: np.ndarray, scores: np.ndarray) -> Scored:
        """Of a single model, ``scores [G, T]``."""
        return cls(y, scores[None], pool(task, scores[None]))

    @classmethod
    def of_members(
        cls, members: Sequence[GraphPredictor], batches: Iterable[Batch], device: torch.device | str
    ) -> Scored:
        """Of all members; every batch is made once for all of them."""
        made = list(batches)
        found = [score_batches(member, made, device) for member in members]
        scores = np.stack([score for _, score in found])
        return cls(found[0][0], scores, pool(members[0].task, scores))


def assess(
    model: GraphPredictor, valid: Scored, test: Scored, source: Source, folder: Path, seed: int = 0
) -> tuple[Trust, dict[str, Any]]:
    """Calibrate on validation, test the calibration, and draw it.

    Writes ``coverage.png`` (regression) or ``reliability.png`` (classes) into the folder.

    Args:
        model: the model, or the first member.
        valid: validation split, on which intervals and temperatures are fitted.
        test: test split, on which they are judged.
        source: where the training molecules come from.
        folder: run folder.
        seed: of the draw of training molecules that are kept.

    Returns:
        What goes into the model file, and what goes into metrics.json.
    """
    domain, about = _domain(source, seed)
    if source.task.kind == "regression":
        trust, found = _intervals(source.task, model.std.double().cpu().numpy(), valid, test, folder)
    else:
        trust, found = _temperatures(source.task, valid, test, folder)
    return Trust(trust.intervals, trust.temperature, domain), found | about


def _intervals(
    task: Task, deviation: np.ndarray, valid: Scored, test: Scored, folder: Path
) -> tuple[Trust, dict[str, Any]]:
    intervals, tables, found = [], {}, {}
    for j, target in enumerate(task.targets):
        calibrated = SplitConformal.fit(*_column(valid, j), floor=float(SMALLEST_SPREAD * deviation[j]))
        rows = coverage_table(calibrated, *_column(test, j))
        intervals.append(calibrated)
        tables[target] = rows
        found[target] = {
            "validation_molecules": len(calibrated.scores),
            "test_molecules": int((~np.isnan(test.y[:, j])).sum()),
            "largest_coverage": calibrated.largest_coverage,
            "test": rows,
        }
    drawn = {target: rows for target, rows in tables.items() if rows}
    if drawn:
        draw_coverage(folder / "coverage.png", drawn, "test molecules")
    scores = "|error| / ensemble deviation" if len(valid.scores) > 1 else "|error|"
    about = {"method": f"split conformal, scores {scores} on the validation split", "targets": found}
    return Trust(intervals=tuple(intervals)), {"intervals": about}


def _column(scored: Scored, j: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Labels, predictions and spread of one target."""
    values, spread = scored.pooled
    return scored.y[:, j], values[:, j], None if spread is None else spread[:, j]


def _temperatures(task: Task, valid: Scored, test: Scored, folder: Path) -> tuple[Trust, dict[str, Any]]:
    found: dict[str, Any] = {}
    panels = {}
    if task.kind == "multiclass":
        fitted = [fit_class_temperature(valid.y, valid.pooled.values)]
    else:
        fitted = [fit_binary_temperature(valid.y[:, j], valid.pooled.values[:, j]) for j in range(len(task.targets))]
    temperature = tuple(one.value for one in fitted)
    before, after = probabilities(task, test.pooled.values), probabilities(task, test.pooled.values, temperature)
    for j, (target, one) in enumerate(zip(task.targets, fitted, strict=True)):
        y, curves = (test.y, (before, after)) if task.kind == "multiclass" else _pick(test.y, (before, after), j)
        found[target] = _calibration(one, y, *curves)
        known = y >= 0  # also where NaN stands for a missing label
        if known.any():
            panels[target] = _reliability(one, y[known], *(curve[known] for curve in curves))
    if panels:
        x = "probability of the most likely class" if task.kind == "multiclass" else "probability"
        draw_reliability(folder / "reliability.png", panels, x)
    about = {"method": "temperature scaling, fitted on the validation split", "targets": found}
    return Trust(temperature=temperature), {"calibration": about}


def _pick(y: np.ndarray, curves: Iterable[np.ndarray], j: int) -> tuple[np.ndarray, list[np.ndarray]]:
    return y[:, j], [curve[:, j] for curve in curves]


def _calibration(fitted: Temperature, y: np.ndarray, before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    found: dict[str, Any] = {
        "temperature": fitted.value,
        "validation_molecules": fitted.rows,
        "test_molecules": int((y >= 0).sum()),
        "test_before": calibration_errors(y, before),
        "test_after": calibration_errors(y, after),
    }
    return found | ({"note": fitted.note} if fitted.note else {})


def _reliability(
    fitted: Temperature, y: np.ndarray, before: np.ndarray, after: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    labels = ("before", f"after, temperature {fitted.value:.2f}")
    if before.ndim == 1:
        return y, dict(zip(labels, (before, after), strict=True))
    right = before.argmax(axis=1) == y  # the temperature does not change which class is most likely
    return right, dict(zip(labels, (before.max(axis=1), after.max(axis=1)), strict=True))


def _domain(source: Source, seed: int) -> tuple[Domain | None, dict[str, Any]]:
    graphs = source.graphs("train") if source.molecules else None
    if graphs is None or graphs.smiles is None or graphs.edge_attr is None:
        return None, {}
    domain = Domain.fit(graphs.x.numpy(), graphs.edge_attr.numpy(), graphs.smiles, seed)
    about = {
        "training_molecules": domain.molecules,
        "kept_fingerprints": len(domain.fingerprints),
        "most_kept_fingerprints": MOST,
        "similarity_threshold": domain.threshold,
        "threshold_quantile": QUANTILE,
        "method": "Tanimoto similarity of Morgan fingerprints (radius 2, 2048 bits) to the nearest kept molecule",
    }
    return domain, {"domain": about}
