from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.model_selection import StratifiedKFold

from plstm_graph import ToLineDAG
from plstm_graph.data.loader import GraphLoader
from plstm_graph.data.tu import load_tu, tu_splits
from plstm_graph.errors import ConfigError, DatasetNotFoundError, GraphError, TableError

# name → graphs, graphs per class, node features, edge features, nodes, undirected edges
REAL = {
    "MUTAG": (188, [63, 125], 7, 4, 17.93, 19.79),
    "NCI1": (4110, [2053, 2057], 37, 0, 29.87, 32.30),
    "PROTEINS": (1113, [663, 450], 4, 0, 39.06, 72.82),
    "PTC_FM": (349, [206, 143], 18, 4, 14.11, 14.48),
}

# a triangle with an isolated node, a path, and a single node; nodes and graphs count from 1
SMALL = {
    "A": "1, 2\n2, 1\n2, 3\n3, 2\n1, 3\n3, 1\n5, 6\n6, 5\n6, 7\n7, 6\n",
    "graph_indicator": "1\n1\n1\n1\n2\n2\n2\n3\n",
    "graph_labels": "1\n-1\n1\n",
    "node_labels": "0\n2\n2\n0\n1\n1\n1\n0\n",
    "edge_labels": "0\n0\n1\n1\n0\n0\n1\n1\n1\n1\n",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A set named SMALL; returns its folder of raw files."""
    return write(tmp_path, SMALL)


def write(root: Path, files: dict[str, str]) -> Path:
    raw = root / "tu" / "SMALL" / "raw"
    raw.mkdir(parents=True)
    for name, content in files.items():
        (raw / f"SMALL_{name}.txt").write_text(content)
    return raw


def test_small_set(small: Path, tmp_path: Path) -> None:
    dataset = load_tu("SMALL", tmp_path)
    assert dataset.y.tolist() == [1, 0, 1]
    assert dataset.node_ptr.tolist() == [0, 4, 7, 8]
    assert dataset[0].x.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]]
    assert dataset[1].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert dataset[1].edge_attr.tolist() == [[0, 1]] * 4
    assert dataset[2].edge_index.shape == (2, 0)
    assert (dataset.task, dataset.metric, dataset.num_classes) == ("multiclass", "accuracy", 2)
    assert (dataset.node_kind, dataset.edge_kind, dataset.splits) == ("number", "number", {})


def test_stored_ranks_orient_as_the_transform_would(small: Path, tmp_path: Path) -> None:
    dataset = load_tu("SMALL", tmp_path)
    stored = next(iter(GraphLoader(dataset, 3, transform=ToLineDAG("canonical")))).dag
    del dataset.node_fields["canonical_rank"]
    computed = next(iter(GraphLoader(dataset, 3, transform=ToLineDAG("canonical")))).dag
    assert torch.equal(stored.edge_index, computed.edge_index)


def test_files_may_lie_without_raw_folder(tmp_path: Path) -> None:
    write(tmp_path, SMALL).rename(tmp_path / "files")
    shutil.rmtree(tmp_path / "tu" / "SMALL")
    (tmp_path / "files").rename(tmp_path / "tu" / "SMALL")
    assert len(load_tu("SMALL", tmp_path)) == 3


def test_without_features(tmp_path: Path) -> None:
    write(tmp_path, {name: SMALL[name] for name in ("A", "graph_indicator", "graph_labels")})
    dataset = load_tu("SMALL", tmp_path)
    assert dataset.node_ptr.tolist() == [0, 4, 7, 8]
    assert dataset.x.tolist() == [[1.0]] * 8
    assert (dataset.edge_attr, dataset.edge_kind) == (None, None)


def test_attributes_come_before_labels_and_targets_may_be_numbers(tmp_path: Path) -> None:
    files = {name: text for name, text in SMALL.items() if name != "graph_labels"}
    files["node_attributes"] = "".join(f"{i}.5, -{i}\n" for i in range(8))
    files["graph_attributes"] = "0.5, 1\n2, 3\n-1, 0\n"
    write(tmp_path, files)
    dataset = load_tu("SMALL", tmp_path)
    assert dataset[1].x[0].tolist() == [4.5, -4, 0, 1, 0]
    assert dataset.y.tolist() == [[0.5, 1], [2, 3], [-1, 0]]
    assert (dataset.task, dataset.metric, dataset.targets) == ("regression", "mae", ["target_0", "target_1"])


@pytest.mark.parametrize("name", ["node_labels", "edge_labels", "graph_labels"])
def test_file_without_its_last_row(small: Path, tmp_path: Path, name: str) -> None:
    path = small / f"SMALL_{name}.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(TableError, match=rf"SMALL_{name}\.txt has \d+ lines, but there are \d+ {name.split('_')[0]}s"):
        load_tu("SMALL", tmp_path)


@pytest.mark.parametrize("name", SMALL)
def test_file_that_is_cut_off(small: Path, tmp_path: Path, name: str) -> None:
    path = small / f"SMALL_{name}.txt"
    path.write_text(path.read_text()[:-1])
    with pytest.raises(TableError, match=rf"SMALL_{name}\.txt does not end with a line break"):
        load_tu("SMALL", tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("graph_indicator", "1\n1\n2\n1\n2\n2\n2\n3\n", "must count the graphs from 1 upwards"),
        ("graph_indicator", "2\n2\n2\n2\n3\n3\n3\n4\n", "must count the graphs from 1 upwards"),
        ("graph_indicator", "one\n" * 8, "cannot be read as a list of graph numbers"),
        ("graph_labels", "1\nactive\n1\n", "cannot be read as a TUDataset"),
        ("A", SMALL["A"].replace("6, 5", "99, 5"), "cannot be read as a TUDataset"),
        ("A", SMALL["A"].replace("5, 6", "5, 99"), r"graph 1: edge 3 joins the nodes \[0, 94\]"),
    ],
)
def test_wrong_content(small: Path, tmp_path: Path, name: str, content: str, message: str) -> None:
    (small / f"SMALL_{name}.txt").write_text(content)
    with pytest.raises((TableError, GraphError), match=message):
        load_tu("SMALL", tmp_path)


def test_edge_between_two_graphs(small: Path, tmp_path: Path) -> None:
    (small / "SMALL_A.txt").write_text(SMALL["A"].replace("6, 7", "4, 5"))
    with pytest.raises(GraphError, match=r"SMALL, graph 0: edge \d joins the nodes \[3, 4\], but the graph has 4"):
        load_tu("SMALL", tmp_path)


def test_without_labels(small: Path, tmp_path: Path) -> None:
    (small / "SMALL_graph_labels.txt").unlink()
    with pytest.raises(TableError, match=r"neither SMALL_graph_labels\.txt nor SMALL_graph_attributes\.txt"):
        load_tu("SMALL", tmp_path)


def test_missing_set(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"TUDataset ENZYMES .*ENZYMES\.zip there, so that .*ENZYMES_A\.txt"):
        load_tu("ENZYMES", tmp_path)


def test_nothing_is_written_beside_the_raw_files(small: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    load_tu("SMALL", tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_splits_are_the_paper_s() -> None:
    y = np.random.default_rng(0).integers(0, 3, 200)
    folds = [tu_splits(y, fold) for fold in range(10)]
    expected = StratifiedKFold(10, shuffle=True, random_state=42).split(np.zeros(200), y)
    for found, (rest, test) in zip(folds, expected, strict=True):
        assert found["test"].tolist() == test.tolist()
        assert sorted(found["train"].tolist() + found["valid"].tolist()) == rest.tolist()
        assert len(found["valid"]) == 20
        share = [Counter(y[found[part]].tolist()) for part in ("train", "valid")]
        for c in range(3):
            assert abs(share[0][c] / 8 - share[1][c]) <= 1
    assert sorted(row for fold in folds for row in fold["test"].tolist()) == list(range(200))


def test_splits_of_numbers() -> None:
    parts = tu_splits(torch.rand(30, 2), 3, stratify=False)
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 24, "valid": 3, "test": 3}


@pytest.mark.parametrize(
    ("y", "fold", "message"),
    [
        (torch.zeros(50), 10, "fold 10 does not exist: there are folds 0 to 9"),
        (torch.zeros(50), -1, "fold -1 does not exist"),
        (torch.tensor([0] * 40 + [1] * 9), 0, "10 folds need at least 10 graphs of every class"),
        (torch.zeros(5), 0, "10 folds need at least 10 graphs"),
    ],
)
def test_impossible_splits(y: torch.Tensor, fold: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tu_splits(y, fold)


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_set(data_root: Path, tmp_path: Path, name: str) -> None:
    from torch_geometric.datasets import TUDataset

    dataset = load_tu(name, data_root)
    graphs, classes, node_features, edge_features, nodes, edges = REAL[name]
    assert len(dataset) == graphs
    assert dataset.y.bincount().tolist() == classes
    assert (dataset.num_node_features, dataset.num_edge_features) == (node_features, edge_features)
    assert dataset.x.size(0) / graphs == pytest.approx(nodes, abs=0.005)
    assert dataset.edge_index.size(1) / graphs / 2 == pytest.approx(edges, abs=0.005)
    shutil.copytree(data_root / "tu" / name / "raw", tmp_path / name / "raw")
    expected = TUDataset(str(tmp_path), name, use_node_attr=True)
    assert torch.equal(dataset.x, expected._data.x)
    assert torch.equal(dataset.edge_index.long(), expected._data.edge_index)
    assert torch.equal(dataset.y, expected._data.y)
    assert torch.equal(dataset.node_ptr, expected.slices["x"])
    assert torch.equal(dataset.edge_ptr, expected.slices["edge_index"])
    if edge_features:
        assert torch.equal(dataset.edge_attr, expected._data.edge_attr)
    isolated = sum(bool(graph.has_isolated_nodes()) for graph in expected)
    assert isolated == {"NCI1": 399, "PROTEINS": 5}.get(name, 0)
