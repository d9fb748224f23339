"""One HTML page without any other file: molecules that say, when touched, which of their atoms hears which."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

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
    import jinja2

    from plstm_graph.explain.picture import molecule_view

    if not explanations:
        raise ConfigError("there is no molecule to explain: give at least one SMILES")
    for found in explanations:
        if found.data.num_nodes > LARGEST:
            raise ConfigError(
                f"{found.name!r} has {found.data.num_nodes} atoms; the page shows at most {LARGEST}. "
                "plstm_graph.explain.explain_molecule gives the same numbers in Python"
            )
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("plstm_graph.explain", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    script = _read("page_tools.js") + "\n" + _read("page.js")
    return environment.get_template("page.html").render(
        title=title,
        style=_read("page.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        molecules=[molecule_view(found) for found in explanations],
    )


def write_page(
    explanations: Sequence[MoleculeExplanation], path: str | Path, *, title: str = "Explained predictions"
) -> Path:
    """Write :func:`render_page` to a file, whose folder is made if need be; returns its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(explanations, title=title), encoding="utf-8")
    return path


def _read(name: str) -> str:
    return files("plstm_graph.explain").joinpath(name).read_text(encoding="utf-8")
