from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from plstm_graph import ToLineDAG
from plstm_graph.data.code2 import decode, encode, load_code2, top_words
from plstm_graph.data.loader import GraphLoader
from plstm_graph.data.ogb import load_ogb
from plstm_graph.errors import GraphError, TableError
from tests.data.conftest import cut_off, drop_last_line

# three syntax trees: a root 0 with children, the leaves attributed; nodes in depth-first order
TREES = ([[0, 1], [0, 2], [2, 3], [2, 4]], [[0, 1], [1, 2]], [])
ATTRIBUTED = ([0, 1, 0, 1, 1], [0, 1, 1], [1])
DEPTH = ([0, 1, 1, 2, 2], [0, 1, 25], [0])
LABELS = ("get name", "get the long name of it", "null")


@pytest.fixture
def code2(tmp_path: Path, write_gz: Callable[..., None]) -> Path:
    """The three trees in OGB's layout; returns the data root."""
    raw = {
        "num-node-list": [len(nodes) for nodes in ATTRIBUTED],
        "num-edge-list": [len(edges) for edges in TREES],
        "edge": [edge for edges in TREES for edge in edges],
        "node-feat": [[i % 4, 10 * i] for i in range(9)],
        "node_is_attributed": [flag for flags in ATTRIBUTED for flag in flags],
        "node_dfs_order": [*range(5), *range(3), 0],
        "node_depth": [depth for depths in DEPTH for depth in depths],
        "graph-label": LABELS,
    }
    for name, rows in raw.items():
        write_gz(tmp_path / f"ogb/ogbg_code2/raw/{name}.csv.gz", rows)
    for i, part in enumerate(("train", "valid", "test")):
        write_gz(tmp_path / f"ogb/ogbg_code2/split/project/{part}.csv.gz", [[0], [1], [2]][i])
    return tmp_path


def test_trees(code2: Path) -> None:
    dataset = load_code2(code2)
    first, second, third = (dataset[i] for i in range(3))
    assert first.edge_index.T.tolist() == [*TREES[0], [1, 3], [3, 4]]
    assert first.edge_attr.tolist() == [[0], [0], [0], [0], [1], [1]]
    assert second.edge_index.T.tolist() == [*TREES[1], [1, 2]]
    assert third.edge_index.shape == (2, 0)
    assert second.x.tolist() == [[1, 50, 0], [2, 60, 1], [3, 70, 20]]
    assert (dataset.node_kind, dataset.edge_kind, dataset.directed) == ("category", "category", True)
    assert dataset.node_categories == [4, 81, 21]
    assert (dataset.task, dataset.metric) == ("sequence", "f1")


def test_directions_are_kept_in_the_line_dag(code2: Path) -> None:
    batch = next(iter(GraphLoader(load_code2(code2), 3, transform=ToLineDAG("directed"))))
    edges = {tuple(edge) for edge in batch.dag.edge_index.T.tolist()}
    assert edges == {(0, 1), (0, 2), (2, 3), (2, 4), (1, 3), (3, 4), (5, 6), (6, 7)}
    assert batch.dag.num_edges == 9  # (6, 7) is both a tree edge and one between leaves


def test_targets(code2: Path) -> None:
    dataset = load_code2(code2, num_vocab=1, length=3)
    assert dataset.class_names == ["get", "__UNK__", "__EOS__"]  # the vocabulary is that of the training part
    assert dataset.y.tolist() == [[0, 1, 2], [0, 1, 1], [1, 2, 2]]
    assert (dataset.num_classes, dataset.num_tasks) == (3, 3)
    assert dataset.text_fields["label"] == ["get name", "get the long name of it", "nan"]  # pandas' reading, as OGB's
    assert load_code2(code2).y.shape == (3, 5)


def test_references_are_whole_names_in_which_only_the_vocabulary_can_be_hit(code2: Path) -> None:
    dataset = load_code2(code2, num_vocab=1, length=3)
    rows = [[code for code in row if code >= 0] for row in dataset.graph_fields["reference"].tolist()]
    assert rows[0] == [0, 3]  # get is the vocabulary; classes 1 and 2 are the unknown and the end
    words = [label.split() for label in dataset.text_fields["label"]]
    pairs = {(code, word) for row, name in zip(rows, words, strict=True) for code, word in zip(row, name, strict=True)}
    assert len({code for code, _ in pairs}) == len({word for _, word in pairs}) == len(pairs)  # one number per word
    assert {code for code, _ in pairs if code < dataset.num_classes} == {0}


def test_loaded_by_name(code2: Path) -> None:
    assert load_ogb("ogbg-code2", code2).name == "ogbg-code2"


def test_most_frequent_words() -> None:
    names = [["b", "a"], ["a", "c", "b"], ["d"], ["c", "c"]]
    assert top_words(names, 3) == ["c", "b", "a"]
    assert top_words(names, 9) == ["c", "b", "a", "d"]


def test_encode_and_decode() -> None:
    number = {"get": 0, "name": 1}
    words = ["get", "name", "__UNK__", "__EOS__"]
    assert encode(["get", "x", "name"], number, 5) == [0, 2, 1, 3, 3]
    assert encode(["name"] * 7, number, 5) == [1] * 5
    assert encode([], number, 2) == [3, 3]
    assert decode([0, 2, 1, 3, 3], words) == ["get", "__UNK__", "name"]
    assert decode([1, 1], words) == ["name", "name"]
    assert decode([3, 0], words) == []


RAW = ("edge", "node-feat", "node_is_attributed", "node_dfs_order", "node_depth", "num-node-list", "num-edge-list")


@pytest.mark.parametrize("file", [*RAW, "graph-label"])
def test_bad_files(code2: Path, file: str) -> None:
    path = code2 / f"ogb/ogbg_code2/raw/{file}.csv.gz"
    drop_last_line(path)
    with pytest.raises(TableError, match=r"csv\.gz has \d+ rows, but the other files say \d+"):
        load_code2(code2)
    cut_off(path)
    with pytest.raises(TableError, match=rf"{file}\.csv\.gz cannot be read"):
        load_code2(code2)


def test_edge_between_two_trees(code2: Path, write_gz: Callable[..., None]) -> None:
    edges = [edge for edges in TREES for edge in edges]
    edges[-1] = [1, 3]
    write_gz(code2 / "ogb/ogbg_code2/raw/edge.csv.gz", np.array(edges))
    with pytest.raises(GraphError, match=r"ogbg-code2, graph 1: edge 1 joins the nodes \[1, 3\]"):
        load_code2(code2)
