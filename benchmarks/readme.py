"""``python -m benchmarks.readme``: the results in README.md, from the recorded lines and from nothing else."""

from __future__ import annotations

import argparse
import math
import re
import statistics
import sys
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

from benchmarks.chemprop import accuracy, speed
from benchmarks.chemprop.report import accuracy_table, by_part, speed_table
from benchmarks.dags.architectures import table_lines
from benchmarks.errors import BenchmarkError
from benchmarks.revision import ROOT
from plstm_graph.data.tu import FOLDS
from plstm_graph.train.config import named_configs
from plstm_graph.train.records import read_records
from plstm_graph.train.table import Summary, plus_minus, summarise


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
    """Test values on OGB's molecules: one line per data set and model."""
    head = ("data", "metric", "model", "parameters", "parts", "test", "orders averaged at test")
    lines = ["| " + " | ".join(head) + " |", "|---|---|---" + "|--:" * 4 + "|"]
    for s in sorted(_summaries(results / "ogb"), key=lambda s: s.data):
        averaged = "–" if s.averaged is None else plus_minus(s.averaged, s.averaged_std / math.sqrt(s.parts))
        test = plus_minus(s.test, s.standard_error)
        cells = (s.data, s.metric, s.name, _size(s.parameters), s.parts, test, averaged)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


TU_SETS = ("MUTAG", "NCI1", "PROTEINS", "PTC_FM")
"""The four sets of arXiv 2506.11997, whose mean is compared."""


def tudatasets(results: Path) -> str:
    """Accuracy on the four TUDatasets, ten folds: a row per model, one more where orders were averaged at test."""
    lines = ["| model | parameters | " + " | ".join(TU_SETS) + " | mean |", "|---" + "|--:" * (len(TU_SETS) + 2) + "|"]
    models: dict[str, dict[str, Summary]] = {}
    for s in _summaries(results / "tu"):
        if s.parts == FOLDS:
            models.setdefault(s.name, {})[s.data] = s
    for name, sets in models.items():
        size = _size(max(s.parameters for s in sets.values()))
        lines.append(_tu_row(name, size, {data: (s.test, s.test_std) for data, s in sets.items()}))
        averaged = {data: (s.averaged, s.averaged_std) for data, s in sets.items() if s.averaged is not None}
        if averaged:
            orders = max(s.test_orders for s in sets.values())
            lines.append(_tu_row(f"{name}, {orders} orders averaged at test", size, averaged))
    return "\n".join(lines)


def _size(parameters: int) -> str:
    """Number of parameters; classic models have none."""
    return f"{parameters:,}" if parameters else "–"


def _tu_row(name: str, size: str, found: dict[str, tuple[float, float]]) -> str:
    """A row; ``found`` holds mean and deviation over folds by set."""
    errors = {data: deviation / math.sqrt(FOLDS) for data, (_, deviation) in found.items()}
    cells = [plus_minus(found[data][0], errors[data]) if data in found else "–" for data in TU_SETS]
    mean = "–"
    if set(TU_SETS) <= set(found):
        error = math.hypot(*(errors[data] for data in TU_SETS)) / len(TU_SETS)
        mean = plus_minus(statistics.fmean(found[data][0] for data in TU_SETS), error)
    return f"| {name} | {size} | " + " | ".join(cells) + f" | {mean} |"


def _summaries(folder: Path) -> list[Summary]:
    return summarise(read_records(sorted(folder.glob("*.jsonl"))))


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


def configurations(results: Path) -> str:
    """The configurations that come with the package, each with the comment at the head of its file."""
    lines = ["| configuration | what |", "|---|---|"]
    for name, file in named_configs().items():
        comment = takewhile(lambda line: line.startswith("#"), file.read_text(encoding="utf-8").splitlines())
        lines.append(f"| `{name}` | {' '.join(line.strip('# ') for line in comment)} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[Path], str]] = {
    "scores": scores, "tudatasets": tudatasets, "chemprop": beside_chemprop, "architectures": neural_architectures,
    "configurations": configurations,
}  # fmt: skip
"""Name in README.md → what makes the table."""


if __name__ == "__main__":
    raise SystemExit(main())
