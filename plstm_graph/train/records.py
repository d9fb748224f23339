"""Finished parts of an experiment as lines of JSON: append, read back, say which parts are still to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from plstm_graph.errors import RunError
from plstm_graph.train.config import TrainConfig

Record = dict[str, Any]

_NOT_PART_OF_THE_MODEL = ("seed", "fold", "split_seed", "workers", "accelerator", "devices", "strategy")
_ONLY_IF_CHANGED = ("fractions", "num_folds", "test_orders")


def config_key(config: TrainConfig) -> str:
    """Twelve letters that differ between two configurations, but not between parts (seeds, folds) or machines.

    Settings that are not set do not count, so that records stay valid when an option is added.
    """
    unset: tuple = (None, [], {})
    values = {k: v for k, v in config.to_dict().items() if k not in _NOT_PART_OF_THE_MODEL and v not in unset}
    usual = TrainConfig().to_dict()
    values = {k: v for k, v in values.items() if k not in _ONLY_IF_CHANGED or v != usual[k]}
    values["split_seed"] = 0  # it tells parts apart; older records have it in their keys
    return _hash(values)


def _hash(values: Record) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def settings_key(record: Record) -> str:
    """Twelve letters for the settings of a finished part that are not the usual ones, the same on every data set."""
    if "config" not in record:
        return record["key"]
    usual = TrainConfig().to_dict()
    values = {k: v for k, v in record["config"].items() if v is not None and v != usual.get(k)}
    return _hash({k: v for k, v in values.items() if k not in ("data", *_NOT_PART_OF_THE_MODEL)})


def append_record(path: Path, record: Record) -> None:
    """Add one line; a line left unfinished by a killed run is removed first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        text = file.read()
        file.truncate(text.rfind(b"\n") + 1)
        file.write((json.dumps(record) + "\n").encode())


def read_records(paths: Iterable[Path]) -> list[Record]:
    """All finished parts in the files, in order; an unfinished last line does not count.

    Raises:
        RunError: a file does not exist, or a finished line is not JSON.
    """
    records = []
    for path in paths:
        if not path.is_file():
            raise RunError(f"there is no file {path}")
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        for number, line in enumerate(lines, start=1):
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise RunError(f"{path}, line {number}: not a line of JSON ({error})") from error
    return records


class Part(NamedTuple):
    """One training of an experiment: which split, which fold of it, which seed of weights and batches."""

    split_seed: int
    fold: int
    seed: int

    @classmethod
    def of(cls, record: Record) -> Part:
        """The part that a record is about; older records name no split seed."""
        return cls(record.get("split_seed", 0), record["fold"], record["seed"])


def finished_parts(path: Path, key: str) -> dict[Part, Record]:
    """Records of one configuration in a file, by part."""
    records = read_records([path]) if path.is_file() else []
    return {Part.of(r): r for r in records if r["key"] == key}
