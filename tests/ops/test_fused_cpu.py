"""Both ways of the fused CPU engine, its segments, tiles, threads and forks."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import pytest
import torch

from plstm_graph import PLSTMConv
from plstm_graph.ops import _fused_jobs, plstm
from tests.oracles import assert_same, dense_plstm, output_and_gradients, random_tensors
from tests.strategies import grid_dag, path_dag, random_batch


def outputs(dag, tensors, **options):
    return output_and_gradients(lambda t: plstm(*t.values(), dag, engine="fused", **options), tensors)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("small", [0.0, 1e9], ids=["states", "weights"])
@pytest.mark.parametrize("segment", [1, 2**18], ids=["many segments", "one segment"])
@pytest.mark.parametrize(
    "dag", [random_batch([1, 30, 12], 0.2), path_dag(70), grid_dag(6, 9)], ids=["batch", "path", "grid"]
)
def test_both_ways_agree_with_the_dense_solve(reverse, small, segment, dag, monkeypatch):
    monkeypatch.setattr(_fused_jobs, "SMALL_PAIRS", small)
    monkeypatch.setattr(_fused_jobs, "SEGMENT_BYTES", segment)
    tensors = random_tensors(dag, 2, 5, 35)  # three tiles of value channels
    expected = output_and_gradients(lambda t: dense_plstm(t, dag, reverse=reverse), tensors)
    assert_same(outputs(dag, tensors, reverse=reverse), expected, 1e-9, 1e-9)


def test_nothing_of_the_size_of_all_states_is_kept():
    dag = path_dag(20_000)
    tensors = random_tensors(dag, 1, 16, 16, dtype=torch.float32)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        plstm(*tensors.values(), dag, engine="fused")
    assert max(saved) < dag.num_edges * 16 * 16 / 4


def _in_child(queue, dag, tensors):
    torch.set_num_threads(2)
    queue.put(plstm(*tensors, dag, engine="fused").sum().item())


def test_works_in_a_forked_process_after_use_in_the_parent():
    dag = random_batch([15] * 20, 0.2)
    tensors = [t.detach() for t in random_tensors(dag, 2, 4, 4).values()]
    expected = plstm(*tensors, dag, engine="fused").sum().item()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue, dag, tensors))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(timeout=60)
    assert child.exitcode == 0


def test_works_where_no_cache_can_be_written(tmp_path):
    code = (
        "import torch, numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"  # as on a machine where no folder can be written
        "from plstm_graph import LineDAG\n"
        "from plstm_graph.ops import plstm\n"
        "dag = LineDAG.from_edge_index(torch.tensor([[0, 1], [1, 2]]), 3)\n"
        "one = torch.ones\n"
        "nodes, edges = one(3, 1, 1), one(2, 1)\n"
        "print(plstm(nodes, nodes, nodes, edges, one(1, 1), edges, dag).flatten().tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[0.0, 1.0, 2.0]"


@pytest.mark.parametrize("mode", ["P", "D"])
def test_layer_compiles_without_graph_break(mode):
    dag = random_batch([9, 5], 0.4)
    layer = PLSTMConv(6, 8, heads=2, mode=mode, direction="both")
    x = torch.randn(dag.num_nodes, 6)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, dag), layer(x, dag))
    compiled(x, dag).sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


def test_layer_exports():
    dag = random_batch([9, 5], 0.4)
    layer = PLSTMConv(6, 8, heads=2, mode="D").eval()
    x = torch.randn(dag.num_nodes, 6)
    program = torch.export.export(layer, (x, dag))
    torch.testing.assert_close(program.module()(x, dag), layer(x, dag))


def test_custom_operator_passes_torch_checks():
    dag = random_batch([5, 1, 6], 0.5)
    tensors = random_tensors(dag, 2, 3, 4)
    index = (dag.edge_index, dag.line_index, dag.node_ptr, dag.edge_ptr)
    direct = torch.rand(dag.num_nodes, 2, dtype=torch.float64, requires_grad=True)
    torch.library.opcheck(torch.ops.plstm_graph.fused_cpu.default, (*tensors.values(), direct, *index, False))
