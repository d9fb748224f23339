"""The worst predictions, beside a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plstm_graph.report.worst import worst_cases
from plstm_graph.train.task import Task
from tests.report.conftest import make_predictions


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
def test_order(kind: str) -> None:
    targets = ("a",) if kind == "multiclass" else ("a", "b")
    task = Task(kind, targets, num_classes=3 if kind == "multiclass" else 0)
    found = make_predictions(task)
    if kind == "regression":
        found.true[:, 1] *= 1000
        found.predicted[:, 1] *= 1000
    expected = []
    for i in range(len(found)):
        for j, target in enumerate(targets):
            if kind == "multiclass":
                if found.true[i] >= 0:
                    expected.append((-found.predicted[i, found.true[i]], found.row[i], target))
                continue
            known = [y for y in found.true[:, j] if not math.isnan(y)]
            scale = np.std(known) if kind == "regression" else 1
            if not math.isnan(found.true[i, j]):
                expected.append((abs(found.predicted[i, j] - found.true[i, j]) / scale, found.row[i], target))
    expected.sort(reverse=True)
    cases = worst_cases(task, found, 10)
    assert [(case.row, case.target) for case in cases] == [(row, target) for _, row, target in expected[:10]]
    assert len(worst_cases(task, found, 1000)) == len(expected)


def test_what_cannot_be_drawn_stays_in_the_list() -> None:
    task = Task("regression", ("y",))
    found = make_predictions(task, 6)
    found.smiles[:] = ["CCO", "C1CC", "", "C" * 300, "O", "N"]
    drawn = {case.smiles: case.drawing is not None for case in worst_cases(task, found)}
    assert {smiles for smiles, drawing in drawn.items() if drawing} <= {"CCO", "O", "N"}
    assert len(drawn) == 5  # the first label is missing
    assert not drawn["C1CC"]
