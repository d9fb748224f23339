"""Exact canonical labelling: orientations and model outputs of any coloured graph do not depend on its numbering."""

from __future__ import annotations

import builtins

import networkx as nx
import pytest
import torch
from torch_geometric.data import Batch, Data

from plstm_graph import PLSTM, ToLineDAG
from plstm_graph.errors import MissingDependencyError
from plstm_graph.graph import canonical_rank
from plstm_graph.testing import assert_orientation_invariant


def shrikhande() -> nx.Graph:
    """Strongly regular, with the same parameters as the 4 × 4 rook's graph, which refinement takes for the same."""
    steps = [(0, 1), (1, 0), (1, 1)]
    cells = [(i, j) for i in range(4) for j in range(4)]
    return nx.Graph([((i, j), ((i + a) % 4, (j + b) % 4)) for i, j in cells for a, b in steps])


def rook() -> nx.Graph:
    return nx.line_graph(nx.complete_bipartite_graph(4, 4))


GRAPHS = {
    "shrikhande and rook": lambda: nx.disjoint_union(shrikhande(), rook()),
    "petersen": nx.petersen_graph,
    "cube": lambda: nx.hypercube_graph(3),
    "paley 13": lambda: nx.circulant_graph(13, [1, 3, 4]),
    "cubic": lambda: nx.random_regular_graph(3, 14, seed=1),
    "cycles": lambda: nx.disjoint_union_all([nx.cycle_graph(5), nx.cycle_graph(5), nx.cycle_graph(10)]),
    "complete bipartite": lambda: nx.complete_bipartite_graph(3, 4),
    "tree": lambda: nx.balanced_tree(2, 3),
    "random": lambda: nx.gnp_random_graph(12, 0.3, seed=2),
    "no edges": lambda: nx.empty_graph(3),
}


def colored(graph: nx.Graph, node_colors: int, edge_colors: int, seed: int) -> Data:
    generator = torch.Generator().manual_seed(seed)
    graph = nx.convert_node_labels_to_integers(graph)
    pairs = torch.tensor(list(graph.edges), dtype=torch.int64).reshape(-1, 2).T
    color = torch.randint(edge_colors, (pairs.size(1), 1), generator=generator).double()
    x = torch.randint(node_colors, (len(graph), 1), generator=generator).double()
    return Data(x=x, edge_index=torch.cat([pairs, pairs.flip(0)], 1), edge_attr=torch.cat([color, color]))


def renumbered(data: Data) -> tuple[Data, torch.Tensor]:
    new = torch.randperm(data.num_nodes)
    columns = torch.randperm(data.edge_index.size(1))
    x = torch.empty_like(data.x).index_copy_(0, new, data.x)
    moved = Data(x=x, edge_index=new[data.edge_index][:, columns], edge_attr=data.edge_attr[columns])
    return moved, new


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(("node_colors", "edge_colors"), [(1, 1), (2, 1), (1, 2), (2, 3)])
def test_relabelled_graphs_give_the_same_outputs(name, node_colors, edge_colors):
    """10 graphs × 4 colourings × 5 relabelings = 200. Nodes that a symmetry exchanges may exchange their outputs."""
    model = PLSTM(1, 3, edge_dim=1, edge_encoder="linear", hidden_channels=8, num_layers=2, heads=2, level="node")
    with torch.no_grad():
        for block in model.blocks:  # gates that act, so that orientation and multitree show
            for maps in block.conv.gate_maps:
                maps.node.weight.normal_()
                maps.node.bias.normal_()
    model = model.double().eval()
    data = colored(GRAPHS[name](), node_colors, edge_colors, seed=len(name))
    transform = ToLineDAG("bliss")
    with torch.no_grad():
        plain = model(transform(data))
        for _ in range(5):
            moved, _ = renumbered(data)
            found = model(transform(moved))
            order = [tensor[:, 0].argsort() for tensor in (found, plain)]
            torch.testing.assert_close(found[order[0]], plain[order[1]], rtol=1e-9, atol=1e-9)


def test_refinement_alone_does_not_do():
    """What the exact labelling is for: the tests above would notice a labelling that depends on the numbering."""
    data = colored(GRAPHS["shrikhande and rook"](), 1, 1, 0)
    seen = {"canonical": set(), "bliss": set()}
    for _ in range(8):
        moved, _ = renumbered(data)
        for order, forms in seen.items():
            rank = canonical_rank(moved.edge_index, 32, exact=order == "bliss")
            assert sorted(rank.tolist()) == list(range(32))
            forms.add(str(sorted(rank[moved.edge_index].T.tolist())))
    assert len(seen["bliss"]) == 1
    assert len(seen["canonical"]) > 1


def test_colours_and_directions_decide():
    path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    one = canonical_rank(path, 3, torch.tensor([0, 0, 1]), exact=True)
    assert one.tolist() == canonical_rank(path, 3, torch.tensor([1, 0, 0]), exact=True).flip(0).tolist()
    bond = torch.tensor([0, 0, 1, 1])
    other = canonical_rank(path, 3, None, bond.flip(0), exact=True)
    assert canonical_rank(path, 3, None, bond, exact=True).tolist() == other.flip(0).tolist()
    arrow = torch.tensor([[0], [1]])
    assert (
        canonical_rank(arrow, 2, exact=True).tolist() == canonical_rank(arrow.flip(0), 2, exact=True).flip(0).tolist()
    )


def test_parallel_edges_count():
    """Two edges 0 - 1 and one 1 - 2: the ends are told apart."""
    edges = torch.tensor([[0, 1, 0, 1, 1, 2], [1, 0, 1, 0, 2, 1]])
    new = torch.tensor([2, 1, 0])
    assert canonical_rank(new[edges], 3, exact=True)[new].tolist() == canonical_rank(edges, 3, exact=True).tolist()


def test_a_batch_is_its_graphs():
    graphs = [colored(GRAPHS[name](), 2, 2, 0) for name in ("petersen", "no edges", "cube")]
    batch = Batch.from_data_list(graphs)
    whole = canonical_rank(batch.edge_index, batch.num_nodes, batch.x, batch.edge_attr, batch.batch, exact=True)
    singles = [canonical_rank(g.edge_index, g.num_nodes, g.x, g.edge_attr, exact=True) for g in graphs]
    assert torch.equal(whole, torch.cat(singles))
    assert sorted(singles[0].tolist()) == list(range(10))


def test_the_published_assertion_holds():
    data = colored(GRAPHS["random"](), 2, 2, 3)
    assert_orientation_invariant("bliss", Data(x=data.x, edge_index=data.edge_index))


def test_without_igraph_the_extra_is_named(monkeypatch):
    plain_import = builtins.__import__

    def without_igraph(name, *args, **kwargs):
        if name.partition(".")[0] == "igraph":
            raise ImportError("No module named 'igraph'")
        return plain_import(name, *args, **kwargs)

    monkeypatch.setattr("importlib.import_module", lambda name: without_igraph(name))
    with pytest.raises(MissingDependencyError, match=r"order='bliss'.*plstm-graph\[canonical\]"):
        ToLineDAG("bliss")(colored(GRAPHS["cube"](), 1, 1, 0))
