"""OGB's features straight from RDKit's binary form of a molecule, for many molecules in one compiled pass.

``Mol.ToBinary`` hands over all atoms and bonds in one call, where asking atom by atom costs a Python object per atom
and a call per feature. The layout is that of RDKit's MolPickler since version 7 (``GraphMol/MolPickler.cpp``): a
header with the counts, then per atom its element, flag bits and only those values that differ from a default, then
the bonds likewise, then the rings. Whatever is met that is not expected here (query atoms, atom maps, another
version's layout) leaves the molecule to :mod:`plstm_graph.chem.features`.
"""

from __future__ import annotations

import numpy as np

from plstm_graph._jit import jit

HEADER = 30
PADDING = 32  # bytes to add at the end, more than one atom or bond takes, so that no read leaves the array
_ATOMS, _BONDS, _RINGS = 0x01, 0x0B, 0x42
_WIDE = 255  # above this many atoms, atom indices take four bytes


@jit()
def _int32(data: np.ndarray, at: int) -> int:
    return int(np.int32(data[at] | data[at + 1] << 8 | data[at + 2] << 16 | np.uint32(data[at + 3]) << 24))


@jit()
def _int8(value: int) -> int:
    return value - 256 if value > 127 else value


@jit()
def _clip(value: int, count: int) -> int:
    """Number of a count in a table that ends with "misc"."""
    return value if 0 <= value < count - 1 else count - 1


@jit()
def counts(data: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Atoms and bonds of each molecule by its header, ``[G, 2]``."""
    result = np.empty((start.size - 1, 2), np.int64)
    for g in range(start.size - 1):
        result[g, 0] = _int32(data, start[g] + 20)
        result[g, 1] = _int32(data, start[g] + 24)
    return result


@jit()
def _atom(data: np.ndarray, at: int, lookup: np.ndarray, x: np.ndarray) -> int:
    """Read one atom into its row; the degree column gets the hydrogens. Returns the next position, or -1."""
    flags = data[at + 1]
    if flags & 0x9F:  # coordinates, query, atom map, dummy label, or bits of a later version
        return -1
    present = _int32(data, at + 2)
    if present & ~0x1FE:
        return -1
    element, at = data[at], at + 6
    charge = chirality = explicit_hydrogens = implicit_hydrogens = radicals = 0
    hybridization = lookup[4, 0]  # that of SP3, which is not written
    if present & 1 << 1:
        charge, at = _int8(data[at]), at + 1
    if present & 1 << 2:
        chirality, at = data[at], at + 1
    if present & 1 << 3:
        hybridization, at = data[at], at + 1
    if present & 1 << 4:
        explicit_hydrogens, at = data[at], at + 1
    if present & 1 << 5:
        at += 1  # explicit valence
    if present & 1 << 6:
        implicit_hydrogens, at = data[at], at + 1
    if present & 1 << 7:
        radicals, at = data[at], at + 1
    if present & 1 << 8:
        at += 4  # isotope
    hydrogens = explicit_hydrogens + implicit_hydrogens
    x[0] = _clip(element - 1, 119)
    x[1] = lookup[0, chirality]
    x[2] = hydrogens
    x[3] = _clip(charge + 5, 12)
    x[4] = _clip(hydrogens, 10)
    x[5] = _clip(radicals, 6)
    x[6] = lookup[1, hybridization]
    x[7] = flags >> 6 & 1
    x[8] = 0
    return at


@jit()
def _bond(data: np.ndarray, at: int, wide: bool, lookup: np.ndarray, ends: np.ndarray, row: np.ndarray) -> int:
    """Read one bond's ends and features. Returns the next position, or -1."""
    if wide:
        ends[0], ends[1] = _int32(data, at), _int32(data, at + 4)
        at += 8
    else:
        ends[0], ends[1] = data[at], data[at + 1]
        at += 2
    flags, at = data[at], at + 1
    if flags & 0x91:  # query, or bits of a later version
        return -1
    kind, stereo = lookup[4, 1], 0
    if flags & 1 << 3:
        kind, at = data[at], at + 1
    if flags & 1 << 2:
        at += 1  # direction
    if flags & 1 << 1:
        stereo, at = data[at], at + 1
        at += 1 + data[at] * (4 if wide else 1)  # the atoms that the label refers to
    row[0], row[1], row[2] = lookup[2, kind], lookup[3, stereo], flags >> 5 & 1
    return at if row[1] >= 0 else -1


@jit()
def _mark_rings(data: np.ndarray, at: int, stop: int, wide: bool, x: np.ndarray) -> bool:
    rings, at = _int32(data, at), at + 4
    width = 4 if wide else 1
    for _ in range(rings):
        if at + width > stop:
            return False
        size = _int32(data, at) if wide else np.int64(data[at])
        at += width
        if size < 0 or at + size * width > stop:
            return False
        for _ in range(size):
            atom = _int32(data, at) if wide else np.int64(data[at])
            if atom < 0 or atom >= x.shape[0]:
                return False
            x[atom, 8] = 1
            at += width
    return True


@jit()
def _molecule(
    data: np.ndarray,
    at: int,
    stop: int,
    lookup: np.ndarray,
    x: np.ndarray,
    edge_index: np.ndarray,
    edge_attr: np.ndarray,
) -> bool:
    atoms, bonds = x.shape[0], edge_attr.shape[0] // 2
    wide = atoms > _WIDE
    if data[at + 29] != _ATOMS:
        return False
    at += HEADER
    for i in range(atoms):
        at = _atom(data, at, lookup, x[i])
        if at < 0 or at >= stop:
            return False
    if data[at] != _BONDS:
        return False
    at += 1
    ends = np.empty(2, np.int64)
    for j in range(bonds):
        at = _bond(data, at, wide, lookup, ends, edge_attr[2 * j])
        if at < 0 or at >= stop or min(ends) < 0 or max(ends) >= atoms:
            return False
        edge_attr[2 * j + 1] = edge_attr[2 * j]
        edge_index[0, 2 * j] = edge_index[1, 2 * j + 1] = ends[0]
        edge_index[1, 2 * j] = edge_index[0, 2 * j + 1] = ends[1]
        x[ends[0], 2] += 1
        x[ends[1], 2] += 1
    for i in range(atoms):
        x[i, 2] = _clip(x[i, 2], 12)
    return at + 5 <= stop and data[at] == _RINGS and _mark_rings(data, at + 1, stop, wide, x)


@jit()
def decode(
    data: np.ndarray, start: np.ndarray, lookup: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The features of G molecules.

    Args:
        data: the binary forms one after the other and ``PADDING`` bytes, uint8; ``start [G + 1]``: where each begins.
        lookup: ``[5, 256]``, RDKit's number of a chirality, hybridization, bond type and bond stereo → OGB's, or -1;
            the last row starts with RDKit's numbers of SP3 and of the single bond.

    Returns:
        ``x [N, 9]``, ``edge_index [2, 2E]``, ``edge_attr [2E, 3]``; ``node_ptr`` and ``edge_ptr [G + 1]``, where each
        molecule begins in ``x`` and in ``edge_attr``; and ``[G]`` bool, False where a molecule holds something
        unexpected, so that its rows are not to be used.
    """
    graphs = start.size - 1
    node_ptr, edge_ptr = np.zeros(graphs + 1, np.int64), np.zeros(graphs + 1, np.int64)
    sizes = counts(data, start)
    for g in range(graphs):
        node_ptr[g + 1] = node_ptr[g] + sizes[g, 0]
        edge_ptr[g + 1] = edge_ptr[g] + 2 * sizes[g, 1]
    x = np.empty((node_ptr[-1], 9), np.int64)
    edge_index, edge_attr = np.empty((2, edge_ptr[-1]), np.int64), np.empty((edge_ptr[-1], 3), np.int64)
    done = np.empty(graphs, np.bool_)
    for g in range(graphs):
        nodes, edges = slice(node_ptr[g], node_ptr[g + 1]), slice(edge_ptr[g], edge_ptr[g + 1])
        done[g] = _molecule(data, start[g], start[g + 1], lookup, x[nodes], edge_index[:, edges], edge_attr[edges])
    return x, edge_index, edge_attr, node_ptr, edge_ptr, done


@jit()
def order_chirality(
    node_ptr: np.ndarray, edge_ptr: np.ndarray, rank: np.ndarray, edge_index: np.ndarray, x: np.ndarray
) -> None:
    """Restate each tetrahedral tag for neighbours in the order of their rank instead of the order of the bonds.

    RDKit's tag says which way the neighbours turn in the order of the atom's bonds; an odd number of swaps between
    two orders exchanges clockwise and counter-clockwise. ``x`` is changed in place.
    """
    for g in range(node_ptr.size - 1):
        first = node_ptr[g]
        seen = np.zeros(node_ptr[g + 1] - first, np.int64)
        neighbours = np.empty((seen.size, 4), np.int64)
        swaps = np.zeros(seen.size, np.int64)
        for e in range(edge_ptr[g], edge_ptr[g + 1]):
            atom, other = edge_index[0, e], rank[first + edge_index[1, e]]
            if x[first + atom, 1] != 1 and x[first + atom, 1] != 2:
                continue
            for k in range(min(seen[atom], 4)):
                swaps[atom] += neighbours[atom, k] > other
            if seen[atom] < 4:
                neighbours[atom, seen[atom]] = other
            seen[atom] += 1
        for atom in range(seen.size):
            if swaps[atom] & 1:
                x[first + atom, 1] = 3 - x[first + atom, 1]


@jit()
def ambiguous(node_ptr: np.ndarray, edge_ptr: np.ndarray, edge_index: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Whether a graph has a tetrahedral ring atom with two neighbours that look alike, stereochemistry aside, ``[G]``.

    Alike are neighbours whose features, and those of the atoms around them up to eight bonds away, are the same.
    """
    result = np.zeros(node_ptr.size - 1, np.bool_)
    for g in range(result.size):
        first, atoms = node_ptr[g], node_ptr[g + 1] - node_ptr[g]
        centre = np.zeros(atoms, np.bool_)
        for i in range(atoms):
            centre[i] = x[first + i, 8] == 1 and (x[first + i, 1] == 1 or x[first + i, 1] == 2)
        if centre.sum() < 2:  # what a ring hides from one centre, only another one can show
            continue
        color = np.ones(atoms, np.uint64)
        for i in range(atoms):
            for column in range(x.shape[1]):
                if column != 1:
                    color[i] = _mix(color[i], np.uint64(x[first + i, column]))
        for _ in range(8):
            around = np.zeros(atoms, np.uint64)
            for e in range(edge_ptr[g], edge_ptr[g + 1]):
                around[edge_index[0, e]] += _mix(color[edge_index[1, e]], np.uint64(1))
            for i in range(atoms):
                color[i] = _mix(color[i], around[i])
        for e in range(edge_ptr[g], edge_ptr[g + 1]):
            for f in range(edge_ptr[g], e):
                one, other = edge_index[1, e], edge_index[1, f]
                if edge_index[0, e] == edge_index[0, f] and centre[edge_index[0, e]] and color[one] == color[other]:
                    result[g] = True
    return result


@jit()
def _mix(value: np.uint64, other: np.uint64) -> np.uint64:
    """A hash of two 64-bit numbers."""
    mixed = (value ^ (other * np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(31))
