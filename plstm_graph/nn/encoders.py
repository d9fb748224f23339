"""From raw node and edge features to vectors: OGB's atoms and bonds, categories, numbers, degrees, depths."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import Data

from plstm_graph.errors import ConfigError, FeatureError
from plstm_graph.graph.linedag import LineDAG
from plstm_graph.nn.checks import check_sizes, one_of
from plstm_graph.nn.norms import NORMS, make_norm

ATOM_FEATURE_SIZES = (119, 5, 12, 12, 10, 6, 6, 2, 2)
"""Number of values of OGB's nine atom features."""

BOND_FEATURE_SIZES = (5, 6, 2)
"""Number of values of OGB's three bond features."""


class CategoryEncoder(nn.Module):
    """Sum of one embedding per categorical feature: int64 ``[N, F]`` → ``[N, channels]``.

    Args:
        sizes: number of values of each of the F features.
        channels: width of the embeddings.
    """

    def __init__(self, sizes: Sequence[int], channels: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.table = nn.Parameter(torch.empty(sum(self.sizes), channels))
        first = torch.tensor([0, *self.sizes[:-1]]).cumsum(0)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("limit", torch.tensor(self.sizes), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier-uniform per feature, as OGB's encoders."""
        for rows in self.table.data.split(self.sizes):
            nn.init.xavier_uniform_(rows)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 1:
            x = x.unsqueeze(-1)
        if x.is_floating_point() or x.size(1) != len(self.sizes):
            raise FeatureError(
                f"categorical features must be an integer tensor of shape [rows, {len(self.sizes)}], "
                f"got {x.dtype} {list(x.shape)}"
            )
        self._check_range(x)
        return F.embedding_bag(x + self.first, self.table, mode="sum")

    def _check_range(self, x: Tensor) -> None:
        """Beyond its categories a feature would read the vectors of the next one."""
        fits = ((x >= 0) & (x < self.limit)).all()
        traced = torch.compiler.is_compiling() or type(x) is not Tensor
        if traced or not x.is_cpu:  # without a look at the numbers, for which a GPU would have to be waited for
            torch._assert_async(fits, "a categorical feature has a value out of range")
        elif not fits:
            row, column = ((x < 0) | (x >= self.limit)).nonzero()[0].tolist()
            raise FeatureError(
                f"row {row}, column {column} of the categorical features is {int(x[row, column])}, but that feature "
                f"has the categories 0 to {self.sizes[column] - 1}: they are coded differently, or the encoder's sizes "
                "are too small"
            )


class AtomEncoder(CategoryEncoder):
    """OGB's nine atom features → ``[N, channels]``."""

    def __init__(self, channels: int) -> None:
        super().__init__(ATOM_FEATURE_SIZES, channels)


class BondEncoder(CategoryEncoder):
    """OGB's three bond features → ``[C, channels]``."""

    def __init__(self, channels: int) -> None:
        super().__init__(BOND_FEATURE_SIZES, channels)


class DegreeEncoder(CategoryEncoder):
    """One learned vector per degree: counts int64 ``[N]`` → ``[N, channels]``.

    A sinusoidal encoding of degrees, which are small, is nearly the same long vector for every node, and drowns the
    node features to which it is added; these vectors start as short as those of any category.

    Args:
        channels: width.
        largest: degrees from here on share a vector.
    """

    def __init__(self, channels: int, largest: int = 64) -> None:
        super().__init__([largest + 1], channels)
        self.largest = largest

    def forward(self, count: Tensor) -> Tensor:
        return super().forward(count.clamp(max=self.largest))


class NumberEncoder(nn.Linear):
    """A linear map of numbers: ``[N, F]`` → ``[N, channels]``."""

    def forward(self, x: Tensor) -> Tensor:
        mixed = torch.is_autocast_enabled(x.device.type) or torch.compiler.is_compiling()
        if not x.is_floating_point() or x.dim() != 2 or x.size(1) != self.in_features:
            raise FeatureError(
                f"features must be a floating-point tensor of shape [rows, {self.in_features}], "
                f"got {x.dtype} {list(x.shape)}"
            )
        if x.dtype != self.weight.dtype and not mixed:
            raise FeatureError(
                f"features have dtype {x.dtype}, the weights of the model {self.weight.dtype}: convert one of them"
            )
        return super().forward(x)


class SinusoidalEncoding(nn.Module):
    """Sines and cosines of a count, as for positions in a Transformer: ``[N]`` → ``[N, channels]``.

    Args:
        channels: width of the encoding.
        longest: wavelength of the slowest channel is ``2 pi`` times this.
    """

    def __init__(self, channels: int, longest: float = 10000.0) -> None:
        super().__init__()
        self.channels = channels
        rate = torch.exp(torch.arange(0, channels, 2) * (-math.log(longest) / channels))
        self.register_buffer("rate", rate, persistent=False)

    def forward(self, count: Tensor) -> Tensor:
        angle = count.to(self.rate.dtype).unsqueeze(-1) * self.rate
        return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)[..., : self.channels]


class WalkEncoder(nn.Module):
    """Random-walk structural encodings, normalised and mapped to vectors: ``data.rwse [N, steps]`` → ``[N, channels]``.

    Args:
        steps: number of steps of the walks.
        channels: width of the vectors.
        norm: one of :data:`~plstm_graph.nn.norms.NORMS`.
    """

    def __init__(self, steps: int, channels: int, norm: str) -> None:
        super().__init__()
        self.steps = steps
        self.norm, self.linear = make_norm(norm, steps), nn.Linear(steps, channels)

    def forward(self, data: Data) -> Tensor:
        if data.get("rwse") is None:
            raise FeatureError("the model has rwse_dim > 0, but the data has no attribute rwse")
        return self.linear(self.norm(data.rwse))


def make_walk_encoder(steps: int, channels: int, norm: str) -> WalkEncoder | None:
    """Encoder of random walks, or ``None`` for walks of no steps.

    Raises:
        ConfigError: there is no such norm.
    """
    one_of("rwse_norm", norm, NORMS)
    if steps != 0:
        check_sizes(rwse_dim=steps)
    return WalkEncoder(steps, channels, norm) if steps else None


def make_degree_encoder(kind: str, channels: int) -> nn.Module | None:
    """Encoder of degrees by name: ``"learned"``, ``"sinusoidal"`` or ``"none"``.

    Raises:
        ConfigError: the name does not exist.
    """
    makers = {"learned": DegreeEncoder, "sinusoidal": SinusoidalEncoding, "none": lambda _: None}
    one_of("degree_encoding", kind, makers)
    return makers[kind](channels)


def make_encoder(
    kind: str | None, in_channels: int | Sequence[int] | None, channels: int, what: str
) -> nn.Module | None:
    """Encoder of node or edge features by name.

    Args:
        kind: ``"atom"``, ``"bond"``, ``"linear"`` (numbers ``[N, in_channels]``), ``"embedding"`` (categories;
            ``in_channels`` is their number, or one number per feature column), or ``None``.
        in_channels: see ``kind``.
        channels: output width.
        what: "node" or "edge", for messages.

    Raises:
        ConfigError: the name does not exist, ``in_channels`` is missing or no size, or is given without a name.
    """
    check_sizes(hidden_channels=channels)
    if kind is None and in_channels is None:
        return None
    if kind is None:
        raise ConfigError(
            f"{what}_dim={in_channels} needs {what}_encoder='linear' for numbers, or 'embedding' for categories; "
            f"without an encoder the {what} features would be left out"
        )
    if kind == "atom":
        return AtomEncoder(channels)
    if kind == "bond":
        return BondEncoder(channels)
    if kind in ("linear", "embedding") and in_channels is None:
        raise ConfigError(f"{what}_encoder={kind!r} needs the size of the {what} features")
    if kind in ("linear", "embedding"):
        for size in [in_channels] if isinstance(in_channels, int) else in_channels:
            check_sizes(**{f"the size of the {what} features": size})
    if kind == "linear":
        return NumberEncoder(in_channels, channels)
    if kind == "embedding":
        return CategoryEncoder([in_channels] if isinstance(in_channels, int) else in_channels, channels)
    raise ConfigError(
        f"{what}_encoder={kind!r} does not exist; choose from 'atom', 'bond', 'linear', 'embedding', None"
    )


def node_degree(dag: LineDAG) -> Tensor:
    """Number of DAG edges at every node, either way: int64 ``[N]``."""
    return dag.cached("degree", lambda: torch.bincount(dag.edge_index.flatten(), minlength=dag.num_nodes))


def node_depth(dag: LineDAG) -> Tensor:
    """Number of edges on the longest path that ends in every node: int64 ``[N]``."""

    def make() -> Tensor:
        depth = torch.zeros(dag.num_nodes, dtype=torch.int64, device=dag.device)
        return depth.scatter_reduce(0, dag.edge_index[1], dag.level + 1, "amax")

    return dag.cached("depth", make)
