"""A run: workers that take turns, and the record of what they measured."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from benchmarks import revision
from benchmarks.case import Case, Setting
from benchmarks.errors import BenchmarkError
from benchmarks.inputs import write_molecules
from benchmarks.machine import describe_end, describe_run
from benchmarks.suites import SUITES

NOW, BEFORE = "now", "before"
"""Names of the two versions that may be measured: the working tree and ``--against``."""

QUICK_ROUNDS = 3

Record = dict[str, Any]
Wanted = Callable[[str, str], bool]
"""``(suite, case) -> whether to measure it``."""


class Process:
    """A worker process (see :mod:`benchmarks.worker`) that measures one version of the library.

    Args:
        library: folder that holds the package ``plstm_graph``.
        suite: module of the suite.
        setting: what cases are set up with.
        log: file for whatever the worker prints.
        extra_path: further folders to import from.
    """

    def __init__(self, library: Path, suite: str, setting: Setting, log: Path, extra_path: Sequence[str] = ()) -> None:
        self.log = log
        path = [str(library), str(revision.ROOT), *extra_path]
        threads = str(setting.threads)
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path),
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OUTDATED_IGNORE": "1",  # ogb would ask the network for a newer version
        }
        command = [sys.executable, "-P", "-m", "benchmarks.worker", suite, json.dumps(asdict(setting))]
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
            )

    def ask(self, what: str, **arguments: str) -> dict[str, Any]:
        """Ask the worker and wait for its answer.

        Raises:
            BenchmarkError: the question failed there, or the process ended; the message has its last words.
        """
        try:
            self.process.stdin.write(json.dumps({"ask": what, **arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            last_words = self.log.read_text(errors="replace")[-3000:]
            raise BenchmarkError(f"the measuring process ended at {what} {arguments}:\n{last_words}")
        answer = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(f"{what} {arguments} failed: {answer['error']}")
        return answer

    def close(self) -> None:
        """Let the process end."""
        with suppress(BrokenPipeError):  # it ended by itself
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def measure(
    suites: Sequence[str],
    *,
    threads: int = 2,
    device: str = "cpu",
    quick: bool = False,
    rounds: int | None = None,
    against: str | None = None,
    wanted: Wanted = lambda suite, case: True,
    say: Callable[[str], None] = print,
) -> dict[str, Record]:
    """Measure suites one after the other.

    Args:
        suites: names, see :data:`benchmarks.suites.SUITES`.
        threads: CPU threads; a suite with ``THREADS`` of its own takes those.
        device: ``"cpu"`` or ``"cuda"``.
        quick: smaller inputs and few rounds.
        rounds: samples of every call, instead of the cases' own numbers.
        against: revision to measure beside the working tree.
        wanted: which cases to measure.
        say: told about progress.

    Returns:
        One record per suite, plain values only.

    Raises:
        BenchmarkError: a revision does not exist, or a measuring process ended.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="plstm-graph-")))
        libraries = {NOW: revision.ROOT}
        if against is not None:
            libraries[BEFORE] = stack.enter_context(revision.checked_out(against))
        source = write_molecules(folder / "molecules.pt")
        say(f"molecules: {source}")
        records = {}
        for suite in suites:
            module = import_module(SUITES[suite])
            setting = Setting(str(folder / "molecules.pt"), getattr(module, "THREADS", threads), device, quick)
            about = describe_run(setting, source, revision.current(), against and revision.resolve(against))
            names = [name for name in (*module.CASES, *getattr(module, "TABLES", ())) if wanted(suite, name)]
            start = time.perf_counter()
            with processes(libraries, SUITES[suite], setting, folder) as workers:
                measured = _measure_suite(workers, module, names, quick, rounds, say)
            records[suite] = {"suite": suite, **about, **describe_end(start), **measured}
        return records


def _measure_suite(
    workers: dict[str, Process],
    module: ModuleType,
    names: Sequence[str],
    quick: bool,
    rounds: int | None,
    say: Callable[[str], None],
) -> Record:
    cases, tables = {}, {}
    for name in names:
        if name in module.CASES:
            cases[name] = measure_case(workers, name, module.CASES[name], quick, rounds, say)
        else:
            tables[name] = workers[NOW].ask("table", name=name)
            say(f"{name}: done")
    return {"cases": cases, "tables": tables}


@contextmanager
def processes(
    libraries: dict[str, Path], suite: str, setting: Setting, folder: Path, extra_path: Sequence[str] = ()
) -> Iterator[dict[str, Process]]:
    """One worker per version of the library; they end with the block."""
    workers = {
        version: Process(library, suite, setting, folder / f"{version}.log", extra_path)
        for version, library in libraries.items()
    }
    try:
        for version, worker in workers.items():
            found = Path(worker.ask("about")["library"]).parent
            if found.resolve() != libraries[version].resolve():
                raise BenchmarkError(f"{version}: measures the library in {found}, not the one in {libraries[version]}")
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def measure_case(
    workers: dict[str, Process],
    name: str,
    case: Case,
    quick: bool = False,
    rounds: int | None = None,
    say: Callable[[str], None] = print,
) -> Record:
    """Measure all calls of a case in turns: every round takes one sample of each call in each version.

    A call or a version that fails is named in ``failed`` and left out.
    """
    start = time.perf_counter()
    calls: dict[str, Record] = {}
    failed: dict[str, dict[str, str]] = {}
    for version, worker in workers.items():
        try:
            found = worker.ask("setup", case=name)
        except BenchmarkError as error:
            failed.setdefault("setup", {})[version] = str(error)
            continue
        for call, message in found["failed"].items():
            failed.setdefault(call, {})[version] = message
        for call in found["calls"]:
            size = {"items": found["items"][call], "bytes": found["bytes"][call]}
            calls.setdefault(call, {**size, "samples": {}})["samples"][version] = []
    turns = [(call, version) for call, entry in calls.items() for version in entry["samples"]]
    count = rounds or (min(QUICK_ROUNDS, case.rounds) if quick else case.rounds)
    order = random.Random(0)
    for _ in range(count):
        order.shuffle(turns)
        for call, version in turns:
            calls[call]["samples"][version].append(workers[version].ask("sample", call=call)["value"])
    say(f"{name}: {len(calls)} calls, {count} rounds, {time.perf_counter() - start:.0f} s")
    for call, messages in failed.items():
        for version, message in messages.items():
            say(f"  {call} ({version}) failed: {message}")
    about = {"about": case.about, "base": case.base, "axis": case.axis, "unit": case.unit}
    return {**about, "rounds": count, "calls": calls, "failed": failed}
