"""Command-line options for the settings of a training run, taken from the fields of TrainConfig."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from plstm_graph.errors import ConfigError
from plstm_graph.train.config import TrainConfig, load_config, make_config

SMILES_COLUMN = "Column of SMILES. [the only column named smiles, in any case; of an SDF its molecules]"

_FLAGS = {
    "data": ("--data", "-d"),
    "model": ("--model", "-m"),
    "model_options": ("--set",),
    "target": ("--target", "-t"),
    "epochs": ("--epochs", "-e"),
    "batch_size": ("--batch-size", "-b"),
}


def takes_config(*without: str) -> Callable[[Callable], Callable]:
    """Give a command every setting of :class:`TrainConfig` as an option, and ``--config``.

    The command is called with ``config: TrainConfig``, in which options override the file, and the file the defaults.

    Args:
        without: settings that the command sets itself.
    """

    def wrap(command: Callable) -> Callable:
        fields = [f for f in dataclasses.fields(TrainConfig) if f.name not in without]
        kinds = get_type_hints(TrainConfig)
        resolved = get_type_hints(command, include_extras=True)
        own = [
            p.replace(annotation=resolved[p.name])
            for p in inspect.signature(command).parameters.values()
            if p.name != "config"
        ]

        @functools.wraps(command)
        def run(**arguments: Any) -> Any:
            given = {f.name: arguments.pop(f.name) for f in fields}
            given |= {name: arguments[name] for name in without if name in arguments}
            return command(config=_merge(arguments.pop("config_file"), given), **arguments)

        parameters = [*own, _config_parameter(), *(_parameter(f, kinds[f.name]) for f in fields)]
        run.__signature__ = inspect.Signature(parameters)
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return wrap


def _config_parameter() -> inspect.Parameter:
    option = typer.Option(
        "--config", "-c", help="YAML file with any of these settings, or the name of one that comes with the package."
    )
    return inspect.Parameter(
        "config_file", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def _parameter(f: dataclasses.Field, hint: Any) -> inspect.Parameter:
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(a for a in get_args(hint) if a is not type(None))
    many = get_origin(hint) is dict or hint == tuple[str, ...]
    flags = _FLAGS.get(f.name, ("--" + f.name.replace("_", "-"),))
    metavar = {dict: "KEY=VALUE", tuple: "NAME" if many else "NUMBER,NUMBER,..."}.get(get_origin(hint))
    panel = f.metadata["panel"]
    option = typer.Option(*flags, help=_help(f, many), rich_help_panel=panel, show_default=False, metavar=metavar)
    kind = list[str] if many else str if get_origin(hint) is tuple else hint
    return inspect.Parameter(
        f.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _help(f: dataclasses.Field, many: bool) -> str:
    text = f.metadata["help"]
    if f.metadata["choices"]:
        text += f" ({', '.join(f.metadata['choices'])})"
    if many or f.default is None:
        return f"{text}."
    default = ",".join(map(str, f.default)) if isinstance(f.default, tuple) else f.default
    return f"{text}. [{default}]"


def _merge(file: str | None, given: dict[str, Any]) -> TrainConfig:
    values = load_config(file) if file is not None else {}
    options = parse_settings(given.pop("model_options", None) or [])
    changes = {k: v for k, v in given.items() if v not in (None, [])}
    merged = values | changes
    if options:
        merged["model_options"] = dict(values.get("model_options") or {}) | options
    return make_config(merged)


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """``["heads=8", "pooling=sum"]`` → ``{"heads": 8, "pooling": "sum"}``.

    Raises:
        ConfigError: an entry has no ``=``.
    """
    import yaml

    parsed = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {setting!r} must have the form key=value, for example --set heads=8")
        parsed[key.strip()] = yaml.safe_load(value)
    return parsed


def parse_range(text: str, what: str) -> list[int]:
    """``"0-3,7"`` → ``[0, 1, 2, 3, 7]``.

    Raises:
        ConfigError: the text is not of this form.
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ConfigError(f"{what} {text!r} must look like 0-9 or 0,2,5")
        numbers += range(int(first), int(last if dash else first) + 1)
    return list(dict.fromkeys(numbers))


def console() -> Any:
    """Rich console on standard error: progress never mixes with results."""
    from rich.console import Console

    return Console(stderr=True)


def default_folder(config: TrainConfig) -> Path:
    """``runs/<data>-<model>-<date>-<time>``."""
    from datetime import datetime

    return Path("runs") / f"{Path(config.data).stem}-{config.model}-{datetime.now():%Y%m%d-%H%M%S}"
