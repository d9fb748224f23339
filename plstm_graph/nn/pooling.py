"""Poolings by name, the same for all models."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.nn.aggr import Aggregation, MultiAggregation, SumAggregation
from torch_geometric.nn.resolver import aggregation_resolver

from plstm_graph.errors import ConfigError

TYPICAL_SIZE = 20
"""Nodes of a molecule of middling size: a sum over as many nodes, divided by this, has the magnitude of a mean."""


class NormAggregation(SumAggregation):
    """A sum divided by :data:`TYPICAL_SIZE`: it knows the size of a graph, and the head starts with small numbers."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return super().forward(x, *args, **kwargs) / TYPICAL_SIZE


def make_pool(pooling: str | Aggregation) -> Aggregation:
    """From nodes to graphs: ``"norm"``, an aggregator of PyG by name, several joined by ``"+"``, or one as it is.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(pooling, Aggregation):
        return pooling
    try:
        names = pooling.split("+")
        pools = [NormAggregation() if name == "norm" else aggregation_resolver(name) for name in names]
    except (AttributeError, TypeError, ValueError) as error:  # no text, needs arguments, or no such name
        raise ConfigError(
            f"pooling={pooling!r} does not exist; choose from 'norm', 'mean', 'sum', 'max' and PyG's other "
            "aggregators, several joined by '+', such as 'mean+max', or give an aggregator"
        ) from error
    return MultiAggregation(pools, mode="cat") if len(pools) > 1 else pools[0]


def num_pools(pooling: str | Aggregation) -> int:
    """How many poolings stand side by side."""
    return pooling.count("+") + 1 if isinstance(pooling, str) else 1
