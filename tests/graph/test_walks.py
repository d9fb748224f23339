"""Return probabilities of random walks, beside PyG's and by hand."""

import networkx as nx
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import AddRandomWalkPE
from torch_geometric.utils import from_networkx

from plstm_graph import from_smiles
from plstm_graph.errors import ConfigError, GraphError
from plstm_graph.graph.walks import AddRandomWalks, return_probabilities

SMILES = ("C", "CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "C1CC2CCC1C2.[Na+].[Cl-]")


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 17])
def test_a_batch_agrees_with_pyg_graph_by_graph(steps):
    graphs = [from_smiles(s) for s in SMILES]
    graphs += [from_networkx(nx.gnp_random_graph(20, 0.2, seed=3)), from_networkx(nx.path_graph(30))]
    graphs = [Data(edge_index=g.edge_index, num_nodes=g.num_nodes) for g in graphs]
    found = AddRandomWalks(steps)(Batch.from_data_list(graphs)).rwse
    by_pyg = [AddRandomWalkPE(steps, attr_name="rwse")(g).rwse if g.num_edges else None for g in graphs]
    expected = torch.cat(
        [torch.zeros(g.num_nodes, steps) if e is None else e for g, e in zip(graphs, by_pyg, strict=True)]
    )
    assert found.shape == (sum(g.num_nodes for g in graphs), steps)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected.nan_to_num(), atol=1e-6, rtol=1e-5)


def test_by_hand_on_a_ring_and_on_a_path():
    ring = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])  # listed once, and as if it had directions
    torch.testing.assert_close(return_probabilities(ring, 4, 4)[0], torch.tensor([0, 0.5, 0, 0.5]))
    path = torch.tensor([[0, 1, 1, 1], [1, 2, 2, 1]])  # an edge twice, and a self-loop
    expected = torch.tensor([[0, 0.5, 0, 0.5], [0, 1, 0, 1], [0, 0.5, 0, 0.5]])
    torch.testing.assert_close(return_probabilities(path, 3, 4), expected)


def test_refusals_and_name():
    with pytest.raises(ConfigError, match="steps must be at least 1, got 0"):
        AddRandomWalks(0)
    with pytest.raises(GraphError, match="needs a torch_geometric Data with edge_index, got Data"):
        AddRandomWalks(2)(Data(x=torch.zeros(3, 1)))
    assert repr(AddRandomWalks(4)) == "AddRandomWalks(4)"
