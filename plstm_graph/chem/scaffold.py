"""Bemis-Murcko scaffolds and the deterministic split by scaffold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from plstm_graph.chem.parse import parse_smiles
from plstm_graph.errors import ConfigError, SmilesError

PARTS = ("train", "valid", "test")


def murcko_scaffold(smiles: str | Chem.Mol, *, with_chirality: bool = True) -> str:
    """Ring systems and the chains between them, as canonical SMILES (Bemis and Murcko, J. Med. Chem. 1996, 39, 2887).

    A molecule without rings has the scaffold ``""``. Atoms bound to the scaffold by a double bond belong to it.

    Args:
        smiles: a string or an RDKit molecule.
        with_chirality: keep stereochemistry, so that two diastereomeric ring systems are two scaffolds.

    Raises:
        SmilesError: the string cannot be read.
    """
    mol = smiles if isinstance(smiles, Chem.Mol) else parse_smiles(smiles)
    if mol.GetRingInfo().NumRings() == 0:
        return ""
    return MurckoScaffold.MurckoScaffoldSmiles(mol=mol, includeChirality=with_chirality)


def scaffold_groups(smiles: Iterable[object], *, with_chirality: bool = True) -> list[np.ndarray]:
    """Rows with the same scaffold, as ascending row numbers; largest group first, of equal ones the later first row.

    A row that cannot be read is a group of its own.
    """
    groups: dict[object, list[int]] = {}
    for row, value in enumerate(smiles):
        try:
            key: object = murcko_scaffold(value, with_chirality=with_chirality)  # type: ignore[arg-type]
        except SmilesError:
            key = row
        groups.setdefault(key, []).append(row)
    ordered = sorted(groups.values(), key=lambda rows: (len(rows), rows[0]), reverse=True)
    return [np.array(rows, np.int64) for rows in ordered]


def scaffold_split(
    smiles: Iterable[object],
    *,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    with_chirality: bool = True,
) -> dict[str, np.ndarray]:
    """Split so that no scaffold is in two parts; there is no randomness in it.

    The variant is that of MoleculeNet and OGB, and gives OGB's published splits: groups are taken largest first (of
    equally large ones that whose first row comes later) and put into ``train`` while it does not grow beyond its
    fraction, else into ``valid`` while train and valid together do not grow beyond theirs, else into ``test``. So the
    common scaffolds are learnt from and the rare ones tested. Molecules without rings share one scaffold. A row that
    cannot be read counts as a scaffold of its own.

    Args:
        smiles: strings or RDKit molecules, one per row.
        fractions: of train, valid and test; they sum to 1.
        with_chirality: see :func:`murcko_scaffold`.

    Returns:
        ``{"train": ..., "valid": ..., "test": ...}``, ascending row numbers, int64.

    Raises:
        ConfigError: the fractions are not three numbers from 0 to 1 with sum 1.
    """
    parts = np.asarray(fractions, float)
    if parts.shape != (3,) or not (parts >= 0).all() or abs(parts.sum() - 1) > 1e-6:
        raise ConfigError(f"fractions must be three numbers from 0 to 1 that sum to 1, got {fractions!r}")
    groups = scaffold_groups(smiles, with_chirality=with_chirality)
    rows = sum(map(len, groups))
    train_limit, valid_limit = parts[0] * rows, (parts[0] + parts[1]) * rows
    chosen: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    train = valid = 0
    for group in groups:
        if train + len(group) <= train_limit:
            chosen["train"].append(group)
            train += len(group)
        elif train + valid + len(group) <= valid_limit:
            chosen["valid"].append(group)
            valid += len(group)
        else:
            chosen["test"].append(group)
    return {part: np.sort(np.concatenate([np.zeros(0, np.int64), *chosen[part]])) for part in PARTS}
