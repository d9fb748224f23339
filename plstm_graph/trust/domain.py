"""Which molecules are unlike those of the training: by their nearest neighbour, and by atoms and bonds never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from plstm_graph.chem.features import ATOM_DIMS, ATOM_FEATURES, BOND_DIMS, BOND_FEATURES, MISC
from plstm_graph.chem.fingerprint import NearestFingerprint, packed_fingerprints

MOST = 5000
"""Training molecules whose fingerprints are kept."""

QUANTILE = 0.01
"""Share of the training molecules that are further from all others than the threshold."""

_IN_WORDS = {
    "atomic_number": "element",
    "hydrogens": "number of hydrogens",
    "radical_electrons": "number of radical electrons",
    "type": "bond type",
    "stereo": "bond stereo",
}


@dataclass(frozen=True)
class Domain:
    """What the training molecules were like.

    Attributes:
        fingerprints: ``[m, 32]`` uint64, Morgan fingerprints of at most :data:`MOST` training molecules, drawn at
            random where there are more.
        threshold: similarity that all but 1 % of these molecules have to their nearest other one.
        molecules: number of training molecules.
        atoms: ``[9, values]`` bool, which values of each of OGB's atom features occurred.
        bonds: ``[3, values]`` bool, which values of each bond feature.
    """

    fingerprints: np.ndarray
    threshold: float
    molecules: int
    atoms: np.ndarray
    bonds: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray, edge_attr: np.ndarray, smiles: Sequence[object], seed: int = 0) -> Domain:
        """Learn from training molecules.

        Args:
            x: ``[N, 9]`` atom features of all molecules.
            edge_attr: ``[E, 3]`` bond features.
            smiles: one per molecule; those that RDKit cannot read have no fingerprint.
            seed: of the draw where there are more than :data:`MOST`.
        """
        from plstm_graph.chem.parse import parse_rows, quiet_errors

        rows = np.random.default_rng(seed).permutation(len(smiles))[:MOST] if len(smiles) > MOST else range(len(smiles))
        with quiet_errors():
            fingerprints = packed_fingerprints(parse_rows(((row, smiles[row]) for row in rows), []))
        nearest = NearestFingerprint(fingerprints).similarity_to_others()
        threshold = float(np.quantile(nearest, QUANTILE)) if len(nearest) > 1 else 0.0
        return cls(fingerprints, threshold, len(smiles), _seen(x, ATOM_DIMS), _seen(edge_attr, BOND_DIMS))

    @cached_property
    def _nearest(self) -> NearestFingerprint:
        return NearestFingerprint(self.fingerprints)

    def similarity(self, fingerprints: np.ndarray) -> np.ndarray:
        """``[G]`` largest Tanimoto similarity to the training molecules that are kept.

        Args:
            fingerprints: ``[G, 32]`` uint64, see :func:`plstm_graph.chem.fingerprint.packed_fingerprints`.
        """
        return self._nearest.similarity(fingerprints)

    def warnings(self, packed: dict[str, np.ndarray], similarity: np.ndarray | None = None) -> list[str]:
        """A text for every molecule that is unlike the training, else ``""``.

        Args:
            packed: G molecules, see :data:`plstm_graph.chem.arrays.Packed`.
            similarity: ``[G]`` from :meth:`similarity`; ``None`` looks at atoms and bonds alone.
        """
        count = len(packed["node_ptr"]) - 1
        found: list[list[str]] = [[] for _ in range(count)]
        for table, names, values, pointer in (
            (self.atoms, ATOM_FEATURES, packed["x"], packed["node_ptr"]),
            (self.bonds, BOND_FEATURES, packed["edge_attr"], packed["edge_ptr"]),
        ):
            _note_unseen(found, table, names, values, pointer)
        if similarity is not None:
            for g in np.flatnonzero(similarity < self.threshold):
                found[g].append(
                    f"unlike the training molecules: nearest similarity {similarity[g]:.2f} is below "
                    f"{self.threshold:.2f}"
                )
        return ["; ".join(texts) for texts in found]

    def to_dict(self) -> dict[str, Any]:
        """Plain values and arrays."""
        return {
            "fingerprints": self.fingerprints.view(np.int64),
            "threshold": self.threshold,
            "molecules": self.molecules,
            "atoms": self.atoms,
            "bonds": self.bonds,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Domain:
        """From what :meth:`to_dict` gave."""
        return cls(**values | {"fingerprints": values["fingerprints"].view(np.uint64)})


def _seen(values: np.ndarray, dims: Sequence[int]) -> np.ndarray:
    table = np.zeros((len(dims), max(dims)), bool)
    for column in range(len(dims)):
        table[column, values[:, column].astype(np.int64)] = True
    return table


def _note_unseen(
    found: list[list[str]], table: np.ndarray, names: dict[str, tuple], values: np.ndarray, pointer: np.ndarray
) -> None:
    unseen = ~table[np.arange(len(names)), values]
    for column, name in enumerate(names):
        rows = np.flatnonzero(unseen[:, column])
        if not len(rows):
            continue
        graphs = np.searchsorted(pointer, rows, side="right") - 1
        for g in np.unique(graphs):
            numbers = np.unique(values[rows[graphs == g], column])
            shown = ", ".join(_value(name, names[name][number]) for number in numbers)
            found[g].append(f"{_IN_WORDS.get(name, name.replace('_', ' '))} not in the training molecules: {shown}")


def _value(name: str, value: object) -> str:
    if name == "atomic_number" and value != MISC:
        from rdkit.Chem import GetPeriodicTable

        return GetPeriodicTable().GetElementSymbol(value)
    return "other" if value == MISC else str(value)
