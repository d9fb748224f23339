"""Every engine on graphs that hypothesis makes up, and on tensors as users hand them over."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plstm_graph import LineDAG
from plstm_graph.errors import EngineError
from plstm_graph.ops import ENGINES, gating_matrix, plstm
from tests.oracles import NAMES, assert_same, dense_plstm, output_and_gradients, random_tensors
from tests.strategies import dags, grid_dag, random_batch

TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4}
WIDTH = st.sampled_from([1, 2, 5, 24, 33])
DAG = random_batch([8, 1, 20, 5], 0.3, seed=2)


def found_by(engine, tensors, dag=DAG, **options):
    return output_and_gradients(lambda t: plstm(*(t[n] for n in NAMES), dag, engine=engine, **options), tensors)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    graphs=st.lists(dags(), min_size=1, max_size=3),
    widths=st.tuples(st.sampled_from([1, 3, 4]), WIDTH, WIDTH),
    reverse=st.booleans(),
    mask=st.sampled_from(["all", "some", "none", "multitree"]),
    dtype=st.sampled_from(list(TOLERANCE)),
    seed=st.integers(0, 2**16),
)
def test_any_graph_any_width(engine, graphs, widths, reverse, mask, dtype, seed):
    dag = LineDAG.cat([LineDAG.from_edge_index(*graph) for graph in graphs])
    keep = torch.rand(dag.num_line_edges, generator=torch.Generator().manual_seed(seed))
    line_mask = {"all": None, "some": keep < 0.6, "none": keep < 0, "multitree": dag.multitree}[mask]
    exact = random_tensors(dag, *widths, seed=seed)
    exact["direct"] = torch.randn(dag.num_nodes, widths[0], dtype=torch.float64, requires_grad=True)
    expected = output_and_gradients(
        lambda t: dense_plstm({n: t[n] for n in NAMES}, dag, line_mask, reverse, t["direct"]), exact
    )
    tensors = {name: t.detach().to(dtype).requires_grad_() for name, t in exact.items()}
    found = output_and_gradients(
        lambda t: plstm(
            *(t[n] for n in NAMES), dag, line_mask=line_mask, reverse=reverse, engine=engine, direct=t["direct"]
        ),
        tensors,
    )
    assert_same(found, expected, TOLERANCE[dtype], TOLERANCE[dtype])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("widths", [(2, 0, 3), (2, 3, 0)], ids=["no keys", "no values"])
def test_width_zero(engine, widths):
    tensors = random_tensors(DAG, *widths)
    assert_same(found_by(engine, tensors), output_and_gradients(lambda t: dense_plstm(t, DAG), tensors), 0, 0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("wanted", NAMES)
def test_gradient_of_one_tensor_alone(engine, wanted):
    tensors = {name: t.detach() for name, t in random_tensors(DAG, 2, 3, 4).items()}
    tensors[wanted].requires_grad_()
    expected = torch.autograd.grad(dense_plstm(tensors, DAG).square().sum(), tensors[wanted])
    found = torch.autograd.grad(plstm(*tensors.values(), DAG, engine=engine).square().sum(), tensors[wanted])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_tensor_in_several_roles(engine):
    node = torch.randn(DAG.num_nodes, 2, 3, dtype=torch.float64, requires_grad=True)
    edge = torch.randn(DAG.num_edges, 2, dtype=torch.float64, requires_grad=True)
    line = torch.rand(DAG.num_line_edges, 2, dtype=torch.float64)
    tensors = dict(zip(NAMES, (node, node, node, edge, line, edge), strict=True))
    expected = torch.autograd.grad(dense_plstm(tensors, DAG).square().sum(), (node, edge))
    found = torch.autograd.grad(plstm(*tensors.values(), DAG, engine=engine).square().sum(), (node, edge))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_slices_of_one_tensor(engine):
    whole = torch.randn(DAG.num_nodes + 3, 2, 10, dtype=torch.float64, requires_grad=True)
    gates = {name: t.detach() for name, t in random_tensors(DAG, 2, 1, 1).items()}
    inner = whole[2:-1]
    tensors = {**gates, "query": inner[..., :3], "key": inner[..., 3:6], "value": inner[..., 6:]}
    expected = torch.autograd.grad(dense_plstm(tensors, DAG).square().sum(), whole)
    found = torch.autograd.grad(plstm(*tensors.values(), DAG, engine=engine).square().sum(), whole)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_expanded_and_transposed_tensors(engine):
    tensors = {name: t.detach() for name, t in random_tensors(DAG, 2, 3, 4).items()}
    tensors["transition"] = torch.tensor(0.5, dtype=torch.float64).expand(DAG.num_line_edges, 2)
    tensors["query"] = torch.ones(1, 1, 1, dtype=torch.float64).expand(DAG.num_nodes, 2, 3)
    tensors["value"] = tensors["value"].permute(2, 1, 0).contiguous().permute(2, 1, 0)
    tensors = {name: t.requires_grad_() for name, t in tensors.items()}
    expected = output_and_gradients(lambda t: dense_plstm(t, DAG), tensors)
    assert_same(found_by(engine, tensors), expected, 1e-10, 1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_backward_twice_gives_the_same(engine):
    tensors = random_tensors(DAG, 2, 3, 4)
    loss = plstm(*tensors.values(), DAG, engine=engine).square().sum()
    first = torch.autograd.grad(loss, list(tensors.values()), retain_graph=True)
    second = torch.autograd.grad(loss, list(tensors.values()))
    for name, a, b in zip(NAMES, first, second, strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("engine", ["fused", "chunkwise"])
def test_engines_without_second_derivatives_name_one_that_has_them(engine):
    tensors = random_tensors(DAG, 2, 3, 4)
    loss = plstm(*tensors.values(), DAG, engine=engine).square().sum()
    (grad,) = torch.autograd.grad(loss, tensors["value"], create_graph=True)
    with pytest.raises(EngineError, match=f"engine='{engine}' has no second derivatives: use 'wavefront'"):
        grad.sum().backward()


@pytest.mark.parametrize("engine", ENGINES)
def test_inputs_are_not_changed(engine):
    tensors = random_tensors(DAG, 2, 3, 4)
    before = {name: t.detach().clone() for name, t in tensors.items()}
    found_by(engine, tensors, line_mask=DAG.multitree)
    for name, tensor in tensors.items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_autocast_does_not_touch_the_accumulation(engine, dtype):
    tensors = {name: t.detach().to(dtype) for name, t in random_tensors(DAG, 2, 8, 8).items()}
    plain = plstm(*tensors.values(), DAG, engine=engine)
    with torch.autocast("cpu", torch.bfloat16):
        found = plstm(*tensors.values(), DAG, engine=engine)
    assert found.dtype == dtype
    assert torch.equal(found, plain)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "chunkwise"])  # whose chunks mix graphs
@pytest.mark.parametrize("bad", [float("nan"), float("inf")], ids=str)
def test_one_bad_graph_leaves_the_others_of_its_batch_alone(engine, bad):
    tensors = {name: t.detach().clone() for name, t in random_tensors(DAG, 2, 3, 4).items()}
    first, last = DAG.node_ptr[2:4].tolist()
    for name in ("query", "key", "value"):
        tensors[name][first:last] = bad
    inside = torch.zeros(DAG.num_nodes, dtype=torch.bool)
    inside[first:last] = True
    found = plstm(*tensors.values(), DAG, engine=engine)
    assert found[~inside].isfinite().all()
    assert not found[inside].isfinite().all()


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "reference"])
def test_bit_identical_for_any_number_of_threads(engine):
    threads = torch.get_num_threads()
    try:
        for dag in (random_batch([20] * 40, 0.25), grid_dag(20, 20)):
            tensors = random_tensors(dag, 2, 8, 40, dtype=torch.float32)
            found = []
            for number in (1, 2, 3, 2):
                torch.set_num_threads(number)
                found.append(found_by(engine, tensors, dag))
            for one, other in pairwise(found):
                for name, value in one.items():
                    assert torch.equal(value, other[name]), name
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_reverse_is_the_operator_on_the_flipped_edges(reverse):
    """Flip every edge by hand, carry the gates over by edge and by pair of edges, and run it the other way."""
    dag = random_batch([9], 0.4, seed=4)
    flipped = LineDAG.from_edge_index(dag.edge_index.flip(0), dag.num_nodes)
    place = {int(e): at for at, e in enumerate(flipped.edge_id)}
    line = {tuple(pair): at for at, pair in enumerate(flipped.line_index.T.tolist())}
    to_edge = torch.tensor([place[e] for e in range(dag.num_edges)])
    to_line = torch.tensor([line[place[b], place[a]] for a, b in dag.line_index.T.tolist()])
    tensors = {name: t.detach() for name, t in random_tensors(dag, 2, 3, 4).items()}
    moved = dict(tensors)
    for name, to in (("source", to_edge), ("mark", to_edge), ("transition", to_line)):
        moved[name] = torch.empty_like(tensors[name])
        moved[name][to] = tensors[name]
    for engine in ENGINES:
        found = plstm(*tensors.values(), dag, engine=engine, reverse=reverse)
        torch.testing.assert_close(plstm(*moved.values(), flipped, engine=engine, reverse=not reverse), found)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_node_hears_its_ancestors_and_nobody_else(engine):
    tensors = random_tensors(DAG, 1, 2, 2)
    out = plstm(*tensors.values(), DAG, engine=engine)
    gates = [torch.ones_like(tensors[name]) for name in ("source", "transition", "mark")]
    heard = torch.block_diag(*(g[0] for g in gating_matrix(*gates, DAG))) > 0
    for node in range(0, DAG.num_nodes, 3):
        (grad,) = torch.autograd.grad(out[node].sum(), tensors["value"], retain_graph=True)
        assert torch.equal(grad.flatten(1).abs().sum(1) > 0, heard[node])
