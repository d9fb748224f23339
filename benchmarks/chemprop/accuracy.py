"""Accuracy over seeds: every (program, set, seed) is trained once and becomes one line of JSON."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import revision
from benchmarks.chemprop.molecules import MoleculeSet, score
from benchmarks.chemprop.programs import Program, new_folder
from plstm_graph.train.records import Record, append_record, read_records

FILE = "accuracy.jsonl"


def run_accuracy(
    programs: Sequence[Program],
    sets: Sequence[MoleculeSet],
    seeds: int,
    jobs: int,
    file: Path,
    work: Path,
    say: Callable[[str], None],
) -> None:
    """Train and test the parts that ``file`` lacks, ``jobs`` at a time, each on one thread.

    Raises:
        BenchmarkError: a part failed; those that were under way are still written.
    """
    done = {part_of(record) for record in (read_records([file]) if file.is_file() else [])}
    wanted = [(program, data, seed) for seed in range(seeds) for data in sets for program in programs]
    todo = [(p, data, seed) for p, data, seed in wanted if (p.name, p.key(data.name), data.name, seed) not in done]
    say(f"{len(wanted) - len(todo)} of {len(wanted)} parts are in {file} already" if len(todo) < len(wanted) else "")
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run_part, *part, jobs, work) for part in todo]
        try:
            for number, future in enumerate(as_completed(futures), start=1):
                record = future.result()
                append_record(file, record)
                say(
                    f"{number} of {len(todo)}: {record['program']}, {record['data']}, seed {record['seed']}: "
                    f"{record['metric']} {record['test']:.4f}, {record['seconds_per_epoch']:.2f} s per epoch, "
                    f"{record['seconds']:.0f} s"
                )
        finally:
            for future in futures:
                future.cancel()


def part_of(record: Record) -> tuple[Any, ...]:
    """What a record is the result of."""
    return record["program"], record["key"], record["data"], record["seed"]


def run_part(program: Program, data: MoleculeSet, seed: int, jobs: int, work: Path) -> Record:
    """Train and test one part; its folder stays only if it fails."""
    folder = new_folder(work / "runs" / f"{program.name.replace(', ', '-')}-{data.name}-{seed}")
    started_at = revision.current()
    outcome = program.train(data, folder, seed, threads=1)
    labels = data.read("test")[1]
    size = len(data.read("train")[0])
    per_epoch = median(outcome.epoch_seconds)
    record = {
        "program": program.name,
        "key": program.key(data.name),
        "data": data.name,
        "seed": seed,
        "metric": data.metric,
        "test": round(score(data.kind, labels, outcome.predictions), 6),
        "valid": round(outcome.valid, 6),
        "epochs": len(outcome.epoch_seconds),
        "parameters": outcome.parameters,
        "train_molecules": size,
        "seconds": round(outcome.seconds, 2),
        "train_seconds": round(sum(outcome.epoch_seconds), 3),
        "seconds_per_epoch": round(per_epoch, 4),
        "molecules_per_second": round(size / per_epoch, 1),
        "threads": 1,
        "jobs": jobs,
        "load": round(os.getloadavg()[0], 2),
        "versions": outcome.versions,
        "revision": started_at,
    }
    shutil.rmtree(folder)
    return record
