"""networkx graphs in, networkx graphs out: nothing lost, nothing guessed."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from plstm_graph import LineDAG
from plstm_graph.errors import FeatureError, GraphError, SelfLoopError
from plstm_graph.graph.convert import from_networkx, line_graph_to_networkx, to_networkx

KINDS = [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph]
NAMES = st.one_of(st.integers(), st.text(max_size=3), st.tuples(st.integers(0, 3), st.text(max_size=1)), st.booleans())
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@st.composite
def graphs(draw: st.DrawFn) -> nx.Graph:
    """Any kind of graph, up to six nodes, with a scalar, a vector and a categorical attribute on nodes and edges."""

    def attributes() -> dict:
        return {
            "charge": draw(NUMBERS),
            "position": [draw(NUMBERS), draw(NUMBERS)],
            "element": draw(st.sampled_from(["C", "N", "O"])),
        }

    graph = draw(st.sampled_from(KINDS))()
    names = draw(st.lists(NAMES, max_size=6, unique=True))
    for name in names:
        graph.add_node(name, **attributes())
    pairs = [(a, b) for a in names for b in names if a != b]
    for a, b in draw(st.lists(st.sampled_from(pairs), max_size=8)) if pairs else []:
        if graph.is_multigraph():
            graph.add_edge(a, b, key=draw(st.one_of(st.integers(), st.text(max_size=2))), **attributes())
        else:
            graph.add_edge(a, b, **attributes())
    return graph


CATEGORIES = {"element": ["O", "C", "N"]}


def convert(graph: nx.Graph) -> Data:
    attrs = {"charge": 1, "position": 2, "element": 3}
    return from_networkx(graph, attrs, attrs, node_categories=CATEGORIES, edge_categories=CATEGORIES)


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_round_trip(graph: nx.Graph) -> None:
    data = convert(graph)
    assert data.validate()
    assert data.x.shape == (len(graph), 6)
    assert data.edge_attr.shape == (data.num_edges, 6)
    back = to_networkx(data)
    assert type(back) is type(graph)
    assert list(back.nodes(data=True)) == list(graph.nodes(data=True))
    assert nx.utils.graphs_equal(back, graph)


@settings(max_examples=50, deadline=None)
@given(graphs())
def test_directions_and_order(graph: nx.Graph) -> None:
    data = convert(graph)
    columns = [(data.node_names[a], data.node_names[b]) for a, b in data.edge_index.t().tolist()]
    edges = [edge[:2] for edge in graph.edges]
    if graph.is_directed():
        assert columns == edges
    else:
        assert columns[0::2] == edges
        assert columns[1::2] == [(b, a) for a, b in edges]
        assert torch.equal(data.edge_attr[0::2], data.edge_attr[1::2])


def test_columns_are_in_the_order_asked_for() -> None:
    graph = nx.Graph()
    graph.add_node("a", mass=12, site=np.array([1.0, 2.0]), aromatic=True, spin=torch.tensor(0.5))
    graph.add_node("b", mass=np.float64(14), site=(3, 4), aromatic=False, spin=torch.tensor(1.5))
    assert from_networkx(graph, ["site", "mass"]).x.tolist() == [[1, 2, 12], [3, 4, 14]]
    assert from_networkx(graph).x.tolist() == [[12, 1, 2, 1, 0.5], [14, 3, 4, 0, 1.5]]
    assert "x" not in from_networkx(graph, [])
    assert from_networkx(graph, ["mass"], dtype=torch.int64).x.dtype == torch.int64


def test_large_integers_stay_exact() -> None:
    graph = nx.Graph()
    graph.add_node(0, atom=2**60 + 1, half=1.0)
    assert from_networkx(graph, ["atom", "half"], dtype=torch.int64).x.tolist() == [[2**60 + 1, 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_zero_and_one(kind: type[nx.Graph]) -> None:
    empty = from_networkx(kind())
    assert (empty.num_nodes, empty.edge_index.shape, empty.edge_index.dtype) == (0, (2, 0), torch.int64)
    single = kind()
    single.add_node("only", w=1.0)
    data = from_networkx(single, ["w"], {"bond": 3})
    assert data.x.tolist() == [[1.0]]
    assert data.edge_attr.shape == (0, 3)
    assert list(to_networkx(data).nodes(data=True)) == [("only", {"w": 1.0})]


def test_batches_with_the_stock_collate() -> None:
    batch = Batch.from_data_list([from_networkx(nx.path_graph(3)), from_networkx(nx.cycle_graph(4))])
    assert batch.num_nodes == 7
    assert batch.node_names == [[0, 1, 2], [0, 1, 2, 3]]
    assert nx.utils.graphs_equal(to_networkx(batch.get_example(1)), nx.cycle_graph(4))
    with pytest.raises(GraphError, match="get_example"):
        to_networkx(batch)


def test_layout_is_neither_node_nor_edge_attribute() -> None:
    graph = nx.path_graph(2)
    nx.set_node_attributes(graph, {0: [1.0, 2.0], 1: [3.0, 4.0]}, "x")
    part = from_networkx(graph).subgraph(torch.tensor([1]))
    assert part.node_names == [1]
    assert list(to_networkx(part).nodes(data=True)) == [(1, {"x": [3.0, 4.0]})]


def test_saves_without_pickled_classes(tmp_path) -> None:
    torch.save(from_networkx(nx.path_graph(3)).layout, tmp_path / "layout.pt")
    assert torch.load(tmp_path / "layout.pt", weights_only=True).directed is False


class TestErrors:
    """Each names the node or edge and the value, and says what to do."""

    def graph(self, **attributes: object) -> nx.DiGraph:
        graph = nx.DiGraph()
        graph.add_node("fine", w=1.0, v=[1.0, 2.0], s="C")
        graph.add_node("broken", **attributes)
        graph.add_edge("fine", "broken", u=1.0)
        return graph

    @pytest.mark.parametrize(
        ("attributes", "name", "message"),
        [
            ({}, "w", "node 'broken' has no attribute 'w'"),
            ({"w": None}, "w", "node 'broken' has no attribute 'w'"),
            ({"w": math.nan}, "w", "node 'broken' has 'w' = nan, which must be finite"),
            ({"w": -math.inf}, "w", "node 'broken' has 'w' = -inf"),
            ({"w": 1e39}, "w", "at most 3.4e\\+38"),
            ({"w": [1.0]}, "w", "a single number in 'w', where a vector of 1 numbers"),
            ({"v": [1.0]}, "v", "node 'broken' has a vector of 1 numbers in 'v', where a vector of 2"),
            ({"v": [1.0, math.nan]}, "v", "node 'broken' has 'v' = nan"),
            ({"v": [[1.0], [1.0, 2.0]]}, "v", "neither a number nor a vector"),
            ({"v": [[1.0, 2.0]]}, "v", "neither a number nor a vector"),
            ({"s": "N"}, "s", "node 'fine' has 's' = 'C'.*node_categories={'s': \\['C', 'N'\\]}"),
            ({"w": 1j}, "w", "neither a number"),
        ],
    )
    def test_values(self, attributes: dict, name: str, message: str) -> None:
        with pytest.raises(FeatureError, match=message):
            from_networkx(self.graph(**attributes), [name])

    def test_missing_on_an_edge(self) -> None:
        graph = self.graph(w=1.0)
        graph.add_edge("broken", "fine")
        with pytest.raises(
            FeatureError, match=r"edge \('broken', 'fine'\) has no attribute 'u'.*edge_attrs=\[\.\.\.\]"
        ):
            from_networkx(graph, [])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"node_attrs": "w"}, r"write \['w'\]"),
            ({"node_attrs": ["w"], "node_categories": {"s": ["C"]}}, "lists 's', which is not among node_attrs"),
            ({"node_attrs": ["s"], "node_categories": {"s": ["N"]}}, "'fine' has 's' = 'C', which is not among"),
            ({"node_attrs": ["v"], "node_categories": {"v": ["N"]}}, "'fine' has 'v' = .*not among the categories"),
            ({"node_attrs": ["s"], "node_categories": {"s": ["C", "C"]}}, "twice"),
            ({"node_attrs": ["v"], "dtype": torch.int64}, "0.5, which must be an integer"),
            ({"node_attrs": {"w": 2}}, "a single number in 'w', where a vector of 2"),
        ],
    )
    def test_arguments(self, arguments: dict, message: str) -> None:
        with pytest.raises(FeatureError, match=message):
            from_networkx(self.graph(w=2.0, v=[0.5, 0.5], s="C"), **arguments)

    @pytest.mark.parametrize("kind", KINDS)
    def test_self_loop(self, kind: type[nx.Graph]) -> None:
        with pytest.raises(SelfLoopError, match="self-loop at node 'here'"):
            from_networkx(kind([("a", "here"), ("here", "here")]))

    def test_wrong_types(self) -> None:
        with pytest.raises(GraphError, match="networkx graph, got dict"):
            from_networkx({"a": ["b"]})
        with pytest.raises(GraphError, match="Data or a LineDAG, got list"):
            to_networkx([])

    def test_names(self) -> None:
        data = from_networkx(nx.path_graph(3))
        with pytest.raises(GraphError, match=r"2 entries.*3 nodes"):
            to_networkx(data, ["a", "b"])
        with pytest.raises(GraphError, match="named 'b'"):
            to_networkx(data, ["a", "b", "b"])
        assert list(to_networkx(data, "abc").edges) == [("a", "b"), ("b", "c")]

    def test_features_changed_since(self) -> None:
        graph = nx.Graph()
        graph.add_node("a", s="C")
        data = from_networkx(graph, node_categories={"s": ["C", "N"]})
        with pytest.raises(FeatureError, match="not one-hot in 's': the column of 'N' holds 1"):
            to_networkx(data.clone().update({"x": torch.ones(1, 2)}))
        with pytest.raises(FeatureError, match=r"shape \[1, 3\] but 2 columns"):
            to_networkx(data.clone().update({"x": torch.ones(1, 3)}))

    def test_reverse_edge_lost(self) -> None:
        data = from_networkx(nx.path_graph(3))
        data.edge_index = data.edge_index[:, :-1]
        with pytest.raises(GraphError, match="no reverse"):
            to_networkx(data)


class TestForeignData:
    """Data that did not come from networkx."""

    def test_undirected_in_any_order(self) -> None:
        edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        back = to_networkx(Data(x=torch.eye(3), edge_index=edge_index, edge_attr=torch.tensor([5.0, 5.0, 6.0, 6.0])))
        assert type(back) is nx.Graph
        assert list(back.edges(data=True)) == [(0, 1, {"edge_attr": 5.0}), (1, 2, {"edge_attr": 6.0})]
        assert back.nodes[1] == {"x": [0.0, 1.0, 0.0]}

    def test_directed_and_parallel(self) -> None:
        assert type(to_networkx(Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=4))) is nx.DiGraph
        back = to_networkx(Data(edge_index=torch.tensor([[0, 0, 1], [1, 1, 2]]), num_nodes=3))
        assert type(back) is nx.MultiDiGraph
        assert sorted(back.edges) == [(0, 1, 0), (0, 1, 1), (1, 2, 0)]
        both = to_networkx(Data(edge_index=torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0]]), num_nodes=2))
        assert type(both) is nx.MultiGraph
        assert both.number_of_edges() == 2


class TestLineDAG:
    """The DAG and its line graph as networkx graphs, checked against networkx's own line graph."""

    def test_dag(self) -> None:
        graph = nx.DiGraph([("b", "a"), ("c", "b"), ("c", "a")])
        data = from_networkx(graph)
        dag = LineDAG.from_edge_index(data.edge_index, data.num_nodes)
        back = to_networkx(dag, data.node_names)
        assert set(back.edges) == set(graph.edges)
        assert [row["level"] for *_, row in sorted(back.edges(data=True), key=lambda e: e[2]["position"])] == [0, 0, 1]
        ids = {(a, b): row["edge_id"] for a, b, row in back.edges(data=True)}
        assert [edge for edge, _ in sorted(ids.items(), key=lambda item: item[1])] == list(graph.edges)

    def test_parallel_edges(self) -> None:
        dag = LineDAG.from_edge_index(torch.tensor([[0, 0], [1, 1]]), 2)
        assert to_networkx(dag).number_of_edges() == 2

    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 8), st.floats(0, 1), st.integers(0, 100))
    def test_line_graph(self, nodes: int, probability: float, seed: int) -> None:
        graph = nx.DiGraph((f"n{a}", f"n{b}") for a, b in nx.gnp_random_graph(nodes, probability, seed).edges)
        data = from_networkx(graph)
        dag = LineDAG.from_edge_index(data.edge_index, data.num_nodes)
        line = line_graph_to_networkx(dag, data.node_names)
        ends = {e: (row["tail"], row["head"]) for e, row in line.nodes(data=True)}
        assert {(ends[a], ends[b]) for a, b in line.edges} == set(nx.line_graph(graph).edges)
        for e, row in line.nodes(data=True):
            before = [line.nodes[p]["level"] for p in line.predecessors(e)]
            assert row["level"] == max(before, default=-1) + 1
        kept = nx.DiGraph((a, b) for a, b, keep in line.edges(data="multitree") if keep)
        for source in kept:
            reached = list(nx.all_simple_paths(kept, source, set(kept) - {source}))
            assert len({path[-1] for path in reached}) == len(reached)
