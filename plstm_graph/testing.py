"""Assertions for those who build on the library: own engines, own orientations, own line DAGs.

All raise ``AssertionError`` with the name of what differs and by how much. The oracle is a dense solve in float64 that
shares no code with the engines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from plstm_graph.graph.linedag import LineDAG

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}
"""Largest error allowed, relative to the largest value of the tensor, for inputs of the size that tests use."""

NAMES = ("query", "key", "value", "source", "transition", "mark")

Engine = Callable[..., Tensor]


def assert_valid(dag: LineDAG) -> None:
    """Check that all fields of a :class:`LineDAG` fit each other.

    Args:
        dag: one DAG or a batch.

    Raises:
        AssertionError: names the property that fails and the first edge or line edge where it does.
    """
    tail, head = dag.edge_index
    before, after = dag.line_index
    outside = (dag.edge_index < 0) | (dag.edge_index >= dag.num_nodes)
    assert not outside.any(), (
        f"edge_index names nodes that do not exist: first at position {int(outside.nonzero()[0, -1])}"
    )
    graph = torch.repeat_interleave(dag.node_ptr.diff())
    checks = {
        "an edge joins two graphs": graph[tail] != graph[head],
        "edges are not grouped by graph": graph[tail].diff() < 0,
        "a line edge joins edges that do not meet": head[before] != tail[after],
        "an edge stands before one of its predecessors": before >= after,
        "line edges are not sorted": (after * max(1, dag.num_edges) + before).diff() <= 0,
    }
    for problem, wrong in checks.items():
        assert not wrong.any(), f"{problem}: first at position {int(wrong.nonzero()[0, -1])}"
    into = torch.bincount(head, minlength=dag.num_nodes)
    expected = int(into[tail].sum())
    assert dag.num_line_edges == expected, f"{dag.num_line_edges} line edges instead of {expected}"
    level = torch.zeros_like(dag.level)
    for a, b in zip(before.tolist(), after.tolist(), strict=True):  # sorted by the edge that is reached
        level[b] = max(int(level[b]), int(level[a]) + 1)
    assert torch.equal(level, dag.level), f"level of edge {int((level != dag.level).nonzero()[0])} is wrong"
    edges_of = torch.bincount(graph[tail], minlength=dag.num_graphs) if dag.num_graphs else dag.edge_ptr.diff()
    assert torch.equal(edges_of, dag.edge_ptr.diff()), "edge_ptr does not count the edges of each graph"
    assert_multitree(dag)


def assert_multitree(dag: LineDAG, line_mask: Tensor | None = None) -> None:
    """Check that at most one directed path joins any two edges; takes ``[E, E]`` memory.

    Args:
        dag: one DAG or a batch.
        line_mask: ``[L]`` bool, line edges to look at; ``dag.multitree`` by default.

    Raises:
        AssertionError: names two edges that several paths join.
    """
    kept = dag.line_index[:, dag.multitree if line_mask is None else line_mask]
    paths = torch.zeros(dag.num_edges, dag.num_edges, dtype=torch.float64)
    for a, b in kept.T.tolist():
        paths[b] += paths[a]
        paths[b, a] += 1
    several = (paths > 1).nonzero()
    assert not len(several), f"{int(paths.max())} paths lead from edge {several[0, 1]} to edge {several[0, 0]}"


def assert_engine_matches(
    engine: str | Engine,
    dag: LineDAG,
    *,
    heads: int = 2,
    key_dim: int = 5,
    value_dim: int = 3,
    dtype: torch.dtype = torch.float64,
    reverse: bool = False,
    line_mask: Tensor | None = None,
    seed: int = 0,
) -> None:
    """Compare the output of an engine, and the gradient of each of its six inputs, with a dense solve in float64.

    Args:
        engine: name of an engine, or a function with the signature of those in ``plstm_graph.ops.ENGINES``.
        dag: the DAG or batch; dense algebra over all its edges must fit in memory.
        heads: number of heads H.
        key_dim: key width K.
        value_dim: value width V.
        dtype: float32 or float64; see :data:`TOLERANCE`.
        reverse: run on the reversed DAG.
        line_mask: ``[L]`` bool, line edges to keep.
        seed: of the random inputs.

    Raises:
        AssertionError: names the tensor that differs most and the largest error.
    """
    from plstm_graph.ops import plstm

    exact = _random_inputs(dag, heads, key_dim, value_dim, seed)
    inputs = [t.detach().to(dtype).requires_grad_() for t in exact]

    def run(*tensors: Tensor) -> Tensor:
        if isinstance(engine, str):
            return plstm(*tensors, dag, line_mask=line_mask, reverse=reverse, engine=engine)
        query, key, value, source, transition, mark = tensors
        if line_mask is not None:
            transition = torch.where(line_mask.unsqueeze(-1), transition, 0)
        return engine(query, key, value, source, transition, mark, dag, reverse)

    found = _output_and_gradients(run, inputs)
    expected = _output_and_gradients(lambda *t: _dense(*t, dag=dag, reverse=reverse, line_mask=line_mask), exact)
    for name, value in found.items():
        truth = expected[name]
        assert value.shape == truth.shape, f"{name} has shape {list(value.shape)} instead of {list(truth.shape)}"
        if not truth.numel():
            continue
        error = float((value.double() - truth).abs().max() / truth.abs().max().clamp(min=1))
        assert error <= TOLERANCE[dtype], f"{name} is off by {error:.2e} (allowed: {TOLERANCE[dtype]:.0e}, {dtype})"


def assert_orientation_invariant(order: Any, data: Any, trials: int = 5) -> None:
    """Check that an orientation gives the same DAG, up to symmetry of the graph, however its nodes are numbered.

    Args:
        order: as for :class:`plstm_graph.ToLineDAG`.
        data: undirected PyG ``Data``; all node-level tensors are renumbered with the nodes.
        trials: number of random renumberings.

    Raises:
        AssertionError: two numberings give DAGs that differ.
    """
    from plstm_graph.graph.transform import ToLineDAG

    expected = _fingerprint(ToLineDAG(order)(data), data)
    for _ in range(trials):
        new = torch.randperm(data.num_nodes)
        moved = data.clone()
        moved.edge_index = new[data.edge_index]
        for name, value in data.items():
            if isinstance(value, Tensor) and data.is_node_attr(name):
                moved[name] = torch.empty_like(value).index_copy_(0, new, value)
        found = _fingerprint(ToLineDAG(order)(moved), moved)
        assert found == expected, f"order={order!r} gives another DAG when node i is renumbered to {new.tolist()}[i]"


def _fingerprint(oriented: Any, data: Any) -> list[tuple[int, int]]:
    from plstm_graph.graph.canonical import canonical_rank

    edge_index = oriented.dag.edge_index
    columns = oriented.dag.edge_id
    edge_attr = None if data.get("edge_attr") is None else data.edge_attr[columns]
    rank = canonical_rank(edge_index, data.num_nodes, data.get("x"), edge_attr)
    return sorted(map(tuple, rank[edge_index].T.tolist()))


def _random_inputs(dag: LineDAG, heads: int, key_dim: int, value_dim: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    nodes, edges, lines = dag.num_nodes, dag.num_edges, dag.num_line_edges
    shapes = [(nodes, heads, key_dim)] * 2 + [(nodes, heads, value_dim), (edges, heads), (lines, heads), (edges, heads)]
    return [torch.randn(s, generator=generator, dtype=torch.float64).div_(2).requires_grad_() for s in shapes]


def _output_and_gradients(function: Callable[..., Tensor], inputs: list[Tensor]) -> dict[str, Tensor]:
    out = function(*inputs)
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(out.dtype)
    grads = torch.autograd.grad((out * weight).sum(), inputs, allow_unused=True)
    named = zip(NAMES, inputs, grads, strict=True)
    return {"output": out.detach()} | {
        f"gradient of {name}": torch.zeros_like(t) if grad is None else grad for name, t, grad in named
    }


def _dense(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    *,
    dag: LineDAG,
    reverse: bool,
    line_mask: Tensor | None,
) -> Tensor:
    """``h = (G * q k^T) v`` with ``G = M (I - T)^-1 S`` by dense inversion, equation (7) of arXiv 2506.11997."""
    tail, head = dag.edge_index.flip(0) if reverse else dag.edge_index
    before, after = dag.line_index.flip(0) if reverse else dag.line_index
    if line_mask is not None:
        transition = transition * line_mask.unsqueeze(-1)
    edges, nodes, heads = dag.num_edges, dag.num_nodes, value.size(1)
    row = torch.arange(edges)
    outputs = []
    for h in range(heads):
        write = value.new_zeros(edges, nodes).index_put((row, tail), source[:, h])
        read = value.new_zeros(nodes, edges).index_put((head, row), mark[:, h])
        chain = value.new_zeros(edges, edges).index_put((after, before), transition[:, h])
        gating = read @ torch.linalg.inv(torch.eye(edges, dtype=value.dtype) - chain) @ write
        outputs.append((gating * (query[:, h] @ key[:, h].T)) @ value[:, h])
    return torch.stack(outputs, dim=1)
