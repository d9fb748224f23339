"""Neural architectures: lines of the file as graphs, bad lines by number, and the published linear figures."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from plstm_graph import ToLineDAG
from plstm_graph.data import load
from plstm_graph.data.dvae import architecture_features
from plstm_graph.errors import ConfigError, DatasetNotFoundError, TableError

LINE = "[[1], [4, 0], [5, 0, 1], [0, 1, 1, 1], [2, 1, 1, 1, 1], [3, 0, 0, 0, 0, 1]], 0.7302"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLSTM_GRAPH_CACHE", str(tmp_path / "cache"))

    def write(lines: list[str], burn_in: int = 1000) -> Path:
        (tmp_path / "dvae").mkdir(exist_ok=True)
        text = "\n".join([*["warming up"] * burn_in, *lines]) + "\n"
        (tmp_path / "dvae/final_structures6.txt.gz").write_bytes(gzip.compress(text.encode()))
        return tmp_path

    return write


def random_line(rng: random.Random) -> str:
    rows = [[rng.randrange(6)] + [rng.randrange(2) for _ in range(i)] for i in range(6)]
    return f"{rows}, {rng.uniform(0.7, 0.75):.4f}"


def test_a_line_becomes_the_graph_that_it_describes(write):
    dataset = load("neural-architectures", write([LINE] * 20))
    graph = dataset[3]
    assert graph.x.tolist() == [[kind, place] for place, kind in enumerate([0, 3, 6, 7, 2, 4, 5, 1])]
    edges = {tuple(edge): int(kind) for edge, kind in zip(graph.edge_index.T.tolist(), graph.edge_attr, strict=True)}
    skips = [(1, 3), (0, 4), (1, 4), (2, 4), (0, 5), (1, 5), (2, 5), (3, 5), (4, 6)]
    assert edges == {(i, i + 1): 0 for i in range(7)} | dict.fromkeys(skips, 1)
    assert float(dataset.graph_fields["accuracy"][3]) == 0.7302
    assert ToLineDAG()(graph).dag.num_edges == 16
    operations, bits = architecture_features(dataset)
    assert operations[3].view(6, 6).argmax(1).tolist() == [1, 4, 5, 0, 2, 3]
    assert bits[3].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1]


def test_order_parts_and_standardisation(write):
    rng = random.Random(1)
    lines = [random_line(rng) for _ in range(100)]
    dataset = load("neural-architectures", write(lines))
    shuffled = lines.copy()
    random.Random(0).shuffle(shuffled)
    accuracy = [float(line.rsplit(" ", 1)[1]) for line in shuffled]
    assert dataset.graph_fields["accuracy"].tolist() == accuracy
    assert [lines[i - 1000] for i in dataset.graph_fields["line"].tolist()] == shuffled
    assert {k: (int(v[0]), int(v[-1])) for k, v in dataset.splits.items()} == {
        "train": (0, 80), "valid": (81, 89), "test": (90, 99)
    }  # fmt: skip
    expected = (np.array(accuracy) - np.mean(accuracy[:90])) / np.std(accuracy[:90])
    assert np.allclose(dataset.y[:, 0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[[1], [4]], 0.7", "needs 6 layers"),
        (LINE.replace("[[1]", "[[6]"), "6 is not a whole number from 0 to 5"),
        (LINE.replace("[4, 0]", "[4, 2]"), "2 is not a whole number from 0 to 1"),
        (LINE.replace("[4, 0]", "[4, true]"), "True is not"),
        (LINE.replace("0.7302", "73.02"), "accuracy 73.02"),
        (LINE.replace("0.7302", "NaN"), "accuracy nan"),
        (LINE[:-10], "no architecture"),
        ("", "no architecture"),
    ],
)
def test_a_bad_line_is_named(write, line, message):
    with pytest.raises(TableError, match=rf"line 1002 \(from 0\).*{message}"):
        load("neural-architectures", write([LINE, LINE, line, *[LINE] * 20]))


def test_files_that_are_missing_short_or_damaged(write, tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"final_structures6\.txt\.gz"):
        load("neural-architectures", tmp_path)
    with pytest.raises(TableError, match="needs 10"):
        load("neural-architectures", write([LINE] * 3))
    path = write([LINE] * 30) / "dvae/final_structures6.txt.gz"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(TableError, match="cannot be read as compressed text"):
        load("neural-architectures", tmp_path)


def test_features_are_refused_for_other_sets(write):
    dataset = load("neural-architectures", write([LINE] * 20))
    dataset.name = "MUTAG"
    with pytest.raises(ConfigError, match="MUTAG"):
        architecture_features(dataset)


def test_the_real_file_gives_the_known_linear_figure(data_root, tmp_path, monkeypatch):
    from sklearn.linear_model import Ridge

    monkeypatch.setenv("PLSTM_GRAPH_CACHE", str(tmp_path))
    dataset = load("neural-architectures", data_root)
    assert [len(dataset.splits[part]) for part in ("train", "valid", "test")] == [15406, 1712, 1902]
    x, y = torch.cat(architecture_features(dataset), dim=1).numpy(), dataset.y[:, 0].numpy()
    residual = Ridge(1.0).fit(x[:17118], y[:17118]).predict(x[17118:]) - y[17118:]
    assert np.sqrt(np.mean(residual**2)) == pytest.approx(0.542, abs=1e-3)
