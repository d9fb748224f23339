"""The first and the last sections of the report: headline figures, learning curves, settings and versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from plstm_graph.report.blocks import Charts, Section, Table
from plstm_graph.report.charts import learning_curves
from plstm_graph.report.folder import FinishedRun
from plstm_graph.report.format import duration, number

_METRICS = {"rocauc": "ROC-AUC", "ap": "average precision", "rmse": "RMSE", "mae": "MAE", "r2": "R²", "f1": "F1"}
_KINDS = {"regression": "Regression", "binary": "Yes/no", "multiclass": "Classes", "sequence": "Sequences"}
_NAMED = 3
"""Targets that are named in the headline."""


def metric_name(metric: str) -> str:
    """A metric as people write it."""
    return _METRICS.get(metric, metric)


def headline(run: FinishedRun) -> list[tuple[str, str, str]]:
    """Label, figure and remark of every headline figure."""
    m, metric = run.metrics, metric_name(run.metrics["metric"])
    sizes = " / ".join(f"{run.sizes[part]:,}" for part in ("train", "valid", "test"))
    targets, members = run.task.targets, len(run.curves)
    more = f" and {len(targets) - _NAMED} more" if len(targets) > _NAMED else ""
    speed = f"{duration(m['seconds_per_epoch'])} per epoch on" if "seconds_per_epoch" in m else "on"
    chosen = f"epoch {m['best_epoch'] + 1} of {m['epochs']}, the best" if members == 1 else "best epoch of every member"
    return [
        (f"Test {metric}", number(m["test"]), "mean over the targets" if len(targets) > 1 else ""),
        (f"Validation {metric}", number(m["valid"]), chosen),
        (
            "Data",
            Path(str(run.config["data"])).name,
            f"{sum(run.sizes.values()):,} graphs: {sizes} train / valid / test",
        ),
        ("Task", _KINDS[run.task.kind], ", ".join(targets[:_NAMED]) + more),
        (
            "Model",
            str(run.config["model"]) + (f", {members} members" if members > 1 else ""),
            f"{m['parameters']:,} parameters",
        ),
        ("Time", duration(m["seconds"]), f"{speed} {m['device']}"),
        ("Revision", str(m.get("revision") or "–"), f"plstm_graph {run.versions.get('plstm_graph', '')}"),
    ]


def learning(run: FinishedRun) -> Section:
    """Learning curves."""
    metric = f"validation {metric_name(run.metrics['metric'])}"
    return Section("learning", "Learning curves", [Charts(learning_curves(run.curves, metric))])


def settings(run: FinishedRun) -> Section:
    """All settings, and the versions of what was used."""
    return Section(
        "settings",
        "Settings and versions",
        [
            Table("Settings of the run", ["Setting", "Value"], [list(pair) for pair in _flat(run.config)], wrap=True),
            Table(
                "Versions",
                ["Package", "Version"],
                [[k, v or "not installed"] for k, v in run.versions.items()],
                wrap=True,
            ),
        ],
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key), _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None or value == {} else str(value)
