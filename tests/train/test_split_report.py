"""The split report against plain counts on a small table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

from plstm_graph.data import load_table
from plstm_graph.errors import RunError
from plstm_graph.train import run, split_report
from plstm_graph.train.load import make_source
from plstm_graph.train.source import Source
from plstm_graph.train.split_report import add_test_labels, describe_labels, summary_lines, write_split_report
from plstm_graph.train.task import Task
from tests.train.conftest import small_config

PARTS = {
    "train": ["c1ccccc1", "Cc1ccccc1", "C1CCCCC1", "CCO", "c1ccncc1", "CC(=O)O"],
    "valid": ["Oc1ccccc1", "OCC", "C1CC1"],
    "test": ["CCCC", "c1ccc2ccccc2c1"],
}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    lines = [f"{s},{i if i != 1 else ''},{part},0" for part, all in PARTS.items() for i, s in enumerate(all)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["smiles,y,part,z", *lines]) + "\n")
    config = small_config(data=str(table), target=["y", "z"], task="regression", split="column", split_column="part")
    dataset, _ = load_table(table, targets=["y", "z"], task="regression", split="column", split_column="part")
    return make_source(dataset, config)


def test_sizes_labels_and_scaffolds(source: Source, tmp_path: Path) -> None:
    report = write_split_report(tmp_path, source)
    assert json.loads((tmp_path / "split_report.json").read_text()) == report
    train, valid, test = (report["parts"][part] for part in PARTS)
    assert [p["molecules"] for p in (train, valid, test)] == [6, 3, 2]
    known = [0, 2, 3, 4, 5]
    expected = {
        "labelled": 5, "missing": 1, "min": 0, "max": 5,
        "mean": float(np.mean(known)), "deviation": float(np.std(known, ddof=1)),
    }  # fmt: skip
    assert train["targets"]["y"] == pytest.approx(expected)
    scaffolds = {part: [MurckoScaffoldSmiles(s) for s in smiles] for part, smiles in PARTS.items()}
    for part, found in report["parts"].items():
        assert found["scaffolds"] == len(set(scaffolds[part]))
    for part in ("valid", "test"):
        shared = set(scaffolds[part]) & set(scaffolds["train"])
        assert report["parts"][part]["scaffolds_in_train"] == len(shared)
        assert report["parts"][part]["molecules_with_scaffold_in_train"] == sum(s in shared for s in scaffolds[part])
    assert valid["molecules_in_train"] == 1  # OCC is CCO
    assert "scaffolds_in_train" not in train


def test_similarities_are_those_of_a_plain_double_loop(source: Source, tmp_path: Path) -> None:
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
    from rdkit.DataStructs import TanimotoSimilarity

    generator = GetMorganGenerator(radius=2, fpSize=2048)
    bits = {part: [generator.GetFingerprint(Chem.MolFromSmiles(s)) for s in all] for part, all in PARTS.items()}
    report = write_split_report(tmp_path, source)
    for part in ("valid", "test"):
        expected = [max(TanimotoSimilarity(q, r) for r in bits["train"]) for q in bits[part]]
        found = report["parts"][part]["nearest_train_similarity"]
        assert found["mean"] == pytest.approx(np.mean(expected), abs=1e-6)
        assert found["quantiles"]["0.5"] == pytest.approx(np.quantile(expected, 0.5), abs=1e-6)
        counts, edges = found["histogram"]["counts"], found["histogram"]["edges"]
        for low, high, count in zip(edges, edges[1:], counts, strict=False):
            assert count == sum(low <= s < high or (high == s == 1) for s in expected)
        assert (found["molecules"], found["train_molecules"]) == (len(expected), 6)


def test_large_parts_are_sampled_and_the_report_says_so(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_report, "MAX_EXAMINED", 4)
    monkeypatch.setattr(split_report, "MAX_COMPARED", 2)
    report = write_split_report(tmp_path, source)
    train, valid, _ = report["parts"].values()
    assert (train["molecules"], train["examined"], train["sampled"]) == (6, 4, True)
    assert (valid["molecules"], valid["examined"], valid["sampled"]) == (3, 3, False)
    near = valid["nearest_train_similarity"]
    assert (near["molecules"], near["train_molecules"], sum(near["histogram"]["counts"])) == (2, 4, 2)
    assert "scaffolds among 4 of them" in summary_lines(report)[0]
    assert "4 molecules at most are examined, and 2 " in report["sampling"]
    assert write_split_report(tmp_path, source) == report


def test_test_labels_come_after_the_best_epoch_is_chosen(source: Source, tmp_path: Path) -> None:
    assert write_split_report(tmp_path, source)["parts"]["test"]["targets"] is None
    with pytest.raises(RunError, match="before the best validation epoch"):
        add_test_labels(tmp_path, source)
    source.release_test(0)
    add_test_labels(tmp_path, source)
    parts = json.loads((tmp_path / "split_report.json").read_text())["parts"]
    assert parts["test"]["targets"]["y"]["missing"] == 1
    assert write_split_report(tmp_path, source)["parts"] == parts


def test_a_molecule_that_cannot_be_read_is_counted_and_left_out(source: Source, tmp_path: Path) -> None:
    source.smiles[1] = "C(C)(C)(C)(C)C"
    train = write_split_report(tmp_path, source)["parts"]["train"]
    assert (train["molecules"], train["unreadable"]) == (6, 1)


def test_labels_of_classes() -> None:
    y = torch.tensor([[1.0, math.nan], [0.0, 1.0], [1.0, math.nan]])
    found = describe_labels(Task("binary", ("a", "b")), y)
    assert found["a"] == {"labelled": 3, "missing": 0, "classes": {"0": 1, "1": 2}}
    assert found["b"] == {"labelled": 1, "missing": 2, "classes": {"0": 0, "1": 1}}
    task = Task("multiclass", ("kind",), num_classes=3, class_names=("low", "mid", "high"))
    found = describe_labels(task, torch.tensor([2, 0, -1, 0]))
    assert found == {"kind": {"labelled": 3, "missing": 1, "classes": {"low": 2, "mid": 0, "high": 1}}}
    assert describe_labels(Task("regression", ("a",)), torch.tensor([[math.nan]]))["a"]["mean"] is None


def test_every_training_on_molecules_writes_it(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train_tiny: Callable
) -> None:
    monkeypatch.setattr(run, "load_source", lambda config: source)
    run.run_training(small_config(epochs=1), tmp_path / "run", tensorboard=False)
    parts = json.loads((tmp_path / "run" / "split_report.json").read_text())["parts"]
    assert parts["test"]["targets"]["y"]["labelled"] == 1
    assert "train: 6 molecules" in (tmp_path / "run" / "log.txt").read_text()
    train_tiny(tmp_path / "graphs", epochs=1)
    assert not (tmp_path / "graphs" / "split_report.json").exists()
