"""``plstm-graph table``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def table(
    files: Annotated[
        list[Path], typer.Argument(help="Files that plstm-graph evaluate wrote, such as results/*.jsonl.")
    ],
    wide: Annotated[bool, typer.Option("--wide", help="Models as rows, data sets as columns.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of the screen.")] = None,
) -> None:
    """Make a Markdown table of finished evaluations."""
    from plstm_graph.train.records import read_records
    from plstm_graph.train.table import long_table, summarise, wide_table

    summaries = summarise(read_records(files))
    text = (wide_table if wide else long_table)(summaries)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"wrote {out}")
