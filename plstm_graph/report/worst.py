"""The test graphs that the model gets most wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plstm_graph.errors import SmilesError
from plstm_graph.report.format import number
from plstm_graph.train.predict_table import class_names
from plstm_graph.train.predictions import Predictions
from plstm_graph.train.task import Task

MOST = 12
"""Graphs that are shown."""

MOST_ATOMS = 200
"""Atoms of the largest molecule that is drawn."""


@dataclass(frozen=True)
class Case:
    """One prediction.

    Attributes:
        row: row of the graph, from 0.
        target: name of the target.
        lines: what is true and what was predicted, each with its label.
        smiles: of molecules, else ``None``.
        drawing: SVG of the molecule, or ``None``.
    """

    row: int
    target: str
    lines: tuple[tuple[str, str], ...]
    smiles: str | None
    drawing: str | None


def worst_cases(task: Task, test: Predictions, most: int = MOST) -> list[Case]:
    """The worst first: by absolute error over the deviation of the target, or by the probability of what is true.

    Args:
        task: what is predicted.
        test: predictions of the test part.
        most: how many.
    """
    wrong = _badness(task, test)
    order = np.argsort(np.where(np.isnan(wrong), -np.inf, wrong).ravel())[::-1][:most]
    places = [divmod(int(i), wrong.shape[1]) for i in order if not np.isnan(wrong.flat[i])]
    return [_case(task, test, graph, target) for graph, target in places]


def _badness(task: Task, test: Predictions) -> np.ndarray:
    """``[G, T]``, NaN where there is no label."""
    if task.kind == "multiclass":
        known = test.true >= 0
        chance = np.take_along_axis(test.predicted, np.where(known, test.true, 0)[:, None], axis=1)[:, 0]
        return np.where(known, 1 - chance, np.nan)[:, None]
    error = np.abs(test.predicted - test.true)
    if task.kind == "binary":
        return error
    deviation = np.array(
        [np.std(column[~np.isnan(column)]) if (~np.isnan(column)).any() else 1 for column in test.true.T]
    )
    return error / np.where(deviation > 0, deviation, 1)


def _case(task: Task, test: Predictions, graph: int, target: int) -> Case:
    true, predicted = test.true[graph], test.predicted[graph]
    if task.kind == "multiclass":
        names, best = class_names(task), int(predicted.argmax())
        lines = (
            ("True", names[true]),
            ("Predicted", f"{names[best]} ({number(predicted[best])})"),
            ("Probability of the true class", number(predicted[true])),
        )
    elif task.kind == "binary":
        lines = (("True", f"{true[target]:g}"), ("Predicted probability", number(predicted[target])))
    else:
        error = predicted[target] - true[target]
        lines = (
            ("True", number(true[target])),
            ("Predicted", number(predicted[target])),
            ("Error", ("+" if error > 0 else "") + number(error)),
        )
    smiles = None if test.smiles is None else str(test.smiles[graph])
    return Case(int(test.row[graph]), task.targets[target], lines, smiles, _draw(smiles))


def _draw(smiles: str | None) -> str | None:
    """SVG, or ``None`` if RDKit cannot read the SMILES or it is too large for a picture."""
    if not smiles:
        return None
    from plstm_graph.chem.draw import draw_molecule
    from plstm_graph.chem.parse import parse_smiles

    try:
        molecule = parse_smiles(smiles)
    except SmilesError:
        return None
    if molecule.GetNumAtoms() > MOST_ATOMS:
        return None
    return draw_molecule(molecule, size=(320, 220))
