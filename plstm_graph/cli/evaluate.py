"""``plstm-graph evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plstm_graph.cli.options import console, parse_range, takes_config
from plstm_graph.train.config import TrainConfig


@takes_config("data", "seed", "fold")
def evaluate(
    data: Annotated[
        str,
        typer.Argument(
            help="Name of a data set (ogbg-molhiv, MUTAG, ...) or a table of molecules (CSV, Parquet, SDF)."
        ),
    ],
    config: TrainConfig,
    seeds: Annotated[str, typer.Option(help="Seeds to train with, such as 0-9.")] = "0",
    folds: Annotated[
        str | None,
        typer.Option(help="Folds to test on, such as 0-9. [all of a k-fold split, else fold 0]", show_default=False),
    ] = None,
    split_seeds: Annotated[
        str | None,
        typer.Option(help="Repeat with a new split for each of these seeds, such as 0-4.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File of finished parts. [results/DATA-NAME.jsonl]", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of this configuration in tables. [the model]", show_default=False)
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Parts at the same time, one thread each.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Train once per seed, fold or split, and report mean and deviation.

    Leaderboards of the Open Graph Benchmark ask for ten seeds, TUDatasets for ten folds:

        plstm-graph evaluate ogbg-molhiv --seeds 0-9
        plstm-graph evaluate MUTAG --folds 0-9 --model gin

    Own molecules in five folds that keep scaffolds together, three times with new folds:

        plstm-graph evaluate solubility.csv --split scaffold-kfold --num-folds 5 --split-seeds 0-2

    Here --model also takes the classic baselines majority, wl-svm (Weisfeiler-Lehman subtree kernel, graphs with
    classes) and morgan-forest (random forest on Morgan fingerprints, molecules).

    Every finished part is one line of the output file. Started again, the command does only what is missing.
    The test split is read once per part, with the model of the best validation epoch.
    """
    from plstm_graph.train.protocols import evaluate_parts
    from plstm_graph.train.table import report

    label = name or config.model
    file = out if out is not None else Path("results") / f"{Path(data).stem}-{label}.jsonl"
    summary = evaluate_parts(
        config,
        file,
        seeds=parse_range(seeds, "--seeds"),
        folds=_folds(config) if folds is None else parse_range(folds, "--folds"),
        split_seeds=None if split_seeds is None else parse_range(split_seeds, "--split-seeds"),
        name=label,
        jobs=jobs,
        console=None if quiet else console(),
    )
    typer.echo(report(summary))
    typer.echo(f"parts: {file}")


def _folds(config: TrainConfig) -> list[int]:
    return list(range(config.num_folds)) if config.split.endswith("kfold") else [config.fold]
