"""``plstm-graph featurize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plstm_graph.cli.options import SMILES_COLUMN


def featurize(
    molecules: Annotated[Path, typer.Argument(help="Table of molecules: CSV or SDF (also .gz), or Parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, .npz or .pt.", show_default=False)],
    smiles_column: Annotated[
        str | None,
        typer.Option(help=SMILES_COLUMN, show_default=False),
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="A row that cannot be read: raise an error, skip it, or keep its place (nan).")
    ] = "skip",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read SMILES; 0 reads in the main process.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Turn a table of molecules into graphs with OGB's atom and bond features.

    The file holds the arrays x, edge_index, edge_attr, canonical_rank, node_ptr and edge_ptr of all molecules, and
    row, the row of the table that each came from. Rows that cannot be read are listed in a CSV file beside it.
    """
    from plstm_graph.chem.batch import featurize as read_all
    from plstm_graph.data.formats import check_ending, open_table
    from plstm_graph.data.formats.molecules import find_smiles

    check_ending(out, (".npz", ".pt"))
    with open_table(molecules) as source:
        column = find_smiles(source, smiles_column)
        smiles = [m for chunk in source.chunks(1024) for m in chunk.molecules(column, column == source.made)]
    packed, report = read_all(smiles, on_error=on_error, workers=workers, progress=not quiet)
    assert isinstance(packed, dict)  # what output="packed" promises
    _write(out, {**packed, "row": report.row})
    typer.echo(report)
    typer.echo(f"wrote {out}")
    if report.failed:
        failed = out.with_suffix(".failed.csv")
        report.to_frame().to_csv(failed, index=False)
        typer.echo(f"wrote {failed}")


def _write(out: Path, arrays: dict) -> None:
    if out.suffix == ".npz":
        import numpy as np

        np.savez_compressed(out, **arrays)
        return
    import torch

    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, out)
