"""The public operator: checks its inputs, picks an engine, keeps the caller's dtype."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch import Tensor

from plstm_graph.errors import EngineError
from plstm_graph.graph.linedag import LineDAG
from plstm_graph.ops import chunkwise, fused, parallel, reference, wavefront
from plstm_graph.ops.check import HALF_DTYPES, check_gates, check_nodes

Engine = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, LineDAG, bool], Tensor]

ENGINES: dict[str, Engine] = {
    "reference": reference.run,
    "wavefront": wavefront.run,
    "parallel": parallel.run,
    "fused": fused.run,
    "chunkwise": chunkwise.run,
}
"""Engines by name.

Each takes checked float32 or float64 tensors ``query, key [N, H, K]``, ``value [N, H, V]``, ``source [E, H]``,
``transition [L, H]``, ``mark [E, H]``, the :class:`LineDAG` and ``reverse``, and returns ``[N, H, V]``. Those that
serve matrix-valued transitions take the gates as ``[E, H, J]``, ``[L, H, J, J]``, ``[E, H, J]`` as well.
"""


def plstm(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    source: Tensor,
    transition: Tensor,
    mark: Tensor,
    dag: LineDAG,
    *,
    line_mask: Tensor | None = None,
    reverse: bool = False,
    engine: str = "auto",
    direct: Tensor | None = None,
) -> Tensor:
    r"""Source-Transition-Mark recurrence on the line graph of a DAG, differentiable in all tensors.

    .. math::
        C_e = \sum_{e' \to e} T_{e'e} C_{e'} + S_e \, k_{tail(e)} v_{tail(e)}^T, \qquad
        h_n = q_n^T \Big( \sum_{e \in in(n)} M_e C_e + D_n \, k_n v_n^T \Big)

    Equations (5) and (6) of arXiv 2506.11997. Nothing is scaled or normalised.

    With matrix-valued transitions (A.5, state tracking) every edge carries J states of size K × V,
    :math:`C_{e,i} = \sum_{e' \to e} \sum_j T_{e'e,ij} C_{e',j} + S_{e,i} \, k v^T`, of which the head reads
    :math:`\sum_j M_{e,j} C_{e,j}`. Reversed, a matrix is not transposed: its columns belong to the edge that is met
    first on the way, its rows to the edge it leads to, in either direction. So the gating matrix obeys
    :math:`G_{reverse}(S, T, M) = G(M, T^T, S)^T`.

    Args:
        query: ``[N, H, K]``.
        key: ``[N, H, K]``.
        value: ``[N, H, V]``.
        source: ``[E, H]``, in the order of ``dag.edge_index``; ``[E, H, J]`` for matrix-valued transitions.
        transition: ``[L, H]``, in the order of ``dag.line_index``; or ``[L, H, J, J]``.
        mark: ``[E, H]``, or ``[E, H, J]``.
        dag: the DAG, or a batch of DAGs.
        line_mask: ``[L]`` bool, line edges to keep; D-mode passes ``dag.multitree``.
        reverse: run on the reversed DAG; tails and heads change roles for all gates.
        engine: ``"reference"``, ``"wavefront"``, ``"parallel"``, ``"fused"``, ``"chunkwise"``, or ``"auto"``, whose
            choice :func:`explain_engine` explains. All give the same values up to rounding; ``"wavefront"`` and
            ``"parallel"`` and ``"reference"`` are twice differentiable, and serve matrix-valued transitions.
        direct: ``[N, H]``, what a node hears of itself; ``None`` leaves that term out.

    Returns:
        ``[N, H, V]`` in the dtype of the inputs; bfloat16 and float16 are accumulated in float32.

    Raises:
        FeatureError: a tensor has a wrong shape, dtype or device.
        EngineError: the engine does not exist or cannot serve this call.
    """
    transition = check_gates(source, transition, mark, dag, line_mask)
    check_nodes(query, key, value, direct, source, dag)
    if engine == "auto":
        engine = _choose(dag, query.device, query.size(-1), source.size(2) if source.dim() == 3 else None).engine
    elif engine not in ENGINES:
        near = difflib.get_close_matches(str(engine), ["auto", *ENGINES], n=1)
        raise EngineError(
            f"engine={engine!r} does not exist; choose from auto, {', '.join(ENGINES)}"
            + (f"; did you mean {near[0]!r}?" if near else "")
        )
    dtype = value.dtype
    if dtype in HALF_DTYPES:
        query, key, value, source, transition, mark = (t.float() for t in (query, key, value, source, transition, mark))
        direct = None if direct is None else direct.float()
    if engine == "fused":
        return fused.run(query, key, value, source, transition, mark, dag, reverse, direct).to(dtype)
    if dag.num_edges:
        with torch.autocast(value.device.type, enabled=False):  # autocast would accumulate in half precision
            heard = ENGINES[engine](query, key, value, source, transition, mark, dag, reverse)
    else:
        heard = torch.zeros_like(value) + _nothing_of(query, key, value, source, mark)
    if dag.num_line_edges == 0:
        heard = heard + _nothing_of(transition)
    if direct is not None:
        heard = heard + (direct * (query * key).sum(-1)).unsqueeze(-1) * value
    return heard.to(dtype)


def _nothing_of(*tensors: Tensor) -> Tensor:
    """Zero, but part of the graph of derivatives of ``tensors``, whatever they hold."""
    return torch.stack([torch.where(torch.zeros_like(t, dtype=torch.bool), t, 0).sum() for t in tensors]).sum()


class EngineChoice(NamedTuple):
    """An engine and the reason for it."""

    engine: str
    reason: str


def explain_engine(
    dag: LineDAG, *, key_dim: int = 24, device: torch.device | str | None = None, state_size: int | None = None
) -> EngineChoice:
    """Say which engine ``engine="auto"`` takes for a DAG or batch, and why.

    Args:
        dag: the DAG or batch.
        key_dim: key width K per head.
        device: where it would run; the device of ``dag`` if ``None``.
        state_size: states J per edge of matrix-valued transitions, ``None`` for numbers.

    Returns:
        The engine's name and the reason, in words.
    """
    return _choose(dag, torch.device(device) if device is not None else dag.device, key_dim, state_size)


def _choose(dag: LineDAG, device: torch.device, key_dim: int, state_size: int | None) -> EngineChoice:
    if state_size is not None:
        return _choose_for_matrices(dag, key_dim, state_size)
    if device.type == "cpu":
        return EngineChoice("fused", "compiled for the CPU, and linear in edges: fastest at every size on this device")
    mean_edges = dag.num_edges / max(1, dag.num_graphs)
    if device.type == "cuda" and _has_triton():
        if dag.num_graphs * 4 < dag.num_levels:
            return EngineChoice(
                "chunkwise", f"{dag.num_levels} levels against {dag.num_graphs} graphs: depth dominates"
            )
        return EngineChoice("fused", "one Triton program per graph and head keeps the states on chip")
    if mean_edges <= 8 * key_dim and dag.num_graphs > 1:
        return EngineChoice("parallel", f"{mean_edges:.0f} edges per graph are few enough for dense gating matrices")
    if dag.num_levels > 1000:
        return EngineChoice("chunkwise", f"{dag.num_levels} levels are too many for a step per level")
    return EngineChoice("wavefront", f"{dag.num_levels} levels, one step each, on a device without a fused engine")


def _choose_for_matrices(dag: LineDAG, key_dim: int, state_size: int) -> EngineChoice:
    largest = int(dag.edge_ptr.diff().max()) if dag.num_graphs else 0
    if dag.num_graphs > 1 and largest * state_size <= 8 * key_dim:
        return EngineChoice(
            "parallel", f"matrices; {largest} edges of {state_size} states per graph fit dense gating matrices"
        )
    return EngineChoice("wavefront", f"matrices; {dag.num_levels} levels, one step each")


def _has_triton() -> bool:
    return find_spec("triton") is not None
