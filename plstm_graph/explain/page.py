"""One HTML page without any other file: molecules that say, when touched, which of their atoms hears which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plstm_graph import page
from plstm_graph.errors import ConfigError
from plstm_graph.explain.molecule import MoleculeExplanation

LARGEST = 150
"""Most atoms of a molecule on a page, which holds several numbers for every pair of atoms, layer and head."""


def render_page(explanations: Sequence[MoleculeExplanation], *, title: str = "Explained predictions") -> str:
    """The page as a string; names and titles are shown as they are, never as markup.

    Args:
        explanations: one per molecule, in the order of the page.
        title: title of the page.

    Raises:
        ConfigError: there is no molecule, or one with more than :data:`LARGEST` atoms.
    """
    from plstm_graph.explain.picture import molecule_view

    if not explanations:
        raise ConfigError("there is no molecule to explain: give at least one SMILES")
    for found in explanations:
        if found.data.num_nodes > LARGEST:
            raise ConfigError(
                f"{found.name!r} has {found.data.num_nodes} atoms; the page shows at most {LARGEST}. "
                "plstm_graph.explain.explain_molecule gives the same numbers in Python"
            )
    return page.render(
        "plstm_graph.explain",
        "page.html",
        styles=("page.css",),
        scripts=("page_tools.js", "page.js"),
        title=title,
        molecules=[molecule_view(found) for found in explanations],
    )


def write_page(
    explanations: Sequence[MoleculeExplanation], path: str | Path, *, title: str = "Explained predictions"
) -> Path:
    """Write :func:`render_page` to a file, whose folder is made if need be; returns its path."""
    return page.write(render_page(explanations, title=title), path)
