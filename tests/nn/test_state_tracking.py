"""Matrix-valued transitions of the layer: the bounds, what they can express, and how the layer lives with them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plstm_graph import LineDAG, PLSTMConv
from plstm_graph.errors import ConfigError, EngineError
from plstm_graph.explain.attribution import attribute_layers
from plstm_graph.nn.state_tracking import MatrixTransition, householder_product, skew_exponential
from plstm_graph.ops.wavefront import line_solve
from tests.strategies import dags, path_dag, random_batch

DAG = random_batch([1, 8, 5, 11], 0.4, seed=3)
WAYS = [(o, s) for o in ("householder", "exponential") for s in ("tanh", "one")]


def spectral_norm(matrix: torch.Tensor) -> torch.Tensor:
    return torch.linalg.svdvals(matrix).amax(-1)


def bold(layer: PLSTMConv, std: float) -> PLSTMConv:
    with torch.no_grad():
        for parameter in layer.gate_maps.parameters():
            parameter.normal_(std=std)
    return layer


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.integers(1, 6), st.floats(1e-3, 1e3), st.integers(0, 2**16))
def test_reflections_make_orthogonal_matrices(size, reflections, scale, seed):
    vectors = torch.randn(4, reflections, size, generator=torch.Generator().manual_seed(seed)).double() * scale
    made = householder_product(vectors)
    eye = torch.eye(size, dtype=torch.float64)
    torch.testing.assert_close(made @ made.mT, eye.expand_as(made), rtol=0, atol=1e-9)
    torch.testing.assert_close(torch.linalg.det(made).sign(), torch.full((4,), (-1.0) ** reflections).double())
    one_by_one = eye
    for w in vectors[0]:
        one_by_one = one_by_one @ (eye - 2 * torch.outer(w, w) / w.dot(w))
    torch.testing.assert_close(made[0], one_by_one, rtol=0, atol=1e-9)


def test_a_vector_of_zeros_reflects_nothing_and_has_a_gradient():
    vectors = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    made = householder_product(vectors)
    torch.testing.assert_close(made, torch.eye(3, dtype=torch.float64))
    assert torch.autograd.grad(made.sum(), vectors)[0].isfinite().all()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6), st.floats(0, 30), st.integers(0, 2**16))
def test_exponentials_are_rotations(size, scale, seed):
    count = size * (size - 1) // 2
    entries = torch.randn(3, count, generator=torch.Generator().manual_seed(seed)).double() * scale
    made = skew_exponential(entries)
    eye = torch.eye(size, dtype=torch.float64)
    torch.testing.assert_close(made @ made.mT, eye.expand_as(made), rtol=0, atol=1e-9)
    torch.testing.assert_close(torch.linalg.det(made), torch.ones(3).double())
    quarter = skew_exponential(torch.tensor([torch.pi / 2], dtype=torch.float64))
    torch.testing.assert_close(quarter, torch.tensor([[0.0, 1], [-1, 0]], dtype=torch.float64))


@settings(max_examples=60, deadline=None)
@given(
    dags(), st.sampled_from(WAYS), st.sampled_from(["P", "D"]), st.sampled_from(["l1", "linf"]), st.booleans(),
    st.integers(2, 5), st.floats(0.01, 30), st.integers(0, 2**16),
)  # fmt: skip
def test_bounds_hold_for_any_weights(graph, way, mode, norm, reverse, states, std, seed):
    torch.manual_seed(seed)
    dag = LineDAG.from_edge_index(*graph)
    direction = "backward" if reverse else "forward"
    layer = PLSTMConv(
        3, 4, heads=2, mode=mode, norm=norm, direction=direction, edge_dim=2, state_size=states,
        orthogonal=way[0], singular=way[1],
    )  # fmt: skip
    gates = (
        bold(layer, std)
        .double()
        .gates(torch.randn(dag.num_nodes, 3).double(), dag, torch.randn(dag.num_columns, 2).double())
    )
    norms = spectral_norm(gates.transition)
    assert (norms <= 1 + 1e-9).all()
    if mode == "P":
        before, after = dag.line_index.flip(0) if reverse else dag.line_index
        group = before if norm == "l1" else after
        total = torch.zeros(dag.num_edges, 2, dtype=torch.float64).index_add(0, group, norms)
        assert (total <= 1 + 1e-9).all()
        if way[1] == "one":  # at criticality
            torch.testing.assert_close(total[group], torch.ones_like(total[group]))
    elif way[1] == "one":
        kept = norms[dag.multitree]
        torch.testing.assert_close(kept, torch.ones_like(kept))
        assert (norms[~dag.multitree] == 0).all()


@pytest.mark.parametrize("states", [1, 2, 3, 5])
def test_every_exchange_can_be_made(states):
    """U, V and the signs reach permutation matrices of either parity, and so every finite group."""
    target = torch.eye(states)[torch.randperm(states, generator=torch.Generator().manual_seed(states))]
    if states == 1:
        target = -target
    torch.manual_seed(0)
    made = MatrixTransition(states, "householder", "tanh", directed=False, scale=1.0)
    raw = torch.randn(1, 32, made.width, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        (made(raw, torch.zeros(1).long(), 1) - target).square().sum().backward()
        optimizer.step()
    assert (made(raw, torch.zeros(1).long(), 1) - target).abs().amax((-1, -2)).min() < 0.02


def test_at_the_start_states_are_kept():
    layer = PLSTMConv(6, 8, mode="D", state_size=3)
    gates = layer.gates(torch.zeros(DAG.num_nodes, 6), DAG)
    kept = gates.transition[DAG.multitree]
    torch.testing.assert_close(kept, (torch.eye(3) * torch.tensor(5.0).tanh()).expand_as(kept))
    torch.testing.assert_close(gates.source, torch.full_like(gates.source, -4.0).sigmoid())
    torch.testing.assert_close(gates.direct, torch.full_like(gates.direct, -6.0).sigmoid())
    assert gates.source.shape == gates.mark.shape == (DAG.num_edges, 4, 3)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("mode", ["P", "D"])
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_every_weight_gets_a_gradient_and_engines_agree(way, mode, direction):
    torch.manual_seed(0)
    layer = PLSTMConv(
        6, 8, heads=2, mode=mode, direction=direction, edge_dim=3, state_size=3, orthogonal=way[0], singular=way[1]
    )
    layer = bold(layer, 1.0).double()
    x, edge = torch.randn(DAG.num_nodes, 6).double(), torch.randn(DAG.num_columns, 3).double()
    out = layer(x, DAG, edge)
    assert out.shape == (DAG.num_nodes, 8)
    out.square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    for engine in ("reference", "wavefront", "parallel"):
        layer.engine = engine
        torch.testing.assert_close(layer(x, DAG, edge), out)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_long_path_neither_explodes_nor_forgets(way, dtype):
    """5,000 random transitions: with singular values of one, what was written arrives in full length."""
    torch.manual_seed(1)
    dag = path_dag(5002)
    made = MatrixTransition(4, *way, directed=True)
    rounding = dag.num_levels * made.states * torch.finfo(dtype).eps
    transition = made(torch.randn(dag.num_line_edges, 1, made.width, dtype=dtype), dag.line_index[0], dag.num_edges)
    written = torch.zeros(dag.num_edges, 1, 4, 1, dtype=dtype)
    written[0, 0, 0] = 1
    written.requires_grad_()
    length = torch.linalg.vector_norm(line_solve(transition, written, dag)[:, 0, :, 0], dim=-1)
    assert length.max() <= 1 + rounding
    if way[1] == "one":
        torch.testing.assert_close(length[-1], torch.ones_like(length[-1]), rtol=0, atol=rounding)
        (grad,) = torch.autograd.grad(length[-1], written)
        lengths = torch.linalg.vector_norm(grad[:, 0, :, 0], dim=-1)
        torch.testing.assert_close(lengths, torch.ones_like(lengths), rtol=0, atol=rounding)


def test_autocast_keeps_the_factors_orthogonal():
    layer = bold(PLSTMConv(6, 8, mode="D", state_size=3, orthogonal="exponential", singular="one"), 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        norms = spectral_norm(layer.gates(torch.randn(DAG.num_nodes, 6), DAG).transition[DAG.multitree])
    torch.testing.assert_close(norms, torch.ones_like(norms))


def test_second_derivatives():
    torch.manual_seed(0)
    layer = bold(PLSTMConv(2, 2, heads=1, mode="P", state_size=2, engine="wavefront", head_norm="none"), 0.5).double()
    dag = random_batch([5], 0.6, seed=4)
    x = torch.randn(dag.num_nodes, 2).double().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: layer(x, dag), (x,))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"state_size": 0}, "state_size must be at least 1"),
        ({"state_size": 1, "singular": "one"}, "state_size must be at least 2"),
        ({"state_size": 2, "orthogonal": "house"}, "did you mean 'householder'"),
        ({"state_size": 2, "singular": "two"}, "singular='two' does not exist"),
    ],
)
def test_wrong_options(options, words):
    with pytest.raises(ConfigError, match=words):
        PLSTMConv(4, 4, **options)


def test_fused_engine_says_what_would_do():
    layer = PLSTMConv(6, 8, state_size=2, engine="fused")
    with pytest.raises(EngineError, match="use 'wavefront'"):
        layer(torch.randn(DAG.num_nodes, 6), DAG)


def test_attributions_of_single_edges_are_refused():
    dag = path_dag(4)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = PLSTMConv(3, 4, state_size=2)

        def forward(self, x):
            return self.conv(x, dag)

    with pytest.raises(EngineError, match="layer 0 has matrix-valued transitions"):
        attribute_layers(Model(), torch.randn(4, 3))
