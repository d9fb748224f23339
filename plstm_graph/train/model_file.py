"""A trained model as one file that predicts on its own: weights, how to build the network, what its outputs mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch_geometric.data import Batch

import plstm_graph
from plstm_graph.data import PackedDataset
from plstm_graph.errors import ConfigError, RunError
from plstm_graph.nn.baselines import build_model
from plstm_graph.train import packing
from plstm_graph.train.load import orient, with_random_walks
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task
from plstm_graph.trust.record import Trust

if TYPE_CHECKING:
    from plstm_graph.chem.arrays import Packed

ENSEMBLE = "ensemble.pt"
"""File that makes a folder an ensemble; see :mod:`plstm_graph.train.ensemble`."""


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
        descriptors: names of the columns that the network takes beside the molecule.
    """

    model: str
    in_channels: int | list[int]
    options: dict[str, Any]
    order: str
    molecules: bool
    chirality: str = "written"
    descriptors: Sequence[str] = ()

    def build(self, task: Task, **statistics: Any) -> GraphPredictor:
        """The network with new weights, for ``task``."""
        return GraphPredictor(
            build_model(self.model, self.in_channels, task.num_outputs, **self.options), task, **statistics
        )

    def batch(self, packed: Packed, descriptors: np.ndarray | None = None) -> Batch:
        """Packed molecules (see :data:`plstm_graph.chem.arrays.Packed`) as a batch that the network takes.

        Args:
            packed: G molecules.
            descriptors: ``[G, D]``, for a network that takes them.
        """
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
            graph_fields={} if descriptors is None else {"descriptors": torch.from_numpy(descriptors).float()},
            **tensors,
        )
        batch = with_random_walks(dataset, self.options).collate(torch.arange(graphs))
        transform = orient(self.model, self.order)
        return batch if transform is None else transform(batch)


def save_model(path: Path, spec: ModelSpec, predictor: GraphPredictor, trust: Trust | None = None) -> None:
    """Write a model file; ``trust`` is what was calibrated after the training."""
    content = {
        "kind": "model",
        "version": plstm_graph.__version__,
        "spec": vars(spec),
        "task": predictor.task.to_dict(),
        "state_dict": dict(predictor.state_dict()),
        "trust": (trust or Trust()).to_dict(),
    }
    packing.save(path, content)


def load_model(path: str | Path) -> tuple[ModelSpec, GraphPredictor]:
    """Read a model file, or the best model of a run folder; the model is in evaluation mode, on the CPU.

    Raises:
        RunError: there is no model at ``path``, its weights do not fit this version, or it is an ensemble, which
            :func:`plstm_graph.train.ensemble.load_ensemble` reads.
    """
    spec, predictor, _ = read_model(path)
    return spec, predictor


def read_model(path: str | Path) -> tuple[ModelSpec, GraphPredictor, Trust]:
    """:func:`load_model`, and what was calibrated after the training; nothing for a model that never was."""
    path = Path(path)
    if (path / ENSEMBLE).is_file():
        raise RunError(f"{path} is an ensemble: take the folder of one member, such as {first_member(path)}")
    if path.is_dir():
        path = path / "best.pt"
    content = packing.load(path)
    if content.get("kind") != "model":
        raise RunError(f"{path} holds the state of a run, not a model: take best.pt beside it")
    spec = ModelSpec(**content["spec"])
    predictor = spec.build(Task.from_dict(content["task"]))
    try:
        predictor.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise RunError(
            f"{path} was written by version {content['version']}, and its weights do not fit the {spec.model} that "
            f"this version, {plstm_graph.__version__}, builds: train it anew, or read it with the one that wrote it "
            f"({error})"
        ) from error
    trust = Trust.from_dict(content["trust"]) if "trust" in content else Trust()
    if trust.temperature:
        predictor.temperature = torch.tensor(trust.temperature)
    return spec, predictor.eval(), trust


def first_member(path: str | Path) -> Path:
    """Folder of the first member if ``path`` is the folder of an ensemble, else ``path``."""
    path = Path(path)
    return path / packing.load(path / ENSEMBLE)["members"][0] if (path / ENSEMBLE).is_file() else path


def load_molecule_model(path: str | Path) -> tuple[ModelSpec, GraphPredictor]:
    """:func:`load_model`, for a model that is to read SMILES; of an ensemble, the first member.

    Raises:
        RunError: there is no model at ``path``.
        ConfigError: the model does not take molecules.
    """
    spec, predictor = load_model(first_member(path))
    if not spec.molecules:
        raise ConfigError(f"{path} was trained on graphs that are not molecules with atom features: it takes no SMILES")
    return spec, predictor
