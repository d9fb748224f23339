"""What a node hears of its neighbours, in both directions of every edge: the branch beside the pLSTM layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import GINEConv

from plstm_graph.graph.linedag import LineDAG
from plstm_graph.nn.compiled import as_array, differentiable_gradients, edge_array, has_kernel, index_arrays


class LocalConv(GINEConv):
    """GINE on the undirected graph of a DAG: ``nn((1 + eps) x_n + sum relu(x_m + e_mn))`` over all neighbours m.

    On a CPU a kernel adds up the neighbours in one pass; elsewhere PyG's messages do.

    Args:
        channels: width of nodes and edges, in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels)), train_eps=True
        )

    def forward(self, x: Tensor, dag: LineDAG, edge: Tensor | None = None) -> Tensor:
        """Node features ``[N, channels]``; ``edge [E, channels]`` in the order of ``dag.edge_index``, or ``None``."""
        edge = None if edge is None else edge.to(x.dtype)  # under autocast a linear map makes it shorter
        if has_kernel(x, dag):
            return self.nn(_Neighbors.apply(x, edge, self.eps, dag))
        return self.nn(hear_neighbors(x, edge, self.eps, dag))


def hear_neighbors(x: Tensor, edge: Tensor | None, eps: Tensor, dag: LineDAG) -> Tensor:
    """``(1 + eps) x_n + sum relu(x_m + e_mn)`` by torch's operations: ``[N, channels]``."""
    tail, head = dag.edge_index
    heard = x * (1 + eps)
    for sender, receiver in ((tail, head), (head, tail)):
        message = x.index_select(0, sender)
        heard = heard.index_add(0, receiver, torch.relu(message if edge is None else message + edge))
    return heard


class _Neighbors(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, edge: Tensor | None, eps: Tensor, dag: LineDAG) -> Tensor:
        from plstm_graph.nn._kernels import neighbors_forward

        ctx.save_for_backward(x, edge, eps)
        ctx.dag = dag
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        neighbors_forward(as_array(x), edge_array(edge, x), *index_arrays(dag, False)[:2], 1 + eps.item(), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from plstm_graph.nn._kernels import neighbors_backward

        x, edge, eps = ctx.saved_tensors
        if torch.is_grad_enabled():  # derivatives of the derivatives are asked for: torch has them
            heard = hear_neighbors(x, edge, eps, ctx.dag)
            return (*differentiable_gradients([heard], [x, edge, eps], [grad]), None)
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        grad_edge = None if edge is None else torch.empty_like(edge, memory_format=torch.contiguous_format)
        grad_eps = neighbors_backward(
            as_array(grad), as_array(x), edge_array(edge, x), *index_arrays(ctx.dag, False)[:2], 1 + eps.item(),
            grad_x.numpy(), edge_array(grad_edge, x),
        )  # fmt: skip
        return grad_x, grad_edge, torch.full_like(eps, grad_eps), None
