"""Search spaces: what may be searched, and what a sample becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from plstm_graph.errors import ConfigError
from plstm_graph.nn.baselines import MODELS
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.search_space import DEFAULT_SPACE, SearchSpace, apply


@pytest.mark.parametrize("model", MODELS)
def test_the_default_space_fits_every_model(model: str):
    space = SearchSpace.default(model)
    space.check(model)
    assert {"lr", "batch_size", "model_options.hidden_channels"} <= set(space.entries)


def test_samples_become_settings():
    low = {name: entry.get("low", entry.get("choices", [0])[0]) for name, entry in DEFAULT_SPACE.items()}
    sampled = SearchSpace.default("plstm").sample(optuna.trial.FixedTrial(low))
    config = apply(TrainConfig(model_options={"virtual_node": True}), sampled)
    assert config.lr == 3e-4
    assert config.batch_size == 32
    assert config.model_options["num_layers"] == 2
    assert isinstance(config.model_options["num_layers"], int)
    assert config.model_options["virtual_node"] is True


def test_ends_and_steps_of_ranges():
    space = SearchSpace({"epochs": {"low": 10, "high": 30, "step": 10}, "lr": {"low": 0.1, "high": 0.2}})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    found = [space.sample(study.ask()) for _ in range(40)]
    assert {value["epochs"] for value in found} == {10, 20, 30}
    assert all(0.1 <= value["lr"] <= 0.2 for value in found)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "empty"),
        ({"lrr": {"choices": [1]}}, "'lr'"),
        ({"split": {"choices": ["random", "scaffold"]}}, "split"),
        ({"seed": {"low": 0, "high": 9}}, "seed"),
        ({"model_options.head": {"choices": [1]}}, "model_options.heads"),
        ({"lr": [0.1, 0.2]}, "choices"),
        ({"lr": {"low": 0.1}}, "low and high"),
        ({"lr": {"low": "1e-4", "high": 0.1}}, r"1\.0e-4"),
        ({"lr": {"low": 0.2, "high": 0.1}}, "above"),
        ({"lr": {"low": 0.0, "high": 0.1, "log": True}}, "above 0"),
        ({"lr": {"low": 0.1, "high": 0.2, "step": 0}}, "step=0"),
        ({"lr": {"choices": []}}, "at least one"),
        ({"lr": {"choices": [[1]]}}, r"\[1\]"),
    ],
)
def test_mistakes_are_named(entries: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        SearchSpace(entries).check("plstm")


def test_the_guide_shows_the_default_space():
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "tune.md").read_text()
    for name, entry in DEFAULT_SPACE.items():
        if "choices" in entry:
            values = ", ".join(map(str, entry["choices"]))
        else:
            values = f"{entry['low']:g} to {entry['high']:g}" + (", logarithmic" if entry.get("log") else "")
        assert f"| `{name}` | {values} |" in guide
