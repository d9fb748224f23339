"""OGB's atom and bond features: what each column means, and their values read off an RDKit molecule one by one.

The columns and their order are those of ``ogb.utils.features`` (Hu et al., "Open Graph Benchmark", arXiv 2005.00687).
This module needs no RDKit itself, so that encoders can ask for the table sizes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plstm_graph.errors import FeatureError

MISC = "misc"

ATOM_FEATURES: dict[str, tuple] = {
    "atomic_number": (*range(1, 119), MISC),
    "chirality": ("CHI_UNSPECIFIED", "CHI_TETRAHEDRAL_CW", "CHI_TETRAHEDRAL_CCW", "CHI_OTHER", MISC),
    "degree": (*range(11), MISC),
    "formal_charge": (*range(-5, 6), MISC),
    "hydrogens": (*range(9), MISC),
    "radical_electrons": (*range(5), MISC),
    "hybridization": ("SP", "SP2", "SP3", "SP3D", "SP3D2", MISC),
    "aromatic": (False, True),
    "in_ring": (False, True),
}
"""Column of ``x`` → the values that its numbers 0, 1, 2, ... stand for. ``degree`` counts hydrogens as neighbours."""

BOND_FEATURES: dict[str, tuple] = {
    "type": ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC", MISC),
    "stereo": ("STEREONONE", "STEREOZ", "STEREOE", "STEREOCIS", "STEREOTRANS", "STEREOANY"),
    "conjugated": (False, True),
}
"""Column of ``edge_attr`` → the values that its numbers 0, 1, 2, ... stand for."""

ATOM_DIMS: tuple[int, ...] = tuple(map(len, ATOM_FEATURES.values()))
BOND_DIMS: tuple[int, ...] = tuple(map(len, BOND_FEATURES.values()))
CHIRALITY = list(ATOM_FEATURES).index("chirality")

_INDEX = {
    name: {value: i for i, value in enumerate(values)} for name, values in (ATOM_FEATURES | BOND_FEATURES).items()
}


def index_of(feature: str, value: object) -> int:
    """Number of ``value`` in the table of ``feature``; unlisted values count as the table's ``"misc"``, its last.

    Raises:
        FeatureError: the table has neither the value nor a ``"misc"``.
    """
    table = _INDEX[feature]
    found = table.get(value, table.get(MISC))
    if found is None:
        raise FeatureError(f"{feature} {value!s} is none of {', '.join(map(str, table))}, the values that OGB knows")
    return found


def atom_table(mol: Any) -> np.ndarray:
    """Atom features of a sanitised RDKit molecule, ``[N, 9]`` int64."""
    rows = [
        (
            index_of("atomic_number", atom.GetAtomicNum()),
            index_of("chirality", atom.GetChiralTag().name),
            index_of("degree", atom.GetTotalDegree()),
            index_of("formal_charge", atom.GetFormalCharge()),
            index_of("hydrogens", atom.GetTotalNumHs()),
            index_of("radical_electrons", atom.GetNumRadicalElectrons()),
            index_of("hybridization", atom.GetHybridization().name),
            int(atom.GetIsAromatic()),
            int(atom.IsInRing()),
        )
        for atom in mol.GetAtoms()
    ]
    return np.array(rows, np.int64).reshape(-1, len(ATOM_DIMS))


def bond_tables(mol: Any) -> tuple[np.ndarray, np.ndarray]:
    """Ends and features of the bonds of a sanitised RDKit molecule.

    Returns:
        ``edge_index [2, 2E]`` and ``edge_attr [2E, 3]``, int64: each bond in both directions, one after the other.

    Raises:
        FeatureError: a bond has a stereo label that OGB does not know (atropisomers).
    """
    ends, rows = [], []
    for bond in mol.GetBonds():
        begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        row = (
            index_of("type", bond.GetBondType().name),
            index_of("stereo", bond.GetStereo().name),
            int(bond.GetIsConjugated()),
        )
        ends += [(begin, end), (end, begin)]
        rows += [row, row]
    edge_index = np.ascontiguousarray(np.array(ends, np.int64).reshape(-1, 2).T)
    return edge_index, np.array(rows, np.int64).reshape(-1, len(BOND_DIMS))
