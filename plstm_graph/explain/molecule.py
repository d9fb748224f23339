"""Everything there is to say about one molecule and one trained model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from plstm_graph.errors import ConfigError
from plstm_graph.explain.attribution import LayerAttribution, attribute_layers
from plstm_graph.explain.prediction import AtomContributions, atom_contributions, hears_otherwise
from plstm_graph.nn.model import PLSTM

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from plstm_graph.train.predictor import GraphPredictor


@dataclass(frozen=True)
class MoleculeExplanation:
    """A molecule, what the model predicts for it, and why.

    Attributes:
        name: title.
        smiles: as given; its atoms are numbered as RDKit reads them.
        data: the graph with its line DAG.
        targets: name of every output T.
        predictions: ``[T]`` values in the units of the targets, or probabilities.
        unit: what contributions are counted in: ``"units of the target"`` or ``"logits"``.
        atoms: contributions of the atoms, in that unit.
        layers: who hears whom, per layer and direction, in the order in which the model runs them.
        notes: what the layers do not show.
    """

    name: str
    smiles: str
    data: Data
    targets: tuple[str, ...]
    predictions: Tensor
    unit: str
    atoms: AtomContributions
    layers: list[LayerAttribution]
    notes: list[str]


def explain_molecule(
    predictor: GraphPredictor, smiles: str, *, name: str = "", order: str = "canonical", chirality: str = "written"
) -> MoleculeExplanation:
    """Explain what a trained pLSTM model predicts for a molecule.

    Args:
        predictor: from :func:`plstm_graph.train.model_file.load_model`; its network must be a graph-level PLSTM.
        smiles: the molecule.
        name: title; the SMILES by default.
        order: orientation of the bonds, as the model was trained with.
        chirality: as for :func:`plstm_graph.chem.from_smiles`, as the model was trained with.

    Raises:
        SmilesError: the SMILES cannot be read.
        ConfigError: the model is not a graph-level PLSTM.
        EngineError: the molecule is too large.
    """
    from torch_geometric.data import Batch

    from plstm_graph.chem import from_smiles
    from plstm_graph.graph import AddRandomWalks, ToLineDAG

    net, task = predictor.net, predictor.task
    if not isinstance(net, PLSTM):
        raise ConfigError(f"the model is a {type(net).__name__}: only pLSTM models can be explained this way")
    if net.descriptors is not None:
        raise ConfigError("the model takes descriptors beside the molecule: it cannot be explained from a SMILES alone")
    data = ToLineDAG(order)(from_smiles(smiles, chirality=chirality))
    if net.rwse_encoder is not None:
        data = AddRandomWalks(net.rwse_encoder.steps)(data)
    batch = Batch.from_data_list([data])
    with torch.no_grad():
        predictions = predictor.predictions(predictor(batch))[0]
    regression = task.kind == "regression"
    found = atom_contributions(net, data)
    scale = predictor.std if regression else torch.ones_like(predictor.std)
    atoms = AtomContributions(
        output=predictor.scores(found.output.unsqueeze(0))[0].detach(),
        blanked=found.blanked * scale,
        gradient_input=found.gradient_input * scale,
    )
    return MoleculeExplanation(
        name=name or smiles,
        smiles=smiles,
        data=data,
        targets=_output_names(task),
        predictions=predictions,
        unit="units of the target" if regression else "logits",
        atoms=atoms,
        layers=attribute_layers(net, batch),
        notes=hears_otherwise(net),
    )


def _output_names(task: object) -> tuple[str, ...]:
    if task.kind != "multiclass":
        return task.targets
    return task.class_names or tuple(f"class {i}" for i in range(task.num_classes))
