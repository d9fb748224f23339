"""The command line as its users run it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from plstm_graph.cli.app import app
from plstm_graph.data import make_demo

FAST = ["--set", "hidden_channels=8", "--set", "num_layers=1", "--set", "heads=2", "--warmup-epochs", "0", "--quiet"]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result.output


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "molecules.csv"
    make_demo(60).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def trained(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    columns = ["--smiles-column", "smiles", "--target", "logp"]
    run("train", "--data", table, *columns, "--epochs", 2, "--out", folder, *FAST)
    return folder


def test_the_run_folder_holds_all_that_matters(trained: Path):
    names = {path.name for path in trained.iterdir()}
    assert {"best.pt", "last.pt", "config.yaml", "versions.json", "split.json", "metrics.json"} <= names
    assert {"curves.png", "curves.csv", "predictions.csv", "report.html"} <= names
    import yaml

    config = yaml.safe_load((trained / "config.yaml").read_text())
    assert config["target"] == ["logp"]
    assert config["model_options"]["hidden_channels"] == 8
    assert config["lr"] == 1e-3  # also what was left at its default
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["metric"] == "rmse"
    split = json.loads((trained / "split.json").read_text())
    rows = [row for part in ("train", "valid", "test") for row in split[part]]
    assert sorted(rows) == list(range(60))


def test_the_report_is_made_again_without_training(trained: Path, tmp_path: Path):
    said = run("report", trained, "--out", tmp_path / "again.html")
    assert str(tmp_path / "again.html") in said.replace("\n", "")
    assert (tmp_path / "again.html").read_bytes() == (trained / "report.html").read_bytes()


def test_config_file_gives_what_options_leave_out(table: Path, trained: Path, tmp_path: Path):
    run("train", "--config", trained / "config.yaml", "--epochs", 1, "--out", tmp_path / "again", "--quiet")
    text = (tmp_path / "again" / "config.yaml").read_text()
    assert "epochs: 1" in text
    assert "hidden_channels: 8" in text


def test_predict_keeps_rows_and_columns(trained: Path, tmp_path: Path):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('id,note,smiles,note\n1,"a, b",CCO,x\n2,,C1CC,y\n3,c,,z\n4,d,[Na+].[Cl-],w\n')
    said = run("predict", trained, source, "--out", out, "--quiet")
    assert "2 of 4 rows predicted" in said
    with out.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header[:5] == ["id", "note", "smiles", "note", "predicted_logp"]
    assert header[-2:] == ["warning", "prediction_error"]
    assert [row[:4] for row in rows] == [
        ["1", "a, b", "CCO", "x"],
        ["2", "", "C1CC", "y"],
        ["3", "c", "", "z"],
        ["4", "d", "[Na+].[Cl-]", "w"],
    ]
    assert [bool(row[4]) for row in rows] == [True, False, False, True]
    assert "ring" in rows[1][-1].lower()
    assert rows[2][-1]
    assert rows[0][-1] == rows[3][-1] == ""


def test_predict_refuses_two_smiles_columns(trained: Path, tmp_path: Path):
    source = tmp_path / "in.csv"
    source.write_text("smiles,smiles\nC,CC\n")
    assert "smiles" in run("predict", trained, source, "--out", tmp_path / "out.csv", code=2)


def test_predictions_do_not_depend_on_the_batch(trained: Path, tmp_path: Path, table: Path):
    found = []
    for size in (1, 7, 256):
        run("predict", trained, table, "--out", tmp_path / f"{size}.csv", "--batch-size", size, "--quiet")
        with (tmp_path / f"{size}.csv").open(newline="") as file:
            found.append([float(row["predicted_logp"]) for row in csv.DictReader(file)])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[0], found[2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("suffix", [".npz", ".pt"])
def test_featurize(tmp_path: Path, suffix: str):
    source, out = tmp_path / "in.csv", tmp_path / f"graphs{suffix}"
    source.write_text("smiles\nCCO\nC1CC\nc1ccccc1\n")
    said = run("featurize", source, "--out", out, "--quiet")
    assert "2 of 3 rows read" in said
    assert "C1CC" in (tmp_path / "graphs.failed.csv").read_text()
    if suffix == ".npz":
        arrays = np.load(out)
    else:
        import torch

        arrays = {k: v.numpy() for k, v in torch.load(out, weights_only=True).items()}
    assert arrays["row"].tolist() == [0, 2]
    assert arrays["node_ptr"].tolist() == [0, 3, 9]
    assert arrays["x"].shape == (9, 9)


def test_featurize_wants_a_format_it_knows(tmp_path: Path):
    (tmp_path / "in.csv").write_text("smiles\nC\n")
    assert ".npz" in run("featurize", tmp_path / "in.csv", "--out", tmp_path / "x.json", code=2)


def test_evaluate_is_resumable_and_makes_tables(table: Path, tmp_path: Path):
    out = tmp_path / "parts.jsonl"
    options = ["--smiles-column", "smiles", "--target", "hydroxyl", "--epochs", 1, "--out", out, *FAST]
    run("evaluate", table, "--seeds", "0-1", *options)
    first = out.read_text()
    said = run("evaluate", table, "--seeds", "0-2", *options)
    assert out.read_text().startswith(first)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["seed"] for line in lines] == [0, 1, 2]
    assert "3 parts" in said
    assert "parameters" in said
    assert "±" in said
    assert "plstm" in run("table", out)


def test_doctor():
    said = run("doctor")
    assert "all well" in said
    assert "fused" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--data", "ogbg-molhib"], "did you mean 'ogbg-molhiv'"),
        (["train", "--model", "gim"], "did you mean 'gin'"),
        (["train", "--set", "hiden_channels=3"], "did you mean 'hidden_channels'"),
        (["train", "--data", "nothere.csv", "--target", "y"], "nothere.csv"),
        (["predict", "nothere", "x.csv", "--out", "y.csv"], "nothere"),
        (["report", "nothere"], "config.yaml is missing"),
        (["train", "--resume"], "--resume needs --out"),
    ],
)
def test_errors_are_one_readable_paragraph(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = run(*arguments, code=2)
    assert words in " ".join(said.split())
    assert "Traceback" not in said


def test_as_a_program():
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "plstm_graph", "--help"], capture_output=True, text=True, check=True)
    assert time.perf_counter() - start < 10
    for verb in ("train", "evaluate", "predict", "featurize", "doctor", "table"):
        assert verb in done.stdout
