"""The pLSTM layer for PyTorch Geometric."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from plstm_graph.errors import ConfigError, FeatureError
from plstm_graph.graph.linedag import LineDAG
from plstm_graph.nn.checks import check_sizes, one_of
from plstm_graph.nn.gates import GateMaps, Gates
from plstm_graph.nn.head_norm import rms_norm
from plstm_graph.nn.inputs import joined, order_edges
from plstm_graph.nn.state_tracking import MatrixTransition
from plstm_graph.ops import ENGINES, plstm

KEY_INITS = ("random", "query")
DIRECTIONS = {"forward": (False,), "backward": (True,), "both": (False, True)}


class PLSTMConv(MessagePassing):
    r"""Linear Source-Transition-Mark network on the edges of a DAG, from `"pLSTM: parallelizable Linear Source
    Transition Mark networks" <https://arxiv.org/abs/2506.11997>`_.

    Every edge carries a matrix-valued cell state per head,

    .. math::
        C_e = \sum_{e' \to e} T_{e'e} C_{e'} + S_e \, k_{tail(e)} v_{tail(e)}^T, \qquad
        h_n = q_n^T \Big( \sum_{e \in in(n)} M_e C_e + D_n \, k_n v_n^T \Big),

    with queries scaled by :math:`1/\sqrt{K}`; heads are normalised (RMSNorm) and mixed by a linear map. A node hears
    all its ancestors, in one layer.

    Args:
        in_channels: size of each node feature vector.
        out_channels: size of each output vector; a multiple of ``heads``.
        heads: number of heads H.
        mode: ``"P"``, directed propagation: all line edges, sums of transitions bounded by one. ``"D"``, diffusive
            distribution: line edges pruned to a multitree, each transition bounded by one.
        direction: ``"forward"`` along the DAG, ``"backward"`` against it, or ``"both"``: each direction has gates and
            an output map of its own, queries, keys and values are shared, and the results are added.
        edge_dim: size of each edge feature vector, which enters all edge gates; ``None`` without edge features.
        key_dim: key width K per head; ``out_channels / heads`` by default.
        norm: bound of P-mode: ``"l1"`` over outgoing line edges as in equation (9), ``"linf"`` over incoming ones.
        engine: engine of :func:`plstm_graph.ops.plstm`.
        source_bias: source gate bias at the start.
        mark_bias: mark gate bias at the start.
        direct_bias: direct gate bias at the start.
        transition_bias: transition bias at the start, inside the scaling.
        transition_scale: transitions are ``tanh(transition_scale * (W x + transition_bias))``.
        gate_std: standard deviation of the gate weights at the start.
        head_norm: ``"rms"``, the paper's RMSNorm of every head, or ``"none"``, which lets a node's output grow with
            what it heard; counts then reach the readout, and a norm over the batch should stand in the block.
        key_init: the map to keys at the start: ``"random"``, or ``"query"``, a copy of the map to queries. A node then
            first hears nodes that are like itself, and looking up by content is learnt in far fewer steps (see
            docs/guide/long-range.md).
        eps: epsilon of the RMSNorm of the heads.
        state_size: J, for matrix-valued transitions (A.5, state tracking): every edge carries J states per head, and a
            transition is a J × J matrix of spectral norm at most one. ``None`` for numbers.
        orthogonal: factors U and V of ``T = U diag(σ) Vᵀ``: ``"householder"`` products of reflections, or
            ``"exponential"`` of skew matrices.
        singular: ``"tanh"``, singular values made like scalar transitions; ``"one"``, all of them one.
        grid_axes: number of axes of the regular grids (:meth:`LineDAG.grid`) that the layer is for (section 4.3). In
            P-mode the state of every edge that enters a cell is then sent on along the axes in proportions from the
            cell's features, by a softmax: (α, 1 - α) for two axes. The columns of T add up to one, so the signal
            travels in the direction of α and decays by a power law only; what leaves the grid at its border is lost.
            Edge features still enter source and mark. D-mode is as ever: the grid's multitree drops one of the turns.
            ``None`` gives every line edge a transition of its own.

    Shapes:
        - **input:** node features ``[N, in_channels]``, a :class:`~plstm_graph.LineDAG`, edge features
          ``[C, edge_dim]`` in the rows of the original ``edge_index`` (optional).
        - **output:** node features ``[N, out_channels]``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        heads: int = 4,
        mode: str = "P",
        direction: str = "forward",
        edge_dim: int | None = None,
        key_dim: int | None = None,
        norm: str = "l1",
        engine: str = "auto",
        *,
        source_bias: float = -4.0,
        mark_bias: float = -4.0,
        direct_bias: float = -6.0,
        transition_bias: float = 1.0,
        transition_scale: float = 5.0,
        gate_std: float = 0.02,
        head_norm: str = "rms",
        key_init: str = "random",
        eps: float = 1e-5,
        state_size: int | None = None,
        orthogonal: str = "householder",
        singular: str = "tanh",
        grid_axes: int | None = None,
    ) -> None:
        super().__init__(aggr="add", node_dim=0)
        one_of("mode", mode, ("P", "D"))
        one_of("direction", direction, DIRECTIONS)
        one_of("norm", norm, ("l1", "linf"))
        one_of("engine", engine, ("auto", *ENGINES))
        one_of("head_norm", head_norm, ("rms", "none"))
        one_of("key_init", key_init, KEY_INITS)
        one_of("orthogonal", orthogonal, ("householder", "exponential"))
        one_of("singular", singular, ("tanh", "one"))
        sizes: dict[str, int | None] = {"in_channels": in_channels, "out_channels": out_channels, "heads": heads}
        sizes |= {"key_dim": key_dim, "edge_dim": edge_dim, "state_size": state_size, "grid_axes": grid_axes}
        check_sizes(**sizes)
        if out_channels % heads:
            raise ConfigError(f"out_channels={out_channels} is not a multiple of heads={heads}: change one of them")
        if grid_axes is not None and state_size is not None:
            raise ConfigError("grid_axes gives transitions that are numbers, state_size matrices: set one of them")
        self.in_channels, self.out_channels, self.heads = in_channels, out_channels, heads
        self.mode, self.direction, self.edge_dim, self.norm, self.engine = mode, direction, edge_dim, norm, engine
        self.value_dim = out_channels // heads
        self.key_dim = key_dim or self.value_dim
        self.key_init = key_init
        self.head_norm, self.eps, self.state_size, self.grid_axes = head_norm, eps, state_size, grid_axes

        passes = DIRECTIONS[direction]
        self.widths = (heads * self.key_dim, heads * self.key_dim, heads * self.value_dim)
        self.project = nn.Linear(in_channels, sum(self.widths))  # to query, key and value
        self.gate_maps = nn.ModuleList(
            GateMaps(
                in_channels,
                heads,
                edge_dim,
                mode,
                norm,
                source_bias=source_bias,
                mark_bias=mark_bias,
                direct_bias=direct_bias,
                transition_bias=transition_bias,
                transition_scale=transition_scale,
                gate_std=gate_std,
                matrix=None
                if state_size is None
                else MatrixTransition(state_size, orthogonal, singular, mode == "P", transition_scale, transition_bias),
                grid_axes=grid_axes,
            )
            for _ in passes
        )
        self.mix = nn.ModuleList(nn.Linear(out_channels, out_channels, bias=i == 0) for i in range(len(passes)))
        self._start_keys()

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for module in (self.project, *self.gate_maps, *self.mix):
            module.reset_parameters()
        self._start_keys()

    def _start_keys(self) -> None:
        if self.key_init == "query":
            with torch.no_grad():
                for tensor in (self.project.weight, self.project.bias):
                    query, key, _ = tensor.split(self.widths)
                    key.copy_(query)

    def forward(
        self,
        x: Tensor,
        dag: LineDAG | Sequence[LineDAG],
        edge_attr: Tensor | None = None,
        *,
        in_edge_order: bool = False,
    ) -> Tensor:
        """Run the layer.

        Args:
            x: ``[N, in_channels]``.
            dag: the line DAG of the batch; a list of line DAGs, as PyG collates an attribute it does not know, is
                joined first.
            edge_attr: ``[C, edge_dim]`` in the rows of the original ``edge_index``.
            in_edge_order: ``edge_attr`` is ``[E, edge_dim]`` in the order of ``dag.edge_index`` already, as
                :meth:`order_edges` gives it, which several layers can share.

        Returns:
            ``[N, out_channels]``.

        Raises:
            FeatureError: a wrong number of rows or channels, or edge features missing or unexpected.
        """
        dag = joined(dag)
        edge = edge_attr if in_edge_order or edge_attr is None else order_edges(edge_attr, dag)
        self._check(x, dag, edge)
        scale = self.project.weight.new_ones(sum(self.widths))
        scale[: self.widths[0]] = self.key_dim**-0.5  # of weights in place of queries: this saves a pass over all nodes
        projected = F.linear(x, self.project.weight * scale.unsqueeze(-1), self.project.bias * scale)
        query, key, value = (part.unflatten(-1, (self.heads, -1)) for part in projected.split(self.widths, dim=-1))
        if self.mode == "D" and not dag.traced:  # a trace keeps the shapes, and masks instead
            dag = dag.pruned
        out: Tensor | None = None
        for maps, mix, reverse in zip(self.gate_maps, self.mix, DIRECTIONS[self.direction], strict=True):
            heard = self.message_and_aggregate(dag, query, key, value, maps(x, dag, edge, reverse), reverse)
            if self.head_norm == "rms":
                heard = rms_norm(heard, self.eps)
            mixed = mix(heard.flatten(1))
            out = mixed if out is None else out + mixed
        assert out is not None  # there is at least one direction
        return out

    def message_and_aggregate(
        self, dag: LineDAG, query: Tensor, key: Tensor, value: Tensor, gates: Gates, reverse: bool
    ) -> Tensor:
        """The operator with its direct term: ``[N, H, V]``; in D-mode the line DAG is pruned, or masked here."""
        masked = self.mode == "D" and (dag.traced or dag.pruned is not dag)
        heard = plstm(
            *(nodes.to(gates.source.dtype) for nodes in (query, key, value)),
            gates.source,
            gates.transition,
            gates.mark,
            dag,
            line_mask=dag.multitree if masked else None,
            reverse=reverse,
            engine=self.engine,
            direct=gates.direct,
        )
        return heard.to(value.dtype)

    def gates(self, x: Tensor, dag: LineDAG, edge_attr: Tensor | None = None, reverse: bool | None = None) -> Gates:
        """Gate values of one direction, for inspection; in D-mode the transitions of pruned line edges are zero.

        Args:
            x: ``[N, in_channels]``.
            dag: the line DAG.
            edge_attr: ``[C, edge_dim]``.
            reverse: which direction of a layer with ``direction="both"``; the layer's own by default.
        """
        dag = joined(dag)
        edge = None if edge_attr is None else order_edges(edge_attr, dag)
        self._check(x, dag, edge)
        passes = DIRECTIONS[self.direction]
        reverse = passes[0] if reverse is None else reverse
        if reverse not in passes:
            raise ConfigError(f"reverse={reverse} is not a direction of a layer with direction={self.direction!r}")
        gates = self.gate_maps[passes.index(reverse)](x, dag, edge, reverse)
        if self.mode == "D":
            keep = dag.multitree.view(-1, *[1] * (gates.transition.dim() - 1))
            gates = gates._replace(transition=gates.transition * keep)
        return gates

    def _check(self, x: Tensor, dag: LineDAG, edge: Tensor | None) -> None:
        if self.grid_axes is not None:
            _check_grid(dag, self.grid_axes)
        if x.dim() != 2 or x.size(0) != dag.num_nodes or x.size(1) != self.in_channels:
            raise FeatureError(
                f"x must have shape [N, in_channels] = [{dag.num_nodes}, {self.in_channels}], got {list(x.shape)}"
            )
        self._check_dtype("x", x)
        if (edge is None) != (self.edge_dim is None):
            raise FeatureError(
                f"the layer has edge_dim={self.edge_dim}, but edge_attr is "
                f"{'missing' if edge is None else 'given'}: construct the layer with the size of edge_attr"
            )
        if edge is not None and tuple(edge.shape) != (dag.num_edges, self.edge_dim):
            raise FeatureError(
                f"edge_attr must have shape [rows, edge_dim] with edge_dim={self.edge_dim}, and in edge order "
                f"{dag.num_edges} rows, got {list(edge.shape)}"
            )
        if edge is not None:
            self._check_dtype("edge_attr", edge)

    def _check_dtype(self, name: str, features: Tensor) -> None:
        dtype = self.project.weight.dtype
        mixed = torch.is_autocast_enabled(features.device.type) or torch.compiler.is_compiling()
        if not features.is_floating_point() or (features.dtype != dtype and not mixed):
            raise FeatureError(
                f"{name} has dtype {features.dtype}, the weights of the layer {dtype}: convert one of them"
            )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.in_channels}, {self.out_channels}, heads={self.heads}, "
            f"mode={self.mode!r}, direction={self.direction!r})"
        )


def _check_grid(dag: LineDAG, axes: int) -> None:
    if dag.edge_axis is None:
        raise FeatureError(
            f"the layer has grid_axes={axes}, but the line DAG is no regular grid: make it with LineDAG.grid, or "
            "leave grid_axes out"
        )
    found = dag.cached("num_axes", lambda: int(dag.edge_axis.max()) + 1 if dag.num_edges else 0)
    if found > axes:
        raise FeatureError(f"the layer has grid_axes={axes}, but the grid has {found} axes")
