"""``python -m benchmarks.chemprop accuracy|speed|table``: what is not done yet is run, then tables are written."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chemprop import accuracy, speed
from benchmarks.chemprop.environment import make_environment
from benchmarks.chemprop.molecules import SETS, MoleculeSet, write_for_prediction, write_set
from benchmarks.chemprop.programs import Chemprop, Library, Program
from benchmarks.chemprop.report import write_report
from benchmarks.errors import BenchmarkError
from benchmarks.revision import ROOT

PROGRAMS = ("chemprop", "plstm_graph")
QUICK_SET, QUICK_EPOCHS, QUICK_MOLECULES = "molfreesolv", 3, 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 0 if it was done."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if min(options.seeds, options.jobs, options.rounds) < 1:
        parser.error("--seeds, --jobs and --rounds must be at least 1")
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        if options.what != "table":
            _run(options)
    except BenchmarkError as error:
        _say(f"error: {error}")
        return 2
    print(write_report(options.out))
    _say(f"written to {options.out}")
    return 0


def _run(options: argparse.Namespace) -> None:
    root = os.environ.get("PLSTM_GRAPH_DATA")
    if not root:
        raise BenchmarkError("PLSTM_GRAPH_DATA is not set: it must name the folder with ogb/ and smiles/")
    data, work = Path(root).resolve(), options.work.resolve()
    names = [QUICK_SET] if options.quick else options.sets
    sets: list[MoleculeSet] = [write_set(name, data, work / "sets") for name in names]
    if options.what == "accuracy":
        programs = _programs(options, QUICK_EPOCHS if options.quick else options.epochs)
        seeds = 1 if options.quick else options.seeds
        accuracy.run_accuracy(programs, sets, seeds, options.jobs, options.out / accuracy.FILE, work, _say)
        return
    table = work / "sets" / "real_smiles.csv"
    write_for_prediction(data, table, QUICK_MOLECULES if options.quick else options.molecules)
    rounds, threads = (1, [1]) if options.quick else (options.rounds, options.threads)
    programs = _programs(options, speed.EPOCHS)
    speed.run_speed(programs, sets, table, rounds, threads, options.out / speed.FILE, work, _say)


def _programs(options: argparse.Namespace, epochs: int | None) -> list[Program]:
    found: list[Program] = []
    if "chemprop" in options.programs:
        environment = make_environment(options.env.absolute(), options.chemprop, _say)
        found.append(Chemprop(environment, options.chemprop, epochs or 50))
    if "plstm_graph" in options.programs:
        found.append(Library(options.config, epochs))
    return found


def _say(text: str) -> None:
    if text:
        print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chemprop", description=__doc__)
    parser.add_argument("what", choices=("accuracy", "speed", "table"), help="what to run; table only reads the lines")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="data sets (all four)")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS), help="programs (both)")
    parser.add_argument("--config", help="configuration of plstm_graph, by name or YAML file (its defaults)")
    parser.add_argument("--seeds", type=int, default=5, help="accuracy: number of training seeds (5)")
    parser.add_argument("--epochs", type=int, help="accuracy: epochs (chemprop 50, plstm_graph its configuration's)")
    parser.add_argument("--jobs", type=int, default=1, help="accuracy: processes of one thread side by side (1)")
    parser.add_argument("--rounds", type=int, default=3, help="speed: samples of everything (3)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="speed: numbers of threads to try (1 2)")
    parser.add_argument("--molecules", type=int, default=16_800, help="speed: molecules to predict (16800)")
    parser.add_argument(
        "--quick", action="store_true", help="one set, one seed, three epochs: only shows that it works"
    )
    parser.add_argument(
        "--env", type=Path, default=ROOT / "build/chemprop-env",
        help="environment of chemprop, made if it is not there (build/chemprop-env)",
    )  # fmt: skip
    parser.add_argument("--chemprop", default="2.3.1", metavar="VERSION", help="version of chemprop (2.3.1)")
    parser.add_argument("--work", type=Path, default=ROOT / "build/chemprop", help="tables and runs (build/chemprop)")
    parser.add_argument("--out", type=Path, default=Path("results/chemprop"), help="results (results/chemprop)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
