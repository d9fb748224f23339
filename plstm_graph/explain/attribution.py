"""Who hears whom, exactly: a pLSTM layer is linear in its states, so its output falls apart into one term per atom.

For every head, with the gating matrix G of equation (7) and the direct gate on its diagonal,

    h_n = Σ_n' c_nn',  c_nn' = G_nn' (q_n·k_n') v_n',  G_nn' = Σ_(e', e) M_e [(I - T)^-1]_ee' S_e'  (+ D_n if n = n'),

where the path enters the line graph by e', an edge out of n' (source), and leaves it by e, an edge into n (mark).
Nothing here is an approximation: queries, keys and gates are those of the forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from plstm_graph.errors import ConfigError, EngineError
from plstm_graph.explain.record import OperatorCall, recorded

LARGEST = 2000
"""Most edges of a graph whose paths are written out, as ``[H, E, E]`` numbers per layer and direction."""


@dataclass(frozen=True)
class LayerAttribution:
    """One layer in one direction on one graph, in float64, on the CPU.

    Attributes:
        layer: number of the layer, from 0.
        mode: ``"P"`` or ``"D"``.
        reverse: the layer ran on the reversed DAG.
        edge_index: ``[2, E]`` tail and head of every edge in the direction of travel.
        source, mark: ``[H, E]`` gates.
        direct: ``[H, n]`` gate.
        match: ``[H, n, n]`` q_n·k_n' with the scaled query; row = atom that hears, column = atom that is heard.
        value: ``[H, n, V]``.
        output: ``[H, n, V]`` the layer's own output before normalisation.
        resolvent: ``[H, E, E]`` (I - T)^-1: row = last edge, column = first edge of a path.
    """

    layer: int
    mode: str
    reverse: bool
    edge_index: Tensor
    source: Tensor
    mark: Tensor
    direct: Tensor
    match: Tensor
    value: Tensor
    output: Tensor
    resolvent: Tensor

    @property
    def num_heads(self) -> int:
        """Heads H."""
        return self.direct.size(0)

    @property
    def paths(self) -> Tensor:
        """``[H, E, E]``: M_e [(I - T)^-1]_ee' S_e', all paths with last edge e (row) and first edge e' (column)."""
        return self.mark.unsqueeze(-1) * self.resolvent * self.source.unsqueeze(-2)

    @property
    def reads(self) -> Tensor:
        """``[H, n, E]``: what reaches atom n (row) of a unit that is in the state of edge e (column)."""
        marked = self.mark.unsqueeze(-1) * self.resolvent
        return self._onto_atoms(marked, self.edge_index[1])

    @property
    def writes(self) -> Tensor:
        """``[H, E, n]``: what arrives in the state of edge e (row) of a unit at atom n' (column)."""
        sourced = self.resolvent * self.source.unsqueeze(-2)
        return self._onto_atoms(sourced.mT, self.edge_index[0]).mT

    @property
    def gating(self) -> Tensor:
        """``[H, n, n]``: G, the direct gate included; row = atom that hears, column = atom that is heard."""
        into = self._onto_atoms(self.paths, self.edge_index[1])
        return self._onto_atoms(into.mT, self.edge_index[0]).mT + torch.diag_embed(self.direct)

    @property
    def weight(self) -> Tensor:
        """``[H, n, n]``: G_nn' (q_n·k_n'), the exact factor of v_n' in h_n."""
        return self.gating * self.match

    @property
    def magnitude(self) -> Tensor:
        """``[H, n, n]``: length of the contribution, \\|G_nn' (q_n·k_n')\\| · ‖v_n'‖."""
        return self.weight.abs() * self.value.norm(dim=-1).unsqueeze(-2)

    @property
    def share(self) -> Tensor:
        """``[H, n, n]``: c_nn'·h_n / ‖h_n‖², the part of h_n that comes from n'; every row adds up to one."""
        return self.weight * self._along(self.value)

    @property
    def edge_share(self) -> Tensor:
        """``[H, n, E]``: the part of h_n that is lost when edge e is deleted and all gates stay as they are.

        Edges into n split h_n exactly: their parts and the direct one (:attr:`direct_share`) add up to one.
        """
        return self.reads * ((self.match * self._along(self.value)) @ self.writes.mT)

    @property
    def direct_share(self) -> Tensor:
        """``[H, n]``: the part of h_n that an atom hears of itself."""
        own = self.match * self._along(self.value)
        return self.direct * own.diagonal(dim1=-2, dim2=-1)

    @property
    def reconstruction(self) -> Tensor:
        """``[H, n, V]``: the sum of all contributions, which must equal :attr:`output`."""
        return self.weight @ self.value

    @property
    def residual(self) -> float:
        """Largest difference between the sum of all contributions and the layer's output, relative to the latter."""
        scale = self.output.abs().max() if self.output.numel() else self.output.new_zeros(())
        return float((self.reconstruction - self.output).abs().max() / scale) if scale > 0 else 0.0

    def through_edge(self, edge: int) -> Tensor:
        """``[H, n, n]``: the part of G on paths over ``edge``: G minus this is the gating matrix without the edge."""
        return self.reads[:, :, edge].unsqueeze(-1) * self.writes[:, edge].unsqueeze(-2)

    def _onto_atoms(self, rows: Tensor, atom: Tensor) -> Tensor:
        """Add up rows ``[H, E, X]`` by atom: ``[H, n, X]``."""
        return rows.new_zeros(rows.size(0), self.direct.size(1), rows.size(2)).index_add(1, atom, rows)

    def _along(self, vectors: Tensor) -> Tensor:
        """``[H, n, n]``: vectors of n' along the output of n, over its squared length; 0 where nothing is heard."""
        length = self.output.square().sum(-1, keepdim=True)
        return torch.where(length > 0, (self.output @ vectors.mT) / length.clamp(min=1e-300), 0.0)


def attribute(call: OperatorCall) -> LayerAttribution:
    """Write out one recorded operator call on one graph.

    Raises:
        ConfigError: the call was on a batch of several graphs.
        EngineError: the graph has too many edges to write out all pairs of them.
    """
    dag = call.dag
    if dag.num_graphs != 1:
        raise ConfigError(f"attributions are made graph by graph, but the batch has {dag.num_graphs} graphs")
    if call.gates.transition.dim() == 4:
        raise EngineError(
            f"layer {call.layer} has matrix-valued transitions, and attributions through single edges are made of "
            "numbers: use plstm_graph.ops.gating_matrix on the layer's gates(), which serves both"
        )
    if dag.num_edges > LARGEST:
        raise EngineError(f"{dag.num_edges} edges are too many to write out all pairs of edges (at most {LARGEST})")
    source, transition, mark, direct, query, key, value, output = (
        tensor.detach().double().cpu() for tensor in (*call.gates[:], call.query, call.key, call.value, call.output)
    )
    edges, lines = dag.edge_index.cpu(), dag.line_index.cpu()
    if call.reverse:
        edges, lines = edges.flip(0), lines.flip(0)
    size = edges.size(1)
    identity = torch.eye(size, dtype=torch.float64)
    chain = torch.zeros(direct.size(1), size, size, dtype=torch.float64)
    chain[:, lines[1], lines[0]] = transition.T
    resolvent = torch.linalg.solve_triangular(
        identity - chain, identity.expand_as(chain), upper=call.reverse, unitriangular=True
    )
    return LayerAttribution(
        layer=call.layer,
        mode=call.mode,
        reverse=call.reverse,
        edge_index=edges,
        source=source.T,
        mark=mark.T,
        direct=direct.T,
        match=torch.einsum("nhk,mhk->hnm", query, key),
        value=value.transpose(0, 1),
        output=output.transpose(0, 1),
        resolvent=resolvent,
    )


@torch.no_grad()
def attribute_layers(model: nn.Module, data: object) -> list[LayerAttribution]:
    """Attributions of every pLSTM layer of ``model`` in each of its directions, for one graph.

    Args:
        model: a model with :class:`~plstm_graph.PLSTMConv` layers, in evaluation mode.
        data: one graph, as the model takes it (with ``dag``).

    Raises:
        ConfigError: the model has no pLSTM layer, or ``data`` holds several graphs.
        EngineError: the graph is too large.
    """
    with recorded(model) as calls:
        model(data)
    if not calls:
        raise ConfigError(f"{type(model).__name__} has no pLSTM layer: only pLSTM models can be explained this way")
    return [attribute(call) for call in calls]
