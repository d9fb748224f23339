"""The section on how far predictions can be trusted: coverage of intervals, calibration of probabilities."""

from __future__ import annotations

import base64
from typing import Any

from plstm_graph.report.blocks import Block, Pictures, Section, Table, Text
from plstm_graph.report.folder import FinishedRun
from plstm_graph.report.format import number
from plstm_graph.report.results import MOST_SCORED

_PICTURES = {
    "coverage.png": "How often intervals held the true value of test molecules, beside the coverage asked for",
    "reliability.png": "Reliability: how often what was predicted with a probability came true, in the test part",
}
_ERRORS = {
    "expected_calibration_error": "calibration error",
    "brier_score": "Brier score",
    "negative_log_likelihood": "log loss",
}


def trust(run: FinishedRun) -> Section:
    """Empty if the run left neither intervals nor calibration."""
    section = Section("trust", "Intervals and calibration")
    if "intervals" in run.metrics:
        section.blocks.extend(_coverage(run.metrics["intervals"]))
    if "calibration" in run.metrics:
        section.blocks.extend(_calibration(run.metrics["calibration"]))
    pictures = [(_url(run, name), text) for name, text in _PICTURES.items() if (run.folder / name).is_file()]
    if pictures:
        section.blocks.append(Pictures(pictures))
    if "domain" in run.metrics:
        section.blocks.append(Text(_domain(run.metrics["domain"])))
    return section


def _coverage(found: dict[str, Any]) -> list[Block]:
    columns = ["Target", "Coverage asked for", "Observed", "Expected, 90 % of draws", "Mean width"]
    rows = [
        [
            target,
            f"{row['coverage']:.0%}",
            f"{row['observed']:.1%}",
            f"{row['expected_low']:.1%} to {row['expected_high']:.1%}",
            "unbounded" if row["mean_width"] is None else number(row["mean_width"]),
        ]
        for target, about in found["targets"].items()
        for row in about["test"]
    ]
    return [
        Table("Coverage of prediction intervals, test part", columns, rows[:MOST_SCORED]),
        *_rest(rows),
        _how(found),
    ]


def _calibration(found: dict[str, Any]) -> list[Block]:
    columns = [
        "Target",
        "Temperature",
        *(f"{name} {when}" for name in _ERRORS.values() for when in ("before", "after")),
    ]
    rows = [
        [
            target,
            number(about["temperature"]),
            *(number(about[f"test_{when}"].get(key)) for key in _ERRORS for when in ("before", "after")),
        ]
        for target, about in found["targets"].items()
    ]
    columns = [column[:1].upper() + column[1:] for column in columns]
    return [Table("Calibration of probabilities, test part", columns, rows[:MOST_SCORED]), *_rest(rows), _how(found)]


def _rest(rows: list[list[str]]) -> list[Block]:
    return [Text(f"The table has the first {MOST_SCORED} of {len(rows)} lines.")] if len(rows) > MOST_SCORED else []


def _how(found: dict[str, Any]) -> Text:
    method = str(found["method"])
    return Text(f"{method[:1].upper()}{method[1:]}.")


def _domain(found: dict[str, Any]) -> str:
    kept, least = f"{found['kept_fingerprints']:,}", number(found["similarity_threshold"])
    return (
        f"Applicability domain: a molecule is inside if its similarity to the nearest of {kept} training molecules is "
        f"at least {least}. {found['method']}."
    )


def _url(run: FinishedRun, name: str) -> str:
    return "data:image/png;base64," + base64.b64encode((run.folder / name).read_bytes()).decode()
