"""Checks of the Triton kernels, run by test_fused_gpu.py: on a GPU, or in Triton's interpreter on the CPU."""

from __future__ import annotations

import gc
import os

import pytest
import torch

from plstm_graph import LineDAG
from plstm_graph.ops import fused_gpu as engine
from tests.oracles import NAMES, assert_same, dense_plstm, output_and_gradients, random_tensors
from tests.strategies import grid_dag, path_dag, random_batch

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"


def outputs(dag, tensors, reverse=False):
    dag = dag.to(DEVICE)
    there = {k: t.detach().to(DEVICE).requires_grad_() for k, t in tensors.items()}
    direct = there.get("direct")

    def function(t):
        return engine.fused_gpu(*(t[name] for name in NAMES), dag, reverse, direct)

    found = output_and_gradients(lambda t: function(t).cpu(), there)
    return {name: value.cpu() for name, value in found.items()}


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("widths", [(1, 1, 1), (2, 5, 3), (1, 3, 40), (1, 33, 2)], ids=str)
def test_agrees_with_dense_solve(widths, reverse):
    dag = random_batch([1, 5, 7], 0.4, seed=1)
    tensors = random_tensors(dag, *widths)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag, reverse=reverse), tensors)
    assert_same(outputs(dag, tensors, reverse), expected, 1e-9, 1e-9)


@pytest.mark.parametrize("dag", [path_dag(9), grid_dag(3, 4)], ids=["path", "grid"])
def test_float32(dag):
    exact = random_tensors(dag, 2, 4, 4)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag), exact)
    assert_same(outputs(dag, {k: t.float() for k, t in exact.items()}), expected, 2e-4, 2e-4)


def test_direct_term():
    dag = random_batch([1, 4], 0.5, seed=2)
    tensors = random_tensors(dag, 2, 3, 2)
    tensors["direct"] = torch.randn(dag.num_nodes, 2, dtype=torch.float64, requires_grad=True)
    expected = output_and_gradients(lambda t: dense_plstm({n: t[n] for n in NAMES}, dag, direct=t["direct"]), tensors)
    assert_same(outputs(dag, tensors), expected, 1e-9, 1e-9)


@pytest.mark.parametrize(
    ("edges", "num_nodes", "batch"),
    [
        ([], 0, []),
        ([], 3, [0, 1, 1]),
        ([(0, 1)], 4, [0, 0, 1, 3]),
        ([(0, 1), (0, 1), (1, 2), (1, 2)], 3, [0, 0, 0]),
    ],
    ids=["no nodes", "no edges", "isolated nodes", "parallel edges"],
)
def test_degenerate_graphs(edges, num_nodes, batch):
    edge_index = torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T
    dag = LineDAG.from_edge_index(edge_index, num_nodes, None, torch.tensor(batch, dtype=torch.int64))
    tensors = random_tensors(dag, 2, 3, 4)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag), tensors)
    assert_same(outputs(dag, tensors), expected, 1e-10, 1e-10)


@pytest.mark.parametrize("scratch", [1, 1000], ids=["a launch per graph", "some graphs per launch"])
def test_several_launches(scratch, monkeypatch):
    dag = random_batch([1, 4, 5, 1, 4], 0.6, seed=3)
    tensors = random_tensors(dag, 1, 2, 2)
    expected = outputs(dag, tensors)
    monkeypatch.setattr(engine, "SCRATCH_BYTES", scratch)
    found = outputs(dag, tensors)
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name


def test_uninitialised_memory_is_never_read():
    dag = random_batch([1, 6], 0.5, seed=4)
    tensors = random_tensors(dag, 1, 3, 3)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag), tensors)
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        assert torch.empty(2, device=DEVICE).isnan().all()
        found = outputs(dag, tensors)
    finally:
        torch.use_deterministic_algorithms(False)
    assert_same(found, expected, 1e-9, 1e-9)


def test_strided_inputs_and_bit_identical_runs():
    dag = random_batch([6], 0.5, seed=5)
    plain = random_tensors(dag, 2, 3, 4)
    strided = {k: t.detach().to(DEVICE).repeat_interleave(2, dim=-1)[..., ::2] for k, t in plain.items()}
    assert not strided["query"].is_contiguous()
    found = engine.fused_gpu(*strided.values(), dag.to(DEVICE), False, None).cpu()
    assert torch.equal(found, outputs(dag, plain)["output"])
    first, second = outputs(dag, plain), outputs(dag, plain)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_custom_operator_passes_torch_checks():
    dag = random_batch([3, 1, 4], 0.6).to(DEVICE)
    tensors = [t.detach().to(DEVICE).requires_grad_() for t in random_tensors(dag.cpu(), 1, 2, 2).values()]
    arguments = (*tensors, dag.edge_index, dag.line_index, dag.edge_ptr, False)
    torch.library.opcheck(torch.ops.plstm_graph.fused_gpu.default, arguments)


def test_links_go_with_their_line_graph():
    gc.collect()
    before = len(engine._known_links)
    dag = random_batch([4], 0.6).to(DEVICE)
    outputs(dag, random_tensors(dag.cpu(), 1, 1, 1))
    outputs(dag, random_tensors(dag.cpu(), 1, 1, 1), reverse=True)
    assert len(engine._known_links) == before + 1
    del dag
    gc.collect()
    assert len(engine._known_links) == before


@pytest.mark.skipif(DEVICE == "cpu", reason="no GPU: the interpreter is too slow for this")
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("widths", [(4, 24, 24), (2, 128, 64), (1, 33, 70)], ids=str)
@pytest.mark.parametrize(
    "dag", [random_batch([25] * 200, 0.1), grid_dag(30, 30), path_dag(2000)], ids=["batch", "grid", "path"]
)
def test_large_graphs_agree_with_wavefront_and_never_vary(dag, widths, reverse):
    from plstm_graph.ops import plstm

    tensors = random_tensors(dag, *widths)
    expected = output_and_gradients(lambda t: plstm(*t.values(), dag, engine="wavefront", reverse=reverse), tensors)
    assert_same(outputs(dag, tensors, reverse), expected, 1e-9, 1e-9)
    narrow = {k: t.detach().float() for k, t in tensors.items()}
    first = outputs(dag, narrow, reverse)
    for _ in range(5):
        for name, value in outputs(dag, narrow, reverse).items():
            assert torch.equal(value, first[name]), name
