"""Sections on the split and on trust, from what a run leaves about them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plstm_graph.errors import RunError
from plstm_graph.report import write_report
from plstm_graph.report.folder import read_run
from plstm_graph.report.split import split
from plstm_graph.report.trust import trust
from plstm_graph.train.task import Task

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def folder(make_run: Callable) -> Path:
    return make_run(Task("regression", ("y",)))


def add_metrics(folder: Path, **more: object) -> None:
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | more))


def tables(section: object) -> list[list[list[str]]]:
    return [[list(row) for row in block.rows] for block in section.blocks if block.kind == "table"]


def test_without_data_there_is_no_section(folder: Path) -> None:
    assert split(read_run(folder)).blocks == trust(read_run(folder)).blocks == []


def test_split(folder: Path) -> None:
    near = {"quantiles": {"0.5": 0.42}, "histogram": {"edges": [0, 0.5, 1], "counts": [3, 1]}}
    labels = {"labelled": 4, "missing": 1, "mean": 1.5, "deviation": 0.5, "min": 1.0, "max": 2.0}
    other = {"scaffolds_in_train": 2, "molecules_in_train": 1, "nearest_train_similarity": near}
    counts = {"molecules": 5, "unreadable": 0, "scaffolds": 3}
    report = {
        "molecules_in_no_part": 7,
        "similarity": "Tanimoto",
        "parts": {
            "train": counts | {"targets": {"y": labels}},
            "valid": counts | other | {"targets": {"y": labels | {"mean": None}}},
            "test": counts | other | {"targets": {"y": {"labelled": 4, "missing": 0, "classes": {"0": 1, "1": 3}}}},
        },
    }
    (folder / "split_report.json").write_text(json.dumps(report))
    sizes, distribution = tables(split(read_run(folder)))
    assert sizes == [
        ["training", "5", "3", "–", "–"],
        ["validation", "5", "3", "2", "1"],
        ["test", "5", "3", "2", "1"],
    ]
    assert [row[-1] for row in distribution] == ["1.500 ± 0.5000, from 1.000 to 2.000", "–", "0: 25.0%, 1: 75.0%"]
    text = write_report(folder).read_text(encoding="utf-8")
    assert 'id="split"' in text
    assert "7 molecules are in no part." in text
    assert "validation median 0.42; test median 0.42" in text


def test_coverage(folder: Path) -> None:
    row = {"coverage": 0.9, "observed": 0.875, "expected_low": 0.8, "expected_high": 1.0, "mean_width": None}
    add_metrics(folder, intervals={"method": "split conformal", "targets": {"y": {"test": [row]}}})
    (folder / "coverage.png").write_bytes(PNG)
    assert tables(trust(read_run(folder))) == [[["y", "90%", "87.5%", "80.0% to 100.0%", "unbounded"]]]
    text = write_report(folder).read_text(encoding="utf-8")
    assert f'<img src="data:image/png;base64,{base64.b64encode(PNG).decode()}" alt="How often' in text
    assert "Split conformal." in text


def test_calibration(folder: Path) -> None:
    names = ("expected_calibration_error", "brier_score", "negative_log_likelihood")
    before, after = (dict(zip(names, values, strict=True)) for values in ((0.1, 0.2, 0.3), (0.05, 0.15, 0.25)))
    about = {"temperature": 1.5, "test_before": before, "test_after": after}
    add_metrics(folder, calibration={"method": "temperature", "targets": {"y": about, "z": about | {"test_after": {}}}})
    assert tables(trust(read_run(folder)))[0][0] == [
        "y", "1.500", "0.1000", "0.05000", "0.2000", "0.1500", "0.3000", "0.2500",
    ]  # fmt: skip
    assert tables(trust(read_run(folder)))[0][1][-1] == "–"


def test_an_ensemble(folder: Path) -> None:
    for i in range(2):
        (folder / f"member-{i}").mkdir()
        for name in ("curves.csv", "best.pt"):
            (folder / f"member-{i}" / name).write_bytes((folder / name).read_bytes())
    for name in ("curves.csv", "best.pt"):
        (folder / name).unlink()
    metrics = json.loads((folder / "metrics.json").read_text())
    for key in ("best_epoch", "epochs", "seconds_per_epoch"):
        del metrics[key]
    members = [{"folder": f"member-{i}", "best_epoch": i} for i in range(2)]
    (folder / "metrics.json").write_text(json.dumps(metrics | {"members": members}))
    assert [curve.best for curve in read_run(folder).curves] == [0, 1]
    text = write_report(folder).read_text(encoding="utf-8")
    assert "gin, 2 members" in text
    assert "Loss by epoch, 2 members" in text
    (folder / "member-1" / "best.pt").unlink()
    with pytest.raises(RunError, match=r"member-1 is not the folder of a finished run: best\.pt is missing"):
        write_report(folder)
