"""LineDAG: invariants against brute force, batches, bad input."""

from __future__ import annotations

import copy
import pickle
import time
import weakref

import pytest
import torch
from hypothesis import given, settings
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from plstm_graph import LineDAG, ToLineDAG
from plstm_graph.errors import CycleError, GraphError, SelfLoopError
from plstm_graph.graph import build
from plstm_graph.graph.linedag import FIELDS
from tests.oracles import brute_levels, brute_line_graph, greedy_multitree, path_counts
from tests.strategies import dags, grid_dag, path_dag, random_batch, random_dag_edges, undirected_graphs


def same(a: LineDAG, b: LineDAG) -> bool:
    pairs = [(getattr(a, name), getattr(b, name)) for name in FIELDS]
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in pairs)


def check_invariants(dag: LineDAG, edges: torch.Tensor) -> None:
    before, after = dag.line_index
    assert {tuple(p) for p in dag.line_index.T.tolist()} == brute_line_graph(dag.edge_index)
    assert dag.num_line_edges == len(set(map(tuple, dag.line_index.T.tolist())))
    assert (before < after).all(), "an edge stands before one of its predecessors"
    assert torch.equal(dag.line_index, dag.line_index[:, torch.argsort(after * max(1, dag.num_edges) + before)])
    assert dag.level.tolist() == brute_levels(dag.line_index, dag.num_edges)
    assert dag.multitree.tolist() == greedy_multitree(dag.line_index, dag.num_edges)
    kept = dag.line_index[:, dag.multitree]
    counts = path_counts(kept, dag.num_edges)
    assert counts.max() <= 1 if counts.numel() else True, "two paths between two edges of the multitree"
    for i in range(dag.num_line_edges):  # maximal: one more line edge would make a second path
        if not dag.multitree[i]:
            more = path_counts(torch.cat([kept, dag.line_index[:, i : i + 1]], dim=1), dag.num_edges)
            assert more.max() > 1
    ends = edges[:, dag.edge_id].sort(dim=0).values
    assert torch.equal(ends, dag.edge_index.sort(dim=0).values), "edge_id points at an edge between other nodes"
    assert dag.edge_id.unique().numel() == dag.num_edges


@settings(max_examples=150, deadline=None)
@given(dags())
def test_directed(graph):
    edges, num_nodes = graph
    dag = LineDAG.from_edge_index(edges, num_nodes)
    check_invariants(dag, edges)
    assert sorted(map(tuple, dag.edge_index.T.tolist())) == sorted(map(tuple, edges.T.tolist()))
    assert torch.equal(edges[:, dag.edge_id], dag.edge_index)


@settings(max_examples=150, deadline=None)
@given(undirected_graphs())
def test_undirected(graph):
    edges, num_nodes, order = graph
    dag = LineDAG.from_edge_index(edges, num_nodes, order)
    check_invariants(dag, edges)
    assert (order[dag.edge_index[0]] < order[dag.edge_index[1]]).all()
    columns = edges.T.tolist()
    for a in range(num_nodes):
        for b in range(num_nodes):
            expected = max(columns.count([a, b]), columns.count([b, a])) if order[a] < order[b] else 0
            assert dag.edge_index.T.tolist().count([a, b]) == expected


@settings(max_examples=60, deadline=None)
@given(undirected_graphs(), undirected_graphs(), undirected_graphs())
def test_a_batch_is_the_join_of_its_graphs(first, second, third):
    graphs = (first, second, third)
    singles = [LineDAG.from_edge_index(*graph) for graph in graphs]
    shift = [0, *torch.tensor([g[1] for g in graphs]).cumsum(0).tolist()]
    whole = LineDAG.from_edge_index(
        torch.cat([g[0] + s for g, s in zip(graphs, shift, strict=False)], dim=1),
        shift[-1],
        torch.cat([g[2] for g in graphs]),
        torch.repeat_interleave(torch.tensor([g[1] for g in graphs])),
    )
    assert same(whole, LineDAG.cat(singles))
    for i, single in enumerate(singles):
        assert same(whole.graph(i), single)


@pytest.mark.parametrize("seed", range(10))
def test_larger_dags_have_the_greedy_multitree(seed):
    generator = torch.Generator().manual_seed(seed)
    edges = random_dag_edges(60, 0.02 + 0.02 * seed, generator)
    dag = LineDAG.from_edge_index(edges, 60)
    assert dag.multitree.tolist() == greedy_multitree(dag.line_index, dag.num_edges)


def test_a_river_with_many_tributaries_takes_linear_time():
    size = 40_000
    river = torch.arange(size)
    tributaries = torch.stack([river + size, river])
    start = time.perf_counter()
    dag = LineDAG.from_edge_index(torch.cat([torch.stack([river[:-1], river[1:]]), tributaries], dim=1), 2 * size)
    assert time.perf_counter() - start < 5
    assert dag.multitree.all()
    assert dag.num_levels == size


def test_the_same_multitree_serves_both_directions():
    dag = random_batch([12], 0.4)
    kept = dag.line_index[:, dag.multitree]
    assert path_counts(kept.flip(0), dag.num_edges).max() <= 1


def test_ranks_may_have_gaps_be_negative_or_floating():
    edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
    plain = LineDAG.from_edge_index(edges, 3, torch.tensor([2, 0, 1]))
    for order in (torch.tensor([50, -7, 3]), torch.tensor([0.9, -0.5, 0.1]), torch.tensor([0.9, -0.5, 0.1]).half()):
        assert same(LineDAG.from_edge_index(edges, 3, order), plain)


@pytest.mark.parametrize("num_nodes", [0, 1, 5])
def test_no_edges(num_nodes):
    dag = LineDAG.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), num_nodes)
    assert (dag.num_nodes, dag.num_edges, dag.num_line_edges, dag.num_levels) == (num_nodes, 0, 0, 0)


def test_cycle_names_graph_and_nodes_of_one_cycle():
    edges = torch.tensor([[0, 1, 3, 4, 5, 6], [1, 2, 4, 5, 6, 4]])  # 4 -> 5 -> 6 -> 4 is 1 -> 2 -> 3 of graph 1
    with pytest.raises(CycleError, match="graph 1 of the batch") as caught:
        LineDAG.from_edge_index(edges, 7, None, torch.tensor([0, 0, 0, 1, 1, 1, 1]))
    assert caught.value.graph == 1
    nodes = caught.value.nodes
    assert sorted(nodes) == [1, 2, 3]
    steps = {(a, b) for a, b in zip(nodes, nodes[1:] + nodes[:1], strict=True)}
    assert steps == {(1, 2), (2, 3), (3, 1)}


def test_nodes_behind_a_cycle_are_not_blamed():
    edges = torch.tensor([[0, 1, 2, 2, 3], [1, 2, 1, 3, 4]])
    with pytest.raises(CycleError) as caught:
        LineDAG.from_edge_index(edges, 5)
    assert sorted(caught.value.nodes) == [1, 2]


BATCH = torch.tensor([0, 0, 1])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((torch.tensor([[0, 1], [1, 1]]), 2), SelfLoopError, r"edge_index\[:, 1\] is a self-loop at node 1"),
        ((torch.tensor([[0], [3]]), 3), GraphError, r"edge_index\[:, 0\] = \(0, 3\) is out of range"),
        ((torch.tensor([[-1], [0]]), 3), GraphError, "out of range"),
        ((torch.tensor([[0, 1]]), 3), GraphError, r"must have shape \[2, number of edges\], got \[1, 2\]"),
        ((torch.tensor([[0.0], [1.0]]), 3), GraphError, "dtype int64, got torch.float32"),
        (([[0], [1]], 3), GraphError, "must be a torch.Tensor, got list"),
        ((torch.tensor([[0], [1]]), -1), GraphError, "num_nodes must be an integer >= 0, got -1"),
        ((torch.tensor([[0], [2]]), 3, None, BATCH), GraphError, "joins graph 0 to graph 1"),
        ((torch.tensor([[0], [1]]), 3, None, BATCH.flip(0)), GraphError, "batch must ascend"),
        ((torch.tensor([[0], [1]]), 3, None, BATCH[:2]), GraphError, r"batch must be an int64 tensor of shape \[3\]"),
        ((torch.tensor([[0], [1]]), 3, torch.arange(2)), GraphError, "order must be a tensor of 3 ranks"),
        ((torch.tensor([[0], [1]]), 3, torch.tensor([0.0, 1.0, float("nan")])), GraphError, "order is NaN at node 2"),
        ((torch.tensor([[0], [1]]), 3, torch.tensor([4, 4, 0])), GraphError, "have the same rank 4"),
        ((torch.tensor([[2], [2]]), 3, None, BATCH), SelfLoopError, "node 0 of graph 1 "),
    ],
)
def test_bad_input(arguments, error, words):
    with pytest.raises(error, match=words):
        LineDAG.from_edge_index(*arguments)


def test_an_exploding_line_graph_names_the_hub(monkeypatch):
    monkeypatch.setattr(build, "MAX_LINE_EDGES", 1000)
    leaves = torch.arange(1, 101)
    edges = torch.cat([torch.stack([leaves[:50], 0 * leaves[:50]]), torch.stack([0 * leaves[50:], leaves[50:]])], dim=1)
    with pytest.raises(GraphError, match=r"2,500 line edges.*node 0, which has 50 edges in and 50 out"):
        LineDAG.from_edge_index(edges, 101)


def test_graph_that_is_not_there():
    with pytest.raises(GraphError, match="graph 3 does not exist"):
        random_batch([2, 2]).graph(3)
    with pytest.raises(GraphError, match="at least one"):
        LineDAG.cat([])


def test_long_path_and_large_grid_build_in_seconds():
    path_dag(10), grid_dag(3, 3)  # compile
    start = time.perf_counter()
    assert path_dag(100_000).num_levels == 99_999
    assert grid_dag(300, 300).num_edges == 2 * 300 * 299
    assert time.perf_counter() - start < 5


def test_copies(tmp_path):
    dag = random_batch([5, 6])
    dag.num_levels  # noqa: B018  fills the cache
    assert same(copy.deepcopy(dag), dag)
    assert same(pickle.loads(pickle.dumps(dag)), dag)
    assert dag.to("cpu") is dag
    assert dag.to("meta").device.type == "meta"
    assert "graphs=2" in repr(dag)


@pytest.mark.parametrize("workers", [0, 2])
def test_stock_loader_batches_transformed_data(workers):
    generator = torch.Generator().manual_seed(0)
    graphs = []
    for size in (5, 1, 8, 3):
        edges = random_dag_edges(size, 0.5, generator)
        both = torch.stack([edges, edges.flip(0)], dim=2).flatten(1)
        graphs.append(
            ToLineDAG("index")(Data(x=torch.rand(size, 2), edge_index=both, edge_attr=torch.rand(both.size(1), 3)))
        )
    batch = next(iter(DataLoader(graphs, batch_size=4, num_workers=workers)))
    assert same(batch.dag, LineDAG.cat([graph.dag for graph in graphs]))
    order = torch.arange(batch.num_nodes)
    assert same(batch.dag, LineDAG.from_edge_index(batch.edge_index, batch.num_nodes, order, batch.batch))
    assert batch.to("cpu").dag is batch.dag
    assert same(pickle.loads(pickle.dumps(batch)).dag, batch.dag)


def test_pruned_keeps_the_line_edges_of_the_multitree():
    dag = random_batch([8, 6], 0.6)
    pruned = dag.pruned
    assert torch.equal(pruned.line_index, dag.line_index[:, dag.multitree])
    assert pruned.num_line_edges < dag.num_line_edges
    assert pruned.multitree.all()
    assert torch.equal(pruned.edge_index, dag.edge_index)
    before, after = pruned.line_index
    assert (pruned.level[before] < pruned.level[after]).all()
    assert pruned.pruned is pruned
    assert dag.pruned is pruned, "made once"


def test_a_multitree_is_its_own_pruned_dag_and_does_not_keep_itself_alive():
    dag = LineDAG.path(4)
    assert dag.pruned is dag
    alive = weakref.ref(dag)
    del dag
    assert alive() is None
