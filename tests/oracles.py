"""Independent truths about pLSTM on a DAG: dense algebra, explicit paths, brute force. No code of the engines here."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

NAMES = ("query", "key", "value", "source", "transition", "mark")


def dense_gating(
    tail, head, line, num_nodes: int, source: Tensor, transition: Tensor, mark: Tensor, mask=None
) -> Tensor:
    """G = M (I - T)^-1 S, equation (7), for one head: gates ``[E], [L], [E]`` → ``[N, N]``."""
    edges = len(tail)
    rows = torch.arange(edges)
    written = source.new_zeros(edges, num_nodes).index_put((rows, torch.tensor(tail, dtype=torch.int64)), source)
    read = source.new_zeros(num_nodes, edges).index_put((torch.tensor(head, dtype=torch.int64), rows), mark)
    if mask is not None:
        transition = transition * mask.to(transition.dtype)
    before, after = torch.tensor(line, dtype=torch.int64).reshape(-1, 2).T
    chain = source.new_zeros(edges, edges).index_put((after, before), transition)
    return read @ torch.linalg.inv(torch.eye(edges, dtype=source.dtype) - chain) @ written


def dense_plstm(
    tensors: dict[str, Tensor], dag, line_mask=None, reverse: bool = False, direct: Tensor | None = None
) -> Tensor:
    """h_n = sum over n' of G_nn' (q_n · k_n') v_n', in the dtype of the tensors."""
    tail, head = dag.edge_index.tolist()
    line = [tuple(pair) for pair in dag.line_index.T.tolist()]
    if reverse:
        tail, head, line = head, tail, [(b, a) for a, b in line]
    outputs = []
    for h in range(tensors["value"].size(1)):
        gates = (tensors[name][:, h] for name in ("source", "transition", "mark"))
        gating = dense_gating(tail, head, line, dag.num_nodes, *gates, mask=line_mask)
        if direct is not None:
            gating = gating + torch.diag(direct[:, h])
        score = tensors["query"][:, h] @ tensors["key"][:, h].T
        outputs.append((gating * score) @ tensors["value"][:, h])
    return torch.stack(outputs, dim=1)


def paths_plstm(tensors: dict[str, Tensor], dag, line_mask=None, reverse: bool = False) -> Tensor:
    """Sum over all directed paths of edges: write at the first, pass along, read at the last."""
    tail, head = dag.edge_index.tolist()
    line = list(enumerate(map(tuple, dag.line_index.T.tolist())))
    if reverse:
        tail, head, line = head, tail, [(i, (b, a)) for i, (a, b) in line]
    after: dict[int, list[tuple[int, int]]] = {}
    for i, (a, b) in line:
        if line_mask is None or bool(line_mask[i]):
            after.setdefault(a, []).append((i, b))
    silent = 0 * tensors["value"]
    rows = list(silent)
    for path in _paths(range(len(tail)), after):
        first, last = path[0][1], path[-1][1]
        weight = tensors["source"][first] * tensors["mark"][last]
        for i, _ in path[1:]:
            weight = weight * tensors["transition"][i]
        n, m = head[last], tail[first]
        score = (tensors["query"][n] * tensors["key"][m]).sum(-1)
        rows[n] = rows[n] + (weight * score).unsqueeze(-1) * tensors["value"][m]
    return torch.stack(rows) if rows else silent


def _paths(starts, after) -> Iterator[list[tuple[int, int]]]:
    stack = [[(-1, e)] for e in starts]
    while stack:
        path = stack.pop()
        yield path
        stack.extend([*path, step] for step in after.get(path[-1][1], []))


def brute_line_graph(edge_index: Tensor) -> set[tuple[int, int]]:
    """All pairs (e', e) with head(e') = tail(e)."""
    tail, head = edge_index.tolist()
    return {(a, b) for a in range(len(tail)) for b in range(len(tail)) if head[a] == tail[b]}


def path_counts(line_index: Tensor, num_edges: int) -> Tensor:
    """Number of directed paths of length >= 1 between any two edges ``[E, E]``, by powers of the adjacency matrix."""
    step = torch.zeros(num_edges, num_edges, dtype=torch.float64)
    step[line_index[0], line_index[1]] = 1
    total, power = torch.zeros_like(step), step
    while power.any():
        total, power = total + power, power @ step
    return total


def brute_levels(line_index: Tensor, num_edges: int) -> list[int]:
    """Length of the longest path that ends in each edge, by relaxation."""
    level = [0] * num_edges
    for _ in range(num_edges):
        for a, b in line_index.T.tolist():
            level[b] = max(level[b], level[a] + 1)
    return level


def random_tensors(
    dag, heads: int, key_dim: int, value_dim: int, dtype=torch.float64, seed: int = 0
) -> dict[str, Tensor]:
    """Inputs of the operator that ask for gradients."""
    generator = torch.Generator().manual_seed(seed)
    nodes, edges, lines = dag.num_nodes, dag.num_edges, dag.num_line_edges
    shapes = [(nodes, heads, key_dim)] * 2 + [(nodes, heads, value_dim), (edges, heads), (lines, heads), (edges, heads)]
    scale = {"transition": 0.5}
    return {
        name: (scale.get(name, 1.0) * torch.randn(shape, generator=generator, dtype=torch.float64))
        .to(dtype)
        .requires_grad_()
        for name, shape in zip(NAMES, shapes, strict=True)
    }


def output_and_gradients(function, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The output of ``function(tensors)`` and the gradient of a fixed weighted sum of it in every tensor."""
    out = function(tensors)
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64).to(out.dtype)
    grads = torch.autograd.grad((out * weight).sum(), list(tensors.values()), allow_unused=True)
    found = {"output": out.detach()}
    for (name, tensor), grad in zip(tensors.items(), grads, strict=True):
        found[f"grad_{name}"] = torch.zeros_like(tensor) if grad is None else grad
    return found


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], rtol: float, atol: float) -> None:
    """Compare by name."""
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(
            value.double(), expected[name].double(), rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: {text}"
        )


def matrix_tensors(
    dag, heads: int, states: int, key_dim: int, value_dim: int, dtype=torch.float64, seed: int = 0
) -> dict[str, Tensor]:
    """Inputs of the operator with matrix-valued transitions, which ask for gradients."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "query": (dag.num_nodes, heads, key_dim),
        "key": (dag.num_nodes, heads, key_dim),
        "value": (dag.num_nodes, heads, value_dim),
        "source": (dag.num_edges, heads, states),
        "transition": (dag.num_line_edges, heads, states, states),
        "mark": (dag.num_edges, heads, states),
    }
    return {
        name: (torch.randn(shape, generator=generator, dtype=torch.float64) * (0.4 if name == "transition" else 1.0))
        .to(dtype)
        .requires_grad_()
        for name, shape in shapes.items()
    }


def block_gating(
    tail, head, line, num_nodes: int, source: Tensor, transition: Tensor, mark: Tensor, mask=None
) -> Tensor:
    """G = M (I - T)^-1 S with J x J blocks, for one head: gates ``[E, J], [L, J, J], [E, J]`` → ``[N, N]``.

    Row e·J + i of the dense matrix is state i of edge e.
    """
    edges, states = source.shape
    chain = [[source.new_zeros(states, states) for _ in range(edges)] for _ in range(edges)]
    write = [[source.new_zeros(states) for _ in range(num_nodes)] for _ in range(edges)]
    read = [[source.new_zeros(states) for _ in range(edges)] for _ in range(num_nodes)]
    for number, (a, b) in enumerate(line):
        if mask is None or bool(mask[number]):
            chain[b][a] = transition[number]
    for e in range(edges):
        write[e][tail[e]], read[head[e]][e] = source[e], mark[e]
    if not edges:
        return source.new_zeros(num_nodes, num_nodes)
    whole = torch.cat([torch.cat(row, dim=1) for row in chain])
    written = torch.cat([torch.stack(row, dim=1) for row in write])
    marked = torch.stack([torch.cat(row) for row in read])
    return marked @ torch.linalg.inv(torch.eye(edges * states, dtype=source.dtype) - whole) @ written


def block_plstm(tensors: dict[str, Tensor], dag, line_mask=None, reverse: bool = False) -> Tensor:
    """The operator with matrix-valued transitions, by one dense block inverse per head."""
    tail, head = dag.edge_index.tolist()
    line = [tuple(pair) for pair in dag.line_index.T.tolist()]
    if reverse:
        tail, head, line = head, tail, [(b, a) for a, b in line]
    outputs = []
    for h in range(tensors["value"].size(1)):
        gates = (tensors[name][:, h] for name in ("source", "transition", "mark"))
        gating = block_gating(tail, head, line, dag.num_nodes, *gates, mask=line_mask)
        score = tensors["query"][:, h] @ tensors["key"][:, h].T
        outputs.append((gating * score) @ tensors["value"][:, h])
    return torch.stack(outputs, dim=1)


def matrix_paths_plstm(tensors: dict[str, Tensor], dag, line_mask=None, reverse: bool = False) -> Tensor:
    """Sum over all directed paths: a vector is written, multiplied by each matrix on the way, and read."""
    tail, head = dag.edge_index.tolist()
    line = list(enumerate(map(tuple, dag.line_index.T.tolist())))
    if reverse:
        tail, head, line = head, tail, [(i, (b, a)) for i, (a, b) in line]
    after: dict[int, list[tuple[int, int]]] = {}
    for i, (a, b) in line:
        if line_mask is None or bool(line_mask[i]):
            after.setdefault(a, []).append((i, b))
    rows = list(0 * tensors["value"])
    for path in _paths(range(len(tail)), after):
        first, last = path[0][1], path[-1][1]
        carried = tensors["source"][first].unsqueeze(-1)
        for i, _ in path[1:]:
            carried = tensors["transition"][i] @ carried
        weight = (tensors["mark"][last] * carried.squeeze(-1)).sum(-1)
        n, m = head[last], tail[first]
        score = (tensors["query"][n] * tensors["key"][m]).sum(-1)
        rows[n] = rows[n] + (weight * score).unsqueeze(-1) * tensors["value"][m]
    return torch.stack(rows) if rows else 0 * tensors["value"]


def greedy_multitree(line: Tensor, num_edges: int) -> list[bool]:
    """The greedy rule: keep (e', e) exactly if e and e' together with its ancestors have no ancestor in common."""
    above = [{e} for e in range(num_edges)]  # every edge with its ancestors
    kept = []
    for before, after in line.T.tolist():
        kept.append(not above[before] & above[after])
        if kept[-1]:
            above[after] |= above[before]
    return kept
