"""How alike molecules are: Morgan fingerprints, and the nearest of many molecules by Tanimoto similarity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rdkit import Chem
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from rdkit.DataStructs import BulkTanimotoSimilarity, ExplicitBitVect

RADIUS, BITS = 2, 2048


def morgan_fingerprints(molecules: Sequence[Chem.Mol]) -> list[ExplicitBitVect]:
    """Morgan fingerprints of radius 2 in 2,048 bits, without chirality (Rogers and Hahn, J. Chem. Inf. Model. 2010)."""
    generator = GetMorganGenerator(radius=RADIUS, fpSize=BITS)
    return [generator.GetFingerprint(molecule) for molecule in molecules]


def nearest_similarity(queries: Sequence[ExplicitBitVect], references: Sequence[ExplicitBitVect]) -> np.ndarray:
    """``[Q]`` Tanimoto similarity of every query to the reference that is most like it, from 0 to 1.

    Raises:
        ValueError: there is no reference.
    """
    if not references:
        raise ValueError("there is no molecule to compare with")
    return np.array([max(BulkTanimotoSimilarity(query, references)) for query in queries])
