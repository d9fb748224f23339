"""Settings: conversion, checks, nearest matches, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from plstm_graph.errors import ConfigError
from plstm_graph.nn.baselines import MODELS, model_options
from plstm_graph.train.config import TrainConfig, load_config, make_config, named_configs


def test_yaml_values_become_the_right_type() -> None:
    config = make_config({"lr": "1e-3", "epochs": 5.0, "target": "logS", "devices": 2, "patience": None})
    assert (config.lr, config.epochs, config.target, config.devices) == (1e-3, 5, ("logS",), "2")
    assert isinstance(config.epochs, int)
    assert config.patience == TrainConfig().patience


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "'epoch'; did you mean 'epochs'"),
        ({"epochs": 2.5}, "epochs=2.5 must be of type int"),
        ({"epochs": True}, "epochs=True must be of type int"),
        ({"epochs": "many"}, "epochs='many'"),
        ({"epochs": 0}, "epochs=0 is too small"),
        ({"lr": 0}, "lr=0.0"),
        ({"split": "scafold"}, "did you mean 'scaffold'"),
        ({"split": "column"}, "split_column"),
        ({"split_column": "part"}, "split_column"),
        ({"model_options": "heads=3"}, "model_options"),
        ({"target": 3}, "must be a list"),
    ],
)
def test_bad_values_say_which(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(values)


def test_a_written_config_reads_back_the_same(tmp_path: Path) -> None:
    import yaml

    config = make_config({"data": "MUTAG", "target": ["a", "b"], "model_options": {"heads": 2}})
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config.to_dict()))
    assert make_config(load_config(file)) == config
    assert config.replace(seed=3) == make_config(config.to_dict() | {"seed": 3})


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    for text, message in (("- a\n- b\n", "list"), ("a: [", "not valid YAML")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_config(file)
    with pytest.raises(ConfigError, match="did you mean 'paper-gin'"):
        load_config("paper-gni")


@pytest.mark.parametrize("name", named_configs())
def test_shipped_configurations_fit_their_models(name: str) -> None:
    config = make_config(load_config(name))
    assert config.model in MODELS
    assert set(config.model_options) <= set(model_options(config.model))
