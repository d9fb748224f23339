"""Gated linear attention over ancestors: the gating matrix of every graph, then masked attention.

No state of size K × V exists; the cost per graph grows as E² · N, so it suits molecules.
"""

from __future__ import annotations

import torch
from torch import Tensor

from plstm_graph.graph.linedag import LineDAG
from plstm_graph.ops.buckets import make_buckets
from plstm_graph.ops.gating import bucket_gating, num_states


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
    """Evaluate ``h_n = sum_n' G_nn' (q_n · k_n') v_n'`` in size buckets; see :func:`plstm_graph.ops.plstm`."""
    out = torch.zeros_like(value)
    for bucket in make_buckets(dag, num_states(source)):
        graphs, width = bucket.graphs.numel(), bucket.num_nodes
        gating = bucket_gating(source, transition, mark, dag, bucket, reverse)

        def padded(x: Tensor, bucket=bucket, graphs=graphs, width=width) -> Tensor:
            flat = x.new_zeros(graphs * width, *x.shape[1:]).index_copy(0, bucket.node_at, x[bucket.nodes])
            return flat.view(graphs, width, *x.shape[1:]).transpose(1, 2)

        score = padded(query) @ padded(key).transpose(-1, -2)
        heard = ((gating * score) @ padded(value)).transpose(1, 2).flatten(0, 1)
        out = out.index_copy(0, bucket.nodes, heard[bucket.node_at])
    return out
