"""A small molecule model with weights that make every gate matter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch_geometric.data import Data

from plstm_graph import PLSTM, ToLineDAG, from_smiles
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
WIDE_OPEN = {"source_bias": 0.0, "mark_bias": 0.0, "direct_bias": 0.0, "gate_std": 0.3, "transition_bias": 0.2}


@pytest.fixture
def make_net() -> Callable[..., PLSTM]:
    """``make_net(num_outputs, **options)``: a pLSTM for molecules in evaluation mode, gates far from their limits."""

    def make(num_outputs: int = 1, **options: object) -> PLSTM:
        torch.manual_seed(3)
        size = {"hidden_channels": 16, "heads": 2, "num_layers": 2, "node_encoder": "atom", "edge_encoder": "bond"}
        size |= {"direction": "both", "local": False, "mlp_ratio": 2.0}
        return PLSTM(None, num_outputs, **size | WIDE_OPEN | options).eval()

    return make


@pytest.fixture
def make_predictor(make_net: Callable[..., PLSTM]) -> Callable[..., GraphPredictor]:
    """``make_predictor(task, **options)``: a model with its task; regression targets have mean 3 and deviation 2."""

    def make(task: Task | None = None, **options: object) -> GraphPredictor:
        task = task or Task("regression", ("logp",))
        size = task.num_outputs
        moments = (torch.full((size,), 3.0), torch.full((size,), 2.0)) if task.kind == "regression" else ()
        return GraphPredictor(make_net(size, **options), task, *moments).eval()

    return make


@pytest.fixture
def aspirin() -> Data:
    """Aspirin with its line DAG."""
    return ToLineDAG()(from_smiles(ASPIRIN))
