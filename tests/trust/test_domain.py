"""Warnings about molecules unlike the training: what is named, and for which molecule."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from rdkit.DataStructs import BulkTanimotoSimilarity

from plstm_graph.chem import iter_featurize
from plstm_graph.data import make_demo
from plstm_graph.trust import Domain, domain
from plstm_graph.trust.record import Trust

TRAIN = ["CCO", "CCCO", "CCCCO", "CC(C)O", "CCCCCO", "C1CCCCC1O"]


def fitted(smiles: list[str]) -> Domain:
    (chunk,) = iter_featurize(smiles, on_error="skip")
    return Domain.fit(chunk.packed["x"], chunk.packed["edge_attr"], smiles)


def warnings(known: Domain, smiles: list[str]) -> list[str]:
    (chunk,) = iter_featurize(smiles, fingerprints=True)
    return known.warnings(chunk.packed, known.similarity(chunk.fingerprint))


def test_training_molecules_raise_no_warning_and_strange_ones_say_why() -> None:
    known = dataclasses.replace(fitted(TRAIN), threshold=0.2)
    assert known.molecules == 6
    assert warnings(known, TRAIN) == [""] * 6
    silicon, fine, salt = warnings(known, ["C[Si](C)(C)Cl", "CCCO", "CC[O-].[Na+]"])
    assert "element not in the training molecules: Si, Cl" in silicon
    assert "unlike the training molecules: nearest similarity 0." in silicon
    assert fine == ""
    assert "element not in the training molecules: Na" in salt
    assert "formal charge not in the training molecules: -1, 1" in salt
    (double,) = warnings(known, ["C=C"])
    assert "bond type not in the training molecules: DOUBLE" in double
    assert "hybridization not in the training molecules: SP2" in double


def test_the_threshold_is_the_quantile_of_leave_one_out_similarities() -> None:
    smiles = make_demo(80)["smiles"].tolist()
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(s)) for s in smiles]
    nearest = [max(BulkTanimotoSimilarity(p, prints[:i] + prints[i + 1 :])) for i, p in enumerate(prints)]
    assert fitted(smiles).threshold == pytest.approx(np.quantile(nearest, 0.01), rel=1e-6)


def test_many_molecules_are_thinned_but_their_atoms_all_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "MOST", 4)
    known = fitted([*TRAIN, "CBr", "not a molecule"])
    assert len(known.fingerprints) in (3, 4)  # one may be the row that is no molecule
    assert known.molecules == 8
    assert all("element" not in text for text in warnings(known, ["CBr"]))


def test_it_survives_the_model_file() -> None:
    known = fitted(TRAIN)
    back = Trust.from_dict(Trust(domain=known).to_dict()).domain
    for field in dataclasses.fields(known):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(known, field.name))
    assert back.fingerprints.dtype == np.uint64
