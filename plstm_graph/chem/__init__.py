"""Molecules: SMILES to graphs, scaffolds, drawings. RDKit loads with the first name that needs it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plstm_graph.chem.batch import FeaturizedChunk as FeaturizedChunk
    from plstm_graph.chem.batch import FeaturizeReport as FeaturizeReport
    from plstm_graph.chem.batch import featurize as featurize
    from plstm_graph.chem.batch import iter_featurize as iter_featurize
    from plstm_graph.chem.draw import draw_molecule as draw_molecule
    from plstm_graph.chem.features import ATOM_DIMS as ATOM_DIMS
    from plstm_graph.chem.features import BOND_DIMS as BOND_DIMS
    from plstm_graph.chem.parse import parse_smiles as parse_smiles
    from plstm_graph.chem.scaffold import murcko_scaffold as murcko_scaffold
    from plstm_graph.chem.scaffold import scaffold_split as scaffold_split
    from plstm_graph.chem.smiles import from_smiles as from_smiles

_HOME = {
    "ATOM_DIMS": "features",
    "BOND_DIMS": "features",
    "FeaturizeReport": "batch",
    "FeaturizedChunk": "batch",
    "draw_molecule": "draw",
    "featurize": "batch",
    "from_smiles": "smiles",
    "iter_featurize": "batch",
    "murcko_scaffold": "scaffold",
    "parse_smiles": "parse",
    "scaffold_split": "scaffold",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"plstm_graph.chem.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'plstm_graph.chem' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
