"""The Typer application, with errors of the library shown as one paragraph."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from plstm_graph.errors import PLSTMGraphError

EXIT_CODE = 2


class ReadableErrors(TyperGroup):
    """Prints an error that the library raised on purpose as a paragraph, and ends with exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PLSTMGraphError as error:
            typer.secho(f"Error: {error}", fg="red", err=True)
            raise typer.Exit(EXIT_CODE) from error


app = typer.Typer(
    name="plstm-graph",
    cls=ReadableErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Learn properties of molecules and other graphs with pLSTM, and predict them.",
)


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version and stop.")
) -> None:
    if version:
        from plstm_graph import __version__

        typer.echo(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit


from plstm_graph.cli import doctor, embed, evaluate, explain, featurize, predict, report, table, train, tune  # noqa: E402 - each adds its verb

for verb in (
    train.train,
    evaluate.evaluate,
    tune.tune,
    report.report,
    predict.predict,
    embed.embed,
    explain.explain,
    featurize.featurize,
    doctor.doctor,
    table.table,
):
    app.command()(verb)
