"""Every way to write a molecule gives the same prediction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from rdkit import Chem

from plstm_graph.chem import featurize
from plstm_graph.data import make_demo
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.model_file import ModelSpec
from plstm_graph.train.outputs import predict_batch
from plstm_graph.train.predictor import GraphPredictor
from plstm_graph.train.task import Task

TOLERANCE = 1e-5
"""Largest difference allowed, in float32, for a model of a target whose standard deviation over the molecules is 1."""

STEREO = [  # rings that look the same both ways round, cages, salts, isotopes, chiral sulphur, sugars, a steroid
    "C[C@H]1CC[C@@H](C)CC1",
    "C[C@H]1CC[C@H](C)CC1",
    "N[C@@]1(C[C@@H](C1)N2OC(=O)NC2=O)C(=O)O",
    "C[C@H](O)[C@@H](O)C",
    "O[C@H]1[C@H](O)[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",
    "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",
    "F/C=C/F",
    r"F/C=C\F",
    "C[C@]12CC[C@H]3[C@@H](CCc4cc(O)ccc34)[C@@H]1CC[C@@H]2O",
    "CN1CC[C@]23c4c5ccc(O)c4O[C@H]2[C@@H](O)C=C[C@H]3[C@H]1C5",
    "C/C=C1/CC[C@H](C)CC1",
    "C[S@](=O)CC",
    "[13CH3][C@H](C)O",
    "[2H][C@](C)(F)O",
    "C[C@@H](O)CC.[Na+].C[C@H](O)CC",
    "c1ccc2c(c1)[nH]c1ccccc12",
    "C12C3C4C1C5C2C3C45",
    "C1CC2CCC1CC2",
    "c1cc2ccc3cccc4ccc(c1)c2c34",
    "CC(=O)O[Hg]c1ccccc1",
    "[O-][n+]1ccccc1",
    "C=C=C",
    "N#N",
    "[Cl-].[Na+]",
]


def differences(strings: list[str], order: str = "canonical", chirality: str = "canonical") -> pd.DataFrame:
    """Predictions for each molecule as written and for ten random SMILES of it.

    Returns:
        One row per SMILES: ``molecule`` (as written), ``smiles``, ``difference`` from the prediction as written.
    """
    rows = [(s, s) for s in strings]
    for s in strings:
        rows += [(s, other) for other in Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(s), 10, randomSeed=1)]
    table = pd.DataFrame(rows, columns=["molecule", "smiles"]).sort_values("molecule", kind="stable")
    torch.manual_seed(0)
    encoders = {"node_encoder": "atom", "edge_encoder": "bond", "edge_dim": 3}
    spec = ModelSpec("plstm", 9, encoders, order, True, chirality)
    predictor = trained(spec, strings, chirality)
    parts = []
    for start in range(0, len(table), 500):
        packed, _ = featurize(table.smiles[start : start + 500].tolist(), chirality=chirality, progress=False)
        parts.append(predict_batch(predictor, spec.batch(packed))[:, 0])
    value = pd.Series(np.concatenate(parts), table.index)
    assert value.std() > 0.3, "a model that says much the same of all molecules shows nothing"
    table["difference"] = (value - value.groupby(table.molecule).transform("first")).abs()
    return table


def trained(spec: ModelSpec, strings: list[str], chirality: str) -> GraphPredictor:
    """A model that has learnt something: the number of heavy atoms, in standard deviations."""
    packed, _ = featurize(strings[:200], chirality=chirality, progress=False)
    batch = spec.batch(packed)
    size = torch.bincount(batch.batch).float()
    target = ((size - size.mean()) / size.std()).unsqueeze(1)
    predictor = spec.build(Task("regression", ("y",)))
    optimizer = torch.optim.Adam(predictor.parameters(), lr=3e-3)
    for _ in range(50):
        optimizer.zero_grad()
        predictor.loss(predictor(batch), target).backward()
        optimizer.step()
    return predictor.eval()


def assert_invariant(strings: list[str], order: str) -> None:
    """No difference above the tolerance, but for SMILES that RDKit itself reads as another molecule."""
    table = differences(strings, order)
    over = table[table.difference > TOLERANCE]
    same = [canonical(a) == canonical(b) for a, b in zip(over.molecule, over.smiles, strict=True)]
    wrong = over[same]
    assert wrong.empty, f"{wrong.molecule.nunique()} molecules differ:\n{wrong.to_string()}"
    assert over.molecule.nunique() <= len(strings) / 1000, f"RDKit reads these as others:\n{over.to_string()}"


def canonical(smiles: str) -> str:
    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


@pytest.mark.parametrize("order", [TrainConfig().order, "canonical"])
def test_a_prediction_does_not_depend_on_how_the_smiles_was_written(order: str) -> None:
    assert_invariant([*STEREO, *make_demo(60, seed=3).smiles.drop_duplicates()], order)


@pytest.mark.parametrize(("order", "chirality"), [("index", "canonical"), ("canonical", "written")])
def test_an_order_or_a_chirality_as_written_is_noticed(order: str, chirality: str) -> None:
    assert (differences(STEREO, order, chirality).difference > 100 * TOLERANCE).any()


@pytest.mark.data
@pytest.mark.parametrize("order", [TrainConfig().order, "canonical"])
def test_ten_ways_to_write_a_thousand_molecules(data_root, order: str) -> None:
    table = pd.read_csv(data_root / "ogb" / "ogbg_molhiv" / "mapping" / "mol.csv.gz").sample(1000, random_state=0)
    assert_invariant(table.smiles.tolist(), order)
