from __future__ import annotations

import pytest
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

from plstm_graph.chem.similarity import morgan_fingerprints, nearest_similarity


def test_nearest_similarity_is_the_largest_share_of_common_bits() -> None:
    smiles = ["CCO", "CCN", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "C1CCCCC1", "OCC"]
    molecules = [Chem.MolFromSmiles(s) for s in smiles]
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    bits = [set(generator.GetFingerprint(m).GetOnBits()) for m in molecules]
    expected = [max(len(bits[q] & bits[r]) / len(bits[q] | bits[r]) for r in range(3)) for q in (3, 4, 5)]
    found = morgan_fingerprints(molecules)
    assert nearest_similarity(found[3:], found[:3]).tolist() == pytest.approx(expected)
    assert expected[2] == 1 > expected[0] > 0


def test_nothing_to_compare_with() -> None:
    with pytest.raises(ValueError, match="no molecule to compare with"):
        nearest_similarity([], [])
