from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from plstm_graph import ToLineDAG
from plstm_graph.data.packed import PackedDataset
from plstm_graph.errors import GraphError

Make = Callable[..., PackedDataset]


def equal(a: object, b: object) -> bool:
    """Same type, shape and values; NaN equals NaN."""
    if isinstance(a, torch.Tensor):
        same = isinstance(b, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape
        return same and torch.allclose(a.double(), b.double(), rtol=0, atol=0, equal_nan=True)
    return a == b


@pytest.mark.parametrize("edge_attr", [True, False])
@pytest.mark.parametrize("multiclass", [True, False])
@pytest.mark.parametrize("rows", [[3, 0, 22, 7, 7], [5], list(range(23)), [-1, -23]])
def test_collate_equals_pyg(packed: Make, edge_attr: bool, multiclass: bool, rows: list[int]) -> None:
    dataset = packed(edge_attr=edge_attr, multiclass=multiclass)
    batch = dataset.collate(rows)
    expected = Batch.from_data_list([dataset[i] for i in rows])
    assert type(batch) is type(expected)
    assert set(batch.keys()) == set(expected.keys()) - {"label"}
    for key in batch.keys():  # noqa: SIM118
        assert equal(batch[key], expected[key]), key
    assert batch.num_graphs == len(rows)
    assert batch.num_nodes == expected.num_nodes
    for name in ("x", "edge_index", "canonical_rank", "batch", "ptr", "graph_id"):
        assert batch[name].dtype == torch.int64, name


def test_batch_can_be_taken_apart(packed: Make) -> None:
    dataset = packed()
    rows = [4, 9, 4, 0]
    graphs = dataset.collate(rows).to_data_list()
    for graph, i in zip(graphs, rows, strict=True):
        assert set(graph.keys()) == set(dataset[i].keys()) - {"label"}
        for key in graph.keys():  # noqa: SIM118
            assert equal(graph[key], dataset[i][key]), key


def test_empty_batch(packed: Make) -> None:
    batch = packed().collate([])
    assert batch.num_graphs == 0
    assert batch.x.shape == (0, 4)
    assert batch.ptr.tolist() == [0]


def test_single_graph_holds_its_rows(packed: Make) -> None:
    dataset = packed()
    x, rank = dataset.x.long(), dataset.node_fields["canonical_rank"].long()
    for i in range(len(dataset)):
        graph = dataset[i]
        first, last = dataset.node_ptr[i : i + 2].tolist()
        assert isinstance(graph, Data)
        assert equal(graph.x, x[first:last])
        assert equal(graph.canonical_rank, rank[first:last])
        assert equal(graph.y, dataset.y[i : i + 1])
        assert graph.label == f"graph {i}"
        assert graph.graph_id.tolist() == [i]
    assert equal(dataset[-1].x, dataset[len(dataset) - 1].x)
    assert equal(dataset[np.int64(3)].x, dataset[torch.tensor(3)].x)


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (slice(2, 9, 3), [2, 5, 8]),
        ([4, -1, 4], [4, 22, 4]),
        (np.array([1, 2]), [1, 2]),
        (torch.tensor([7]), [7]),
        (torch.arange(23) > 19, [20, 21, 22]),
        ([], []),
        (range(3), [0, 1, 2]),
    ],
)
def test_part_of_the_set(packed: Make, index: object, rows: list[int]) -> None:
    dataset = packed()
    part = dataset[index]
    assert isinstance(part, PackedDataset)
    assert len(part) == len(rows)
    assert part.splits == {}
    assert part.targets == dataset.targets
    for k, i in enumerate(rows):
        for key in dataset[i].keys():  # noqa: SIM118
            if key != "graph_id":
                assert equal(part[k][key], dataset[i][key]), key


@pytest.mark.parametrize("index", [[23], [-24], torch.tensor([0, 99])])
def test_graph_that_does_not_exist(packed: Make, index: object) -> None:
    with pytest.raises(IndexError, match=r"graph (23|-24|99) does not exist: random has 23"):
        packed().collate(index)


def test_single_graph_that_does_not_exist(packed: Make) -> None:
    with pytest.raises(IndexError, match="graph 23 does not exist"):
        packed()[23]


@pytest.mark.parametrize("index", [torch.tensor([0.5]), torch.ones(5, dtype=torch.bool), torch.zeros(2, 2).long()])
def test_index_of_a_wrong_kind(packed: Make, index: torch.Tensor) -> None:
    with pytest.raises(IndexError, match=r"mask over random needs 23|chosen by a list of numbers"):
        packed()[index]


def test_save_and_load(packed: Make, tmp_path: Path) -> None:
    dataset = packed()
    dataset.transform = ToLineDAG("index")
    dataset.save(tmp_path / "set.pt")
    found = PackedDataset.load(tmp_path / "set.pt")
    for spec in dataclasses.fields(dataset):
        a, b = getattr(dataset, spec.name), getattr(found, spec.name)
        if spec.name == "transform":
            assert b is None
        elif isinstance(a, dict):
            assert a.keys() == b.keys(), spec.name
            assert all(equal(a[key], b[key]) for key in a), spec.name
        else:
            assert equal(a, b), spec.name
    assert equal(found.collate([3, 1]).x, dataset.collate([3, 1]).x)


def test_loaded_set_can_be_changed_without_changing_the_file(packed: Make, tmp_path: Path) -> None:
    packed().save(tmp_path / "set.pt")
    PackedDataset.load(tmp_path / "set.pt").y.zero_()
    assert PackedDataset.load(tmp_path / "set.pt").y.nan_to_num().abs().sum() > 0


def test_integers_are_stored_small(packed: Make) -> None:
    dataset = packed()
    assert dataset.x.dtype == torch.int16
    assert dataset.edge_index.dtype == torch.uint8
    assert dataset.subset([1]).x.dtype == torch.int16
    assert dataset.edge_attr.dtype == torch.float32


def test_sizes(packed: Make) -> None:
    dataset = packed()
    assert (len(dataset), dataset.num_node_features, dataset.num_edge_features, dataset.num_tasks) == (23, 4, 3, 2)
    assert packed(edge_attr=False).num_edge_features == 0
    assert packed(multiclass=True).num_tasks == 1
    assert dataset.node_categories == [int(column.max()) + 1 for column in dataset.x.long().T]
    assert packed(edge_attr=False).edge_categories == []
    assert "random" in repr(dataset)


def test_transform_of_single_graphs(packed: Make) -> None:
    dataset = packed()
    dataset.transform = lambda data: data.update({"seen": True})
    assert dataset[1].seen
    assert dataset[2:4][0].seen
    assert "seen" not in dataset.collate([1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": torch.zeros(22, 2)}, "y is 22, but should be 23"),
        ({"x": torch.zeros(3, 4)}, r"node_ptr\[-1\] is \d+, but should be 3"),
        ({"edge_attr": torch.zeros(1, 3)}, "edge_attr is 1, but should be"),
        ({"node_fields": {"rank": torch.zeros(2)}}, r"node_fields\['rank'\] is 2"),
        ({"graph_fields": {"weight": torch.zeros(2)}}, r"graph_fields\['weight'\] is 2"),
        ({"text_fields": {"smiles": ["C"]}}, r"text_fields\['smiles'\] is 1"),
        ({"edge_ptr": torch.arange(3)}, "edge_ptr is 3, but should be 24|edge_ptr"),
        ({"node_ptr": torch.tensor([0, 5, 2])}, "node_ptr must be int64, start at 0 and never fall"),
        ({"node_ptr": torch.zeros(24)}, "node_ptr must be int64"),
        ({"task": "ranking"}, "task='ranking' does not exist"),
        ({"node_kind": "colour"}, "node_kind='colour' does not exist"),
    ],
)
def test_tensors_that_do_not_fit(packed: Make, change: dict, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        dataclasses.replace(packed(), **change)


def test_edge_that_leaves_its_graph(packed: Make) -> None:
    dataset = packed()
    dataset.check_edges()
    graph = int((dataset.edge_ptr.diff() > 1).nonzero()[2])
    dataset.edge_index[1, dataset.edge_ptr[graph] + 1] = 200
    with pytest.raises(GraphError, match=rf"random, graph {graph}: edge 1 joins the nodes \[\d, 200\]"):
        dataset.check_edges()
