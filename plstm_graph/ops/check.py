"""Shapes, dtypes and devices of the operator's inputs, checked once for all engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from plstm_graph.errors import EngineError, FeatureError
from plstm_graph.graph.linedag import LineDAG

HALF_DTYPES = (torch.bfloat16, torch.float16)
DTYPES = (torch.float32, torch.float64, *HALF_DTYPES)


def check_gates(source: Tensor, transition: Tensor, mark: Tensor, dag: LineDAG, line_mask: Tensor | None) -> Tensor:
    """Check the gates and return the transitions with masked line edges set to zero.

    A third axis of ``source`` makes all of them those of matrix-valued transitions.

    Raises:
        FeatureError: names the tensor, what it should be and what it is.
    """
    heads = source.size(1) if source.dim() in (2, 3) else 1
    states = tuple(source.shape[2:]) if source.dim() == 3 else ()
    edge, line = ("[E, H, J]", "[L, H, J, J]") if states else ("[E, H]", "[L, H]")
    _expect("source", source, (dag.num_edges, heads, *states), edge, source, dag)
    _expect("transition", transition, (dag.num_line_edges, heads, *states, *states), line, source, dag)
    _expect("mark", mark, (dag.num_edges, heads, *states), edge, source, dag)
    if line_mask is None:
        return transition
    if (
        not isinstance(line_mask, Tensor)
        or line_mask.dtype != torch.bool
        or tuple(line_mask.shape) != (dag.num_line_edges,)
        or line_mask.device != dag.device
    ):
        found = (
            f"{line_mask.dtype} {list(line_mask.shape)} on {line_mask.device}"
            if isinstance(line_mask, Tensor)
            else type(line_mask).__name__
        )
        raise FeatureError(
            f"line_mask must be a bool tensor of shape [L] = [{dag.num_line_edges}] on {dag.device}, got {found}"
        )
    return torch.where(line_mask.view(-1, *[1] * (transition.dim() - 1)), transition, 0)


def check_nodes(query: Tensor, key: Tensor, value: Tensor, direct: Tensor | None, source: Tensor, dag: LineDAG) -> None:
    """Check query, key, value and direct gate against the other gates.

    Raises:
        FeatureError: names the tensor, what it should be and what it is.
    """
    heads = source.size(1)
    width = query.size(-1) if query.dim() else 0
    _expect("query", query, (dag.num_nodes, heads, width), "[N, H, K]", source, dag)
    _expect("key", key, (dag.num_nodes, heads, width), "[N, H, K]", source, dag)
    _expect("value", value, (dag.num_nodes, heads, value.size(-1) if value.dim() else 0), "[N, H, V]", source, dag)
    if direct is not None:
        _expect("direct", direct, (dag.num_nodes, heads), "[N, H]", source, dag)


def check_scalar(engine: str, transition: Tensor) -> None:
    """Check that transitions are numbers, for the engines that cannot serve matrices.

    Raises:
        EngineError: names the engines that can.
    """
    if transition.dim() == 4:
        raise EngineError(
            f"engine={engine!r} serves one number per line edge and head, got matrices [L, H, J, J] = "
            f"{list(transition.shape)}: use 'wavefront', or 'parallel' for small graphs, or leave the choice to 'auto'"
        )


def refuse_second_derivatives(engine: str) -> Callable[..., None]:
    """What a once differentiable custom operator registers as the derivative of its backward pass."""

    def refuse(ctx: Any, *grads: Any) -> None:
        raise EngineError(f"engine={engine!r} has no second derivatives: use 'wavefront', 'parallel' or 'reference'")

    return refuse


def _expect(name: str, tensor: Tensor, shape: tuple[int, ...], letters: str, like: Tensor, dag: LineDAG) -> None:
    if tuple(tensor.shape) != shape:
        raise FeatureError(f"{name} must have shape {letters} = {list(shape)}, got {list(tensor.shape)}")
    if tensor.dtype not in DTYPES:
        raise FeatureError(f"{name} must be a floating-point tensor, got {tensor.dtype}: use {name}.float()")
    if tensor.dtype != like.dtype:
        raise FeatureError(f"{name} has dtype {tensor.dtype}, source has {like.dtype}: convert them to one dtype")
    if tensor.device != dag.device:
        raise FeatureError(f"{name} is on {tensor.device}, the line DAG on {dag.device}: move one of them with .to()")
