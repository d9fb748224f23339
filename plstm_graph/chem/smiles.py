"""One SMILES to one PyG graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from plstm_graph.chem.arrays import Chirality, Packed, check_chirality, pack
from plstm_graph.chem.parse import parse_smiles
from plstm_graph.errors import FeatureError


def from_smiles(
    smiles: str, *, y: float | Sequence[float] | Tensor | None = None, chirality: Chirality = "written"
) -> Data:
    """The graph of a molecule, with the atom and bond features of the Open Graph Benchmark.

    Atoms and bonds come in RDKit's order; hydrogens are counted on their atoms, except those that RDKit keeps as
    atoms (isotopes, bare protons, H2). Salts and mixtures give one graph with several components.

    Args:
        smiles: the string; CXSMILES extensions are read as far as RDKit does.
        y: target, NaN where it is missing: a number or one per task becomes ``[1, T]`` float32, a tensor stays as
            it is.
        chirality: what the chirality column of ``x`` says about a tetrahedral atom. ``"written"`` is OGB's: RDKit's
            tag, which refers to the order in which the neighbours were written, so that two SMILES of one molecule
            can differ in it. ``"canonical"`` restates the tag for neighbours in the order of ``canonical_rank``:
            any SMILES of a molecule then gives the same graph up to the numbering of the atoms. (Exceptions are
            cages such as a chiral adamantane, where RDKit's own canonical SMILES is not unique: 1 in 10,000 chiral
            molecules of ChEMBL.)

    Returns:
        ``x [N, 9]``, ``edge_index [2, 2E]`` (both directions of a bond one after the other), ``edge_attr [2E, 3]``,
        ``canonical_rank [N]``, all int64, ``smiles`` as given, and ``y`` if given. What the numbers mean:
        ``plstm_graph.chem.features.ATOM_FEATURES`` and ``BOND_FEATURES``. With ``"written"``, ``x``, ``edge_index``
        and ``edge_attr`` equal those of ``ogb.utils.smiles2graph``.

    Raises:
        SmilesError: not a string, missing, empty, not readable by RDKit (its reason is in the message), no atoms.
        FeatureError: ``y`` is not a number, a flat sequence of numbers or a tensor.
        ConfigError: unknown ``chirality``.

    Example:
        >>> from_smiles("CCO", y=-0.77)
        Data(x=[3, 9], edge_index=[2, 4], edge_attr=[4, 3], y=[1, 1], smiles='CCO', canonical_rank=[3])
    """
    check_chirality(chirality)
    packed = pack((parse_smiles(smiles),), chirality)
    return _data(packed, smiles, None if y is None else _target(y))


def unpack(packed: Packed, smiles: Sequence[str] | None = None) -> list[Data | None]:
    """The graphs of ``packed`` one by one; None for a graph without atoms. They share memory with ``packed``."""
    nodes, edges = packed["node_ptr"].tolist(), packed["edge_ptr"].tolist()
    graphs: list[Data | None] = []
    for g in range(len(nodes) - 1):
        part = {
            "x": packed["x"][nodes[g] : nodes[g + 1]],
            "edge_index": packed["edge_index"][:, edges[g] : edges[g + 1]].copy(),  # a strided view pickles as a whole
            "edge_attr": packed["edge_attr"][edges[g] : edges[g + 1]],
            "canonical_rank": packed["canonical_rank"][nodes[g] : nodes[g + 1]],
        }
        graphs.append(_data(part, None if smiles is None else smiles[g]) if nodes[g + 1] > nodes[g] else None)
    return graphs


def _data(arrays: Packed, smiles: str | None, y: Tensor | None = None) -> Data:
    data = Data(
        x=torch.from_numpy(arrays["x"]),
        edge_index=torch.from_numpy(arrays["edge_index"]),
        edge_attr=torch.from_numpy(arrays["edge_attr"]),
        y=y,
    )
    if smiles is not None:
        data.smiles = smiles
    data.canonical_rank = torch.from_numpy(arrays["canonical_rank"])
    return data


def _target(y: float | Sequence[float] | Tensor) -> Tensor:
    if isinstance(y, Tensor):
        return y
    try:
        target = torch.as_tensor(y, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise FeatureError(f"y must be a number or a flat sequence of numbers, got {y!r}") from error
    if target.dim() > 1:
        raise FeatureError(f"y must be a number or a flat sequence of numbers, got shape {list(target.shape)}")
    return target.reshape(1, -1)
