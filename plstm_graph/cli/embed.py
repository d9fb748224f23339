"""``plstm-graph embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plstm_graph.cli.options import SMILES_COLUMN


def embed(
    model: Annotated[
        Path, typer.Argument(help="Run folder of a training, or its best.pt, or an ensemble (its first member).")
    ],
    molecules: Annotated[Path, typer.Argument(help="Table of molecules: CSV or SDF (also .gz), or Parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, .parquet or .npz.", show_default=False)],
    smiles_column: Annotated[
        str | None,
        typer.Option(help=SMILES_COLUMN, show_default=False),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", min=1, help="Molecules per step.")] = 256,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:0.")] = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read SMILES; 0 reads in the main process.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Write the embedding of every molecule of a table: what the model pools from the atoms, before its head.

    A Parquet file has all rows and columns of the table, then embedding_0, embedding_1, ... and embedding_error. An
    .npz file has the arrays embedding, ok, failed_row and failed_reason. A row that cannot be read keeps its place:
    its embedding is missing, and embedding_error (failed_reason) says why.
    """
    from plstm_graph.train.embed_table import embed_table
    from plstm_graph.train.model_file import first_member

    report = embed_table(
        model,
        molecules,
        out,
        smiles_column=smiles_column,
        batch_size=batch_size,
        device=device,
        workers=workers,
        progress=not quiet,
    )
    if first_member(model) != model:
        typer.echo(f"{model} is an ensemble: these are the embeddings of {first_member(model)}")
    typer.echo(report)
