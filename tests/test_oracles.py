"""The oracles against each other, and against numbers worked out by hand."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plstm_graph import LineDAG
from tests.oracles import (
    NAMES,
    assert_same,
    brute_levels,
    brute_line_graph,
    dense_gating,
    dense_plstm,
    output_and_gradients,
    path_counts,
    paths_plstm,
    random_tensors,
)
from tests.strategies import dags, path_dag


def one(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_gating_of_a_diamond_by_hand():
    tail, head = [0, 0, 1, 2], [1, 2, 3, 3]
    source, transition, mark = one(2, 3, 5, 7), one(0.5, 0.25), one(11, 13, 17, 19)
    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected[1, 0], expected[2, 0] = 11 * 2, 13 * 3
    expected[3, 1], expected[3, 2] = 17 * 5, 19 * 7
    expected[3, 0] = 17 * 0.5 * 2 + 19 * 0.25 * 3
    line = [(0, 2), (1, 3)]
    torch.testing.assert_close(dense_gating(tail, head, line, 4, source, transition, mark), expected)
    expected[3, 0] = 17 * 0.5 * 2
    mask = torch.tensor([True, False])
    torch.testing.assert_close(dense_gating(tail, head, line, 4, source, transition, mark, mask), expected)


@pytest.mark.parametrize("oracle", [dense_plstm, paths_plstm])
def test_a_path_by_hand(oracle):
    dag = path_dag(3)
    numbers = {"query": (1, 2, 3), "key": (4, 5, 6), "value": (7, 8, 9)}
    tensors = {name: one(*n).view(3, 1, 1) for name, n in numbers.items()}
    tensors |= {"source": one(10, 20).view(2, 1), "transition": one(0.5).view(1, 1), "mark": one(100, 200).view(2, 1)}
    first, second = 10 * 4 * 7, 20 * 5 * 8 + 0.5 * 10 * 4 * 7
    expected = one(0, 2 * 100 * first, 3 * 200 * second).view(3, 1, 1)
    torch.testing.assert_close(oracle(tensors, dag), expected)
    # against the arrows: edge 1 -> 2 writes at node 2 and is read at node 1
    second, first = 20 * 6 * 9, 10 * 5 * 8 + 0.5 * 20 * 6 * 9
    expected = one(1 * 100 * first, 2 * 200 * second, 0).view(3, 1, 1)
    torch.testing.assert_close(oracle(tensors, dag, reverse=True), expected)


@settings(max_examples=60, deadline=None)
@given(dags(), st.booleans(), st.integers(0, 2**16))
def test_dense_solve_equals_sum_over_paths(graph, reverse, seed):
    dag = LineDAG.from_edge_index(*graph)
    tensors = random_tensors(dag, 2, 2, 3, seed=seed)
    mask = torch.rand(dag.num_line_edges, generator=torch.Generator().manual_seed(seed)) < 0.7
    dense = output_and_gradients(lambda t: dense_plstm(t, dag, mask, reverse), tensors)
    paths = output_and_gradients(lambda t: paths_plstm(t, dag, mask, reverse), tensors)
    assert_same(dense, paths, 1e-10, 1e-10)


@settings(max_examples=60, deadline=None)
@given(dags())
def test_line_graph_paths_and_levels_equal_those_of_networkx(graph):
    edges, num_nodes = graph
    plain = nx.MultiDiGraph()
    plain.add_nodes_from(range(num_nodes))
    for number, (a, b) in enumerate(edges.T.tolist()):
        plain.add_edge(a, b, key=number)
    line = nx.line_graph(plain)
    pairs = {(a[2], b[2]) for a, b in line.edges()}
    assert pairs == brute_line_graph(edges)

    index = torch.tensor(sorted(pairs), dtype=torch.int64).reshape(-1, 2).T
    numbered = nx.DiGraph(list(pairs))
    numbered.add_nodes_from(range(edges.size(1)))
    level = dict.fromkeys(numbered, 0)
    for number, front in enumerate(nx.topological_generations(numbered)):
        level |= dict.fromkeys(front, number)
    assert brute_levels(index, edges.size(1)) == [level[e] for e in range(edges.size(1))]

    counts = path_counts(index, edges.size(1))
    for a in range(edges.size(1)):
        for b in range(edges.size(1)):
            found = 0 if a == b else len(list(nx.all_simple_paths(numbered, a, b)))
            assert counts[a, b] == found


def test_a_wrong_gradient_is_noticed():
    dag = path_dag(4)
    tensors = random_tensors(dag, 1, 2, 2)
    right = output_and_gradients(lambda t: dense_plstm(t, dag), tensors)
    for name in NAMES:
        wrong = output_and_gradients(lambda t, name=name: dense_plstm({**t, name: t[name].detach()}, dag), tensors)
        with pytest.raises(AssertionError, match=f"grad_{name}"):
            assert_same(wrong, right, 1e-10, 1e-10)
