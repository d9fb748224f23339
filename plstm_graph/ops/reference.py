"""The operator as the paper prints it, edge by edge: slow, short, and what every other engine must agree with."""

from __future__ import annotations

import torch
from torch import Tensor

from plstm_graph.graph.linedag import LineDAG


def run(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    dag: LineDAG,
    reverse: bool,
) -> Tensor:
    """Evaluate equations (5) and (6) of arXiv 2506.11997 without the direct term; see :func:`plstm_graph.ops.plstm`."""
    tail, head = dag.edge_index.tolist()
    line_edges = list(enumerate(zip(*dag.line_index.tolist(), strict=True)))
    edges = range(dag.num_edges)
    if reverse:
        tail, head, edges = head, tail, reversed(edges)
        line_edges = [(line, (b, a)) for line, (a, b) in line_edges]
    if source.dim() == 2:  # a number is a 1 × 1 matrix
        source, transition, mark = source[..., None], transition[..., None, None], mark[..., None]
    before: dict[int, list[tuple[int, int]]] = {e: [] for e in range(dag.num_edges)}
    for line, (a, b) in line_edges:
        before[b].append((line, a))

    state: dict[int, Tensor] = {}
    heard: list[list[Tensor]] = [[] for _ in range(dag.num_nodes)]
    for e in edges:
        n = tail[e]
        # (5)  C_e = sum_e' T_e'e C_e' + S_e k_tail v_tail^T, one [J, K, V] tensor per head
        state[e] = torch.einsum("hj,hk,hv->hjkv", source[e], key[n], value[n])
        for line, a in before[e]:
            state[e] = state[e] + torch.einsum("hij,hjkv->hikv", transition[line], state[a])
        # (6)  h_n = q_n^T sum_e M_e C_e
        heard[head[e]].append(torch.einsum("hj,hk,hjkv->hv", mark[e], query[head[e]], state[e]))
    silent = value.new_zeros(value.shape[1:])
    return torch.stack([sum(parts, silent) for parts in heard])
