"""Embeddings: the right rows, the right numbers, whatever the file and the chunk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from plstm_graph.chem import from_smiles
from plstm_graph.cli.app import app
from plstm_graph.errors import ConfigError, RunError, TableError
from plstm_graph.graph import ToLineDAG
from plstm_graph.nn.baselines import MODELS
from plstm_graph.train.embed import embed
from plstm_graph.train.embed_table import embed_table
from plstm_graph.train.model_file import ModelSpec, load_model, save_model
from plstm_graph.train.task import Task

SMILES = ["CCO", "C1CC", "c1ccccc1O", "", "N[C@@H](C)C(=O)O", "OCC"]
BROKEN = [1, 3]


def save(path: Path, model: str = "plstm", **options: object) -> Path:
    encoders = {"node_encoder": "atom", "edge_encoder": "bond"} if model == "plstm" else {"node_encoder": "atom"}
    spec = ModelSpec(model, 9, {"hidden_channels": 8, "num_layers": 2, **encoders, **options}, "canonical", True)
    save_model(path, dataclasses.replace(spec, chirality="canonical"), spec.build(Task("regression", ("y",))))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(tmp_path / "best.pt")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    pd.DataFrame({"id": [f"0{i}" for i in range(6)], "smiles": SMILES}).to_csv(path, index=False)
    return path


def test_rows_keep_their_places(model: Path):
    found = embed(model, SMILES, batch_size=2)
    assert found.values.shape == (6, 24)
    assert found.values.dtype == np.float32
    assert sorted(found.reasons) == BROKEN
    assert np.isnan(found.values[BROKEN]).all()
    assert found.ok.tolist() == [True, False, True, False, True, True]
    assert np.isfinite(found.values[found.ok]).all()
    np.testing.assert_allclose(found.values[0], found.values[5], atol=1e-6)  # CCO and OCC
    np.testing.assert_allclose(embed(model, SMILES).values, found.values, atol=1e-6)  # in one chunk


def test_the_head_turns_embeddings_into_predictions(model: Path):
    spec, predictor = load_model(model)
    data = ToLineDAG(spec.order)(from_smiles("c1ccccc1O", chirality=spec.chirality))
    with torch.no_grad():
        expected = predictor.net(data)
        pooled = torch.from_numpy(embed(model, ["c1ccccc1O"]).values)
        torch.testing.assert_close(predictor.net.head(pooled), expected)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"plstm"}))
def test_baselines_have_embeddings(name: str, tmp_path: Path):
    found = embed(save(tmp_path / "best.pt", name), ["CCO", "c1ccccc1O", "OCC"])
    assert found.values.shape == (3, 8)
    assert np.abs(found.values[0] - found.values[1]).max() > 1e-3


def test_nothing_in_nothing_out(model: Path):
    assert embed(model, []).values.shape == (0, 24)


def test_parquet_has_all_rows_and_columns(model: Path, table: Path, tmp_path: Path):
    out = tmp_path / "out.parquet"
    report = embed_table(model, table, out, batch_size=4, progress=False)
    assert (report.rows, report.failed, report.width) == (6, 2, 24)
    frame = pd.read_parquet(out)
    assert frame["id"].tolist() == [f"0{i}" for i in range(6)]  # as text, not as numbers
    assert frame["smiles"].tolist() == SMILES
    assert np.flatnonzero(frame["embedding_error"].notna()).tolist() == BROKEN
    columns = [f"embedding_{i}" for i in range(24)]
    assert list(frame.columns) == ["id", "smiles", *columns, "embedding_error"]
    np.testing.assert_array_equal(frame[columns].to_numpy(np.float32), embed(model, SMILES, batch_size=4).values)
    assert not list(tmp_path.glob("*.part"))


def test_npz_from_the_command_line(model: Path, table: Path, tmp_path: Path):
    out = tmp_path / "out.npz"
    result = CliRunner().invoke(app, ["embed", str(model), str(table), "--out", str(out), "--quiet"])
    assert result.exit_code == 0, result.output
    assert "4 of 6 rows embedded in 24 numbers each" in result.output
    with np.load(out) as arrays:
        assert arrays["failed_row"].tolist() == BROKEN
        assert all(arrays["failed_reason"])
        np.testing.assert_array_equal(np.flatnonzero(~arrays["ok"]), BROKEN)
        np.testing.assert_array_equal(arrays["embedding"], embed(model, SMILES).values)


def test_errors_say_what_is_wrong(model: Path, table: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"\.parquet or \.npz"):
        embed_table(model, table, tmp_path / "out.csv")
    with pytest.raises(RunError):
        embed(tmp_path / "nothing.pt", ["C"])
    table.write_text("smiles,embedding_3\nC,1\n")
    with pytest.raises(TableError, match="embedding_3"):
        embed_table(model, table, tmp_path / "out.parquet", progress=False)
    assert not (tmp_path / "out.parquet").exists()
    other = ModelSpec("gin", 3, {"hidden_channels": 8, "num_layers": 1}, "index", False)
    save_model(tmp_path / "other.pt", other, other.build(Task("regression", ("y",))))
    with pytest.raises(ConfigError, match="takes no SMILES"):
        embed(tmp_path / "other.pt", ["C"])
