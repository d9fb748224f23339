"""A trained model as one file that predicts on its own: weights, how to build the network, what its outputs mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch_geometric.data import Batch

import plstm_graph
from plstm_graph.data import PackedDataset
from plstm_graph.errors import ConfigError, RunError
from plstm_graph.nn.baselines import build_model
from plstm_graph.train import packing
from plstm_graph.train.load import orient
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task

if TYPE_CHECKING:
    from plstm_graph.chem.arrays import Packed


@dataclass(frozen=True)
class ModelSpec:
    """How to build a network and feed it.

    Args:
        model: name in :data:`plstm_graph.nn.baselines.MODELS`.
        in_channels: number of node features.
        options: all further arguments of the model.
        order: orientation of the edges, as for :class:`plstm_graph.ToLineDAG`.
        molecules: the inputs are molecules with OGB's atom and bond features, so SMILES can be predicted.
        chirality: how SMILES are to be read; see :func:`plstm_graph.chem.from_smiles`.
    """

    model: str
    in_channels: int | list[int]
    options: dict[str, Any]
    order: str
    molecules: bool
    chirality: str = "written"

    def build(self, task: Task, **statistics: Any) -> GraphPredictor:
        """The network with new weights, for ``task``."""
        return GraphPredictor(
            build_model(self.model, self.in_channels, task.num_outputs, **self.options), task, **statistics
        )

    def batch(self, packed: Packed) -> Batch:
        """Packed molecules (see :data:`plstm_graph.chem.arrays.Packed`) as a batch that the network takes."""
        tensors = {name: torch.from_numpy(array) for name, array in packed.items()}
        graphs = tensors["node_ptr"].numel() - 1
        dataset = PackedDataset(
            name="molecules",
            y=torch.zeros(graphs, 0),
            task="regression",
            metric="rmse",
            node_kind="atom",
            edge_kind="bond",
            node_fields={"canonical_rank": tensors.pop("canonical_rank")},
            **tensors,
        )
        batch = dataset.collate(torch.arange(graphs))
        transform = orient(self.model, self.order)
        return batch if transform is None else transform(batch)


def save_model(path: Path, spec: ModelSpec, predictor: GraphPredictor) -> None:
    """Write a model file."""
    content = {
        "kind": "model",
        "version": plstm_graph.__version__,
        "spec": vars(spec),
        "task": predictor.task.to_dict(),
        "state_dict": dict(predictor.state_dict()),
    }
    packing.save(path, content)


def load_model(path: str | Path) -> tuple[ModelSpec, GraphPredictor]:
    """Read a model file, or the best model of a run folder; the model is in evaluation mode, on the CPU.

    Raises:
        RunError: there is no model at ``path``.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "best.pt"
    content = packing.load(path)
    if content.get("kind") != "model":
        raise RunError(f"{path} holds the state of a run, not a model: take best.pt beside it")
    spec = ModelSpec(**content["spec"])
    predictor = spec.build(Task.from_dict(content["task"]))
    predictor.load_state_dict(content["state_dict"])
    return spec, predictor.eval()


def load_molecule_model(path: str | Path) -> tuple[ModelSpec, GraphPredictor]:
    """:func:`load_model`, for a model that is to read SMILES.

    Raises:
        RunError: there is no model at ``path``.
        ConfigError: the model does not take molecules.
    """
    spec, predictor = load_model(path)
    if not spec.molecules:
        raise ConfigError(f"{path} was trained on graphs that are not molecules with atom features: it takes no SMILES")
    return spec, predictor
