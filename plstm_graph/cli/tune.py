"""``plstm-graph tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from plstm_graph.cli.options import console, takes_config
from plstm_graph.train.config import TrainConfig, load_config


@takes_config("data")
def tune(
    data: Annotated[
        str,
        typer.Argument(
            help="Name of a data set (ogbg-molhiv, MUTAG, ...) or a table of molecules (CSV, Parquet, SDF)."
        ),
    ],
    config: TrainConfig,
    trials: Annotated[int, typer.Option("--trials", "-n", min=1, help="Trials in all; those already done count.")] = 50,
    study: Annotated[Path, typer.Option("--study", help="SQLite file of the study.")] = Path("study.db"),
    space: Annotated[
        str | None,
        typer.Option(help="YAML file of ranges and choices. [eight common settings]", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="YAML file for the best settings. [STUDY.yaml]", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Search for the settings with the best validation metric.

    Trials that fall behind the median of the others are pruned. The test split is never read. Interrupted and started
    again with the same options, the search goes on where it was. The best settings are written as YAML:

        plstm-graph tune solubility.csv --target logS --trials 50 --study solubility.db
        plstm-graph train --config solubility.yaml
    """
    from plstm_graph.train.search_space import SearchSpace
    from plstm_graph.train.tune import tune as search

    result = search(
        config,
        study,
        trials=trials,
        space=SearchSpace(load_config(space)) if space is not None else None,
        out=out,
        console=None if quiet else console(),
    )
    _print_best(result)
    typer.echo(f"wrote {result.out}")


def _print_best(result: Any, count: int = 5) -> None:
    """One column per trial, so that all settings fit a terminal of usual width."""
    from rich.console import Console
    from rich.table import Table

    from plstm_graph.train.tune import best_trials, short_name, show

    best = best_trials(result.study)[:count]
    table = Table("trial", *(str(t.number + 1) for t in best), box=None, show_edge=False)
    table.add_row(f"validation {result.metric}", *(f"{t.value:.4f}" for t in best))
    table.add_row("best epoch", *(str(t.user_attrs["best_epoch"]) for t in best))
    for name in best[0].params:
        table.add_row(short_name(name), *(show(t.params[name]) for t in best))
    finished = sum(t.state.is_finished() for t in result.study.trials)
    typer.echo(f"best of {finished} trials")
    Console(highlight=False).print(table)
