"""``python -m benchmarks.dags TASK``: train and test what is not done yet, then write table and figure."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import BenchmarkError

TASKS = {
    "architectures": ("architectures", "run"),
    "arrow-pointing": ("arrow_pointing", "run"),
    "arrow-pointing-full": ("arrow_pointing", "run_full"),
    "gradient-norms": ("gradient_norms", "run"),
    "graph-properties": ("graph_properties", "run"),
    "recall": ("distance", "run_recall"),
    "ring-transfer": ("distance", "run_ring"),
    "state-tracking": ("state_tracking", "run"),
    "tree-neighbors-match": ("distance", "run_tree"),
}
"""Module and function by task: ``run(folder, seeds, quick, say, only)`` leaves ``<task>.jsonl``, ``.md``, ``.png``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the task that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dags", description=__doc__)
    parser.add_argument("task", choices=TASKS, help="what to run; finished parts are not repeated")
    parser.add_argument("--out", type=Path, default=Path("results/dags"), help="folder of the results (results/dags)")
    parser.add_argument("--seeds", type=int, default=3, help="number of training seeds (3)")
    parser.add_argument("--quick", action="store_true", help="a few steps on small data: only shows that it works")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="only parts of these models, sub-tasks, ... by name"
    )
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {options.seeds}")
    options.out.mkdir(parents=True, exist_ok=True)
    module, function = TASKS[options.task]
    run = getattr(importlib.import_module(f"benchmarks.dags.{module}"), function)
    try:
        run(options.out, options.seeds, options.quick, _say, tuple(options.only))
    except BenchmarkError as error:
        parser.error(str(error))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
