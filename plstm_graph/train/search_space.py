"""What a search varies: settings of a run and options of its model, each with a range or a list of choices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plstm_graph.errors import ConfigError
from plstm_graph.nn.baselines import model_options
from plstm_graph.nn.checks import one_of
from plstm_graph.train.config import TrainConfig

DEFAULT_SPACE: dict[str, dict[str, Any]] = {
    "lr": {"low": 3e-4, "high": 1e-2, "log": True},
    "weight_decay": {"low": 1e-4, "high": 1e-1, "log": True},
    "batch_size": {"choices": [32, 64, 128]},
    "model_options.hidden_channels": {"choices": [64, 96, 128]},
    "model_options.num_layers": {"low": 2, "high": 6},
    "model_options.heads": {"choices": [2, 4, 8]},
    "model_options.pooling": {"choices": ["norm", "mean", "sum", "max"]},
    "model_options.dropout": {"low": 0.0, "high": 0.4},
}
"""Searched by default, as far as the model has the option; a YAML file of the same form replaces it."""

_PREFIX = "model_options."
_FORMS = ({"choices"}, {"low", "high"}, {"low", "high", "log"}, {"low", "high", "step"})


@dataclass(frozen=True)
class SearchSpace:
    """Ranges and choices by name: a field of :class:`TrainConfig`, or ``model_options.<option>``.

    Args:
        entries: ``{"choices": [...]}``, or ``{"low": a, "high": b}`` with ``"log": True`` or ``"step": s`` if wanted;
            two whole numbers make a range of whole numbers, ends included.
    """

    entries: Mapping[str, Mapping[str, Any]]

    @classmethod
    def default(cls, model: str) -> SearchSpace:
        """The part of :data:`DEFAULT_SPACE` that a model has."""
        known = model_options(model)
        names = (n for n in DEFAULT_SPACE if not n.startswith(_PREFIX) or n.removeprefix(_PREFIX) in known)
        return cls({name: DEFAULT_SPACE[name] for name in names})

    def check(self, model: str) -> None:
        """Check names and ranges.

        Raises:
            ConfigError: a name is no setting, or one that changes the data or the split; or a range is wrong.
        """
        if not self.entries:
            raise ConfigError("the search space is empty: give lines such as 'lr: {low: 0.001, high: 0.01, log: true}'")
        fields = {f.name: f.metadata["panel"] for f in dataclasses.fields(TrainConfig)}
        tunable = [n for n, panel in fields.items() if (panel == "Training" and n not in _FIXED) or n == "order"]
        allowed = tunable + [_PREFIX + option for option in model_options(model)]
        for name, entry in self.entries.items():
            one_of("a setting to search", name, allowed)
            _check_entry(name, entry)

    def sample(self, trial: Any) -> dict[str, Any]:
        """Values for one trial of Optuna, by name."""
        return {name: _sample(trial, name, entry) for name, entry in self.entries.items()}


_FIXED = ("metric", "loss", "class_weights", "seed")  # they change what is measured, or only the luck


def apply(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """Settings with sampled values put in.

    Raises:
        ConfigError: a value does not fit.
    """
    options = {n.removeprefix(_PREFIX): v for n, v in values.items() if n.startswith(_PREFIX)}
    plain = {n: v for n, v in values.items() if not n.startswith(_PREFIX)}
    return config.replace(model_options=config.model_options | options, **plain)


def _check_entry(name: str, entry: Any) -> None:
    form = "give choices: [...], or low and high, with log: true or step if wanted"
    if not isinstance(entry, Mapping) or set(entry) not in _FORMS:
        raise ConfigError(f"search space, {name}: {entry!r} is not understood; {form}")
    if "choices" in entry:
        choices = entry["choices"]
        if not isinstance(choices, list) or not choices:
            raise ConfigError(f"search space, {name}: choices must be a list with at least one value, got {choices!r}")
        wrong = [c for c in choices if not isinstance(c, bool | int | float | str | None)]
        if wrong:
            raise ConfigError(f"search space, {name}: {wrong[0]!r} is no number, text, true, false or null")
        return
    numbers = [entry["low"], entry["high"], *([entry["step"]] if "step" in entry else [])]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ConfigError(f"search space, {name}: {number!r} is not a number (YAML wants 1.0e-4, not 1e-4)")
    if not entry["low"] <= entry["high"]:
        raise ConfigError(f"search space, {name}: low={entry['low']} is above high={entry['high']}")
    if entry.get("log") and entry["low"] <= 0:
        raise ConfigError(f"search space, {name}: a logarithmic range starts above 0, got low={entry['low']}")
    if "step" in entry and entry["step"] <= 0:
        raise ConfigError(f"search space, {name}: step={entry['step']} must be above 0")


def _sample(trial: Any, name: str, entry: Mapping[str, Any]) -> Any:
    if "choices" in entry:
        return trial.suggest_categorical(name, entry["choices"])
    numbers = {key: entry[key] for key in ("low", "high", "step") if key in entry}
    whole = all(isinstance(number, int) for number in numbers.values())
    suggest = trial.suggest_int if whole else trial.suggest_float
    return suggest(name, **numbers, log=bool(entry.get("log", False)))
