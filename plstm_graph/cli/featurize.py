"""``plstm-graph featurize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def featurize(
    molecules: Annotated[Path, typer.Argument(help="CSV file (also .csv.gz) with a column of SMILES.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, .pt or .npz.", show_default=False)],
    smiles_column: Annotated[str | None, typer.Option(help="Column of SMILES.", show_default=False)] = None,
) -> None:
    """x"""
