"""The assertions for users pass where they should, and fail where they should, naming what is wrong."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch_geometric.data import Data

from plstm_graph.ops import ENGINES
from plstm_graph.testing import assert_engine_matches, assert_multitree, assert_orientation_invariant, assert_valid
from tests.strategies import grid_dag, path_dag, random_batch

DAG = random_batch([1, 8, 12], 0.5, seed=3)


@pytest.mark.parametrize(
    "dag", [DAG, grid_dag(4, 5), path_dag(1), random_batch([])], ids=["batch", "grid", "node", "none"]
)
def test_valid(dag):
    assert_valid(dag)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": DAG.level + 1}, "level of edge 0 is wrong"),
        ({"line_index": DAG.line_index.flip(0)}, "a line edge joins edges that do not meet"),
        ({"line_index": DAG.line_index[:, 1:], "multitree": DAG.multitree[1:]}, "line edges instead of"),
        ({"edge_index": DAG.edge_index + 100}, "nodes that do not exist"),
        ({"multitree": torch.ones_like(DAG.multitree)}, "paths lead from edge"),
        ({"edge_ptr": DAG.edge_ptr.flip(0)}, "edge_ptr does not count"),
    ],
)
def test_invalid(change, words):
    with pytest.raises(AssertionError, match=words):
        assert_valid(dataclasses.replace(DAG, **change))


def test_multitree_of_a_mask():
    assert_multitree(DAG, torch.zeros_like(DAG.multitree))
    with pytest.raises(AssertionError, match="paths lead"):
        assert_multitree(DAG, torch.ones_like(DAG.multitree))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_engines_match(engine, dtype, reverse):
    assert_engine_matches(engine, DAG, dtype=dtype, reverse=reverse, line_mask=DAG.multitree)


def test_a_wrong_engine_is_caught():
    def no_marks(query, key, value, source, transition, mark, dag, reverse):
        return ENGINES["wavefront"](query, key, value, source, transition, mark.detach(), dag, reverse)

    with pytest.raises(AssertionError, match="gradient of mark is off by"):
        assert_engine_matches(no_marks, DAG)
    assert_engine_matches(ENGINES["wavefront"], DAG, line_mask=DAG.multitree)


def test_orientation():
    edges = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 0, 0, 4], [1, 0, 2, 1, 3, 2, 0, 3, 4, 0]])
    data = Data(x=torch.tensor([[0.0], [1.0], [0.0], [2.0], [0.0]]), edge_index=edges)
    assert_orientation_invariant("canonical", data)
    assert_orientation_invariant("center", data)
    with pytest.raises(AssertionError, match="order='index' gives another DAG"):
        assert_orientation_invariant("index", data, trials=20)
