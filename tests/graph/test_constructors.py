"""Paths, trees, grids and copies, against networkx and plain loops."""

from __future__ import annotations

import time
from itertools import product

import networkx as nx
import pytest
import torch
from torch_geometric.data import Batch, Data

from plstm_graph import LineDAG, ToLineDAG, to_networkx
from plstm_graph.errors import CycleError, GraphError
from plstm_graph.graph.linedag import FIELDS
from plstm_graph.ops import gating_matrix
from plstm_graph.testing import assert_valid
from tests.oracles import path_counts


def same(a: LineDAG, b: LineDAG) -> bool:
    pairs = [(getattr(a, name), getattr(b, name)) for name in FIELDS]
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in pairs)


@pytest.mark.parametrize("size", [0, 1, 2, 7])
def test_path(size):
    dag = LineDAG.path(size)
    assert set(to_networkx(dag).edges) == set(nx.path_graph(size, nx.DiGraph).edges)
    assert dag.num_nodes == size


def test_tree_from_parents_in_both_directions():
    parents = torch.tensor([2, -1, 1, 1, -1, 4])  # two roots
    for toward, flip in (("leaves", False), ("root", True)):
        dag = LineDAG.tree(parents, toward)
        expected = {(2, 0), (1, 2), (1, 3), (4, 5)}
        assert set(to_networkx(dag).edges) == ({(b, a) for a, b in expected} if flip else expected)
        for e, column in enumerate(dag.edge_id.tolist()):  # column c belongs to the c-th node with a parent
            assert dag.edge_index[0 if flip else 1, e] == [0, 2, 3, 5][column]
        assert_valid(dag)
        assert dag.multitree.all(), "a tree has one path between two edges at most"


@pytest.mark.parametrize(("branching", "depth"), [(2, 3), (3, 2), (1, 4), (5, 0)])
def test_balanced_tree(branching, depth):
    expected = nx.bfs_tree(nx.balanced_tree(branching, depth), 0)
    assert set(to_networkx(LineDAG.balanced_tree(branching, depth)).edges) == set(expected.edges)
    assert set(to_networkx(LineDAG.balanced_tree(branching, depth, "root")).edges) == set(expected.reverse().edges)


SHAPES = [(5,), (1, 4), (3, 4), (2, 3, 3), (1, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_grid_in_all_directions(shape):
    # networkx names the axes from the last, and cells of one axis by numbers
    undirected = nx.relabel_nodes(nx.grid_graph(shape[::-1]), lambda cell: cell if isinstance(cell, tuple) else (cell,))
    number = {cell: i for i, cell in enumerate(product(*map(range, shape)))}
    pairs = None
    for direction in product((1, -1), repeat=len(shape)):
        dag = LineDAG.grid(shape, direction)
        ahead = set()
        for a, b in undirected.edges:
            step = [y - x for x, y in zip(a, b, strict=True)]
            forward = sum(step) == direction[[bool(s) for s in step].index(True)]
            ahead.add((number[a], number[b]) if forward else (number[b], number[a]))
        assert set(to_networkx(dag).edges) == ahead
        assert_valid(dag)
        cells = list(number)
        axis = [
            [x != y for x, y in zip(cells[a], cells[b], strict=True)].index(True) for a, b in dag.edge_index.T.tolist()
        ]
        assert dag.edge_axis.tolist() == axis
        columns = {c: frozenset(dag.edge_index[:, e].tolist()) for e, c in enumerate(dag.edge_id.tolist())}
        pairs = pairs or columns
        assert columns == pairs, "all directions share the columns of edge_attr"


@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 2, 3)], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_d_mode_reaches_every_cell_ahead_with_magnitude_one(shape, reverse):
    for direction in product((1, -1), repeat=len(shape)):
        dag = LineDAG.grid(shape, direction)
        sign = torch.randn(dag.num_line_edges, 1, dtype=torch.float64).sign()
        gate = torch.ones(dag.num_edges, 1, dtype=torch.float64)
        gating = gating_matrix(gate, sign, gate, dag, line_mask=dag.multitree, reverse=reverse)[0][0]
        cells = list(product(*map(range, shape)))
        for (i, a), (j, b) in product(enumerate(cells), repeat=2):
            steps = [(y - x) * sign * (-1 if reverse else 1) for x, y, sign in zip(a, b, direction, strict=True)]
            ahead = all(s >= 0 for s in steps) and any(steps)
            assert abs(gating[j, i]) == (1 if ahead else 0), (a, b)


def test_the_multitree_of_a_grid_drops_one_turn_of_which_none_could_stay_but_at_the_border():
    dag = LineDAG.grid((4, 4))
    before, after = dag.edge_axis[dag.line_index]
    assert {(int(a), int(b)) for a, b in zip(before[~dag.multitree], after[~dag.multitree], strict=True)} == {(1, 0)}
    kept = dag.line_index[:, dag.multitree]
    for i in (~dag.multitree).nonzero().flatten().tolist():
        more = path_counts(torch.cat([kept, dag.line_index[:, i : i + 1]], dim=1), dag.num_edges)
        row, column = divmod(int(dag.edge_index[1, dag.line_index[0, i]]), 4)
        assert (more.max() > 1) == (row > 0 and column < 3)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("dag", [LineDAG.grid((2, 3)), LineDAG.path(4), LineDAG.grid((1, 1))], ids=str)
def test_copies_are_the_join_of_copies(dag, count):
    copies = dag.repeat(count)
    assert copies.num_graphs == count
    if count:
        assert same(copies, LineDAG.cat([dag] * count))
        assert same(copies.graph(count - 1), dag)
        again = copies.repeat(2)
        assert same(again, LineDAG.cat([dag] * 2 * count))


def test_a_batch_of_grids_and_others_has_no_axes():
    assert LineDAG.cat([LineDAG.grid((2, 2)), LineDAG.path(2)]).edge_axis is None


def test_a_data_object_carries_the_axes_of_its_grid():
    graphs = []
    for width in (2, 3):
        nodes = 2 * width
        data = ToLineDAG("index")(Data(x=torch.randn(nodes, 2), edge_index=torch.tensor([[0, 1], [1, 0]])))
        dag = LineDAG.grid((2, width))
        data.edge_index = torch.empty_like(dag.edge_index)
        data.edge_index[:, dag.edge_id] = dag.edge_index
        data.dag = dag
        graphs.append(data)
    batch = Batch.from_data_list(graphs)
    assert same(batch.dag, LineDAG.cat([LineDAG.grid((2, 2)), LineDAG.grid((2, 3))]))


def test_large_grids_take_seconds():
    LineDAG.grid((3, 3))  # compile
    start = time.perf_counter()
    dag = LineDAG.grid((300, 300))
    assert dag.num_edges == 2 * 300 * 299
    assert LineDAG.grid((40, 40, 40)).num_edges == 3 * 40 * 40 * 39
    assert LineDAG.grid((16, 16)).repeat(256).num_graphs == 256
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: LineDAG.path(-1), GraphError, "num_nodes must be an integer of at least 0, got -1"),
        (lambda: LineDAG.tree(torch.tensor([-1, 5])), GraphError, "node 1 has the parent 5: there are nodes 0 to 1"),
        (lambda: LineDAG.tree(torch.tensor([-1.0])), GraphError, "one integer per node, got torch.float32"),
        (lambda: LineDAG.tree(torch.tensor([1, 0])), CycleError, "0 -> 1"),
        (lambda: LineDAG.tree(torch.tensor([-1, 1])), CycleError, "node 1 is its own parent; a root has the parent -1"),
        (lambda: LineDAG.tree(torch.tensor([-1]), "up"), GraphError, "toward='up'"),
        (lambda: LineDAG.balanced_tree(0, 2), GraphError, "branching must be an integer of at least 1"),
        (lambda: LineDAG.grid((3, 0)), GraphError, "every size of a grid must be an integer of at least 1, got 0"),
        (lambda: LineDAG.grid((3, 3), (1,)), GraphError, r"direction=\(1,\) for shape=\(3, 3\)"),
        (lambda: LineDAG.grid((3, 3), (1, 0)), GraphError, "1 or -1 for each axis"),
        (lambda: LineDAG.grid(()), GraphError, "at least one axis"),
        (lambda: LineDAG.path(2).repeat(-1), GraphError, "count must be"),
    ],
)
def test_bad_input(make, error, words):
    with pytest.raises(error, match=words):
        make()
