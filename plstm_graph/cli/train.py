"""``plstm-graph train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plstm_graph.cli.options import console, default_folder, takes_config
from plstm_graph.train.config import TrainConfig


@takes_config()
def train(
    config: TrainConfig,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder. [runs/DATA-MODEL-TIME]", show_default=False)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was interrupted: the same options, and its --out.")
    ] = False,
    ensemble: Annotated[
        int, typer.Option("--ensemble", min=1, help="Members to train, with seeds that follow --seed; 1 is one model.")
    ] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Train a model and test it.

    A molecule table needs one column of SMILES and one column to predict:

        plstm-graph train --data solubility.csv --smiles-column smiles --target logS --split scaffold

    The run folder then holds the model (best.pt), its settings, the split, the curves, metrics.json, predictions.csv,
    and report.html, a page that shows all of it. That of an ensemble holds such a folder per member, and ensemble.pt.
    """
    from plstm_graph.errors import ConfigError
    from plstm_graph.report import write_report
    from plstm_graph.train.run import RunResult, run_training
    from plstm_graph.train.train_ensemble import EnsembleResult, train_ensemble

    if resume and out is None:
        raise ConfigError("--resume needs --out, the folder of the run that was interrupted")
    folder = out if out is not None else default_folder(config)
    shown = None if quiet else console()
    result: RunResult | EnsembleResult
    if ensemble > 1:
        result = train_ensemble(config, folder, ensemble, resume=resume, console=shown)
    else:
        result = run_training(config, folder, resume=resume, console=shown)
    typer.echo(result.summary())
    typer.echo(f"report: {write_report(folder)}")
