"""Training on ogbg-code2: five softmax heads, OGB's F1 on whole names, on small trees in OGB's layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from typer.testing import CliRunner

from plstm_graph.cli.app import app
from plstm_graph.data.code2 import decode, load_code2
from plstm_graph.errors import ConfigError
from plstm_graph.train.classic import run_classic
from plstm_graph.train.config import make_config
from plstm_graph.train.load import load_source
from plstm_graph.train.metrics import evaluate
from plstm_graph.train.ogb_evaluator import load_evaluator
from plstm_graph.train.predictions import FILE, read_predictions
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task

VERBS, NOUNS = ("get", "set", "read"), ("name", "size", "node", "file")


@pytest.fixture
def code2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stars whose root's type is the first word of the name, and whose number of leaves tells the second."""
    monkeypatch.setenv("PLSTM_GRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PLSTM_GRAPH_DATA", str(tmp_path))
    draw = np.random.default_rng(0)
    raw: dict[str, list] = {name: [] for name in (
        "num-node-list", "num-edge-list", "edge", "node-feat", "node_is_attributed", "node_dfs_order", "node_depth",
        "graph-label",
    )}  # fmt: skip
    for i in range(120):
        verb, noun = int(draw.integers(3)), int(draw.integers(4))
        leaves = noun + 1
        raw["num-node-list"].append(leaves + 1)
        raw["num-edge-list"].append(leaves)
        raw["edge"] += [[0, leaf] for leaf in range(1, leaves + 1)]
        raw["node-feat"] += [[verb, 0]] + [[3, 1]] * leaves
        raw["node_is_attributed"] += [0] + [1] * leaves
        raw["node_dfs_order"] += range(leaves + 1)
        raw["node_depth"] += [0] + [1] * leaves
        rest = " of all the very long things" if i in (100, 119) else ""
        raw["graph-label"].append(f"{VERBS[verb]} {NOUNS[noun]}{rest}")
    base = tmp_path / "ogb/ogbg_code2"
    for name, rows in raw.items():
        _write(base / f"raw/{name}.csv.gz", rows)
    for part, rows in (("train", range(80)), ("valid", range(80, 100)), ("test", range(100, 120))):
        _write(base / f"split/project/{part}.csv.gz", list(rows))
    return tmp_path


def _write(path: Path, rows: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, header=False, index=False, compression="gzip")


@pytest.mark.parametrize("model", ["plstm", "gin"])
def test_train_learns_names_and_is_judged_on_whole_names(code2: Path, tmp_path: Path, model: str) -> None:
    options = f"--epochs 25 --lr 0.01 --batch-size 16 --warmup-epochs 1 --model {model} --set hidden_channels=16"
    options += f" --set num_layers=1 --set pooling=sum --out {tmp_path / 'run'} --quiet"
    result = CliRunner().invoke(app, ["train", "--data", "ogbg-code2", *options.split()])
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["metric"] == "f1"
    assert metrics["valid"] > 0.9
    table = pd.read_csv(tmp_path / "run" / FILE, dtype=str, keep_default_na=False)
    assert list(table) == ["row", "part", "true_sequence", "predicted_sequence"]
    dataset = load_code2(code2)
    test = table[table["part"] == "test"]
    labels = [dataset.text_fields["label"][int(row)].split() for row in test["row"]]
    told = {"seq_ref": labels, "seq_pred": [text.split() for text in test["predicted_sequence"]]}
    assert metrics["test"] == pytest.approx(load_evaluator("ogbg-code2").eval(told)["F1"])
    assert metrics["test"] < 1  # two names have words that were never seen
    unknown = test["true_sequence"].str.count("__UNK__")
    assert unknown.tolist() == [6] + [0] * 18 + [6]
    again = read_predictions(tmp_path / "run" / FILE, load_source(make_config({"data": "ogbg-code2"})).task)
    assert [decode(row, dataset.class_names) for row in again.predicted[-20:, :2]] == [
        text.split()[:2] for text in test["predicted_sequence"]
    ]


def sequences(length: int = 3) -> Task:
    return Task("sequence", tuple("abc"[:length]), num_classes=6, class_names=tuple("uvwxyz"))


def test_loss_is_the_mean_of_the_heads() -> None:
    task = sequences()
    assert task.num_outputs == 18
    raw, y = torch.randn(7, 18), torch.randint(6, (7, 3))
    predictor = GraphPredictor(torch.nn.Identity(), task)
    each = [F.cross_entropy(raw[:, 6 * i : 6 * i + 6], y[:, i]) for i in range(3)]
    torch.testing.assert_close(predictor.loss(raw, y), sum(each) / 3)
    weight = torch.rand(7)
    weighed = [F.cross_entropy(raw[:, 6 * i : 6 * i + 6], y[:, i], reduction="none") * weight for i in range(3)]
    torch.testing.assert_close(predictor.loss(raw, y, weight), torch.stack(weighed).mean())
    assert predictor.scores(raw)[:, 1].tolist() == raw[:, 6:12].argmax(1).tolist()


def test_f1_is_that_of_the_words() -> None:
    truth = np.array([[0, 1, 9], [2, -1, -1], [3, 5, 0]])
    found = np.array([[0, 1, 5], [5, 2, 2], [3, 4, 4]])
    wanted = load_evaluator("ogbg-code2").eval(
        {"seq_ref": [["u", "v", "rare"], ["w"], ["x"]], "seq_pred": [["u", "v"], [], ["x", "y"]]}
    )
    assert evaluate(sequences(), truth, found) == pytest.approx(wanted["F1"])
    assert wanted["F1"] == pytest.approx((0.8 + 0 + 2 / 3) / 3)


def test_refused(code2: Path) -> None:
    with pytest.raises(ConfigError, match="takes no weights"):
        evaluate(sequences(), np.zeros((1, 3)), np.zeros((1, 3)), np.ones(1))
    with pytest.raises(ConfigError, match="majority does not predict sequences, and ogbg-code2 asks for them"):
        run_classic(make_config({"data": "ogbg-code2", "model": "majority"}))
