"""``plstm-graph explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def explain(
    model: Annotated[
        Path,
        typer.Argument(
            help="Run folder of a training with --model plstm, or its best.pt; of an ensemble, the first member counts."
        ),
    ],
    smiles: Annotated[list[str], typer.Argument(help="SMILES of one or more molecules, each in quotes.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("explanation.html"),
    name: Annotated[
        list[str] | None,
        typer.Option("--name", "-n", help="Title of a molecule, once per molecule. [its SMILES]", show_default=False),
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Explained predictions",
) -> None:
    """Show why the model predicts what it predicts, as one HTML page.

    For every molecule: what each atom adds to the prediction, and for every layer, direction and head the exact
    weight of every atom on every other atom, bond by bond. The page needs no network and no other file. Of an
    ensemble, the first member is explained.
    """
    from plstm_graph.errors import ConfigError
    from plstm_graph.explain import explain_molecule, write_page
    from plstm_graph.train.model_file import first_member, load_molecule_model

    if name and len(name) != len(smiles):
        raise ConfigError(f"{len(name)} name(s) for {len(smiles)} molecule(s): give --name once per molecule, or never")
    spec, predictor = load_molecule_model(model)
    found = [
        explain_molecule(predictor, text, name=label, order=spec.order, chirality=spec.chirality)
        for text, label in zip(smiles, name or [""] * len(smiles), strict=True)
    ]
    if first_member(model) != model:
        typer.echo(f"{model} is an ensemble: the page explains {first_member(model)}")
    write_page(found, out, title=title)
    typer.echo(f"wrote {out}: {len(found)} molecule{'s' * (len(found) > 1)}")
