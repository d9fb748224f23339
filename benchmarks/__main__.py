"""``python -m benchmarks [all|card|ops|layers|prep|train]``: measure, write JSON, tables, plots, print the tables."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.card import card, needed
from benchmarks.errors import BenchmarkError
from benchmarks.plots import draw_sweeps
from benchmarks.report import suite_report
from benchmarks.session import NOW, Record, measure
from benchmarks.suites import SUITES

BUSY = 0.5
"""Load average at the start from which the machine counts as busy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 0 if all that was asked for was measured."""
    options = _parser().parse_args(arguments)
    if os.getloadavg()[0] > BUSY and not options.quick:
        _say(f"warning: the load is {os.getloadavg()[0]:.1f} already; figures from a busy machine mislead")
    suites = [options.what] if options.what in SUITES else list(SUITES)

    def wanted(suite: str, case: str) -> bool:
        if options.what == "card":
            return needed(suite, case)
        return options.only is None or fnmatch(case, options.only)

    try:
        records = measure(
            suites, threads=options.threads, device=options.device, quick=options.quick, rounds=options.rounds,
            against=options.against, wanted=wanted, say=_say,
        )  # fmt: skip
    except BenchmarkError as error:
        _say(f"error: {error}")
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    for suite, record in records.items():
        if options.what != "card":
            _write(options.out, suite, record)
    if options.what in ("all", "card"):
        text = card(records)
        (options.out / "card.md").write_text(text, encoding="utf-8")
        (options.out / "card.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
        print(text)
    _say(f"written to {options.out}")
    return int(any(_failed(record) for record in records.values()))


def _write(folder: Path, suite: str, record: Record) -> None:
    (folder / f"{suite}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    text = suite_report(record)
    if draw_sweeps(record, folder / f"{suite}.png"):
        text += f"\n![cost against size]({suite}.png)\n"
    (folder / f"{suite}.md").write_text(text, encoding="utf-8")
    print(text)


def _failed(record: Record) -> bool:
    return any(NOW in versions for case in record["cases"].values() for versions in case["failed"].values())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "what", nargs="?", default="all", choices=("all", "card", *SUITES),
        help="a suite; all of them and the speed card (the default); or the card and only what it needs",
    )  # fmt: skip
    parser.add_argument("--against", metavar="REVISION", help="measure this revision in turns with the working tree")
    parser.add_argument("--quick", action="store_true", help="small inputs, few rounds: only shows that it works")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (2); the suite prep always takes one")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where operator and layers run (cpu)")
    parser.add_argument("--only", metavar="PATTERN", help="only cases and tables of this name, as depth or 'key*'")
    parser.add_argument("--rounds", type=int, help="samples of every call, instead of the cases' own numbers")
    parser.add_argument("--out", type=Path, default=Path("results/speed"), help="folder of the results (results/speed)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
