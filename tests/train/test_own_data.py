"""Own tables from training to prediction: every kind of target, missing labels, weights, descriptors, splits."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from plstm_graph.errors import ConfigError, TableError
from plstm_graph.train.labels import balanced_weights, check_judgeable
from plstm_graph.train.load import load_source
from plstm_graph.train.model_file import load_model
from plstm_graph.train.predict_smiles import predict_smiles
from plstm_graph.train.predict_table import predict_table
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.protocols import evaluate_parts
from plstm_graph.train.records import read_records
from plstm_graph.train.run import make_predictor, run_training
from plstm_graph.train.task import Task
from tests.train.conftest import small_config

SMILES = [f"{'C' * n}{end}" for n in range(1, 9) for end in ("O", "N", "c1ccccc1", "C(=O)O", "C1CC1")]
NAN = math.nan
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(name=cells, ...)``: a table of 40 molecules; a column is a list or a function of the row."""

    def write(file: str = "t.csv", **columns: object) -> Path:
        cells = {name: [c(i) for i in range(40)] if callable(c) else c for name, c in columns.items()}
        with (tmp_path / file).open("w", newline="") as out:
            lines = csv.writer(out)
            lines.writerow(["smiles", *cells])
            lines.writerows(zip(SMILES, *cells.values(), strict=True))
        return tmp_path / file

    return write


def train(table: Path, folder: Path, **settings: object) -> object:
    config = small_config(data=str(table), epochs=2, fractions=(0.5, 0.25, 0.25), **settings)
    return run_training(config, folder, tensorboard=False)


def predict(folder: Path, table: Path) -> list[dict[str, str]]:
    out = folder / "out.csv"
    predict_table(folder, table, out, progress=False)
    with out.open() as file:
        return list(csv.DictReader(file))


CASES = {
    "regression": ({"y": lambda i: 1000 + i if i % 7 else ""}, {"target": "y"}),
    "regressions": (
        {"a": lambda i: i if i % 3 else "", "b": lambda i: 0.5 - i if i % 4 else "NA"},
        {"target": ["a", "b"]},
    ),
    "binary": ({"y": lambda i: i % 2 if i % 7 else ""}, {"target": "y", "split": "kfold"}),
    "binaries": (
        {"a": lambda i: int(i % 5 == 0) if i % 3 else "", "b": lambda i: int(i % 4 == 0) if i % 7 else ""},
        {"target": ["a", "b"], "class_weights": "balanced", "metric": "accuracy"},
    ),
    "multiclass": (
        {"y": lambda i: ("low", "mid", "high")[i % 3] if i % 7 else ""},
        {"target": "y", "task": "multiclass", "split": "kfold", "class_weights": "balanced"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_target_with_missing_labels(case: str, write: Write, tmp_path: Path) -> None:
    columns, settings = CASES[case]
    table = write(**columns)
    result = train(table, tmp_path / "run", **settings)
    assert math.isfinite(result.valid)
    assert math.isfinite(result.test)
    parts = json.loads((tmp_path / "run" / "split_report.json").read_text())["parts"]
    for name, found in parts["train"]["targets"].items():
        assert found["labelled"] + found["missing"] == parts["train"]["molecules"], name
    lines = predict(tmp_path / "run", table)
    assert [line["prediction_error"] for line in lines] == [""] * 40
    for name in columns:
        values = [line[f"predicted_{name}"] for line in lines]
        if case == "multiclass":
            assert set(values) <= {"low", "mid", "high"}
        elif case == "regression":
            assert all(900 < float(value) < 1100 for value in values)  # in the units of the table
        elif case == "binaries":
            assert all(0 < float(value) < 1 for value in values)


def test_scaling_is_that_of_the_labelled_training_rows(write: Write, tmp_path: Path) -> None:
    part = ["train"] * 30 + ["valid"] * 5 + ["test"] * 5
    table = write(y=lambda i: 2.0 * i + 0.5 if i % 3 else "", part=part)
    config = small_config(data=str(table), target="y", split="column", split_column="part")
    run_training(config.replace(epochs=1), tmp_path / "run", tensorboard=False)
    known = np.array([2.0 * i + 0.5 for i in range(30) if i % 3])
    _, predictor = load_model(tmp_path / "run")
    assert predictor.mean.item() == pytest.approx(known.mean())
    assert predictor.std.item() == pytest.approx(known.std())


def test_balance_of_several_targets_counts_known_labels_only() -> None:
    y = torch.tensor([[1, 1], [0, NAN], [0, NAN], [NAN, 0], [NAN, 1], [0, 1]])
    task = Task("binary", ("a", "b"))
    weight = balanced_weights(task, y)
    assert weight.tolist() == pytest.approx([3.0, 1 / 3])
    raw = torch.zeros(6, 2, requires_grad=True)
    GraphPredictor(torch.nn.Identity(), task, class_weight=weight).loss(raw, y).backward()
    for j in range(2):
        pull = [raw.grad[y[:, j] == c, j].sum().item() for c in (0, 1)]
        assert pull[0] == pytest.approx(-pull[1])
    assert (raw.grad[y.isnan()] == 0).all()


def test_weights_count_in_loss_and_metric(write: Write, tmp_path: Path) -> None:
    part = ["train"] * 20 + ["valid"] * 10 + ["test"] * 10
    weight = [3.0 if i in (5, 22, 33) else 1.0 for i in range(40)]  # one row of every part counts more
    table = write(y=lambda i: i, w=weight, part=part)
    config = small_config(data=str(table), target="y", weight_column="w", split="column", split_column="part", epochs=1)
    result = run_training(config, tmp_path / "run", tensorboard=False)
    lines = predict(tmp_path / "run", table)
    for value, rows in ((result.valid, range(20, 30)), (result.test, range(30, 40))):
        errors = sum(weight[i] * (float(lines[i]["predicted_y"]) - i) ** 2 for i in rows)
        assert value == pytest.approx(math.sqrt(errors / 12), rel=1e-4)
    source = load_source(config)
    _, predictor = make_predictor(config, source)
    batch = next(iter(source.make_batches(source.splits["train"], False)))
    raw = predictor(batch)
    loss = predictor.loss(raw, batch.y, batch.sample_weight)
    squares = ((raw - (batch.y - predictor.mean) / predictor.std) ** 2).flatten()
    shares = torch.tensor(weight[: len(squares)]) * 20 / 22  # mean 1 over 20 rows
    assert loss.item() == pytest.approx((squares * shares).mean().item(), rel=1e-5)


def test_molecules_of_weight_0_count_nowhere(write: Write) -> None:
    part = ["train"] * 20 + ["valid"] * 10 + ["test"] * 10
    table = write(y=lambda i: i if i % 4 else 9999, w=lambda i: 1 if i % 4 else 0, part=part)
    weighted = {"data": str(table), "target": "y", "weight_column": "w"}
    for split in ({"split": "column", "split_column": "part"}, {"split": "random"}, {"split": "kfold"}):
        source = load_source(small_config(**weighted, **split))
        assert sorted(i for rows in source.splits.values() for i in rows) == [i for i in range(40) if i % 4]
        _, predictor = make_predictor(small_config(**weighted), source)
        assert predictor.std.item() < 20


@pytest.mark.parametrize("model", ["gin", "plstm"])
def test_descriptors_from_training_to_prediction(model: str, write: Write, tmp_path: Path) -> None:
    table = write(y=lambda i: i, temperature=lambda i: 300 + i, pH=lambda i: i % 5)
    settings = {"target": "y", "descriptor": ["temperature", "pH"], "model": model}
    options = {"hidden_channels": 8, "num_layers": 1, "readout": "layers"}
    train(table, tmp_path / "run", model_options=options, **settings)
    _, predictor = load_model(tmp_path / "run")
    rows = json.loads((tmp_path / "run" / "split.json").read_text())["train"]
    assert predictor.net.descriptors.mean.tolist() == pytest.approx(
        [np.mean([300 + i for i in rows]), np.mean([i % 5 for i in rows])]
    )
    whole = predict(tmp_path / "run", table)
    holes = {0: "", 7: "hot", 9: "NA"}
    table = write("holes.csv", pH=lambda i: holes.get(i, i % 5), temperature=lambda i: 300 + i)
    lines = predict(tmp_path / "run", table)
    for i, (line, other) in enumerate(zip(lines, whole, strict=True)):
        assert line["predicted_y"] == ("" if i in holes else other["predicted_y"])
    reasons = [lines[i]["prediction_error"] for i in holes]
    assert reasons == [
        "descriptor 'pH' is empty", "descriptor 'pH' 'hot' is not a number", "descriptor 'pH' is empty"
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="takes the descriptors 'temperature', 'pH' beside the molecule"):
        predict_smiles(tmp_path / "run", ["CCO"])
    moved = write("moved.csv", pH=lambda i: i % 5, temperature=lambda i: 400 - i)
    assert predict(tmp_path / "run", moved)[3]["predicted_y"] != whole[3]["predicted_y"]
    with pytest.raises(TableError, match=r"no column 'pH' .*'Ph'.*descriptors 'temperature', 'pH' and needs all"):
        predict(tmp_path / "run", write("lacks.csv", temperature=lambda i: i, Ph=lambda i: i))


def test_repeated_folds_are_new_folds_and_go_on_where_they_stopped(write: Write, tmp_path: Path) -> None:
    table = write(y=lambda i: i)
    config = small_config(data=str(table), target="y", split="kfold", num_folds=3, epochs=1)
    file = tmp_path / "parts.jsonl"
    asked = {"seeds": [0], "folds": [0, 1], "name": "x"}
    evaluate_parts(config, file, split_seeds=[0], **asked)
    summary = evaluate_parts(config, file, split_seeds=[0, 1], **asked)
    records = read_records([file])
    assert [(r["split_seed"], r["fold"]) for r in records] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len({r["key"] for r in records}) == 1
    assert summary.parts == 4
    assert summary.test == pytest.approx(np.mean([r["test"] for r in records]))
    assert records[0]["test"] != records[2]["test"]
    evaluate_parts(config, file, split_seeds=[1], **asked)
    assert len(read_records([file])) == 4


REGRESSION, BINARY = Task("regression", ("y",)), Task("binary", ("a", "b"))
CLASSES = Task("multiclass", ("y",), num_classes=2, metric="rocauc", class_names=("no", "yes"))


@pytest.mark.parametrize(
    ("task", "y", "weight", "message"),
    [
        (REGRESSION, [[NAN]], None, "the test part has no label of 'y'"),
        (REGRESSION, [[NAN], [1.0]], [1, 0], "no label of 'y'"),
        (Task("regression", ("y",), metric="r2"), [[2.0]], None, "fewer than two different labels of 'y'"),
        (Task("regression", ("y",), metric="r2"), [[2.0], [2.0]], None, "so r2 is undefined"),
        (BINARY, [[1.0, NAN], [1.0, 0.0]], None, "one class only of 'a', 'b', so rocauc is undefined"),
        (CLASSES, [0, 0, -1], None, "lacks the class 'yes', so rocauc is undefined"),
        (CLASSES, [-1, -1], None, "has no label of 'y'"),
    ],
)
def test_a_part_that_cannot_be_judged_is_refused_before_training(
    task: Task, y: list, weight: list | None, message: str
) -> None:
    weights = None if weight is None else np.array(weight)
    with pytest.raises(ConfigError, match=message):
        check_judgeable(task, "test", torch.tensor(y), weights)


def test_parts_that_can_be_judged() -> None:
    check_judgeable(BINARY, "test", torch.tensor([[1.0, 0.0], [NAN, 1.0]]))
    check_judgeable(CLASSES, "test", torch.tensor([0, 1]))
    check_judgeable(REGRESSION, "test", torch.tensor([[NAN], [1.0]]), np.array([0.0, 1.0]))
