"""Matrix-valued transitions: every engine that serves them against a dense block solve and a sum over paths."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plstm_graph import LineDAG
from plstm_graph.errors import EngineError, FeatureError
from plstm_graph.ops import explain_engine, gating_matrix, plstm
from tests.oracles import (
    assert_same,
    block_gating,
    block_plstm,
    matrix_paths_plstm,
    matrix_tensors,
    output_and_gradients,
    random_tensors,
)
from tests.strategies import dags, grid_dag, path_dag, random_batch

ENGINES = ("reference", "wavefront", "parallel")
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4}
both_ways = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


def engine_outputs(engine: str, dag: LineDAG, tensors, **options):
    return output_and_gradients(lambda t: plstm(*t.values(), dag, engine=engine, **options), tensors)


@pytest.mark.parametrize("engine", ENGINES)
@both_ways
@pytest.mark.parametrize("masked", [False, True], ids=["all", "multitree"])
@pytest.mark.parametrize("widths", [(1, 1, 1, 1), (2, 2, 5, 3), (3, 5, 4, 7)], ids=str)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_agrees_with_dense_block_solve(engine, reverse, masked, widths, dtype):
    dag = random_batch([1, 7, 9, 3, 8], seed=sum(widths))
    mask = dag.multitree if masked else None
    exact = matrix_tensors(dag, *widths)
    expected = output_and_gradients(lambda t: block_plstm(t, dag, mask, reverse), exact)
    tensors = {name: t.detach().to(dtype).requires_grad_() for name, t in exact.items()}
    found = engine_outputs(engine, dag, tensors, line_mask=mask, reverse=reverse)
    assert_same(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@settings(max_examples=40, deadline=None)
@given(dags(), st.sampled_from(ENGINES), st.booleans(), st.integers(1, 3), st.integers(0, 2**16))
def test_agrees_with_sum_over_paths(graph, engine, reverse, states, seed):
    dag = LineDAG.from_edge_index(*graph)
    tensors = matrix_tensors(dag, 2, states, 2, 3, seed=seed)
    mask = torch.rand(dag.num_line_edges, generator=torch.Generator().manual_seed(seed)) < 0.7
    expected = output_and_gradients(lambda t: matrix_paths_plstm(t, dag, mask, reverse), tensors)
    found = engine_outputs(engine, dag, tensors, line_mask=mask, reverse=reverse)
    assert_same(found, expected, 1e-9, 1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@both_ways
def test_one_state_is_the_scalar_operator(engine, reverse):
    dag = random_batch([6, 9], 0.4, seed=2)
    scalar = random_tensors(dag, 2, 3, 4)
    lift = {"source": (..., None), "transition": (..., None, None), "mark": (..., None)}
    found = output_and_gradients(
        lambda t: plstm(*(x[lift[n]] if n in lift else x for n, x in t.items()), dag, engine=engine, reverse=reverse),
        scalar,
    )
    assert_same(found, engine_outputs("fused", dag, scalar, reverse=reverse), 1e-10, 1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_matrices_are_applied_in_the_order_of_the_path(engine):
    """Two matrices that do not commute: the later one stands on the left, in both directions."""
    dag = path_dag(4)
    first, second = torch.tensor([[0.0, 1], [1, 0]]), torch.tensor([[1.0, 1], [0, 1]])
    one = torch.ones(4, 1, 1)
    source, mark = torch.zeros(3, 1, 2), torch.zeros(3, 1, 2)
    source[0, 0, 0], mark[2, 0, 0] = 1, 1  # state 0 of the first edge is written, state 0 of the last edge is read
    matrices = torch.stack([first, second]).unsqueeze(1)
    out = plstm(one, one, one, source, matrices, mark, dag, engine=engine)
    assert out[3].item() == (second @ first)[0, 0] == 1
    out = plstm(one, one, one, source.flip(0), matrices, mark.flip(0), dag, engine=engine, reverse=True)
    assert out[0].item() == (first @ second)[0, 0] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_reverse_is_the_operator_on_the_reversed_dag(engine):
    dag = random_batch([9], 0.5, seed=4)
    turned = LineDAG.from_edge_index(dag.edge_index.flip(0), dag.num_nodes)
    line = {pair: i for i, pair in enumerate(map(tuple, dag.line_index.T.tolist()))}
    edge = turned.edge_id.tolist()
    rows = [line[edge[b], edge[a]] for a, b in turned.line_index.T.tolist()]
    query, key, value, source, transition, mark = matrix_tensors(dag, 2, 3, 2, 2).values()
    found = plstm(query, key, value, source, transition, mark, dag, engine=engine, reverse=True)
    expected = plstm(query, key, value, source[edge], transition[rows], mark[edge], turned, engine=engine)
    torch.testing.assert_close(found, expected)


@both_ways
@pytest.mark.parametrize("masked", [False, True])
def test_gating_matrix(reverse, masked):
    sizes = [1, 6, 8, 3]
    dag = random_batch(sizes, 0.5, seed=8)
    gates = [matrix_tensors(dag, 2, 3, 1, 1)[name] for name in ("source", "transition", "mark")]
    mask = dag.multitree if masked else None
    tail, head = dag.edge_index.tolist()
    line = [tuple(p) for p in dag.line_index.T.tolist()]
    if reverse:
        tail, head, line = head, tail, [(b, a) for a, b in line]
    found = gating_matrix(*gates, dag, line_mask=mask, reverse=reverse)
    for h in range(2):
        whole = block_gating(tail, head, line, dag.num_nodes, *(g[:, h] for g in gates), mask=mask)
        torch.testing.assert_close(torch.block_diag(*(g[h] for g in found)), whole)


def test_reversal_transposes_the_gating_matrix_of_transposed_gates():
    dag = random_batch([8, 5], 0.5, seed=1)
    source, transition, mark = (matrix_tensors(dag, 2, 3, 1, 1)[n] for n in ("source", "transition", "mark"))
    found = gating_matrix(source, transition, mark, dag, reverse=True)
    for reverse, forward in zip(found, gating_matrix(mark, transition.mT, source, dag), strict=True):
        torch.testing.assert_close(reverse, forward.mT)


@pytest.mark.parametrize("engine", ENGINES)
@both_ways
def test_gradcheck(engine, reverse):
    dag = random_batch([5, 4], density=0.6, seed=2)
    tensors = tuple(matrix_tensors(dag, 2, 2, 2, 3).values())
    assert torch.autograd.gradcheck(lambda *t: plstm(*t, dag, engine=engine, reverse=reverse), tensors)


@pytest.mark.parametrize("engine", ENGINES)
@both_ways
def test_second_derivatives(engine, reverse):
    dag = random_batch([5], density=0.6, seed=4)
    tensors = tuple(matrix_tensors(dag, 1, 2, 1, 2).values())
    assert torch.autograd.gradgradcheck(lambda *t: plstm(*t, dag, engine=engine, reverse=reverse), tensors)


@pytest.mark.parametrize("engine", ["wavefront", "parallel"])
@pytest.mark.parametrize("dag", [path_dag(200), grid_dag(6, 7)], ids=["path", "grid"])
@both_ways
def test_larger_graphs_agree_with_reference(engine, dag, reverse):
    tensors = matrix_tensors(dag, 2, 3, 4, 5)
    expected = engine_outputs("reference", dag, tensors, reverse=reverse)
    assert_same(engine_outputs(engine, dag, tensors, reverse=reverse), expected, 1e-9, 1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("edges", "num_nodes", "batch"),
    [([], 0, []), ([], 4, [0, 1, 1, 3]), ([(0, 1)], 4, [0, 0, 1, 2]), ([(0, 1), (0, 1), (1, 2), (1, 2)], 3, [0] * 3)],
    ids=["no nodes", "no edges", "isolated nodes", "parallel edges"],
)
def test_degenerate_graphs(engine, edges, num_nodes, batch):
    edge_index = torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T
    dag = LineDAG.from_edge_index(edge_index, num_nodes, None, torch.tensor(batch, dtype=torch.int64))
    tensors = matrix_tensors(dag, 2, 3, 2, 4)
    expected = output_and_gradients(lambda t: block_plstm(t, dag), tensors)
    assert_same(engine_outputs(engine, dag, tensors), expected, 1e-10, 1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_direct_term_and_half_precision(engine):
    dag = random_batch([9], 0.4, seed=5)
    tensors = {k: t.detach().bfloat16() for k, t in matrix_tensors(dag, 2, 2, 3, 3).items()}
    direct = torch.rand(dag.num_nodes, 2).bfloat16()
    exact = {k: t.double() for k, t in tensors.items()}
    score = (exact["query"] * exact["key"]).sum(-1)
    expected = block_plstm(exact, dag) + (direct.double() * score).unsqueeze(-1) * exact["value"]
    found = plstm(*tensors.values(), dag, engine=engine, direct=direct)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected.bfloat16())


@pytest.mark.parametrize("engine", ["fused", "chunkwise"])
def test_engines_without_matrices_name_those_with(engine):
    dag = path_dag(5)
    with pytest.raises(EngineError, match=rf"'{engine}' serves one number.*'wavefront', or 'parallel'"):
        plstm(*matrix_tensors(dag, 1, 2, 2, 2).values(), dag, engine=engine)


def test_auto_takes_an_engine_that_serves_matrices():
    batch, path = random_batch([6] * 4, 0.5), path_dag(50)
    assert explain_engine(batch, state_size=3).engine == "parallel"
    assert explain_engine(path, state_size=3).engine == "wavefront"
    assert "50 levels" in explain_engine(path_dag(51), state_size=3).reason
    assert explain_engine(LineDAG.from_edge_index(torch.zeros(2, 0).long(), 0), state_size=2).engine == "wavefront"
    for dag in (batch, path):
        tensors = matrix_tensors(dag, 1, 2, 2, 2)
        torch.testing.assert_close(plstm(*tensors.values(), dag), block_plstm(tensors, dag))


def test_parallel_refuses_by_the_size_of_the_block_matrix():
    dag = path_dag(3000)
    with pytest.raises(EngineError, match=r"2,999 edges \(at most 2,730\): use 'wavefront'"):
        plstm(*matrix_tensors(dag, 1, 3, 1, 1).values(), dag, engine="parallel")


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("source", lambda t: t[..., 0], r"transition must have shape \[L, H\]"),
        ("transition", lambda t: t[..., 0], r"transition must have shape \[L, H, J, J\]"),
        ("transition", lambda t: t[..., :2], r"transition must have shape \[L, H, J, J\]"),
        ("mark", lambda t: t[..., :2], r"mark must have shape \[E, H, J\]"),
    ],
)
def test_wrong_tensor_is_named(name, change, words):
    dag = random_batch([6], 0.6, seed=0)
    tensors = {k: t.detach() for k, t in matrix_tensors(dag, 2, 3, 2, 2).items()}
    tensors[name] = change(tensors[name])
    with pytest.raises(FeatureError, match=words):
        plstm(*tensors.values(), dag)


def test_masked_line_edges_get_no_gradient():
    dag = random_batch([9], density=0.7, seed=1)
    found = engine_outputs("wavefront", dag, matrix_tensors(dag, 2, 3, 2, 2), line_mask=dag.multitree)
    assert (found["grad_transition"][~dag.multitree] == 0).all()
    assert (found["grad_transition"][dag.multitree] != 0).any()
