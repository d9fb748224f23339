"""RDKit molecules to packed arrays: the features of many graphs, one after the other, in a handful of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from typing import Literal

import numpy as np
from rdkit import Chem

from plstm_graph.chem._binary import HEADER, PADDING, ambiguous, counts, decode, order_chirality
from plstm_graph.chem.features import ATOM_DIMS, BOND_DIMS, BOND_FEATURES, CHIRALITY, atom_table, bond_tables, index_of
from plstm_graph.errors import ConfigError

Packed = dict[str, np.ndarray]
"""G graphs as int64 arrays: ``x [N, 9]``, ``edge_index [2, 2E]`` (atoms numbered within their graph),
``edge_attr [2E, 3]``, ``canonical_rank [N]``, and ``node_ptr [G + 1]``, ``edge_ptr [G + 1]``: graph g owns the rows
``node_ptr[g]:node_ptr[g + 1]`` of ``x`` and ``edge_ptr[g]:edge_ptr[g + 1]`` of ``edge_attr``."""

Chirality = Literal["written", "canonical"]

_PROBES = (
    "[13CH3][C@H](F)/C=C/c1cc[nH]c1.[Na+].C[O-].[CH2]C#N",
    "OS(=O)(=O)[C@@](Cl)(Br)C12CC1C2.[O-][N+](=O)c1ccc2ccccc2c1",
    "[Cu+2].[Cl-].[Cl-].F[P](F)(F)(F)F.[2H]O[2H].[U].C/C=C\\C",
    "C" * 254 + "C1CC1",
)


def pack(mols: Iterable[Chem.Mol], chirality: Chirality = "written") -> Packed:
    """Features of sanitised molecules, as :data:`Packed` arrays.

    ``canonical_rank`` is RDKit's ranking of the atoms with ties broken: it does not depend on how the atoms are
    numbered. ``chirality`` says what the chirality column means, see :func:`plstm_graph.chem.from_smiles`.

    Raises:
        FeatureError: a bond has a stereo label that OGB's table does not know.
        ConfigError: unknown ``chirality``.
    """
    check_chirality(chirality)
    binary: list[bytes] = []
    ranks: list[int] = []
    for mol in mols:  # each is used up before the next is made: RDKit is faster when memory stays warm
        binary.append(mol.ToBinary(0))
        rank = Chem.CanonicalRankAtoms(mol)  # ties broken
        ranks += map(rank.__getitem__, range(len(rank)))  # twice as fast as iterating over it
    packed = _tables(binary, fast=_binary_layout_is_known())
    packed["canonical_rank"] = np.array(ranks, np.int64)
    if chirality == "canonical":
        _make_chirality_canonical(packed, binary)
    return packed


def concatenate(parts: Sequence[Packed]) -> Packed:
    """One :data:`Packed` of the graphs of all parts, in order."""
    if not parts:
        return pack(())
    joined = {
        name: np.concatenate([part[name] for part in parts], axis=-1) for name in ("edge_index", "canonical_rank")
    }
    joined |= {name: np.concatenate([part[name] for part in parts]) for name in ("x", "edge_attr")}
    for name in ("node_ptr", "edge_ptr"):
        joined[name] = _pointers(np.concatenate([np.diff(part[name]) for part in parts]))
    return joined


def spread(packed: Packed, where: np.ndarray, total: int) -> Packed:
    """Put graph i at place ``where[i]`` (ascending) of ``total`` graphs; the places left over hold no atoms."""
    result = dict(packed)
    for name in ("node_ptr", "edge_ptr"):
        sizes = np.zeros(total, np.int64)
        sizes[where] = np.diff(packed[name])
        result[name] = _pointers(sizes)
    return result


def check_chirality(chirality: str) -> None:
    """Raise :class:`ConfigError` unless ``chirality`` is one that :func:`pack` knows."""
    if chirality not in ("written", "canonical"):
        raise ConfigError(f"chirality must be 'written' or 'canonical', got {chirality!r}")


def _pointers(sizes: np.ndarray) -> np.ndarray:
    result = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=result[1:])
    return result


def _tables(binary: Sequence[bytes], fast: bool) -> Packed:
    """Everything but the ranks; molecules that the fast way declines, or all of them, go the plain way."""
    if fast:
        start = np.fromiter(accumulate(map(len, binary), initial=0), np.int64, len(binary) + 1)
        data = np.frombuffer(b"".join([*binary, bytes(PADDING)]), np.uint8)
        x, edge_index, edge_attr, node_ptr, edge_ptr, done = decode(data, start, _lookup())
    else:
        mols = [Chem.Mol(form) for form in binary]
        node_ptr = _pointers(np.array([mol.GetNumAtoms() for mol in mols], np.int64))
        edge_ptr = _pointers(np.array([2 * mol.GetNumBonds() for mol in mols], np.int64))
        x = np.empty((node_ptr[-1], len(ATOM_DIMS)), np.int64)
        edge_index = np.empty((2, edge_ptr[-1]), np.int64)
        edge_attr = np.empty((edge_ptr[-1], len(BOND_DIMS)), np.int64)
        done = np.zeros(len(mols), bool)
    if not done.all():
        for g in np.flatnonzero(~done):
            mol = Chem.Mol(binary[g])
            nodes, edges = slice(*node_ptr[g : g + 2]), slice(*edge_ptr[g : g + 2])
            x[nodes] = atom_table(mol)
            edge_index[:, edges], edge_attr[edges] = bond_tables(mol)
    return {"x": x, "edge_index": edge_index, "edge_attr": edge_attr, "node_ptr": node_ptr, "edge_ptr": edge_ptr}


def _make_chirality_canonical(packed: Packed, binary: Sequence[bytes]) -> None:
    """Let the chirality column refer to the order of the ranks, see :func:`order_chirality`.

    Where a ring looks the same both ways round, as in cis-1,4-dimethylcyclohexane, RDKit's ranking breaks the tie
    either way, and the tags of the ring's centres come out both as they are or both exchanged. RDKit's canonical
    SMILES settles this; at such centres the order of its atoms and its tags, at more cost, replace the ranking.
    """
    node_ptr, edge_ptr, edge_index = packed["node_ptr"], packed["edge_ptr"], packed["edge_index"]
    rank, x = packed["canonical_rank"], packed["x"]
    order_chirality(node_ptr, edge_ptr, rank, edge_index, x)
    for g in np.flatnonzero(ambiguous(node_ptr, edge_ptr, edge_index, x)):
        settled = _settle(Chem.Mol(binary[g]))
        if settled is not None:
            nodes = slice(*node_ptr[g : g + 2])
            rank[nodes], x[nodes, CHIRALITY] = settled


def _settle(mol: Chem.Mol) -> tuple[np.ndarray, np.ndarray] | None:
    """Rank and chirality of each atom by RDKit's canonical SMILES; None if that reads back as another molecule."""
    twin = Chem.MolFromSmiles(Chem.MolToSmiles(mol))
    if twin is None or twin.GetNumAtoms() != mol.GetNumAtoms():
        return None
    order = list(mol.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"])
    tables = _tables([twin.ToBinary(0)], fast=_binary_layout_is_known())
    position = np.arange(len(order))
    order_chirality(tables["node_ptr"], tables["edge_ptr"], position, tables["edge_index"], tables["x"])
    rank, chirality = np.empty((2, len(order)), np.int64)
    rank[order], chirality[order] = position, tables["x"][:, CHIRALITY]
    return rank, chirality


@cache
def _lookup() -> np.ndarray:
    """RDKit's numbers → OGB's, as :func:`plstm_graph.chem._binary.decode` wants them."""
    table = np.full((5, 256), -1, np.int64)
    for row, (feature, kind) in enumerate(
        (("chirality", Chem.ChiralType), ("hybridization", Chem.HybridizationType), ("type", Chem.BondType))
    ):
        for number, value in kind.values.items():
            table[row, number] = index_of(feature, value.name)
    for number, value in Chem.BondStereo.values.items():
        if value.name in BOND_FEATURES["stereo"]:
            table[3, number] = index_of("stereo", value.name)
    table[4, :2] = int(Chem.HybridizationType.SP3), int(Chem.BondType.SINGLE)
    return table


@cache
def _binary_layout_is_known() -> bool:
    """Whether RDKit's binary form, decoded, gives what RDKit says atom by atom on molecules that use all of it.

    The layout belongs to RDKit and can change with its version; then the plain way serves, more slowly.
    """
    mols = [Chem.MolFromSmiles(smiles) for smiles in _PROBES]
    binary = [mol.ToBinary(0) for mol in mols]
    heads = np.frombuffer(b"".join(form[:HEADER].ljust(HEADER) for form in binary), np.uint8)
    sizes = counts(heads, np.arange(0, HEADER * len(mols) + 1, HEADER))
    if not np.array_equal(sizes, [(mol.GetNumAtoms(), mol.GetNumBonds()) for mol in mols]):
        return False
    plain, fast = _tables(binary, fast=False), _tables(binary, fast=True)
    return all(np.array_equal(fast[name], plain[name]) for name in plain)
