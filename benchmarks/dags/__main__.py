"""``python -m benchmarks.dags TASK``: train and test what is not done yet, then write table and figure."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import BenchmarkError

TASKS = {
    "architectures": ("architectures", "run", 3),
    "arrow-pointing": ("arrow_pointing", "run", 1),
    "arrow-pointing-full": ("arrow_pointing", "run_full", 3),
    "gradient-norms": ("gradient_norms", "run", 3),
    "graph-properties": ("graph_properties", "run", 1),
    "recall": ("distance", "run_recall", 3),
    "ring-transfer": ("distance", "run_ring", 3),
    "state-tracking": ("state_tracking", "run", 3),
    "tree-neighbors-match": ("distance", "run_tree", 1),
}
"""Module, function and usual number of seeds by task.

``run(folder, seeds, quick, say, only)`` leaves ``<task>.jsonl``, ``.md`` and ``.png`` in the folder.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the task that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dags", description=__doc__)
    parser.add_argument("task", choices=TASKS, help="what to run; finished parts are not repeated")
    parser.add_argument("--out", type=Path, default=Path("results/dags"), help="folder of the results (results/dags)")
    parser.add_argument("--seeds", type=int, help="number of training seeds (3; 1 for the longest tasks)")
    parser.add_argument("--quick", action="store_true", help="a few steps on small data: only shows that it works")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="only parts of these models, sub-tasks, ... by name"
    )
    options = parser.parse_args(arguments)
    module, function, usual = TASKS[options.task]
    seeds = usual if options.seeds is None else options.seeds
    if seeds < 1:
        parser.error(f"--seeds must be at least 1, got {seeds}")
    options.out.mkdir(parents=True, exist_ok=True)
    run = getattr(importlib.import_module(f"benchmarks.dags.{module}"), function)
    try:
        run(options.out, seeds, options.quick, _say, tuple(options.only))
    except BenchmarkError as error:
        parser.error(str(error))
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
