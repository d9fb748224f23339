"""Orientations, and the transform that applies them."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from torch_geometric import transforms
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset
from torch_geometric.loader import RandomNodeLoader

from plstm_graph import ToLineDAG
from plstm_graph.errors import ConfigError, CycleError, FeatureError, GraphError
from plstm_graph.graph.orientation import node_order


def colored_graph(seed: int, num_nodes: int = 9) -> Data:
    """A random undirected graph with two node colours and three edge colours."""
    generator = torch.Generator().manual_seed(seed)
    edges = (torch.rand(num_nodes, num_nodes, generator=generator) < 0.3).triu(1).nonzero().T
    color = torch.randint(0, 3, (edges.size(1), 1), generator=generator)
    x = torch.randint(0, 2, (num_nodes, 1), generator=generator)
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], dim=1), edge_attr=torch.cat([color, color]))


def renumbered(data: Data, new: torch.Tensor) -> Data:
    """Node ``n`` becomes ``new[n]``; the columns are shuffled too."""
    columns = torch.randperm(data.edge_index.size(1))
    x = torch.empty_like(data.x)
    x[new] = data.x
    return Data(x=x, edge_index=new[data.edge_index][:, columns], edge_attr=data.edge_attr[columns])


def signature(data: Data) -> list:
    """The coloured DAG and its multitree, written in canonical positions: equal for equal orientations."""
    dag = data.dag
    rank = node_order("canonical", data).argsort().argsort()
    edges = [(*rank[dag.edge_index[:, e]].tolist(), int(data.edge_attr[dag.edge_id[e]])) for e in range(dag.num_edges)]
    kept = sorted((edges[a], edges[b]) for a, b in dag.line_index[:, dag.multitree].T.tolist())
    colors = data.x[rank.argsort(), 0].tolist()
    return [sorted(edges), kept, colors]


@pytest.mark.parametrize("order", ["canonical", "center"])
@pytest.mark.parametrize("seed", range(25))
def test_invariant_under_renumbering(order, seed):
    data = colored_graph(seed)
    other = renumbered(data, torch.randperm(data.num_nodes))
    assert signature(ToLineDAG(order)(data)) == signature(ToLineDAG(order)(other))


def test_canonical_rank_of_the_data_is_used():
    data = Data(
        edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), num_nodes=3, canonical_rank=torch.tensor([1, 2, 0])
    )
    assert sorted(map(tuple, ToLineDAG("canonical")(data).dag.edge_index.T.tolist())) == [(1, 0), (2, 1)]


def test_center_of_a_path():
    nodes = torch.arange(7)
    edges = torch.stack([nodes[:-1], nodes[1:]])
    dag = ToLineDAG("center")(Data(edge_index=torch.cat([edges, edges.flip(0)], 1), num_nodes=7)).dag
    assert sorted(map(tuple, dag.edge_index.T.tolist())) == [(1, 0), (2, 1), (3, 2), (3, 4), (4, 5), (5, 6)]


def test_index_is_the_numbering():
    dag = ToLineDAG("index")(colored_graph(1)).dag
    assert (dag.edge_index[0] < dag.edge_index[1]).all()


@pytest.mark.parametrize("order", ["random", "random-root"])
def test_random_is_new_each_time_and_follows_the_seed(order):
    data = colored_graph(2)

    def draw(seed=None):
        if seed is not None:
            torch.manual_seed(seed)
        return ToLineDAG(order)(data).dag.edge_index.tolist()

    assert draw(1) == draw(1)
    assert len({str(draw()) for _ in range(5)}) > 1


def test_random_root_leads_outwards_from_one_node_of_every_component():
    """Edges go from a node to one as far from the root or one step farther, as networkx measures it."""
    ring, tail = nx.cycle_graph(6), nx.path_graph(4)
    graph = nx.disjoint_union(nx.compose(ring, nx.relabel_nodes(tail, {0: 0, 1: 6, 2: 7, 3: 8})), nx.path_graph(3))
    edges = torch.tensor(list(graph.edges)).T
    data = Data(edge_index=torch.cat([edges, edges.flip(0)], dim=1), num_nodes=graph.number_of_nodes())
    seen = set()
    for seed in range(60):
        torch.manual_seed(seed)
        tails, heads = ToLineDAG("random-root")(data).dag.edge_index.tolist()
        roots = sorted(set(tails) - set(heads))
        assert len(roots) == 2
        for root in roots:
            distance = nx.single_source_shortest_path_length(graph, root)
            steps = [distance[h] - distance[t] for t, h in zip(tails, heads, strict=True) if t in distance]
            assert set(steps) <= {0, 1}
        seen.update(roots)
    assert seen == set(graph)


def test_callable_and_attribute():
    data = colored_graph(3)
    data.height = torch.arange(data.num_nodes).flip(0)
    by_name = ToLineDAG("height")(data).dag
    by_call = ToLineDAG(lambda d: d.height)(data).dag
    assert torch.equal(by_name.edge_index, by_call.edge_index)
    assert (by_name.edge_index[0] > by_name.edge_index[1]).all()


@pytest.mark.parametrize("order", ["canonical", "center", "index", "random", "random-root", "directed"])
def test_directed_input_keeps_its_directions(order):
    edges = torch.tensor([[2, 1, 2], [1, 0, 3]])
    dag = ToLineDAG(order)(Data(edge_index=edges, num_nodes=4)).dag
    assert sorted(map(tuple, dag.edge_index.T.tolist())) == [(1, 0), (2, 1), (2, 3)]


def test_directed_takes_both_directions_as_a_cycle():
    with pytest.raises(CycleError):
        ToLineDAG("directed")(colored_graph(1))


@pytest.mark.parametrize("order", ["canonical", "center", "index"])
def test_a_batch_at_once_equals_its_graphs(order):
    graphs = [colored_graph(seed, num_nodes=n) for seed, n in ((1, 5), (2, 9), (3, 1), (4, 7))]
    whole = ToLineDAG(order)(Batch.from_data_list(graphs)).dag
    joined = Batch.from_data_list([ToLineDAG(order)(g) for g in graphs]).dag
    assert torch.equal(whole.edge_index, joined.edge_index)
    assert torch.equal(whole.edge_id, joined.edge_id)
    assert torch.equal(whole.line_index, joined.line_index)


def test_input_is_left_as_it_was():
    data = colored_graph(1)
    ToLineDAG()(data)
    assert "dag" not in data
    assert type(data) is Data


class OwnData(Data):
    """A user's subclass of Data."""


def test_subclasses_of_data_keep_their_class():
    data = ToLineDAG()(OwnData(**colored_graph(1).to_dict()))
    assert isinstance(data, OwnData)
    assert Batch.from_data_list([data, data]).dag.num_graphs == 2


@pytest.mark.parametrize("name", ["x", "edge_attr"])
def test_missing_numbers_are_named(name):
    data = colored_graph(1)
    data[name] = data[name].float()
    data[name][3] = float("nan")
    with pytest.raises(FeatureError, match=rf"{name}\[3\].* holds NaN"):
        ToLineDAG()(data)
    batch = Batch.from_data_list([colored_graph(5), colored_graph(6)])
    batch.x = batch.x.float()
    batch.x[12] = float("nan")
    with pytest.raises(FeatureError, match="node 12 of graph 1"):
        ToLineDAG()(batch)


def test_wrong_number_of_rows():
    data = colored_graph(1)
    data.edge_attr = data.edge_attr[1:]
    with pytest.raises(FeatureError, match="edge_attr has"):
        ToLineDAG()(data)


def test_unknown_order_suggests_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'center'"):
        ToLineDAG("centre")(colored_graph(1))


def test_callable_of_wrong_length():
    with pytest.raises(GraphError, match="one rank per node"):
        ToLineDAG(lambda data: torch.arange(3))(colored_graph(1))


def test_something_else_than_data():
    with pytest.raises(GraphError, match="got HeteroData"):
        ToLineDAG().forward(HeteroData())


def test_a_data_set_of_pyg_keeps_line_dags_on_disk(tmp_path, recwarn):
    class Molecules(InMemoryDataset):
        processed_file_names = "graphs.pt"

        def process(self):
            self.save([self.pre_transform(colored_graph(seed)) for seed in range(3)], self.processed_paths[0])

    for _ in range(2):  # made, then read
        found = Molecules(str(tmp_path), pre_transform=ToLineDAG())
        found.load(found.processed_paths[0])
    assert not [w for w in recwarn if "Weights only" in str(w.message)], "PyG fell back to unsafe loading"
    assert torch.equal(found[2].dag.line_index, ToLineDAG()(colored_graph(2)).dag.line_index)


def path(**fields) -> Data:
    edges = torch.tensor([[0, 0, 1, 2, 3, 4], [1, 2, 3, 3, 4, 5]])
    return ToLineDAG()(Data(x=torch.randn(6, 4), edge_index=edges, edge_attr=torch.randn(6, 3), **fields))


def halved(data: Data) -> Data:
    data = data.clone()
    data.x = data.x[:3]
    return data


def turned(data: Data) -> Data:
    data.edge_index = data.edge_index.flip(1)
    return data


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.subgraph(torch.tensor([0, 1, 2, 3])),
        halved,
        turned,
        lambda data: next(iter(RandomNodeLoader(data, num_parts=2))),
        transforms.VirtualNode(),
        transforms.AddSelfLoops(),
        transforms.ToUndirected(),
    ],
    ids=["subgraph", "fewer nodes", "other edges", "random nodes", "virtual node", "self-loops", "undirected"],
)
def test_a_graph_changed_after_its_line_dag_was_made_is_refused(change):
    data = path()
    try:
        changed = change(data)
    except IndexError:  # of PyG's own: it takes tensors of the line DAG for features of edges
        return
    with pytest.raises(GraphError, match="changed after its line DAG was made: apply ToLineDAG"):
        _ = changed.dag


def test_a_changed_graph_may_be_transformed_again():
    data = path()
    assert data.dag.edge_index[:, 0].tolist() == [0, 1]
    data.edge_index = data.edge_index.flip(0)
    assert data.dag.num_edges == 6, "edges turned round are still the edges"
    assert ToLineDAG()(data).dag.edge_index[:, 0].tolist() == [5, 4]
