"""Lines of finished parts, and what happens to a line that a killed run left behind."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from plstm_graph.errors import RunError
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.records import append_record, config_key, finished_parts, read_records


def part(fold: int, key: str = "k", **more: object) -> dict:
    return {"fold": fold, "seed": 0, "key": key} | more


def test_key_changes_with_the_model_only() -> None:
    config = TrainConfig()
    same = [config.replace(seed=7), config.replace(fold=3), config.replace(workers=2, devices="2")]
    assert {config_key(c) for c in same} == {config_key(config)}
    other = [config.replace(lr=1e-4), config.replace(model_options={"heads": 2}), config.replace(data="MUTAG")]
    assert len({config_key(c) for c in [config, *other]}) == 4


def test_key_does_not_change_when_an_option_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    before = config_key(TrainConfig())
    more = TrainConfig().to_dict() | {"new_option": None, "new_list": [], "new_options": {}}
    monkeypatch.setattr(TrainConfig, "to_dict", lambda self: more)
    assert config_key(TrainConfig()) == before
    monkeypatch.setattr(TrainConfig, "to_dict", lambda self: more | {"new_option": "set"})
    assert config_key(TrainConfig()) != before


def test_an_unfinished_line_is_dropped_and_written_over(tmp_path: Path) -> None:
    file = tmp_path / "new" / "x.jsonl"
    append_record(file, part(0, test=0.5))
    append_record(file, part(1))
    with file.open("a") as stream:
        stream.write('{"fold": 2, "se')
    assert len(read_records([file])) == 2
    append_record(file, part(3))
    assert [r["fold"] for r in read_records([file])] == [0, 1, 3]
    assert file.read_text().count("\n") == 3


def test_parts_of_other_configurations_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    assert finished_parts(file, "k") == {}
    append_record(file, part(0))
    append_record(file, part(1, key="other"))
    assert set(finished_parts(file, "k")) == {(0, 0, 0)}


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"a": 1}\nrubbish\n')
    with pytest.raises(RunError, match="line 2"):
        read_records([file])
    with pytest.raises(RunError, match="no file"):
        read_records([tmp_path / "none.jsonl"])


def test_repetitions_share_a_key_and_records_from_before_stay_valid() -> None:
    config = TrainConfig()
    assert config_key(config.replace(split_seed=3)) == config_key(config)
    assert (
        config_key(config.replace(num_folds=4))
        != config_key(config)
        != config_key(config.replace(fractions="0.6,0.2,0.2"))
    )
    without = ("seed", "fold", "workers", "accelerator", "devices", "strategy", "fractions", "num_folds", "test_orders")
    values = {k: v for k, v in config.to_dict().items() if k not in without and v not in (None, [], {})}
    assert values["split_seed"] == 0
    assert config_key(config) == hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
