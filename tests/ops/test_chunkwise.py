"""How the chunkwise engine cuts DAGs, and that every cut gives the same values."""

from __future__ import annotations

import gc

import pytest
import torch

from plstm_graph import LineDAG, PLSTMConv
from plstm_graph.ops import _chunk_plan, chunkwise
from plstm_graph.ops._chunk_plan import make_plan
from tests.oracles import assert_same, dense_plstm, output_and_gradients, random_tensors
from tests.strategies import grid_dag, path_dag, random_batch


def comb_dag(length: int, inwards: bool) -> LineDAG:
    """A path with one more edge into every node, or out of every node."""
    node = torch.arange(length)
    path, tooth = torch.stack([node[:-1], node[1:]]), torch.stack([node + length, node])
    return LineDAG.from_edge_index(torch.cat([path, tooth if inwards else tooth.flip(0)], dim=1), 2 * length)


def hub_dag(degree: int) -> LineDAG:
    """A node with ``degree`` edges in and as many out."""
    leaf, center = torch.arange(1, degree + 1), torch.zeros(degree, dtype=torch.int64)
    edges = torch.cat([torch.stack([leaf, center]), torch.stack([center, leaf + degree])], dim=1)
    return LineDAG.from_edge_index(edges, 2 * degree + 1)


DAGS = {
    "path": path_dag(90),
    "grid": grid_dag(7, 9),
    "batch": random_batch([1, 30, 12, 2], 0.2),
    "in-comb": comb_dag(30, inwards=True),
    "out-comb": comb_dag(30, inwards=False),
    "hub": hub_dag(40),
    "mixed": LineDAG.cat([path_dag(60), grid_dag(4, 4), random_batch([8] * 5, 0.3)]),
}


@pytest.mark.parametrize("name", DAGS)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("chunk_edges", [1, 5, 128])
@pytest.mark.parametrize("states", [1, 400, 2**24], ids=["one state per step", "many segments", "one segment"])
def test_every_cut_agrees_with_the_dense_solve(name, reverse, chunk_edges, states, monkeypatch):
    monkeypatch.setattr(_chunk_plan, "STATE_ELEMENTS", states)
    dag = DAGS[name]
    tensors = random_tensors(dag, 2, 3, 4)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag, reverse=reverse), tensors)
    found = output_and_gradients(lambda t: chunkwise.run(*t.values(), dag, reverse, chunk_edges), tensors)
    assert_same(found, expected, 1e-9, 1e-9)


@pytest.mark.parametrize("area", [1, 500], ids=["one chunk per step", "few chunks per step"])
def test_steps_that_are_split_for_memory(area, monkeypatch):
    monkeypatch.setattr(_chunk_plan, "AREA_ELEMENTS", area)
    monkeypatch.setattr(_chunk_plan, "LEAST_CHUNK", 4)
    dag = random_batch([7] * 12, 0.4)
    tensors = random_tensors(dag, 2, 3, 4)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag), tensors)
    assert_same(output_and_gradients(lambda t: chunkwise.run(*t.values(), dag, False), tensors), expected, 1e-9, 1e-9)


def test_uninitialised_memory_is_never_read(monkeypatch):
    monkeypatch.setattr(_chunk_plan, "STATE_ELEMENTS", 400)
    dag = DAGS["mixed"]
    tensors = random_tensors(dag, 2, 3, 4)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag), tensors)
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        assert torch.empty(2).isnan().all()
        found = output_and_gradients(lambda t: chunkwise.run(*t.values(), dag, False, 10), tensors)
    finally:
        torch.use_deterministic_algorithms(False)
    assert_same(found, expected, 1e-9, 1e-9)


def plan_of(dag: LineDAG, reverse: bool = False, chunk_edges: int = 128, state_size: int = 1):
    return make_plan(dag.line_index, dag.num_edges, reverse, chunk_edges, 1, state_size)


def num_steps(plan) -> int:
    return sum(len(segment.steps) for segment in plan.segments)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_a_path_takes_a_step_per_chunk_and_one_state_between(reverse):
    plan = plan_of(path_dag(100_001), reverse)
    steps = [step for segment in plan.segments for step in segment.steps]
    assert len(steps) == -(-100_000 // 128)
    assert all(step.exits <= 1 and step.entries <= 1 for step in steps)


def test_a_grid_takes_fewer_steps_than_it_has_levels():
    dag = grid_dag(60, 60)
    assert num_steps(plan_of(dag)) <= dag.num_levels // 2


def test_graphs_of_a_batch_are_walked_through_side_by_side():
    assert num_steps(plan_of(random_batch([12] * 40, 0.2))) == 1
    assert num_steps(plan_of(LineDAG.cat([path_dag(1025)] * 16))) == 8


@pytest.mark.parametrize("name", DAGS)
def test_every_edge_and_line_edge_has_one_place(name):
    dag = DAGS[name]
    plan = plan_of(dag, chunk_edges=7)
    assert plan.place.unique().numel() == dag.num_edges
    assert plan.place.max() < plan.length
    steps = [step for segment in plan.segments for step in segment.steps]
    lines = torch.cat([line for step in steps for line in (step.inner_line, step.outer_line)])
    assert torch.equal(lines.sort().values, torch.arange(dag.num_line_edges))
    for step in steps:
        assert step.inner_at.unique().numel() == step.inner_at.numel()
        assert step.outer_at.unique().numel() == step.outer_at.numel()
        row, column = step.inner_at // step.size % step.size, step.inner_at % step.size
        assert (column < row).all(), "an edge stands before a predecessor"


@pytest.mark.parametrize("inwards", [True, False], ids=["in", "out"])
def test_side_branches_of_a_path_do_not_pile_up(inwards):
    dag = comb_dag(4000, inwards)
    for reverse in (False, True):
        plan = plan_of(dag, reverse, chunk_edges=32, state_size=2**20)  # so large that segments are short
        assert len(plan.segments) > 3
        assert max(segment.carried.numel() for segment in plan.segments) <= 4


def test_states_are_kept_only_between_chunks(monkeypatch):
    dag = path_dag(5000)
    tensors = random_tensors(dag, 2, 4, 4, dtype=torch.float32)
    rows = []
    plain = chunkwise._buffer
    monkeypatch.setattr(chunkwise, "_buffer", lambda *a: rows.append(a[0].rows) or plain(*a))
    chunkwise.run(*tensors.values(), dag, False).sum().backward()
    assert rows
    assert max(rows) < dag.num_edges / 50


def test_a_plan_is_made_once_and_goes_with_its_line_graph():
    gc.collect()
    before = len(_chunk_plan._plans)
    dag = path_dag(40)
    assert plan_of(dag) is plan_of(dag)
    assert plan_of(dag) is not plan_of(dag, reverse=True)
    assert len(_chunk_plan._plans) == before + 1
    del dag
    gc.collect()
    assert len(_chunk_plan._plans) == before


def test_compiles_without_graph_break_and_exports():
    dag = random_batch([9, 5], 0.4)
    layer = PLSTMConv(6, 8, heads=2, engine="chunkwise")
    x = torch.randn(dag.num_nodes, 6)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, dag), layer(x, dag))
    compiled(x, dag).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    program = torch.export.export(layer.eval(), (x, dag))
    torch.testing.assert_close(program.module()(x, dag), layer(x, dag))


def test_custom_operator_passes_torch_checks():
    dag = random_batch([5, 1, 6], 0.5)
    tensors = random_tensors(dag, 2, 3, 4)
    arguments = (*tensors.values(), dag.edge_index, dag.line_index, False, 4)
    torch.library.opcheck(torch.ops.plstm_graph.chunkwise.default, arguments)
