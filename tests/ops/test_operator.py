"""Every engine against two oracles, in outputs and in each gradient."""

from __future__ import annotations

import pytest
import torch

from plstm_graph import LineDAG
from plstm_graph.errors import EngineError, FeatureError
from plstm_graph.ops import ENGINES, explain_engine, plstm
from tests.oracles import NAMES, assert_same, dense_plstm, output_and_gradients, paths_plstm, random_tensors
from tests.strategies import grid_dag, path_dag, random_batch

TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4}
FAST = [name for name in ENGINES if name != "reference"]
WIDTHS = [(1, 1, 1), (2, 5, 3), (3, 24, 33), (4, 33, 24)]


def engine_outputs(engine: str, dag: LineDAG, tensors, **options):
    return output_and_gradients(lambda t: plstm(*t.values(), dag, engine=engine, **options), tensors)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("masked", [False, True], ids=["all", "multitree"])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_agrees_with_dense_solve(engine, reverse, masked, widths, dtype):
    dag = random_batch([1, 7, 12, 3, 16], seed=sum(widths))
    mask = dag.multitree if masked else None
    exact = random_tensors(dag, *widths)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag, mask, reverse), exact)
    tensors = {name: t.detach().to(dtype).requires_grad_() for name, t in exact.items()}
    found = engine_outputs(engine, dag, tensors, line_mask=mask, reverse=reverse)
    assert_same(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_agrees_with_sum_over_paths(engine, reverse):
    dag = random_batch([6, 5], density=0.6, seed=3)
    mask = torch.rand(dag.num_line_edges, generator=torch.Generator().manual_seed(1)) < 0.7
    tensors = random_tensors(dag, 2, 3, 2)
    expected = output_and_gradients(lambda t: paths_plstm(t, dag, mask, reverse), tensors)
    assert_same(engine_outputs(engine, dag, tensors, line_mask=mask, reverse=reverse), expected, 1e-10, 1e-10)


@pytest.mark.parametrize("engine", ENGINES)
def test_direct_term(engine):
    dag = random_batch([1, 6, 9], seed=5)
    tensors = random_tensors(dag, 3, 4, 5)
    direct = torch.randn(dag.num_nodes, 3, dtype=torch.float64, requires_grad=True)
    with_direct = {**tensors, "direct": direct}
    expected = output_and_gradients(
        lambda t: dense_plstm({n: t[n] for n in NAMES}, dag, direct=t["direct"]), with_direct
    )
    found = output_and_gradients(
        lambda t: plstm(*(t[n] for n in NAMES), dag, engine=engine, direct=t["direct"]), with_direct
    )
    assert_same(found, expected, 1e-10, 1e-10)


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize(
    "dag", [path_dag(300), grid_dag(9, 11), random_batch([90], 0.05)], ids=["path", "grid", "dense"]
)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_larger_graphs_agree_with_reference(engine, dag, reverse):
    tensors = random_tensors(dag, 2, 4, 20)
    expected = engine_outputs("reference", dag, tensors, reverse=reverse)
    assert_same(engine_outputs(engine, dag, tensors, reverse=reverse), expected, 1e-9, 1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("edges", "num_nodes", "batch"),
    [
        ([], 0, []),
        ([], 1, [0]),
        ([], 4, [0, 1, 1, 3]),
        ([(0, 1)], 4, [0, 0, 1, 2]),
        ([(0, 1), (0, 1), (1, 2), (1, 2)], 3, [0, 0, 0]),
    ],
    ids=["no nodes", "one node", "no edges", "isolated nodes", "parallel edges"],
)
def test_degenerate_graphs(engine, edges, num_nodes, batch):
    edge_index = torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T
    dag = LineDAG.from_edge_index(edge_index, num_nodes, None, torch.tensor(batch, dtype=torch.int64))
    tensors = random_tensors(dag, 2, 3, 4)
    expected = output_and_gradients(lambda t: dense_plstm(t, dag), tensors)
    assert_same(engine_outputs(engine, dag, tensors), expected, 1e-10, 1e-10)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("num_nodes", [2, 1], ids=["an edge, no line edge", "no edge"])
def test_every_input_is_part_of_the_graph_of_derivatives(engine, num_nodes):
    dag = path_dag(num_nodes)
    tensors = [t.detach().requires_grad_() for t in random_tensors(dag, 2, 3, 4).values()]
    grads = torch.autograd.grad(plstm(*tensors, dag, engine=engine).sum(), tensors)  # raises for one that is not used
    assert [g.shape for g in grads] == [t.shape for t in tensors]


@pytest.mark.parametrize("engine", FAST)
def test_hub_of_degree_1000(engine):
    leaves = torch.arange(1, 1001)
    center = torch.zeros_like(leaves)
    edges = torch.stack([torch.where(leaves <= 40, leaves, center), torch.where(leaves <= 40, center, leaves)])
    dag = LineDAG.from_edge_index(edges, 1001)
    tensors = random_tensors(dag, 1, 2, 3)
    expected = engine_outputs("reference", dag, tensors)
    assert_same(engine_outputs(engine, dag, tensors), expected, 1e-9, 1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_gradcheck(engine, reverse):
    dag = random_batch([5, 4], density=0.6, seed=2)
    tensors = tuple(random_tensors(dag, 2, 2, 3).values())
    function = lambda *t: plstm(*t, dag, engine=engine, reverse=reverse)  # noqa: E731
    assert torch.autograd.gradcheck(function, tensors)


@pytest.mark.parametrize("engine", ["reference", "wavefront", "parallel"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_second_derivatives(engine, reverse):
    dag = random_batch([5], density=0.6, seed=4)
    tensors = tuple(random_tensors(dag, 1, 2, 2).values())
    function = lambda *t: plstm(*t, dag, engine=engine, reverse=reverse)  # noqa: E731
    assert torch.autograd.gradgradcheck(function, tensors)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_accumulates_in_float32(engine, dtype):
    dag = path_dag(60)
    tensors = {k: t.detach().to(dtype) for k, t in random_tensors(dag, 2, 4, 4).items()}
    tensors["transition"] = torch.ones_like(tensors["transition"])
    found = plstm(*tensors.values(), dag, engine=engine)
    expected = dense_plstm({k: t.double() for k, t in tensors.items()}, dag).to(dtype)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("engine", FAST)
def test_strided_inputs(engine):
    dag = random_batch([8, 5], seed=6)
    plain = random_tensors(dag, 3, 4, 5)
    strided = {k: t.detach().repeat_interleave(2, dim=-1)[..., ::2].requires_grad_() for k, t in plain.items()}
    assert not strided["query"].is_contiguous()
    assert_same(engine_outputs(engine, dag, strided), engine_outputs("reference", dag, plain), 1e-10, 1e-10)


@pytest.mark.parametrize("engine", FAST)
def test_uninitialised_memory_is_never_read(engine, monkeypatch):
    dag = random_batch([8, 1, 30], seed=6)
    tensors = random_tensors(dag, 3, 4, 5)
    expected = engine_outputs("reference", dag, tensors)
    for name in ("empty", "empty_like"):
        plain = getattr(torch, name)

        def poisoned(*args, plain=plain, **kwargs):
            tensor = plain(*args, **kwargs)
            return tensor.fill_(float("nan")) if tensor.is_floating_point() else tensor

        monkeypatch.setattr(torch, name, poisoned)
    assert_same(engine_outputs(engine, dag, tensors), expected, 1e-10, 1e-10)


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize("dag", [random_batch([20] * 12, 0.2), grid_dag(40, 40)], ids=["batch", "grid"])
def test_bit_identical_between_runs(engine, dag):
    tensors = random_tensors(dag, 2, 8, 40, dtype=torch.float32)
    first, second = (engine_outputs(engine, dag, tensors) for _ in range(2))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize("dag", [random_batch([20] * 12, 0.2), grid_dag(40, 40)], ids=["batch", "grid"])
def test_fused_is_bit_identical_for_any_number_of_threads(dag):
    tensors = random_tensors(dag, 2, 8, 40, dtype=torch.float32)
    threads = torch.get_num_threads()
    found = []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            found.append(engine_outputs("fused", dag, tensors))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        for name, value in found[0].items():
            assert torch.equal(value, other[name]), name


def test_masked_line_edges_get_no_gradient():
    dag = random_batch([9], density=0.7, seed=1)
    assert not dag.multitree.all()
    tensors = random_tensors(dag, 2, 3, 3)
    found = engine_outputs("auto", dag, tensors, line_mask=dag.multitree)
    assert (found["grad_transition"][~dag.multitree] == 0).all()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("query", lambda t: t[:-1], "query must have shape"),
        ("key", lambda t: t[..., :-1], "key must have shape"),
        ("value", lambda t: t[:, :1], "value must have shape"),
        ("source", lambda t: t[:-1], "source must have shape"),
        ("transition", lambda t: t[:, :1], "transition must have shape"),
        ("mark", lambda t: t.float(), "mark has dtype torch.float32"),
        ("value", lambda t: t.long(), "value must be a floating-point tensor"),
    ],
)
def test_wrong_tensor_is_named(name, change, words):
    dag = random_batch([6], seed=0)
    tensors = {k: t.detach() for k, t in random_tensors(dag, 2, 3, 3).items()}
    tensors[name] = change(tensors[name])
    with pytest.raises(FeatureError, match=words):
        plstm(*tensors.values(), dag)


def test_wrong_mask():
    dag = random_batch([6], seed=0)
    tensors = random_tensors(dag, 2, 3, 3)
    with pytest.raises(FeatureError, match="line_mask must be a bool tensor"):
        plstm(*tensors.values(), dag, line_mask=torch.ones(dag.num_line_edges))
    with pytest.raises(FeatureError, match="got list"):
        plstm(*tensors.values(), dag, line_mask=[True])


def test_unknown_engine_names_the_nearest():
    dag = path_dag(3)
    with pytest.raises(EngineError, match="did you mean 'wavefront'"):
        plstm(*random_tensors(dag, 1, 1, 1).values(), dag, engine="wavefrnt")


def test_explain_engine_gives_engine_and_reason():
    choice = explain_engine(path_dag(3))
    assert choice.engine == "fused"
    assert choice.reason
    assert explain_engine(random_batch([9] * 4), device="mps").engine == "parallel"
    assert explain_engine(path_dag(3000), device="mps").engine == "chunkwise"


def test_parallel_refuses_a_graph_too_large_and_says_what_would_do():
    dag = path_dag(9000)
    with pytest.raises(EngineError, match=r"graph 0 has 8,999 edges.*'fused'"):
        plstm(*random_tensors(dag, 1, 1, 1).values(), dag, engine="parallel")
