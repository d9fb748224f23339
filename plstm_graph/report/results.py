"""Sections on predictions: scores, the charts that go with the kind of target, and the worst predictions."""

from __future__ import annotations

import numpy as np

from plstm_graph.report import charts
from plstm_graph.report.blocks import Block, Cases, Charts, Heading, Section, Table, Text
from plstm_graph.report.format import number
from plstm_graph.report.scores import THRESHOLD, binary_scores, class_scores, regression_scores, scores_by_class
from plstm_graph.report.worst import Case, worst_cases
from plstm_graph.train.predict_table import class_names
from plstm_graph.train.predictions import Predictions
from plstm_graph.train.task import Task

MOST_POINTS = 6000
"""Points of all scatter plots of a page together."""

MOST_TARGETS = 12
"""Targets with charts of their own; the table of scores has all up to :data:`MOST_SCORED`."""

MOST_SCORED = 200
MOST_CLASSES = 30
"""Classes in a confusion matrix; with more of them, the rarest of the test part are counted together."""

Columns = dict[str, tuple[np.ndarray, np.ndarray]]
"""Part → labels and predictions of one target, without missing labels; parts without labels are left out."""


def results(task: Task, found: Predictions) -> Section:
    """Scores and charts."""
    section = Section("results", "Results")
    if task.kind == "multiclass":
        section.blocks.extend(_multiclass(task, found))
        return section
    columns = [_column(found, j) for j in range(len(task.targets))]
    section.blocks.append(_score_table(task, columns[:MOST_SCORED]))
    if len(columns) > MOST_SCORED:
        section.blocks.append(Text(f"The table has the first {MOST_SCORED} of {len(columns)} targets."))
    if task.kind == "binary":
        section.blocks.append(
            Text(f"Accuracy, balanced accuracy, F1 and MCC count a probability from {THRESHOLD:g} on as yes.")
        )
    if len(columns) > MOST_TARGETS:
        section.blocks.append(Text(f"Charts are shown for the first {MOST_TARGETS} of {len(columns)} targets."))
    shown = columns[:MOST_TARGETS]
    for j, parts in enumerate(shown):
        blocks = _regression(j, parts, len(shown)) if task.kind == "regression" else _binary(j, parts)
        if blocks:
            section.blocks.extend([Heading(task.targets[j]), *blocks])
    return section


def worst(task: Task, found: Predictions) -> Section:
    """The worst predictions of the test part."""
    section = Section("worst", "Largest errors in the test part")
    test = found.of("test")
    cases = worst_cases(task, test)
    if not cases:
        return section
    order = {
        "regression": "errors are compared in units of the deviation of the target",
        "binary": "the probability is farthest from what is true",
        "multiclass": "the true class got the smallest probability",
    }[task.kind]
    text = f"The {len(cases)} worst predictions for {len(test):,} test graphs, worst first: {order}. Rows count from 0."
    section.blocks.append(Text(text))
    section.blocks.append(Cases(cases, len(task.targets) > 1) if test.smiles is not None else _case_table(cases))
    return section


def _case_table(cases: list[Case]) -> Table:
    columns = ["Row", "Target", *(label for label, _ in cases[0].lines)]
    rows = [[str(case.row), case.target, *(text for _, text in case.lines)] for case in cases]
    return Table("Rows with the largest errors", columns, rows)


def _column(found: Predictions, target: int) -> Columns:
    parts = {}
    for part in ("train", "valid", "test"):
        of = found.of(part)
        known = ~np.isnan(of.true[:, target])
        if known.any():
            parts[part] = (of.true[known, target], of.predicted[known, target])
    return parts


def _score_table(task: Task, columns: list[Columns]) -> Table:
    score = regression_scores if task.kind == "regression" else binary_scores
    rows, names = [], []
    for target, parts in zip(task.targets, columns, strict=False):
        for part, (true, predicted) in parts.items():
            scores = score(true, predicted)
            names = list(scores)
            positives = [f"{int(true.sum()):,}"] if task.kind == "binary" else []
            cells = [f"{len(true):,}", *positives, *(number(value) for value in scores.values())]
            rows.append([target, charts.NAMES[part], *cells])
    counted = ["Graphs", "Positive"] if task.kind == "binary" else ["Graphs"]
    return Table("Scores by target and part", ["Target", "Part", *counted, *names], rows, headers=2)


def _regression(number_: int, parts: Columns, plots: int) -> list[Block]:
    if not parts:
        return []
    part, pair = list(parts.items())[-1]  # the test part, if it has labels
    scores = ", ".join(f"{name} {number(value)}" for name, value in regression_scores(*pair).items())
    most = max(1, MOST_POINTS // plots // len(parts))
    drawn = [charts.parity(number_, parts, most, f"{charts.NAMES[part]} {scores}")]
    if "test" in parts:
        drawn.append(charts.residuals(number_, *parts["test"]))
    return [Charts(drawn)]


def _binary(number_: int, parts: Columns) -> list[Block]:
    blocks: list[Block] = []
    both = {part: pair for part, pair in parts.items() if part != "train" and len(np.unique(pair[0])) == 2}
    if both:
        blocks.append(Charts([charts.roc(number_, both), charts.precision_recall(number_, both)]))
    if "test" in parts:
        true, probability = parts["test"]
        table = confusion(true.astype(int), (probability >= THRESHOLD).astype(int), ("0 (no)", "1 (yes)"))
        blocks.append(table)
    return blocks


def _multiclass(task: Task, found: Predictions) -> list[Block]:
    names, rows, columns = class_names(task), [], []
    for part in ("train", "valid", "test"):
        of = found.of(part)
        known = of.true >= 0
        if known.any():
            scores = class_scores(of.true[known], of.predicted[known])
            columns = list(scores)
            rows.append([charts.NAMES[part], f"{int(known.sum()):,}", *map(number, scores.values())])
    blocks: list[Block] = [Table(f"Scores of {task.targets[0]} by part", ["Part", "Graphs", *columns], rows)]
    test = found.of("test")
    known = test.true >= 0
    if not known.any():
        return blocks
    true, said = test.true[known], test.predicted[known].argmax(axis=1)
    by_class = scores_by_class(true, said, len(names))[:MOST_SCORED]
    cells = [[name, f"{n:,}", *map(number, scores)] for name, (*scores, n) in zip(names, by_class, strict=False)]
    blocks += [
        Heading("Classes"),
        Table("Scores by class, test part", ["Class", "Graphs", "Precision", "Recall", "F1"], cells),
        confusion(true, said, names),
    ]
    if len(names) > MOST_SCORED:
        blocks.append(Text(f"The table has the first {MOST_SCORED} of {len(names)} classes."))
    if len(names) > MOST_CLASSES:
        blocks.append(Text(f"The matrix has the {MOST_CLASSES} most frequent of {len(names)} classes; the last row and "
                           "column stand for all others."))  # fmt: skip
    return blocks


def confusion(true: np.ndarray, said: np.ndarray, names: tuple[str, ...]) -> Table:
    """Confusion matrix of the test part; shades are shares of the row."""
    from sklearn.metrics import confusion_matrix

    matrix = confusion_matrix(true, said, labels=np.arange(len(names)))
    if len(names) > MOST_CLASSES:
        common = np.sort(np.argsort(-matrix.sum(axis=1), kind="stable")[:MOST_CLASSES])
        place = np.full(len(names), MOST_CLASSES)
        place[common] = np.arange(MOST_CLASSES)
        matrix = confusion_matrix(place[true], place[said], labels=np.arange(MOST_CLASSES + 1))
        names = (*(names[i] for i in common), "all others")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return Table(
        "Confusion matrix, test part (stronger colour: larger share of its row)",
        ["True", *names],
        [[name, *(f"{count:,}" for count in row)] for name, row in zip(names, matrix.tolist(), strict=True)],
        shades=shares.tolist(),
        above="Predicted",
    )
