"""``plstm-graph predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plstm_graph.cli.options import SMILES_COLUMN


def predict(
    model: Annotated[Path, typer.Argument(help="Run folder of a training or an ensemble, or a best.pt.")],
    molecules: Annotated[Path, typer.Argument(help="Table of molecules: CSV or SDF (also .gz), or Parquet.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="CSV (also .csv.gz) or Parquet file to write.", show_default=False)
    ],
    smiles_column: Annotated[
        str | None,
        typer.Option(help=SMILES_COLUMN, show_default=False),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", "-b", min=1, help="Molecules per step.")] = 256,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:0.")] = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read SMILES; 0 reads in the main process.")] = 0,
    coverage: Annotated[
        float | None,
        typer.Option(help="Share of true values that intervals should hold, such as 0.9. [0.9]", show_default=False),
    ] = None,
    similarity: Annotated[
        bool, typer.Option("--similarity/--no-similarity", help="Look for the nearest training molecule.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Predict for every molecule of a table.

    The output has all rows in their order and all columns as they were, also columns that share a name; behind them
    one column per target (for classes: the calibrated probability of each class) and the column prediction_error. A
    row that cannot be predicted keeps its place: its predictions are empty, and prediction_error says why.

    Numbers come with an interval, TARGET_low to TARGET_high, and those of an ensemble with TARGET_std, the deviation
    of its members. The column warning says what about a molecule is unlike the training molecules;
    nearest_train_similarity is its largest Tanimoto similarity to one of them.

    A model that was trained with --descriptor columns needs columns of these names here too.
    """
    from plstm_graph.train.predict_table import predict_table

    report = predict_table(
        model,
        molecules,
        out,
        smiles_column=smiles_column,
        batch_size=batch_size,
        device=device,
        workers=workers,
        progress=not quiet,
        coverage=coverage,
        similarity=similarity,
    )
    typer.echo(report)
