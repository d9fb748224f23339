"""Cyclic digraphs: condensed or broken, against networkx, with every edge accounted for."""

from __future__ import annotations

import builtins
import copy

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from plstm_graph import PLSTM, LineDAG, PLSTMConv, ToLineDAG, from_networkx, to_networkx
from plstm_graph.errors import ConfigError, CycleError, CycleWarning, FeatureError, MissingDependencyError
from plstm_graph.graph.cycles import feedback_edges, strong_components
from plstm_graph.graph.linedag import FIELDS

pytestmark = pytest.mark.filterwarnings("ignore::plstm_graph.errors.CycleWarning")


@st.composite
def digraphs(draw: st.DrawFn, self_loops: bool = True) -> Data:
    """Directed graphs with cycles, parallel edges and self-loops, whose edge features name their columns."""
    num_nodes = draw(st.integers(1, 9))
    node = st.integers(0, num_nodes - 1)
    pairs = draw(st.lists(st.tuples(node, node), max_size=25))
    pairs = pairs if self_loops else [(a, b) for a, b in pairs if a != b]
    edges = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T.contiguous()
    columns = torch.arange(edges.size(1), dtype=torch.float32).unsqueeze(1)
    return Data(x=torch.randn(num_nodes, 2), edge_index=edges, edge_attr=columns, num_nodes=num_nodes)


def to_multidigraph(data: Data) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(data.num_nodes))
    graph.add_edges_from(data.edge_index.T.tolist())
    return graph


@settings(max_examples=100, deadline=None)
@given(digraphs())
def test_components_are_those_of_networkx(data):
    found = strong_components(data.edge_index, data.num_nodes).tolist()
    groups = {frozenset(n for n, c in enumerate(found) if c == k) for k in set(found)}
    assert groups == set(map(frozenset, nx.strongly_connected_components(to_multidigraph(data))))
    assert list(dict.fromkeys(found)) == list(range(len(groups))), "components in the order of their first nodes"


@settings(max_examples=100, deadline=None)
@given(digraphs())
def test_condensation_keeps_what_joins_components(data):
    small = ToLineDAG("directed", cycles="condense")(data)
    member_of = small.member_of.tolist()
    expected = [
        (member_of[a], member_of[b], c)
        for c, (a, b) in enumerate(data.edge_index.T.tolist())
        if member_of[a] != member_of[b]
    ]
    dag = small.dag
    found = [(*dag.edge_index[:, e].tolist(), int(small.edge_attr[dag.edge_id[e]])) for e in range(dag.num_edges)]
    assert sorted(found) == sorted(expected)
    assert small.num_dropped == data.num_edges - len(expected)
    assert dag.num_nodes == small.num_nodes == small.x.size(0) == len(set(member_of))
    for c in range(small.num_nodes):
        members = [n for n in range(data.num_nodes) if member_of[n] == c]
        torch.testing.assert_close(small.x[c], data.x[members].mean(0))


@settings(max_examples=100, deadline=None)
@given(digraphs())
def test_breaking_turns_few_edges_and_loses_none(data):
    broken = ToLineDAG("directed", cycles="break")(data)
    dag, turned = broken.dag, broken.edge_reversed
    assert torch.equal(broken.edge_index, data.edge_index)
    assert torch.equal(broken.edge_attr, data.edge_attr)
    loops = data.edge_index[0] == data.edge_index[1]
    assert sorted(dag.edge_id.tolist()) == (~loops).nonzero().flatten().tolist()
    for e, column in enumerate(dag.edge_id.tolist()):
        ends = data.edge_index[:, column].tolist()
        assert dag.edge_index[:, e].tolist() == (ends[::-1] if turned[column] else ends)
    assert (broken.num_reversed, broken.num_dropped) == (int(turned.sum()), int(loops.sum()))
    assert dag.num_columns == data.num_edges == int(dag.column_ptr[-1])
    component = strong_components(data.edge_index, data.num_nodes)
    inner = (component[data.edge_index[0]] == component[data.edge_index[1]]) & ~loops
    assert not turned[~inner].any(), "an edge that lies on no cycle was turned"
    assert turned.sum() <= inner.sum() / 2
    if nx.is_directed_acyclic_graph(to_multidigraph(data)):
        assert not turned.any()


def test_a_cycle_is_broken_at_one_edge_and_a_pair_becomes_two_parallel_edges():
    nodes = torch.arange(50)
    assert int(feedback_edges(torch.stack([nodes, nodes.roll(-1)]), 50).sum()) == 1
    dag = ToLineDAG("directed", cycles="break")(Data(edge_index=torch.tensor([[0, 1, 1], [1, 0, 2]]), num_nodes=3)).dag
    assert dag.edge_index[0].tolist().count(0) in (0, 2)
    assert dag.num_edges == 3


def test_warnings_say_how_many_edges_changed():
    data = Data(x=torch.ones(4, 1), edge_index=torch.tensor([[0, 1, 2, 2, 3], [1, 2, 0, 3, 3]]))
    with pytest.warns(CycleWarning, match=r"4 nodes before, 2 now.*4 of 5 edges"):
        ToLineDAG(cycles="condense")(data)
    with pytest.warns(CycleWarning, match=r"1 of 5 edges were turned round .*1 self-loops left out"):
        ToLineDAG(cycles="break")(data)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cycles", ["condense", "break"])
def test_an_acyclic_graph_stays_as_it_is(cycles):
    data = Data(x=torch.randn(4, 2), edge_index=torch.tensor([[3, 3, 1, 0], [1, 0, 2, 2]]))
    plain, found = ToLineDAG()(data), ToLineDAG(cycles=cycles)(data)
    assert torch.equal(plain.dag.edge_index, found.dag.edge_index)
    assert torch.equal(plain.dag.edge_id, found.dag.edge_id)
    assert torch.equal(found.x, data.x)


def test_the_plain_error_names_both_ways_out():
    with pytest.raises(CycleError, match=r"cycles='condense'.*cycles='break'"):
        ToLineDAG()(Data(edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=3))
    with pytest.raises(ConfigError, match="cycles='drop' does not exist; choose from 'raise', 'condense', 'break'"):
        ToLineDAG(cycles="drop")


def rings(count: int) -> list[Data]:
    """Directed rings with a tail."""
    graphs = []
    for n in range(2, 2 + count):
        ring = torch.stack([torch.arange(n), torch.arange(n).roll(-1)])
        edges = torch.cat([ring, torch.tensor([[0], [n]])], dim=1)
        graphs.append(Data(x=torch.randn(n + 1, 3), edge_index=edges, edge_attr=torch.randn(n + 1, 2), num_nodes=n + 1))
    return graphs


@pytest.mark.parametrize("cycles", ["condense", "break"])
def test_graphs_one_by_one_batch_like_the_whole_batch(cycles):
    graphs, transform = rings(4), ToLineDAG(cycles=cycles)
    joined = next(iter(DataLoader([transform(g) for g in graphs], batch_size=9)))
    whole = transform(Batch.from_data_list(graphs))
    for name in ("edge_index", "edge_id", "line_index", "column_ptr"):
        assert torch.equal(getattr(joined.dag, name), getattr(whole.dag, name)), name
    dropped = [2, 3, 4, 5] if cycles == "condense" else 4 * [0]
    assert joined.num_dropped.tolist() == whole.num_dropped.tolist() == dropped
    layer = PLSTMConv(3, 4, edge_dim=2)
    out = layer(joined.x, joined.dag, joined.edge_attr)
    torch.testing.assert_close(out, layer(whole.x, whole.dag, whole.edge_attr))
    if cycles == "condense":
        first = torch.cat([torch.full((g.num_nodes,), i) for i, g in enumerate(graphs)])
        assert torch.equal(joined.batch[joined.member_of], first), "every original node finds its own graph"
    else:
        assert joined.num_reversed.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("cycles", ["condense", "break"])
def test_undirected_graphs_batch_with_directed_ones(cycles):
    pair = Data(x=torch.randn(2, 3), edge_index=torch.tensor([[0, 1], [1, 0]]), edge_attr=torch.randn(2, 2))
    pair.num_nodes = 2
    batch = Batch.from_data_list([ToLineDAG(cycles=cycles)(graph) for graph in [*rings(2), pair]])
    assert batch.dag.graph(2).num_edges == 1
    assert batch.num_dropped.tolist()[2] == 0
    if cycles == "condense":
        assert batch.member_of.tolist()[-2:] == [batch.num_nodes - 2, batch.num_nodes - 1]


@pytest.mark.parametrize("cycles", ["raise", "condense", "break"])
def test_a_batch_at_once_decides_for_every_graph_whether_it_is_directed(cycles):
    triangle = torch.tensor([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])
    graphs = [
        Data(x=torch.randn(n, 3), edge_index=edges, num_nodes=n)
        for n, edges in ((3, triangle), (3, torch.tensor([[0, 1], [1, 2]])), (1, torch.zeros(2, 0, dtype=torch.int64)))
    ]
    transform = ToLineDAG(cycles=cycles)
    joined = Batch.from_data_list([transform(copy.copy(graph)) for graph in graphs])
    whole = transform(Batch.from_data_list(graphs))
    for name in FIELDS:
        a, b = getattr(joined.dag, name), getattr(whole.dag, name)
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, name


@pytest.mark.parametrize("cycles", ["raise", "condense", "break"])
def test_graphs_without_nodes_at_the_end_of_a_batch_are_kept(cycles):
    graphs = [
        Data(x=torch.randn(n, 3), edge_index=torch.tensor([[0], [1]])[:, : n // 2], num_nodes=n)
        for n in (2, 0, 2, 0, 0)
    ]
    batch = ToLineDAG(cycles=cycles)(Batch.from_data_list(graphs))
    assert batch.dag.num_graphs == 5
    assert batch.dag.edge_ptr.tolist() == batch.dag.column_ptr.tolist() == [0, 1, 1, 2, 2, 2]
    assert PLSTM(3, 2)(batch).shape == (5, 2)


def test_as_many_labels_as_edges_stay_labels():
    graph = Data(x=torch.randn(4, 2), edge_index=torch.tensor([[0, 1, 2], [1, 0, 3]]), y=torch.tensor([1.0, 2.0, 3.0]))
    with pytest.warns(CycleWarning):
        assert ToLineDAG(cycles="condense")(graph).y.tolist() == [1, 2, 3]


def test_names_and_labels_after_condensing_a_networkx_graph():
    graph = nx.DiGraph([("a", "b"), ("b", "a"), ("b", "c"), ("a", "c")])
    nx.set_node_attributes(graph, {"a": 1.0, "b": 3.0, "c": 5.0}, "cost")
    data = from_networkx(graph)
    data.y = torch.tensor([0, 1, 2])
    small = ToLineDAG(cycles="condense")(data)
    assert small.node_names == [("a", "b"), "c"]
    assert small.x.tolist() == [[2.0], [5.0]]
    assert small.y.tolist() == [0, 1, 2]
    assert small.member_of.tolist() == [0, 0, 1]
    assert sorted(to_networkx(small).edges()) == [(("a", "b"), "c")] * 2
    assert data.node_names == ["a", "b", "c"], "the input is left as it was"


def test_means_of_integers_are_refused():
    data = Data(x=torch.tensor([[1], [2]]), edge_index=torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(FeatureError, match=r"dtype torch.int64.*x.float\(\).*cycles='break'"):
        ToLineDAG("directed", cycles="condense")(data)


def test_without_igraph_the_extra_is_named(monkeypatch):
    plain_import = builtins.__import__

    def without_igraph(name, *args, **kwargs):
        if name.partition(".")[0] == "igraph":
            raise ImportError("No module named 'igraph'")
        return plain_import(name, *args, **kwargs)

    monkeypatch.setattr("importlib.import_module", lambda name: without_igraph(name))
    with pytest.raises(MissingDependencyError, match=r"cycles='break'.*plstm-graph\[canonical\]"):
        ToLineDAG(cycles="break")(Data(edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=3))


def test_large_cyclic_graphs_take_seconds():
    edges = torch.randint(0, 20_000, (2, 60_000))
    edges = edges[:, edges[0] != edges[1]]
    dag = ToLineDAG("directed", cycles="break")(Data(edge_index=edges, num_nodes=20_000)).dag
    assert isinstance(dag, LineDAG)
    assert dag.num_edges == edges.size(1)
