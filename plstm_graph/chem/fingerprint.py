"""Morgan fingerprints as packed bits, for the nearest of thousands of molecules at the speed of a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np

from plstm_graph.chem.similarity import BITS, RADIUS


def packed_fingerprints(mols: Iterable[Any]) -> np.ndarray:
    """Morgan fingerprints (radius 2, 2,048 bits, without chirality) of RDKit molecules, ``[n, 32]`` uint64."""
    return unpack_fingerprints([_bits(mol) for mol in mols])


def noting_fingerprints(mols: Iterable[Any], noted: list[bytes]) -> Iterator[Any]:
    """Pass the molecules on, and put the fingerprint of each into ``noted``; see :func:`unpack_fingerprints`."""
    for mol in mols:
        noted.append(_bits(mol))
        yield mol


def unpack_fingerprints(noted: list[bytes]) -> np.ndarray:
    """``[n, 32]`` uint64."""
    return np.frombuffer(bytearray().join(noted), np.uint64).reshape(len(noted), BITS // 64)


class NearestFingerprint:
    """Finds the largest Tanimoto similarity to some fingerprints, exactly.

    Args:
        fingerprints: ``[m, 32]`` uint64, from :func:`packed_fingerprints`.
    """

    def __init__(self, fingerprints: np.ndarray) -> None:
        from plstm_graph.chem._tanimoto import index_bits

        self.fingerprints = np.ascontiguousarray(fingerprints)
        self._bits = _count(fingerprints)
        self._start, self._rows = index_bits(self.fingerprints)

    def similarity(self, fingerprints: np.ndarray) -> np.ndarray:
        """``[n]`` from 0 to 1 (float32 precision) for ``[n, 32]``; 0 if there is nothing to compare with."""
        return self._search(np.ascontiguousarray(fingerprints), False)

    def similarity_to_others(self) -> np.ndarray:
        """``[m]`` of each of the fingerprints to the nearest other one (leave one out)."""
        return self._search(self.fingerprints, True)

    def _search(self, query: np.ndarray, leave_out_same_row: bool) -> np.ndarray:
        from plstm_graph.chem._tanimoto import nearest

        return nearest(query, _count(query), self._start, self._rows, self._bits, leave_out_same_row)


def _count(fingerprints: np.ndarray) -> np.ndarray:
    return np.bitwise_count(fingerprints).sum(axis=1, dtype=np.int64)


def _bits(mol: Any) -> bytes:
    from rdkit.DataStructs import BitVectToBinaryText

    return BitVectToBinaryText(_generator().GetFingerprint(mol))


@cache
def _generator() -> Any:
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    return GetMorganGenerator(radius=RADIUS, fpSize=BITS)
