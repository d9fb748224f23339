"""The whole model: levels, encoders, options, and life with PyG and PyTorch."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
import torch_geometric.typing
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import AddRandomWalkPE, Compose

from plstm_graph import PLSTM, LineDAG, PLSTMConv, ToLineDAG, from_smiles
from plstm_graph.errors import ConfigError, FeatureError
from plstm_graph.graph import AddRandomWalks

SMILES = ("CCO", "c1ccccc1O", "C", "[Na+].[Cl-]", "CC(=O)Oc1ccccc1C(=O)O")
SMALL = {"hidden_channels": 16, "num_layers": 4, "heads": 2}


def molecules(transform=ToLineDAG()) -> Batch:  # noqa: B008
    return Batch.from_data_list([transform(from_smiles(s)) for s in SMILES])


def molecule_model(out_channels: int = 2, **options) -> PLSTM:
    return PLSTM(None, out_channels, node_encoder="atom", edge_encoder="bond", **SMALL, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "P", "direction": "forward"},
        {"mode": "D", "direction": "backward"},
        {"direction": "alternate"},
        {"virtual_node": True, "depth_encoding": True, "degree_encoding": "none"},
        {"degree_encoding": "sinusoidal"},
        {"readout": "layers", "pooling": "sum", "block_norm": "batch", "local": True},
        {"pooling": "max", "block_norm": "rms", "mlp_ratio": 0, "key_dim": 3},
        {"readout": "layers", "pooling": "norm+max+mean"},
        {"dropout": 0.2, "drop_path": 0.3, "block_norm": "none", "norm": "linf"},
    ],
    ids=str,
)
def test_graph_level(options):
    model = molecule_model(**options)
    out = model(molecules())
    assert out.shape == (len(SMILES), 2)
    out.square().sum().backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert not unused


def test_node_and_edge_level():
    batch = molecules()
    assert molecule_model(level="node")(batch).shape == (batch.num_nodes, 2)
    model = molecule_model(level="edge")
    out = model(batch)
    assert out.shape == (batch.num_edges, 2)
    # bonds are listed both ways, and the two ways see their ends in turn
    assert not torch.allclose(out[0], out[1])


def test_layers_alternate_modes_and_all_four_pairings_with_directions():
    convs = [block.conv for block in molecule_model(direction="alternate").blocks]
    assert [c.mode for c in convs] == ["P", "D", "P", "D"]
    assert len({(c.mode, c.direction) for c in convs}) == 4


@pytest.mark.parametrize("encoder", ["linear", "embedding"])
def test_other_encoders(encoder):
    edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    x, edge = (
        (torch.randn(3, 4), torch.randn(4, 2))
        if encoder == "linear"
        else (torch.tensor([[0, 1], [2, 0], [1, 1]]), torch.tensor([[0], [1], [0], [1]]))
    )
    data = ToLineDAG("index")(Data(x=x, edge_index=edges, edge_attr=edge))
    sizes = (4, 2) if encoder == "linear" else ([3, 2], [2])
    model = PLSTM(sizes[0], 1, node_encoder=encoder, edge_encoder=encoder, edge_dim=sizes[1], **SMALL)
    assert model(data).shape == (1, 1)


def test_a_graph_alone_and_in_a_batch_give_the_same():
    model = molecule_model().double().eval()
    alone = torch.cat([model(ToLineDAG()(from_smiles(s))) for s in SMILES])
    torch.testing.assert_close(model(molecules()), alone)


def test_any_smiles_of_a_molecule_gives_the_same():
    from rdkit import Chem

    model = molecule_model().double().eval()
    for smiles in ("CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "F/C=C/Cl"):
        mol = Chem.MolFromSmiles(smiles)
        written = [Chem.MolToSmiles(mol, doRandom=True) for _ in range(5)]
        out = [model(ToLineDAG()(from_smiles(s, chirality="canonical"))) for s in (smiles, *written)]
        for other in out[1:]:
            torch.testing.assert_close(other, out[0])


@pytest.mark.parametrize("pooling", ["norm", "mean+norm"])
def test_norm_pooling_is_a_sum_over_the_typical_size(pooling):
    model, batch = molecule_model(pooling=pooling, dropout=0.0), molecules()
    x = torch.randn(batch.num_nodes, 5)
    found = model.pool(x, batch.batch, dim_size=len(SMILES))
    sums = torch.stack([x[batch.batch == g].sum(0) for g in range(len(SMILES))])
    torch.testing.assert_close(found[:, -5:], sums / 20)
    if pooling == "mean+norm":
        torch.testing.assert_close(found[:, :5], sums / batch.batch.bincount()[:, None])


class FromTensors(torch.nn.Module):
    """A model called with tensors and a line DAG, as torch.export wants it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, edge_attr, dag):
        return self.model(SimpleNamespace(x=x, edge_attr=edge_attr, dag=dag))


def test_exports():
    options = {"local": True, "readout": "layers", "pooling": "norm", "block_norm": "batch", "virtual_node": True}
    model, batch = molecule_model(**options).eval(), molecules()
    inputs = (batch.x, batch.edge_attr, batch.dag)
    program = torch.export.export(FromTensors(model), inputs)
    torch.testing.assert_close(program.module()(*inputs), model(batch))


def test_random_walk_encodings():
    batch = molecules(Compose([AddRandomWalkPE(4, attr_name="rwse"), ToLineDAG()]))
    assert molecule_model(rwse_dim=4)(batch).shape == (len(SMILES), 2)
    with pytest.raises(FeatureError, match="no attribute rwse"):
        molecule_model(rwse_dim=4)(molecules())


@pytest.mark.parametrize(("norm", "outlier"), [("none", False), ("batch", True)])
def test_a_ring_among_chains_is_an_outlier_of_normalised_random_walks_alone(norm: str, outlier: bool):
    """In chains no walk is back after three steps, so a norm over the batch divides by next to nothing."""
    transform = Compose([AddRandomWalks(4), ToLineDAG()])
    model = molecule_model(rwse_dim=4, rwse_norm=norm)
    chains = Batch.from_data_list([transform(from_smiles("C" * n)) for n in range(2, 12)])
    for _ in range(100):
        model(chains)  # where statistics are kept
    model.eval()
    sizes: list[float] = []
    model.rwse_encoder.register_forward_hook(lambda *call: sizes.append(float(call[-1].norm(dim=-1).max())))
    for graphs in (chains, transform(from_smiles("C1CC1"))):
        model(graphs)
    assert (sizes[1] > 3 * sizes[0]) == outlier


def test_trains_on_a_batch_of_a_single_atom_whatever_is_normalised_over_the_batch():
    methane = Batch.from_data_list([Compose([AddRandomWalks(4), ToLineDAG()])(from_smiles("C"))])
    model = molecule_model(rwse_dim=4, rwse_norm="batch", block_norm="batch", mlp_ratio=1.0)
    model(methane).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.skipif(not torch_geometric.typing.WITH_TORCH_SCATTER, reason="torch_scatter is not installed")
@pytest.mark.parametrize("pooling", ["max", "min"])
def test_torch_scatter_gives_the_numbers_of_the_native_way(pooling, monkeypatch):
    model, batch = molecule_model(pooling=pooling, dropout=0.0), molecules()
    assert model._segments(batch.dag) is not None
    found = model(batch)
    grads = torch.autograd.grad(found.square().sum(), list(model.parameters()))
    monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", False)
    assert model._segments(batch.dag) is None
    expected = model(batch)
    torch.testing.assert_close(found, expected)
    for grad, other in zip(grads, torch.autograd.grad(expected.square().sum(), list(model.parameters())), strict=True):
        torch.testing.assert_close(grad, other)


def test_learns_in_a_plain_loop_with_loader_workers():
    graphs = []
    for s in ("C" * n + t for n in range(1, 9) for t in ("O", "N")):
        data = ToLineDAG()(from_smiles(s))
        data.y = torch.tensor([[float(s.endswith("O"))]])
        graphs.append(data)
    model = molecule_model(1)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    loader = DataLoader(graphs, batch_size=8, shuffle=True, num_workers=2)
    for _ in range(12):
        for batch in loader:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(batch), batch.y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    batch = next(iter(DataLoader(graphs, batch_size=16)))
    assert ((model(batch) > 0).float() == batch.y).float().mean() > 0.9


def test_deepcopy_state_dict_autocast_embed():
    model, batch = molecule_model().eval(), molecules()
    expected = model(batch)
    torch.testing.assert_close(copy.deepcopy(model)(batch), expected)
    other = molecule_model().eval()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(batch), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert model(batch).isfinite().all()
    assert model.embed(batch).shape == (len(SMILES), 5 * 16)


@pytest.mark.parametrize("level", ["graph", "node"])
@pytest.mark.parametrize("engine", ["auto", "parallel"])
def test_trains_on_a_graph_on_which_it_has_predicted(level, engine):
    model, batch = molecule_model(level=level, engine=engine), molecules()
    with torch.inference_mode():
        model(batch)
    model(batch).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("mode", ["P", "D"])
def test_transitions_keep_their_bound_in_half_precision(mode):
    """A third in bfloat16, three times, is more than one."""
    layers = torch.arange(3 * 40).view(40, 3)
    edges = torch.stack([layers[:-1].repeat_interleave(3, dim=1).flatten(), layers[1:].repeat(1, 3).flatten()])
    dag = LineDAG.from_edge_index(edges, layers.numel())
    layer, x = PLSTMConv(8, 8, heads=2, mode=mode), torch.randn(dag.num_nodes, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = [layer.gates(x, dag).transition, layer.bfloat16().gates(x.bfloat16(), dag).transition]
        assert layer(x, dag).isfinite().all()
    for transition in found:
        total = torch.zeros(dag.num_edges, 2).index_add(0, dag.line_index[0], transition.abs())
        assert (total if mode == "P" else transition.abs()).max() <= 1 + 1e-6


def test_compiles():
    model, batch = molecule_model().eval(), molecules()
    torch.testing.assert_close(torch.compile(model, backend="aot_eager")(batch), model(batch))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "PD"}, "mode='PD' does not exist"),
        ({"direction": "boht"}, "did you mean 'both'"),
        ({"level": "bond"}, "level='bond' does not exist"),
        ({"block_norm": "bach"}, "did you mean 'batch'"),
        ({"drop_path": 1.5}, r"drop_path must be in \[0, 1\)"),
        ({"readout": "all"}, "readout='all' does not exist"),
    ],
)
def test_wrong_options(options, words):
    with pytest.raises(ConfigError, match=words):
        molecule_model(**options)


def test_wrong_number_of_layers_and_encoders():
    with pytest.raises(ConfigError, match="num_layers must be at least 1"):
        PLSTM(3, 1, num_layers=0)
    with pytest.raises(ConfigError, match="node_encoder='atoms' does not exist"):
        PLSTM(3, 1, node_encoder="atoms")
    with pytest.raises(ConfigError, match="needs the size of the edge features"):
        PLSTM(3, 1, edge_encoder="linear")


def test_missing_parts_of_the_data():
    with pytest.raises(FeatureError, match=r"apply plstm_graph\.ToLineDAG"):
        molecule_model()(Batch.from_data_list([from_smiles("CC")]))
    batch = molecules()
    batch.edge_attr = None
    with pytest.raises(FeatureError, match="no edge_attr"):
        molecule_model()(batch)
    batch = molecules()
    batch.x = batch.x[:, :3]
    with pytest.raises(FeatureError, match=r"shape \[rows, 9\]"):
        molecule_model()(batch)
    batch.x = None
    with pytest.raises(FeatureError, match="no x"):
        molecule_model()(batch)
    batch.x = torch.ones(batch.num_nodes, 4)
    with pytest.raises(FeatureError, match=r"shape \[rows, 3\], got torch.float32"):
        PLSTM(3, 1)(batch)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dropout": 2}, r"dropout must be in \[0, 1\), got 2"),
        ({"pooling": "foo"}, "pooling='foo' does not exist; choose from 'norm'"),
        ({"pooling": ["mean", "max"]}, "several joined by"),
        ({"hidden_channels": -8}, "hidden_channels must be at least 1, got -8"),
        ({"num_layers": 2.5}, "num_layers must be at least 1 and a whole number, got 2.5"),
        ({"heads": "4"}, "heads must be at least 1 and a whole number"),
        ({"drop_path": 1.5, "num_layers": 1}, r"drop_path must be in \[0, 1\), got 1.5"),
        ({"edge_dim": 3}, "edge_dim=3 needs edge_encoder='linear'"),
        ({"rwse_dim": -1}, "rwse_dim must be at least 1, got -1"),
    ],
    ids=str,
)
def test_numbers_out_of_range(options, words):
    with pytest.raises(ConfigError, match=words):
        PLSTM(3, 1, **options)


@pytest.mark.parametrize(("inputs", "outputs"), [(0, 1), (4, 0)])
def test_there_is_something_to_read_and_to_say(inputs, outputs):
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        PLSTM(inputs, outputs)


def test_weights_are_drawn_anew():
    model, batch = molecule_model().eval(), molecules()
    before = model(batch)
    torch.manual_seed(1)
    model.reset_parameters()
    after = model(batch)
    assert not torch.allclose(before, after)
    torch.manual_seed(1)
    model.reset_parameters()
    torch.testing.assert_close(model(batch), after)
    query, key, _ = model.blocks[0].conv.project.weight.split(model.blocks[0].conv.widths)
    assert torch.equal(query, key), "keys start as queries again"


def test_numbers_of_another_kind_are_named():
    dag = molecules().dag
    for x in (torch.ones(dag.num_nodes, 4, dtype=torch.int64), torch.ones(dag.num_nodes, 4, dtype=torch.float64)):
        with pytest.raises(FeatureError, match=f"x has dtype {x.dtype}, the weights of the layer torch.float32"):
            PLSTMConv(4, 8)(x, dag)
        batch = molecules()
        batch.x = x
        with pytest.raises(FeatureError, match=str(x.dtype)):
            PLSTM(4, 1)(batch)
