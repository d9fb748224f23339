"""The gating matrix: how much every node hears of every ancestor, G = M (I - T)^-1 S, equation (7)."""

from __future__ import annotations

import torch
from torch import Tensor

from plstm_graph.graph.linedag import LineDAG
from plstm_graph.ops.buckets import Bucket, make_buckets
from plstm_graph.ops.check import HALF_DTYPES, check_gates


def gating_matrix(
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    dag: LineDAG,
    *,
    line_mask: Tensor | None = None,
    reverse: bool = False,
) -> list[Tensor]:
    """Gating matrix of every graph, equation (7) of arXiv 2506.11997.

    Args:
        source: ``[E, H]`` source gates, or ``[E, H, J]``.
        transition: ``[L, H]`` transition gates, or ``[L, H, J, J]``.
        mark: ``[E, H]`` mark gates, or ``[E, H, J]``.
        dag: the line DAG.
        line_mask: ``[L]`` bool, line edges to keep.
        reverse: use the reversed DAG.

    Returns:
        One tensor ``[H, n, n]`` per graph, in the dtype of the gates; row = node that hears, column = node that is
        heard, both counted within the graph. Differentiable; bfloat16 and float16 are computed in float32.

    Raises:
        FeatureError: a gate has a wrong shape, dtype or device.
        EngineError: a graph is too large for dense algebra.
    """
    transition = check_gates(source, transition, mark, dag, line_mask)
    dtype = source.dtype
    if dtype in HALF_DTYPES:
        source, transition, mark = source.float(), transition.float(), mark.float()
    sizes = dag.node_ptr.diff().tolist()
    result = [source.new_zeros(source.size(1), n, n, dtype=dtype) for n in sizes]
    with torch.autocast(source.device.type, enabled=False):  # autocast would multiply in half precision
        for bucket in make_buckets(dag, num_states(source)):
            for i, gating in zip(
                bucket.graphs.tolist(), bucket_gating(source, transition, mark, dag, bucket, reverse), strict=True
            ):
                result[i] = gating[:, : sizes[i], : sizes[i]].to(dtype)
    return result


def bucket_gating(
    source: Tensor, transition: Tensor, mark: Tensor, dag: LineDAG, bucket: Bucket, reverse: bool
) -> Tensor:
    """Gating matrices ``[B, H, n, n]`` of the graphs of one bucket, by a batched triangular solve.

    Matrix-valued transitions make blocks of J rows and columns per edge, and the matrix remains triangular, since the
    blocks on its diagonal are identities.
    """
    if source.dim() == 2:  # a number is a 1 × 1 matrix
        source, transition, mark = source[..., None], transition[..., None, None], mark[..., None]
    heads, graphs = source.size(1), bucket.graphs.numel()
    tail, head = dag.edge_index.flip(0) if reverse else dag.edge_index
    before, after = dag.line_index.flip(0) if reverse else dag.line_index
    place = torch.empty(dag.num_edges, dtype=torch.int64, device=dag.device)
    place[bucket.edges] = bucket.edge_at
    node_place = torch.empty(dag.num_nodes, dtype=torch.int64, device=dag.device)
    node_place[bucket.nodes] = bucket.node_at
    m, n = bucket.num_edges, bucket.num_nodes

    def dense(weight: Tensor, row: Tensor, column: Tensor, rows: int, columns: int) -> Tensor:
        high, wide = weight.shape[2:]
        flat = weight.new_zeros(graphs * rows * columns, heads, high, wide)
        flat = flat.index_put((row * columns + column % columns,), weight)
        blocks = flat.view(graphs, rows, columns, heads, high, wide).permute(0, 3, 1, 4, 2, 5)
        return blocks.reshape(graphs, heads, rows * high, columns * wide)

    edges, lines = bucket.edges, bucket.lines
    chain = dense(-transition[lines], place[after[lines]], place[before[lines]], m, m)
    write = dense(source[edges].unsqueeze(-1), place[edges], node_place[tail[edges]], m, n)
    read = dense(mark[edges].unsqueeze(-2), node_place[head[edges]], place[edges], n, m)
    heard = torch.linalg.solve_triangular(chain, write, upper=reverse, unitriangular=True)
    return read @ heard


def num_states(source: Tensor) -> int:
    """States J per edge: the last axis of ``[E, H, J]``, or one for ``[E, H]``."""
    return source.size(2) if source.dim() == 3 else 1
