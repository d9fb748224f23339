"""``python -m benchmarks.ablation``: the default model with one thing changed at a time, on small sets of molecules.

The changes are those of ``ablation.yaml``. Finished parts are not repeated; the table is made from the recorded lines.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.compare import TIE, advantage, mean_and_error, verdict
from plstm_graph.errors import PLSTMGraphError
from plstm_graph.train.config import TrainConfig, make_config
from plstm_graph.train.protocols import evaluate_parts
from plstm_graph.train.records import Part, Record, config_key, read_records

DEFAULT = "default"
QUICK = {"epochs": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 0 if it was done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.add_argument(
        "--data", nargs="+", default=["ogbg-molfreesolv", "ogbg-molesol"], help="data sets, by the names of evaluate"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of training seeds (3)")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="changes to run, such as '*keys*' (all)")
    parser.add_argument("--jobs", type=int, default=1, help="parts at the same time, one thread each (1)")
    parser.add_argument("--quick", action="store_true", help="one epoch: only shows that it works")
    parser.add_argument("--out", type=Path, default=Path("results/ablation"), help="results (results/ablation)")
    options = parser.parse_args(arguments)
    if min(options.seeds, options.jobs) < 1:
        parser.error("--seeds and --jobs must be at least 1")
    wanted = [change for change in changes() if change == DEFAULT or fnmatch(change, options.only)]
    if wanted == [DEFAULT] and options.only != DEFAULT:
        parser.error(f"--only {options.only}: there is no such change; they are {', '.join(changes())}")
    shared = QUICK if options.quick else {}
    try:
        run(options.out, options.data, wanted, range(options.seeds), shared, options.jobs, _say)
    except PLSTMGraphError as error:
        parser.error(str(error))
    text = report(options.out, options.data, shared)
    (options.out / "ablation.md").write_text(text, encoding="utf-8")
    print(text)
    _say(f"written to {options.out}")
    return 0


def run(
    folder: Path,
    data: Sequence[str],
    wanted: Sequence[str],
    seeds: Sequence[int],
    shared: Mapping[str, Any],
    jobs: int,
    say: Callable[[str], None],
) -> None:
    """Train and test the parts that ``<folder>/<set>.jsonl`` lacks, all changes of one set before the next set."""
    if jobs == 1:
        torch.set_num_threads(1)
    for name in data:
        for change in wanted:
            summary = evaluate_parts(
                settings(name, change, shared), _file(folder, name), seeds=seeds, folds=[0], name=change, jobs=jobs
            )
            say(f"{name}, {change}: validation {summary.valid:.3f}, test {summary.test:.3f}")


@cache
def changes() -> dict[str, tuple[str, dict[str, Any]]]:
    """Change → the part of the model it is about, and its settings; first the default, without any."""
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    found = {change: (part, values) for part, group in yaml.safe_load(text).items() for change, values in group.items()}
    return {DEFAULT: ("", {})} | found


def settings(data: str, change: str, shared: Mapping[str, Any]) -> TrainConfig:
    """Settings of one change on one data set."""
    return make_config({"data": data, **shared, **changes()[change][1]})


def report(folder: Path, data: Sequence[str], shared: Mapping[str, Any]) -> str:
    """The table as Markdown, a row for every change that was run; all of them use settings of today."""
    found = {name: _finished(_file(folder, name), name, shared) for name in data}
    head = ["part", "change", "parameters"]
    for name in data:
        metric = found[name][DEFAULT][0]["metric"]
        head += [f"{name}: validation {metric}", f"test {metric}", "against default"]
    lines = ["| " + " | ".join(head) + " |", "|---|---|--:" + "|--:|--:|---" * len(data) + "|"]
    for change, (part, _) in changes().items():
        runs = {name: found[name].get(change) for name in data}
        sizes = {r["parameters"] for records in runs.values() for r in records or ()}
        if not sizes:
            continue
        cells = [part, change, " / ".join(f"{size:,}" for size in sorted(sizes))]
        for name, records in runs.items():
            cells += _cells(records, None if change == DEFAULT else found[name][DEFAULT])
        lines.append("| " + " | ".join(cells) + " |")
    seeds = max(len(records) for runs in found.values() for records in runs.values())
    revisions = dict.fromkeys(r["revision"] for runs in found.values() for records in runs.values() for r in records)
    return "\n".join(
        [
            "# The default model with one thing changed", "",
            f"Mean ± standard error over {seeds} seed{'s' * (seeds != 1)}, test value of the best validation epoch. "
            "*Against default* is the difference of the test values in units of its standard error, positive if the "
            f"change is better, a tie below {TIE:.0f}; with so few seeds only large differences count, and of this "
            "many rows one or two are called different by chance. "
            f"`python -m benchmarks.ablation --data {' '.join(data)}`", "",
            f"Revision: {', '.join(revisions)}.", "",
            *lines, "",
        ]
    )  # fmt: skip


def _cells(records: list[Record] | None, default: list[Record] | None) -> list[str]:
    if not records:
        return ["–", "–", "–"]
    values = [mean_and_error([r[part] for r in records]) for part in ("valid", "test")]
    return [*values, "" if default is None else verdict(advantage(records, default))]


def _finished(file: Path, data: str, shared: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Records by change: the last of every part, of the settings that the change has today."""
    parts: dict[str, dict[Part, Record]] = {}
    keys = {change: config_key(settings(data, change, shared)) for change in changes()}
    for record in read_records([file]):
        if record["key"] == keys.get(record["name"]):
            parts.setdefault(record["name"], {})[Part.of(record)] = record
    return {change: list(found.values()) for change, found in parts.items()}


def _file(folder: Path, data: str) -> Path:
    return folder / f"{data}.jsonl"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
