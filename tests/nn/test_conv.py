"""PLSTMConv: contract, gates, and how it lives with the rest of PyTorch and PyG."""

from __future__ import annotations

import copy

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import MessagePassing, Sequential

from plstm_graph import LineDAG, PLSTMConv, ToLineDAG
from plstm_graph.errors import ConfigError, FeatureError
from plstm_graph.ops import plstm
from tests.strategies import random_batch, random_dag_edges

DAG = random_batch([1, 8, 5, 11], 0.4, seed=3)
MODES = ("P", "D")
DIRECTIONS = ("forward", "backward", "both")


def inputs(channels=6, edge_dim=None, dag=DAG):
    x = torch.randn(dag.num_nodes, channels)
    return (x, dag) if edge_dim is None else (x, dag, torch.randn(dag.num_columns, edge_dim))


def bold(layer: PLSTMConv, std: float = 1.0) -> PLSTMConv:
    """Give the gates large weights, so that tests see them act."""
    with torch.no_grad():
        for maps in layer.gate_maps:
            maps.node.weight.normal_(std=std)
            maps.node.bias.normal_(std=std)
            if maps.edge is not None:
                maps.edge.weight.normal_(std=std)
    return layer


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("edge_dim", [None, 3])
def test_shapes_and_gradients(mode, direction, edge_dim):
    layer = PLSTMConv(6, 8, heads=2, mode=mode, direction=direction, edge_dim=edge_dim, key_dim=5)
    assert isinstance(layer, MessagePassing)
    out = layer(*inputs(edge_dim=edge_dim))
    assert out.shape == (DAG.num_nodes, 8)
    out.square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("engine", ["reference", "wavefront", "parallel"])
def test_all_engines_give_the_same_layer(mode, direction, engine):
    layer = bold(PLSTMConv(6, 8, mode=mode, direction=direction, edge_dim=3)).double()
    x, dag, edge = inputs(edge_dim=3)
    expected = layer(x.double(), dag, edge.double())
    layer.engine = engine
    torch.testing.assert_close(layer(x.double(), dag, edge.double()), expected)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("norm", ["l1", "linf"])
def test_p_mode_bounds(norm, reverse):
    layer = bold(PLSTMConv(6, 8, heads=2, norm=norm, direction="backward" if reverse else "forward"), 3)
    transition = layer.gates(*inputs()).transition.abs()
    before, after = DAG.line_index.flip(0) if reverse else DAG.line_index
    total = torch.zeros(DAG.num_edges, 2).index_add(0, before if norm == "l1" else after, transition)
    assert total.max() <= 1 + 1e-6
    assert total.max() > 0.999  # the bound is reached, so it is not met by shrinking everything


def test_d_mode_bounds():
    layer = bold(PLSTMConv(6, 8, heads=2, mode="D"), 3)
    transition = layer.gates(*inputs()).transition
    assert (transition.abs() <= 1).all()
    assert (transition[~DAG.multitree] == 0).all()
    assert (transition[DAG.multitree] != 0).all()


def test_gate_values_at_the_start_are_those_of_the_paper():
    layer = PLSTMConv(6, 8, mode="D")
    gates = layer.gates(torch.zeros(DAG.num_nodes, 6), DAG)
    for gate, bias in ((gates.source, -4.0), (gates.mark, -4.0), (gates.direct, -6.0)):
        torch.testing.assert_close(gate, torch.full_like(gate, bias).sigmoid())
    kept = gates.transition[DAG.multitree]
    torch.testing.assert_close(kept, torch.full_like(kept, 5.0).tanh())


def test_gate_values_at_the_start_are_arguments():
    layer = PLSTMConv(
        6, 8, mode="D", source_bias=1, mark_bias=2, direct_bias=3, transition_bias=0.5, transition_scale=2, gate_std=0
    )
    gates = layer.gates(torch.randn(DAG.num_nodes, 6), DAG)
    for gate, bias in ((gates.source, 1.0), (gates.mark, 2.0), (gates.direct, 3.0)):
        torch.testing.assert_close(gate, torch.full_like(gate, bias).sigmoid())
    torch.testing.assert_close(gates.transition[DAG.multitree][0, 0], torch.tensor(1.0).tanh())


@pytest.mark.parametrize("reset", [False, True])
def test_keys_at_the_start_are_random_or_those_of_queries(reset):
    x = torch.randn(50, 6)
    alike = {}
    for key_init in ("random", "query"):
        layer = PLSTMConv(6, 8, heads=2, key_dim=3, key_init=key_init)
        if reset:
            layer.reset_parameters()
        query, key, value = layer.project(x).split(layer.widths, dim=-1)
        assert value.shape == (50, 8)
        alike[key_init] = (query * key).unflatten(-1, (2, 3)).sum(-1)
    torch.testing.assert_close(alike["query"], (query * query).unflatten(-1, (2, 3)).sum(-1))
    assert (alike["random"] < 0).any()


def test_transitions_hear_both_edges_and_the_node_between():
    layer = bold(PLSTMConv(2, 4, heads=1, mode="D", edge_dim=2, transition_scale=1), 0.3)
    dag = LineDAG.from_edge_index(torch.tensor([[0, 1], [1, 2]]), 3)
    for tensor, row in (("x", 1), ("edge", 0), ("edge", 1)):
        x, edge = torch.randn(3, 2), torch.randn(2, 2)
        before = layer.gates(x, dag, edge).transition
        (x if tensor == "x" else edge)[row] += 1
        assert not torch.allclose(before, layer.gates(x, dag, edge).transition), (tensor, row)
    x, edge = torch.randn(3, 2), torch.randn(2, 2)
    before = layer.gates(x, dag, edge).transition
    x[[0, 2]] += 1
    torch.testing.assert_close(before, layer.gates(x, dag, edge).transition)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_renumbering_nodes_permutes_the_output(direction):
    generator = torch.Generator().manual_seed(0)
    edges = random_dag_edges(9, 0.4, generator)
    new = torch.randperm(9)
    layer = bold(PLSTMConv(3, 4, heads=2, direction=direction, edge_dim=2)).double()
    x, edge = torch.randn(9, 3).double(), torch.randn(edges.size(1), 2).double()
    moved = torch.empty_like(x)
    moved[new] = x
    out = layer(x, LineDAG.from_edge_index(edges, 9), edge)
    torch.testing.assert_close(layer(moved, LineDAG.from_edge_index(new[edges], 9), edge)[new], out)


def test_direction_of_the_dag_decides_who_hears_whom():
    dag = LineDAG.from_edge_index(torch.tensor([[0, 1], [1, 2]]), 3)
    x = torch.randn(3, 4, requires_grad=True)
    for direction, hears in (("forward", [1, 1, 1]), ("backward", [0, 0, 1])):
        layer = bold(PLSTMConv(4, 4, heads=1, direction=direction))
        (grad,) = torch.autograd.grad(layer(x, dag)[2].square().sum(), x)
        assert [int(g.abs().sum() > 0) for g in grad] == hears


def test_edge_features_follow_the_original_columns():
    edges = torch.tensor([[1, 0, 2, 1], [0, 1, 1, 2]])
    order = torch.tensor([0, 1, 2])
    dag = LineDAG.from_edge_index(edges, 3, order)
    layer = bold(PLSTMConv(2, 4, heads=1, edge_dim=1))
    x, edge = torch.randn(3, 2), torch.randn(4, 1)
    out = layer(x, dag, edge)
    edge[[0, 2]] += 1  # columns against the DAG, whose features are not used
    torch.testing.assert_close(layer(x, dag, edge), out)
    columns = torch.tensor([3, 1, 0, 2])
    other = LineDAG.from_edge_index(edges[:, columns], 3, order)
    torch.testing.assert_close(layer(x, other, edge[columns]), out)


def test_inside_a_pyg_sequential():
    model = Sequential(
        "x, dag, edge_attr",
        [
            (PLSTMConv(6, 8, edge_dim=3), "x, dag, edge_attr -> x"),
            torch.nn.ReLU(),
            (PLSTMConv(8, 4, mode="D", edge_dim=3), "x, dag, edge_attr -> x"),
        ],
    )
    assert model(*inputs(edge_dim=3)).shape == (DAG.num_nodes, 4)


@pytest.mark.parametrize("workers", [0, 2])
def test_with_the_stock_loader(workers):
    edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    graphs = [ToLineDAG()(Data(x=torch.randn(3, 6), edge_index=edges)) for _ in range(4)]
    plain = Data(x=graphs[0].x, edge_index=edges)
    plain.dag = graphs[0].dag
    layer = PLSTMConv(6, 4)
    single = torch.cat([layer(graph.x, graph.dag) for graph in graphs])
    batch = next(iter(DataLoader(graphs, batch_size=4, num_workers=workers)))
    torch.testing.assert_close(layer(batch.x, batch.dag), single)
    batch = next(iter(DataLoader([plain, plain], batch_size=2, num_workers=workers)))  # PyG hands over a list here
    torch.testing.assert_close(layer(batch.x, batch.dag), torch.cat([layer(plain.x, plain.dag)] * 2))


def test_under_autocast():
    layer = PLSTMConv(6, 8, direction="both", edge_dim=3)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(*inputs(edge_dim=3))
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert layer.project.weight.grad.dtype == torch.float32


def test_deepcopy_and_state_dict():
    layer = bold(PLSTMConv(6, 8, edge_dim=3))
    data = inputs(edge_dim=3)
    expected = layer(*data)
    torch.testing.assert_close(copy.deepcopy(layer)(*data), expected)
    other = PLSTMConv(6, 8, edge_dim=3)
    assert not torch.allclose(other(*data), expected)
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(other(*data), expected)
    other.reset_parameters()
    assert not torch.allclose(other(*data), expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "p"}, "mode='p' does not exist"),
        ({"direction": "foward"}, "did you mean 'forward'"),
        ({"norm": "l2"}, "norm='l2' does not exist"),
        ({"engine": "fast"}, "engine='fast' does not exist"),
        ({"key_init": "zero"}, "key_init='zero' does not exist"),
        ({"heads": 3}, "out_channels=8 is not a multiple of heads=3"),
        ({"heads": 0}, "heads must be at least 1"),
    ],
)
def test_wrong_options(options, words):
    with pytest.raises(ConfigError, match=words):
        PLSTMConv(6, 8, **options)


@pytest.mark.parametrize(
    ("edge_dim", "change", "words"),
    [
        (None, lambda x, dag: (x[:-1], dag), "x must have shape"),
        (None, lambda x, dag: (x[:, :-1], dag), "x must have shape"),
        (None, lambda x, dag: (x, dag.edge_index), "dag must be a LineDAG, got Tensor"),
        (None, lambda x, dag: (x, dag, torch.zeros(dag.num_columns, 2)), "edge_attr is given"),
        (3, lambda x, dag: (x, dag), "edge_attr is missing"),
        (3, lambda x, dag: (x, dag, torch.zeros(dag.num_columns, 2)), "edge_attr must have shape"),
    ],
)
def test_wrong_inputs(edge_dim, change, words):
    with pytest.raises(FeatureError, match=words):
        PLSTMConv(6, 8, edge_dim=edge_dim)(*change(*inputs()))


def test_gates_of_a_direction_that_the_layer_does_not_have():
    with pytest.raises(ConfigError, match="reverse=True is not a direction"):
        PLSTMConv(6, 8).gates(*inputs(), reverse=True)


@pytest.mark.parametrize(
    ("engine", "state_size"),
    [
        *((engine, None) for engine in ("reference", "wavefront", "parallel", "fused", "chunkwise")),
        *((engine, 2) for engine in ("reference", "wavefront", "parallel")),  # those that serve matrices
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_diffusion_on_the_pruned_dag_is_the_masked_one(engine, reverse, state_size):
    """What D-mode leaves out before the gates is what the operator would have masked."""
    dag = random_batch([9, 1, 7], 0.6)
    assert not dag.multitree.all()
    layer = PLSTMConv(
        6, 8, heads=2, mode="D", direction="backward" if reverse else "forward", edge_dim=3, engine=engine,
        state_size=state_size, gate_std=0.5, head_norm="none",
    ).double()  # fmt: skip
    x, edge = torch.randn(dag.num_nodes, 6).double(), torch.randn(dag.num_columns, 3).double()
    query, key, value = (part.unflatten(-1, (2, -1)) for part in layer.project(x).split(layer.widths, dim=-1))
    query = query / layer.key_dim**0.5
    gates = layer.gate_maps[0](x, dag, edge[dag.edge_id], reverse)
    heard = plstm(
        query, key, value, gates.source, gates.transition, gates.mark, dag,
        line_mask=dag.multitree, reverse=reverse, direct=gates.direct, engine="reference",
    )  # fmt: skip
    expected, found = layer.mix[0](heard.flatten(1)), layer(x, dag, edge)
    torch.testing.assert_close(found, expected)
    weight = torch.randn_like(found)
    parameters = list(layer.parameters())
    torch.testing.assert_close(
        *(torch.autograd.grad((out * weight).sum(), parameters, retain_graph=True) for out in (found, expected))
    )
