"""Ensembles: their prediction is the mean of the members', and they are trained and continued member by member."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, logit, softmax
from typer.testing import CliRunner

from plstm_graph.cli.app import app
from plstm_graph.data import make_demo
from plstm_graph.errors import RunError
from plstm_graph.train.embed import embed
from plstm_graph.train.ensemble import load_ensemble, pool, probabilities
from plstm_graph.train.model_file import load_model
from plstm_graph.train.molecule_predictor import MoleculePredictor
from plstm_graph.train.predict_smiles import predict_smiles
from plstm_graph.train.task import Task

FAST = ["--set", "hidden_channels=8", "--set", "num_layers=1", "--set", "heads=2", "--warmup-epochs", 0, "--quiet"]
FAST += ["--accelerator", "cpu", "--epochs", 1, "--seed", 3]
SMILES = ["CCO", "C1CC", "c1ccccc1O", "", "C[Si](C)(C)[Se]C"]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "molecules.csv"
    make_demo(100).to_csv(path, index=False)
    return path


def train(table: Path, out: Path, members: int, *options: object, code: int = 0) -> str:
    columns = ["--data", table, "--smiles-column", "smiles", "--target", "logp"]
    return run("train", *columns, "--ensemble", members, "--out", out, *FAST, *options, code=code)


@pytest.fixture(scope="module")
def ensemble(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "both"
    said = train(table, folder, 2)
    assert "rmse of the mean of 2 members" in said
    assert "±" in said
    return folder


def test_the_prediction_is_the_mean_of_the_members(ensemble: Path) -> None:
    members = [predict_smiles(ensemble / f"member-{i}", SMILES)["predicted_logp"].to_numpy() for i in range(2)]
    assert abs(members[0][0] - members[1][0]) > 1e-4  # other seeds, other weights
    found = predict_smiles(ensemble, SMILES, coverage=0.8)
    np.testing.assert_allclose(found["predicted_logp"], np.mean(members, axis=0), rtol=1e-5)
    np.testing.assert_allclose(found["logp_std"], np.std(members, axis=0, ddof=1), rtol=1e-3)
    scores = load_ensemble(ensemble).trust.intervals[0].scores
    assert len(scores) == 10
    half = scores[9 - 1] * found["logp_std"]  # ceil(11 * 0.8) = 9
    np.testing.assert_allclose(found["logp_high"], found["predicted_logp"] + half, rtol=1e-4)
    np.testing.assert_allclose(found["logp_low"], found["predicted_logp"] - half, rtol=1e-4)


def test_metrics_stand_beside_those_of_single_members(ensemble: Path, table: Path) -> None:
    metrics = json.loads((ensemble / "metrics.json").read_text())
    single = [json.loads((ensemble / f"member-{i}" / "metrics.json").read_text())["test"] for i in range(2)]
    assert metrics["single_members"]["test_mean"] == pytest.approx(np.mean(single))
    assert metrics["single_members"]["test_std"] == pytest.approx(np.std(single, ddof=1))
    rows = json.loads((ensemble / "split.json").read_text())["test"]
    frame = pd.read_csv(table).iloc[rows]
    guess = predict_smiles(ensemble, frame["smiles"].tolist())["predicted_logp"]
    assert metrics["test"] == pytest.approx(np.sqrt(np.mean((guess.to_numpy() - frame["logp"]) ** 2)), rel=1e-4)
    assert {"coverage.png", "predictions.csv", "config.yaml", "log.txt"} <= {p.name for p in ensemble.iterdir()}
    seeds = [(ensemble / f"member-{i}" / "config.yaml").read_text() for i in range(2)]
    assert ["seed: 3" in seeds[0], "seed: 4" in seeds[1]] == [True, True]


def test_the_table_says_how_far_to_trust(ensemble: Path, tmp_path: Path) -> None:
    pd.DataFrame({"smiles": SMILES}).to_csv(tmp_path / "in.csv", index=False)
    said = run("predict", ensemble, tmp_path / "in.csv", "--out", tmp_path / "out.csv", "--quiet")
    assert "3 of 5 rows predicted" in said
    found = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    names = ["predicted_logp", "logp_std", "logp_low", "logp_high", "nearest_train_similarity", "warning"]
    assert list(found.columns) == ["smiles", *names, "prediction_error"]
    assert (found.loc[[1, 3], names] == "").all(axis=None)
    assert "element not in the training molecules: Si, Se" in found["warning"][4]
    assert 0 < float(found["nearest_train_similarity"][0]) <= 1
    options = ["--no-similarity", "--out", tmp_path / "b.csv", "--quiet"]
    run("predict", ensemble, tmp_path / "in.csv", *options)
    without = pd.read_csv(tmp_path / "b.csv", keep_default_na=False)
    assert "nearest_train_similarity" not in without
    assert "Si, Se" in without["warning"][4]
    said = run("predict", ensemble, tmp_path / "in.csv", "--coverage", 0.99, *options, code=2)
    assert "coverage=0.99 of 'logp' needs at least 99 validation molecules" in said
    few = MoleculePredictor(load_ensemble(ensemble), 0.99, similarity=False)
    assert np.isinf(predict_smiles(few, ["C"])[["logp_low", "logp_high"]]).all(axis=None)
    assert "intervals of logp are infinite" in few.notes[0]


def test_embeddings_and_pages_come_from_the_first_member(ensemble: Path, tmp_path: Path) -> None:
    np.testing.assert_array_equal(embed(ensemble, ["CCO"]).values, embed(ensemble / "member-0", ["CCO"]).values)
    said = run("explain", ensemble, "CCO", "--out", tmp_path / "page.html")
    assert "the page explains" in said
    with pytest.raises(RunError, match="is an ensemble: take the folder of one member"):
        load_model(ensemble)


def test_a_refused_ensemble_leaves_no_folder(table: Path, tmp_path: Path) -> None:
    assert "dropuot" in train(table, tmp_path / "run", 2, "--set", "dropuot=0.1", code=2)
    assert not (tmp_path / "run").exists()


def test_finished_members_are_kept_and_more_may_be_asked_for(ensemble: Path, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(ensemble, folder)
    shutil.rmtree(folder / "member-1")
    kept = (folder / "member-0" / "best.pt").stat().st_mtime_ns
    train(table, folder, 2, "--resume")
    assert (folder / "member-0" / "best.pt").stat().st_mtime_ns == kept
    first, again = (json.loads((f / "metrics.json").read_text()) for f in (ensemble, folder))
    for key in ("valid", "test", "single_members", "intervals", "domain"):
        assert again[key] == first[key], key
    train(table, folder, 3, "--resume")
    assert len(load_ensemble(folder).members) == 3
    assert "more than 2 members" in train(table, folder, 2, "--resume", code=2)
    assert "holds an ensemble" in train(table, folder, 1, "--resume", code=2)
    assert "holds a single model" in train(table, folder / "member-0", 2, "--resume", code=2)
    shutil.copy(folder / "member-1" / "best.pt", folder / "member-0" / "best.pt")
    with pytest.raises(RunError, match=r"member-0.best\.pt is not the model that .* was calibrated with"):
        load_ensemble(folder)


def test_the_description_holds_tensors_and_json_alone(ensemble: Path) -> None:
    content = torch.load(ensemble / "ensemble.pt", weights_only=True)
    assert json.loads(content["json"])["members"] == ["member-0", "member-1"]
    assert all(isinstance(value, torch.Tensor) for value in content["tensors"].values())


def test_probabilities_are_averaged_before_they_are_calibrated() -> None:
    scores = np.random.default_rng(0).normal(scale=3, size=(4, 6, 3)).astype(np.float32)
    binary, classes = Task("binary", ("a", "b", "c")), Task("multiclass", ("a",), num_classes=3)
    mean = expit(scores.astype(float)).mean(axis=0)
    np.testing.assert_allclose(probabilities(binary, pool(binary, scores).values), mean)
    calibrated = probabilities(binary, pool(binary, scores).values, (1.0, 2.0, 0.5))
    np.testing.assert_allclose(calibrated, expit(logit(mean) / [1.0, 2.0, 0.5]))
    mean = softmax(scores.astype(float), axis=2).mean(axis=0)
    np.testing.assert_allclose(probabilities(classes, pool(classes, scores).values), mean)
    tempered = mean**0.5 / (mean**0.5).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities(classes, pool(classes, scores).values, (2.0,)), tempered)
    sure = probabilities(binary, pool(binary, np.full((2, 1, 3), 60.0)).values, (2.0,))
    np.testing.assert_allclose(sure, expit(30.0))  # nothing is lost where a float32 probability is 1
