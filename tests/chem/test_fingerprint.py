"""Packed fingerprints and nearest neighbours against RDKit's own."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from rdkit.DataStructs import BulkTanimotoSimilarity

from plstm_graph.chem import iter_featurize
from plstm_graph.chem.fingerprint import NearestFingerprint, packed_fingerprints
from plstm_graph.data import make_demo


@pytest.fixture(scope="module")
def mols() -> list[Chem.Mol]:
    return [Chem.MolFromSmiles(s) for s in [*make_demo(150)["smiles"], "C", "[Na+].[Cl-]", "CCO", "OCC"]]


def test_nearest_similarity_is_that_of_rdkit(mols: list[Chem.Mol]) -> None:
    known = [GetMorganGenerator(radius=2, fpSize=2048).GetFingerprint(mol) for mol in mols]
    packed = packed_fingerprints(mols)
    assert packed.shape == (len(mols), 32)
    expected = [max(BulkTanimotoSimilarity(one, known[:60])) for one in known]
    np.testing.assert_allclose(NearestFingerprint(packed[:60]).similarity(packed), expected, rtol=1e-6)
    others = [max(BulkTanimotoSimilarity(one, known[:i] + known[i + 1 :])) for i, one in enumerate(known)]
    np.testing.assert_allclose(NearestFingerprint(packed).similarity_to_others(), others, rtol=1e-6)
    assert others[-1] == others[-2] == 1  # CCO and OCC


def test_nothing_to_compare_with(mols: list[Chem.Mol]) -> None:
    packed = packed_fingerprints(mols[:3])
    assert NearestFingerprint(packed[:0]).similarity(packed).tolist() == [0, 0, 0]
    assert NearestFingerprint(packed).similarity(packed[:0]).shape == (0,)
    assert NearestFingerprint(packed[:1]).similarity_to_others().tolist() == [0]


@pytest.mark.parametrize("workers", [0, 2])
def test_chunks_carry_fingerprints_of_the_rows_that_were_read(workers: int) -> None:
    smiles = ["CCO", "C1CC", "c1ccccc1O", "", "N"]
    expected = packed_fingerprints([Chem.MolFromSmiles(smiles[i]) for i in (0, 2, 4)])
    (chunk,) = iter_featurize(smiles, on_error="skip", workers=workers, fingerprints=True)
    np.testing.assert_array_equal(chunk.fingerprint, expected)
    (chunk,) = iter_featurize(smiles, on_error="nan", workers=workers, fingerprints=True)
    np.testing.assert_array_equal(chunk.fingerprint[[0, 2, 4]], expected)
    assert not chunk.fingerprint[[1, 3]].any()
    (chunk,) = iter_featurize(smiles, on_error="skip", workers=workers)
    assert chunk.fingerprint is None
