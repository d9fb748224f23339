"""Why a pLSTM model predicts what it predicts: exact weights of every atom on every other, and a page that shows them.

>>> from plstm_graph.explain import explain_molecule, write_page
"""

from __future__ import annotations

from plstm_graph.explain.attribution import LayerAttribution, attribute_layers
from plstm_graph.explain.molecule import MoleculeExplanation, explain_molecule
from plstm_graph.explain.page import render_page, write_page
from plstm_graph.explain.prediction import AtomContributions, atom_contributions

__all__ = [
    "AtomContributions",
    "LayerAttribution",
    "MoleculeExplanation",
    "atom_contributions",
    "attribute_layers",
    "explain_molecule",
    "render_page",
    "write_page",
]
