"""``python -m benchmarks.readme``: the results in README.md, from the recorded lines and from nothing else."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.chemprop import accuracy, speed
from benchmarks.chemprop.report import accuracy_table, by_part, speed_table
from benchmarks.dags.architectures import table_lines
from benchmarks.errors import BenchmarkError
from benchmarks.revision import ROOT
from plstm_graph.train.records import read_records
from plstm_graph.train.table import Summary, summarise


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill README.md; 0 if it was done, or with ``--check`` if there was nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readme", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the tables are not up to date")
    options = parser.parse_args(arguments)
    readme = ROOT / "README.md"
    old = readme.read_text(encoding="utf-8")
    new = fill(old, ROOT / "results")
    if options.check and new != old:
        print("README.md is not up to date: run python -m benchmarks.readme", file=sys.stderr)
        return 1
    readme.write_text(new, encoding="utf-8")
    return 0


def fill(text: str, results: Path) -> str:
    """Put a new table between every ``<!-- table: NAME -->`` and the next ``<!-- end -->``.

    Raises:
        BenchmarkError: there is no table of this name.
    """

    def table(match: re.Match[str]) -> str:
        start, name, end = match.groups()
        if name not in TABLES:
            raise BenchmarkError(f"table {name!r} does not exist; choose from {', '.join(TABLES)}")
        return f"{start}\n\n{TABLES[name](results)}\n\n{end}"

    return re.sub(r"(<!-- table: (\S+) -->).*?(<!-- end -->)", table, text, flags=re.DOTALL)


def scores(results: Path) -> str:
    """Test values on public data sets: one line per data set and model."""
    files = sorted(file for folder in ("ogb", "tu") for file in (results / folder).glob("*.jsonl"))
    lines = ["| data | metric | model | parameters | parts | test | std. error |", "|---|---|---|--:|--:|--:|--:|"]
    for s in sorted(summarise(read_records(files)), key=lambda s: s.data):
        lines.append(
            f"| {s.data} | {s.metric} | {s.name} | {s.parameters:,} | {s.parts} | {s.test:.4f} | {_error(s)} |"
        )
    return "\n".join(lines)


def _error(summary: Summary) -> str:
    return "–" if math.isnan(summary.standard_error) else f"{summary.standard_error:.4f}"


def beside_chemprop(results: Path) -> str:
    """Accuracy, and if it was measured speed, beside chemprop."""
    files = {name: results / "chemprop" / name for name in (accuracy.FILE, speed.FILE)}
    lines = accuracy_table(by_part(read_records([files[accuracy.FILE]]), accuracy.part_of))
    if files[speed.FILE].is_file():
        lines += ["", *speed_table(by_part(read_records([files[speed.FILE]]), speed.sample_of))]
    return "\n".join(lines)


def neural_architectures(results: Path) -> str:
    """Errors on the architectures of D-VAE, a row per model."""
    return "\n".join(table_lines(read_records([results / "dags" / "architectures.jsonl"])))


TABLES: dict[str, Callable[[Path], str]] = {
    "scores": scores, "chemprop": beside_chemprop, "architectures": neural_architectures,
}  # fmt: skip
"""Name in README.md → what makes the table."""


if __name__ == "__main__":
    raise SystemExit(main())
