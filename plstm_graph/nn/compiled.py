"""Where compiled kernels serve a layer, and what they are given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from plstm_graph.graph.linedag import LineDAG


def has_kernel(x: Tensor, dag: LineDAG | None = None) -> bool:
    """Whether kernels can read ``x`` and the index of ``dag``: floating-point numbers on the CPU, and no tracing."""
    if torch.compiler.is_compiling() or type(x) not in (Tensor, torch.nn.Parameter):
        return False
    if dag is not None and (dag.traced or not dag.node_ptr.is_cpu):
        return False
    return x.is_cpu and x.dtype in (torch.float32, torch.float64)


def as_array(tensor: Tensor) -> np.ndarray:
    """Contiguous array, of the tensor's own memory where that is contiguous."""
    return tensor.detach().contiguous().numpy()


def edge_array(edge: Tensor | None, like: Tensor) -> np.ndarray:
    """Rows of edges; none of them, as wide as ``like``, where edges have no features."""
    return as_array(like[:0] if edge is None else edge)


def index_arrays(dag: LineDAG, reverse: bool) -> tuple[np.ndarray, ...]:
    """Tail and head ``[E]``, before and after ``[L]``, kept on the line DAG."""

    def make() -> tuple[np.ndarray, ...]:
        pairs = [pair.flip(0) if reverse else pair for pair in (dag.edge_index, dag.line_index)]
        return tuple(row.contiguous().numpy() for pair in pairs for row in pair)

    return dag.cached(f"index_arrays_{reverse}", make)


def differentiable_gradients(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor | None], grads: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    """Gradients of torch's operations that can be differentiated again, where kernels cannot.

    Args:
        outputs: what torch's operations made of ``inputs``.
        inputs: ``None`` for one that is not there.
        grads: gradients of ``outputs``.

    Returns:
        One per input; ``None`` for one that is not there or needs none.
    """
    pairs = [(out, grad) for out, grad in zip(outputs, grads, strict=True) if out.requires_grad]
    wanted = [t for t in inputs if t is not None and t.requires_grad]
    made = torch.autograd.grad(
        [out for out, _ in pairs], wanted, [grad for _, grad in pairs], create_graph=True, allow_unused=True
    )
    found = iter(made)
    return tuple(next(found) if t is not None and t.requires_grad else None for t in inputs)
