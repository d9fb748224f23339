"""The parts of a task: which are asked for, which are done, and their records as lines of JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.errors import BenchmarkError
from plstm_graph.train.records import Record, append_record, read_records
from plstm_graph.train.run_folder import revision


@dataclass(frozen=True)
class Part:
    """One training run.

    Args:
        key: differs between any two settings; ``(key, seed)`` tells whether the part is done.
        seed: training seed.
        names: what ``--only`` chooses by, such as task, model and order.
        work: trains and tests; returns what is recorded besides ``key``, ``seed`` and the code's revision.
    """

    key: str
    seed: int
    names: tuple[str, ...]
    work: Callable[[], Record]


def setting_key(values: dict[str, Any]) -> str:
    """Twelve letters that differ between two settings."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def choose(parts: Sequence[Part], only: Iterable[str]) -> list[Part]:
    """Parts that ``only`` names: of each kind of name (task, model, ...) those given, or all if none is given.

    Raises:
        BenchmarkError: no part has such a name; the message lists the names there are.
    """
    kinds = [list(dict.fromkeys(names)) for names in zip(*(part.names for part in parts), strict=True)]
    wanted = set(only)
    unknown = wanted.difference(*kinds)
    if unknown:
        known = "; ".join(", ".join(names) for names in kinds)
        raise BenchmarkError(f"--only {sorted(unknown)[0]}: there is no such part; names are {known}")
    return [
        part
        for part in parts
        if all(name in wanted or wanted.isdisjoint(kind) for name, kind in zip(part.names, kinds, strict=True))
    ]


def run_parts(
    file: Path,
    parts: Sequence[Part],
    only: Iterable[str],
    say: Callable[[str], None],
    show: Callable[[Record], str],
    skip: Callable[[Part, Sequence[Record]], str] | None = None,
) -> list[Record]:
    """Do the chosen parts that ``file`` lacks, and write each as it ends; returns all records there are of ``parts``.

    Args:
        file: lines of JSON.
        parts: all parts of the task.
        only: names, see :func:`choose`; empty for all.
        say: takes one line per finished part.
        show: the figures of a record in that line.
        skip: ``(part, records there are of parts) -> reason`` why the part need not be run; an empty reason runs it.
    """
    done = {(r["key"], r["seed"]): r for r in (read_records([file]) if file.is_file() else [])}
    chosen = choose(parts, only)

    def finished() -> list[Record]:
        return [done[part.key, part.seed] for part in parts if (part.key, part.seed) in done]

    for number, part in enumerate(chosen, start=1):
        if (part.key, part.seed) in done:
            continue
        if skip is not None and (reason := skip(part, finished())):
            say(f"{number} of {len(chosen)}: {', '.join(part.names)}, seed {part.seed}: left out, {reason}")
            continue
        record = {"key": part.key, "seed": part.seed, "revision": revision()} | part.work()
        append_record(file, record)
        done[part.key, part.seed] = record
        say(f"{number} of {len(chosen)}: {', '.join(part.names)}, seed {part.seed}: {show(record)}")
    return finished()


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Mean, and deviation if there is more than one value."""
    return f"{mean(values):.{digits}f}" + (f" ± {stdev(values):.{digits}f}" if len(values) > 1 else "")
