"""Predictions for tables of every format: the same rows, the same numbers, the reasons of those that failed."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from plstm_graph.chem import from_smiles
from plstm_graph.errors import ConfigError, TableError
from plstm_graph.graph import ToLineDAG
from plstm_graph.train.model_file import ModelSpec, load_model, save_model
from plstm_graph.train.predict_table import predict_table
from plstm_graph.train.task import Task

SMILES = ["CCO", "C1CC", "c1ccccc1O", "", "N[C@@H](C)C(=O)O", "OCC"]
BROKEN = [1, 3]
TASKS = {
    "regression": Task("regression", ("y", "z")),
    "binary": Task("binary", ("y",)),
    "multiclass": Task("multiclass", ("y",), num_classes=3, class_names=("low", "mid", "high")),
}


def save(path: Path, task: Task) -> Path:
    options = {"hidden_channels": 8, "num_layers": 1, "node_encoder": "atom", "edge_encoder": "bond"}
    spec = ModelSpec("plstm", 9, options, "canonical", True, "canonical")
    save_model(path, spec, spec.build(task))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(tmp_path / "best.pt", TASKS["regression"])


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"id": [f"0{i}" for i in range(6)], "n": np.arange(6.0) / 3, "smiles": SMILES})


def expected(model: Path) -> np.ndarray:
    """Predictions one molecule at a time, NaN where there is no molecule."""
    spec, predictor = load_model(model)
    values = np.full((6, predictor.task.num_outputs), np.nan)
    for row in sorted({*range(6)} - {*BROKEN}):
        data = ToLineDAG(spec.order)(from_smiles(SMILES[row], chirality="canonical"))
        values[row] = predictor.predictions(predictor(data)).detach().numpy()[0]
    return values


@pytest.mark.parametrize("out", ["out.csv", "out.csv.gz", "new/out.parquet"])
@pytest.mark.parametrize("table", ["in.csv.gz", "in.parquet"])
@pytest.mark.parametrize("batch_size", [4, 256])
def test_every_format(model: Path, frame: pd.DataFrame, tmp_path: Path, table: str, out: str, batch_size: int) -> None:
    parquet = table.endswith("parquet")
    frame.to_parquet(tmp_path / table) if parquet else frame.to_csv(tmp_path / table, index=False)
    report = predict_table(model, tmp_path / table, tmp_path / out, batch_size=batch_size, progress=False)
    assert (report.rows, report.failed) == (6, 2)
    text = {"dtype": {"id": str, "smiles": str}, "keep_default_na": False, "na_values": {"predicted_y": [""]}}
    found = pd.read_parquet(tmp_path / out) if out.endswith("parquet") else pd.read_csv(tmp_path / out, **text)
    assert list(found.columns) == ["id", "n", "smiles", "predicted_y", "predicted_z", "prediction_error"]
    assert found["id"].tolist() == frame["id"].tolist()
    assert found["smiles"].tolist() == SMILES
    assert found["n"].astype(float).tolist() == frame["n"].tolist()  # to the last bit
    predicted = found[["predicted_y", "predicted_z"]].replace("", np.nan).astype(float)
    np.testing.assert_allclose(predicted, expected(model), rtol=1e-5, atol=1e-6)
    reasons = found["prediction_error"].fillna("")
    assert np.flatnonzero(reasons != "").tolist() == BROKEN
    assert "ring" in reasons[1]
    if parquet and out.endswith("parquet"):
        assert pq.read_schema(tmp_path / out).field("n").type == pa.float64()


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_classes(frame: pd.DataFrame, tmp_path: Path, kind: str) -> None:
    model = save(tmp_path / "best.pt", TASKS[kind])
    frame.to_parquet(tmp_path / "in.parquet")
    predict_table(model, tmp_path / "in.parquet", tmp_path / "out.parquet", progress=False)
    found, values = pd.read_parquet(tmp_path / "out.parquet"), expected(model)
    if kind == "multiclass":
        columns = [f"probability_{name}" for name in ("low", "mid", "high")]
        np.testing.assert_allclose(found[columns], values, rtol=1e-5, atol=1e-6)
        names = [None if np.isnan(row).any() else ("low", "mid", "high")[row.argmax()] for row in values]
        assert found["predicted_y"].replace({np.nan: None}).tolist() == names
    else:
        np.testing.assert_allclose(found[["predicted_y"]], values, rtol=1e-5, atol=1e-6)


def test_sdf(model: Path, tmp_path: Path) -> None:
    good = Chem.MolToMolBlock(Chem.MolFromSmiles("OCC"))
    bad = good.replace("  1  2  1  0", "  1  2  3  0").replace("  2  3  1  0", "  2  3  3  0")
    records = (f"{block}> <id>\n{i}\n\n$$$$\n" for i, block in enumerate((good, bad, good)))
    (tmp_path / "in.sdf").write_text("".join(records))
    predict_table(model, tmp_path / "in.sdf", tmp_path / "out.parquet", batch_size=2, progress=False)
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert list(found.columns) == ["smiles", "id", "predicted_y", "predicted_z", "prediction_error"]
    assert found["id"].tolist() == ["0", "1", "2"]
    assert "valence" in found["prediction_error"][1]
    for row in (0, 2):
        assert found["smiles"][row] == "CCO"
        np.testing.assert_allclose(
            found.loc[row, ["predicted_y", "predicted_z"]].astype(float), expected(model)[0], 1e-5
        )


def test_a_table_without_molecules(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("smiles\nX\n\nY\n")
    predict_table(model, tmp_path / "in.csv", tmp_path / "out.csv", progress=False)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [["X", "", ""], ["", "", ""], ["Y", "", ""]]
    assert all(line.split(",", 3)[3] for line in lines)


def test_errors_come_before_anything_is_written(model: Path, frame: pd.DataFrame, tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    frame.rename(columns={"n": "predicted_y"}).to_csv(table, index=False)
    with pytest.raises(TableError, match="'predicted_y'"):
        predict_table(model, table, tmp_path / "out.parquet", progress=False)
    with pytest.raises(ConfigError, match=r"out\.sdf must end in \.csv, \.csv\.gz or \.parquet"):
        predict_table(model, table, tmp_path / "out.sdf")
    with pytest.raises(ConfigError, match=r"in\.smi must end in .*\.parquet, \.sdf"):
        predict_table(model, tmp_path / "in.smi", tmp_path / "out.csv")
    with pytest.raises(ConfigError, match="the input itself"):
        predict_table(model, table, table)
    with pytest.raises(TableError, match="no column 'structure'"):
        predict_table(model, table, tmp_path / "out.csv", smiles_column="structure")
    assert {path.name for path in tmp_path.iterdir()} == {"best.pt", "in.csv"}


WATCH = """
import resource, sys
import gzip
import subprocess
import sys
from pathlib import Path
from plstm_graph.train.predict_table import predict_table

folder = Path(sys.argv[1])
def peak(size):
    for table, out in (("csv.gz", "csv.gz"), ("parquet", "parquet"), ("sdf.gz", "csv"), ("csv.gz", "parquet")):
        predict_table(folder / "best.pt", folder / f"{size}.{table}", folder / f"out.{out}", progress=False)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

print(peak("small"), peak("large"))
"""


@pytest.mark.serial
def test_memory_does_not_grow_with_the_table(model: Path, tmp_path: Path) -> None:
    note = "x" * 20_000  # so that rows that are kept in memory show
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    for name, rows in (("small", 1000), ("large", 5000)):
        frame = pd.DataFrame({"smiles": ["CCO"] * rows, "note": [f"{i}{note}" for i in range(rows)]})
        frame.to_csv(tmp_path / f"{name}.csv.gz", index=False, compression={"method": "gzip", "compresslevel": 1})
        frame.to_parquet(tmp_path / f"{name}.parquet", row_group_size=500)
        with gzip.open(tmp_path / f"{name}.sdf.gz", "wt", compresslevel=1) as file:
            file.writelines(f"{block}> <note>\n{text}\n\n$$$$\n" for text in frame["note"])
    command = [sys.executable, "-c", WATCH, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.split()
    small, large = (int(kilobytes) / 1024 for kilobytes in found)
    assert large - small < 40, f"peak {small:.0f} MB with 20 MB of notes, {large:.0f} MB with 100 MB"
