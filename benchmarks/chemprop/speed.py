"""Speed in turns: epochs and predictions of both programs, one sample after the other, as lines of JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import revision
from benchmarks.chemprop.molecules import MoleculeSet, read_predictions
from benchmarks.chemprop.programs import Chemprop, Library, Program, new_folder
from benchmarks.machine import machine
from plstm_graph.train.records import Record, append_record, read_records

FILE = "speed.jsonl"
EPOCHS = 3


def run_speed(
    programs: Sequence[Program],
    sets: Sequence[MoleculeSet],
    table: Path,
    rounds: int,
    threads: Sequence[int],
    file: Path,
    work: Path,
    say: Callable[[str], None],
) -> None:
    """Take the samples that ``file`` lacks: three epochs on every set, then predictions of ``table``.

    Every program has its turn before the next round starts. The model that predicts is the one that the last training
    run on the last set left.
    """
    done = {sample_of(record) for record in (read_records([file]) if file.is_file() else [])}

    def take(what: str, program: Program, data: str, count: int, number: int, measure: Callable[[], Record]) -> None:
        sample = {"what": what, "program": program.name, "key": program.key(data), "data": data}
        sample |= {"threads": count, "round": number}
        if sample_of(sample) in done:
            return
        load = round(os.getloadavg()[0], 2)
        record = sample | measure() | {"load": load, "machine": machine(), "revision": revision.current()}
        append_record(file, record)
        say(
            f"{what}, {data}, {program.name}, {count} threads, round {number + 1}: "
            f"{record['molecules_per_second']:,.0f} molecules per second"
        )

    for number in range(rounds):
        for count in threads:
            for data in sets:
                for program in programs:
                    take("train", program, data.name, count, number, partial(_train, program, data, count, work))
    with table.open(encoding="utf-8") as lines:
        smiles = [line.rstrip("\n") for line in lines][1:]
    for number in range(rounds):
        for count in threads:
            for program in with_fast_features(programs):
                measure = partial(_predict, program, table, smiles, count, sets[-1], work)
                take("predict", program, table.stem, count, number, measure)
    say(f"samples are in {file}")


def with_fast_features(programs: Sequence[Program]) -> list[Program]:
    """The programs, and chemprop once more with its faster featurisation."""
    more = [Chemprop(p.environment, p.version, p.epochs, True) for p in programs if isinstance(p, Chemprop)]
    return [*programs, *more]


def sample_of(record: Record) -> tuple[Any, ...]:
    """What a sample is a sample of."""
    return tuple(record[name] for name in ("what", "program", "key", "data", "threads", "round"))


def _folder(program: Program, work: Path) -> Path:
    return work / "speed" / ("chemprop" if isinstance(program, Chemprop) else program.name.replace(", ", "-"))


def _train(program: Program, data: MoleculeSet, threads: int, work: Path) -> Record:
    outcome = program.train(data, new_folder(_folder(program, work)), None, threads, test=False)
    size, per_epoch = len(data.read("train")[0]), median(outcome.epoch_seconds)
    return {
        "molecules": size,
        "seconds_per_epoch": round(per_epoch, 4),
        "molecules_per_second": round(size / per_epoch, 1),
        "process_seconds": round(outcome.seconds, 2),
        "versions": outcome.versions,
    }


def _predict(program: Program, table: Path, smiles: list[str], threads: int, data: MoleculeSet, work: Path) -> Record:
    folder = _folder(program, work)
    if not folder.is_dir():
        program.train(data, folder, None, threads, test=False)
    out = work / "speed" / "predictions.csv"
    seconds = program.predict(folder, table, out, threads)
    read_predictions(out, "predicted_y" if isinstance(program, Library) else "y", smiles)
    rate = round(len(smiles) / seconds, 1)
    return {"molecules": len(smiles), "process_seconds": round(seconds, 2), "molecules_per_second": rate}
