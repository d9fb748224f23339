"""The built-in demo set: molecules that the library makes itself, with targets computed from them.

Every molecule carries four marks: a nitrile at one end of a chain, a nitro group at the other, and on the way two
side rings, one with a chlorine and one with a fluorine. The long-range target asks which of the two end groups the
chlorine is nearer to. Both are at least ten bonds away from it, and exchanging chlorine and fluorine changes the
answer but no neighbourhood of radius four: counting local patterns, or four rounds of message passing, cannot tell.
"""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
from rdkit import Chem
from rdkit.Chem import Crippen

from plstm_graph.errors import ConfigError

TARGETS: dict[str, str] = {"logp": "regression", "hydroxyl": "binary", "near_nitrile": "binary"}
"""Target column → kind of task."""

MOST = 10_000
"""Largest set that can be made; the fragments do not give many more molecules without repeating any."""

_END_GROUPS = ("C#N", "[N+](=O)[O-]")
_END_RINGS = ("c1ccc(cc1)", "c1c(C)cc(cc1)", "c1c(OC)cc(cc1)", "c1c(O)cc(cc1)", "c1c(N)cc(cc1)", "c1ccc(cn1)")
_LINKERS = (*("CC", "CCO", "CCS", "CCOC", "CC(=O)", "CCNC(=O)", "CCC(=O)N", "CCOC(=O)", "CCNC(=O)N", "CCNS(=O)(=O)"),)
_BRANCHES = ("N", "C", "C(O)")
_SIDE_RINGS = ("Cc1ccc({})cc1", "CCc1ccc({})cc1", "C(=O)c1ccc({})cc1", "CCCc1ccc({})cc1", "Cc1ccc({})nc1")
_MIDDLES = (
    *("CC", "CCC", "CCCC", "CCOCC", "CCNCC", "CCSCC", "CC=CC", "CC#CC", "CC(O)C", "CC(C)(C)C", "C(=O)CC(=O)"),
    *("Cc1ccc(cc1)C", "C(=O)c1ccc(cc1)C(=O)", "CC1CCC(CC1)C", "CCN1CCN(CC1)CC"),
)
_RESIDUES = "AGVLIMSTNQKREDYWH"  # not P, whose ring marks its neighbours, and not F, which carries the halogens
_HYDROXYL = Chem.MolFromSmarts("[OX2H][#6;!$(C=O)]")
_NITRILE = Chem.MolFromSmarts("C#N")
_NITRO = Chem.MolFromSmarts("[N+](=O)[O-]")
_CHLORINE = Chem.MolFromSmarts("Cl")


def make_demo(n: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Make ``n`` different molecules, about 60 in 100 joined from fragments and the others peptides.

    Needs no file and no network; the same ``n``, ``seed`` and RDKit version give the same table.

    Args:
        n: number of molecules, at most :data:`MOST`.
        seed: of the random choices.

    Returns:
        One row per molecule: ``smiles``; ``family`` (``"fragments"`` or ``"peptide"``); ``logp``, Crippen's estimate
        of the octanol-water partition coefficient (log10, four decimals); ``hydroxyl``, 1 if it has an alcohol or
        phenol group, else 0; ``near_nitrile``, 1 if its chlorine is nearer to its nitrile than to its nitro group,
        counted in bonds, else 0.

    Raises:
        ConfigError: ``n`` is negative or above :data:`MOST`.
    """
    if not 0 <= n <= MOST:
        raise ConfigError(f"n must be from 0 to {MOST}, got {n}")
    draw = random.Random(seed)
    rows: dict[str, tuple] = {}
    while len(rows) < n:
        family = "peptide" if draw.random() < 0.4 else "fragments"
        mol = _peptide(draw) if family == "peptide" else _from_fragments(draw)
        rows.setdefault(Chem.MolToSmiles(mol), (family, *_targets(mol)))
    table = [(smiles, *rest) for smiles, rest in rows.items()]
    kinds = {"logp": "float64", "hydroxyl": "int64", "near_nitrile": "int64"}
    return pd.DataFrame(table, columns=["smiles", "family", *TARGETS]).astype(kinds)


def write_demo(path: str | Path, n: int = 2000, seed: int = 0) -> Path:
    """Write :func:`make_demo` as a CSV file, the same bytes for the same arguments; returns its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = make_demo(n, seed).to_csv(index=False, float_format="%.4f", lineterminator="\n")
    path.write_bytes(text.encode())
    return path


def _from_fragments(draw: random.Random) -> Chem.Mol:
    """End, linker, branch, middle, branch, linker, end; the same both ways round but for end groups and halogens."""
    arm = draw.choice(_LINKERS) + draw.choice(_END_RINGS)
    branch, side, middle = draw.choice(_BRANCHES), draw.choice(_SIDE_RINGS), draw.choice(_MIDDLES)
    first, last = (arm + group for group in draw.sample(_END_GROUPS, 2))
    left, right = (f"{branch}({side.format(halogen)})" for halogen in draw.sample(("Cl", "F"), 2))
    return Chem.MolFromSmiles(f"{left}({first}){middle}{right}{last}")


def _peptide(draw: random.Random) -> Chem.Mol:
    """A peptide of 3 to 7 residues with a substituted ring at either end and two halogenated phenylalanines."""
    sequence = draw.choices(_RESIDUES, k=draw.randint(3, 7))
    place = draw.randrange(len(sequence) // 2)
    halogens = dict(zip((place, len(sequence) - 1 - place), draw.sample((9, 17), 2), strict=True))
    for i in halogens:
        sequence[i] = "F"
    mol = Chem.RWMol(Chem.MolFromSequence("".join(sequence)))
    atom_at = {}
    for atom in mol.GetAtoms():
        info = atom.GetPDBResidueInfo()
        atom_at[info.GetResidueNumber() - 1, info.GetName().strip()] = atom.GetIdx()
    for i, element in halogens.items():
        _bind(mol, atom_at[i, "CZ"], mol.AddAtom(Chem.Atom(element)))
    acid = atom_at[len(sequence) - 1, "OXT"]
    mol.GetAtomWithIdx(acid).SetAtomicNum(7)  # acid to amide
    first, last = draw.sample(_END_GROUPS, 2)
    for at, cap in ((atom_at[0, "N"], f"C(=O)c1ccc(cc1){first}"), (acid, f"c1ccc(cc1){last}")):
        start = mol.GetNumAtoms()
        mol.InsertMol(Chem.MolFromSmiles(cap))
        _bind(mol, at, start)
    Chem.SanitizeMol(mol)
    return mol


def _bind(mol: Chem.RWMol, first: int, second: int) -> None:
    mol.AddBond(first, second, Chem.BondType.SINGLE)


def _targets(mol: Chem.Mol) -> tuple[float, int, int]:
    distance = Chem.GetDistanceMatrix(mol)
    chlorine, nitrile, nitro = (mol.GetSubstructMatch(mark)[0] for mark in (_CHLORINE, _NITRILE, _NITRO))
    return (
        round(Crippen.MolLogP(mol), 4),
        int(mol.HasSubstructMatch(_HYDROXYL)),
        int(distance[chlorine, nitrile] < distance[chlorine, nitro]),
    )
