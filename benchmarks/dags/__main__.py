"""``python -m benchmarks.dags TASK``: train and test what is not done yet, then write table and figure."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.dags import architectures, state_tracking

TASKS = {"architectures": architectures.run, "state-tracking": state_tracking.run}
"""Task by name: ``run(folder, seeds, quick, say)`` leaves ``<name>.jsonl``, ``.md`` and ``.png`` in the folder."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the task that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dags", description=__doc__)
    parser.add_argument("task", choices=TASKS, help="what to run; finished parts are not repeated")
    parser.add_argument("--out", type=Path, default=Path("results/dags"), help="folder of the results (results/dags)")
    parser.add_argument("--seeds", type=int, default=3, help="number of training seeds (3)")
    parser.add_argument("--quick", action="store_true", help="a few steps on small data: only shows that it works")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {options.seeds}")
    options.out.mkdir(parents=True, exist_ok=True)
    TASKS[options.task](
        options.out, options.seeds, options.quick, lambda text: print(text, file=sys.stderr, flush=True)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
