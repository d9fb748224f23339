"""``plstm-graph report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Run folder of a finished training.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="HTML file to write. [report.html in the folder]", show_default=False),
    ] = None,
) -> None:
    """Make the report page of a training again, from what it left in its folder; nothing is trained.

    The page has the headline figures, learning curves, scores and charts of the predictions, the worst predictions,
    the split, and all settings. It needs no network and no other file.
    """
    from plstm_graph.report import write_report

    typer.echo(f"wrote {write_report(run, out)}")
