"""Protocols over seeds and folds: resumable part by part, several parts at a time, one JSON line per finished part."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from plstm_graph.data import folds_of, seed_matters
from plstm_graph.errors import ConfigError, PLSTMGraphError, RunError
from plstm_graph.train.config import TrainConfig
from plstm_graph.train.records import Part, Record, append_record, config_key, finished_parts
from plstm_graph.train.table import Summary, summarise

_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def evaluate_parts(
    config: TrainConfig,
    file: Path,
    *,
    seeds: Sequence[int],
    folds: Sequence[int],
    split_seeds: Sequence[int] | None = None,
    name: str,
    jobs: int = 1,
    console: Any = None,
) -> Summary:
    """Train and test one model per split seed, fold and seed; parts that ``file`` holds already are not repeated.

    OGB's protocol is ten seeds on the one scaffold split; TUDataset's protocol is ten folds with one seed, test
    accuracy at the epoch of best validation accuracy (arXiv 2506.11997, D.4). Both give mean and unbiased deviation.

    Args:
        config: settings; its seed, fold and split seed are replaced.
        file: finished parts, one JSON line each.
        seeds: training seeds.
        folds: folds of the data set.
        split_seeds: seeds of random splits or folds, every one of which is another repetition; by default that of
            ``config`` alone.
        name: name of the configuration in tables.
        jobs: parts at the same time, each in a process of one thread; 1 works in this process with all threads.
        console: where progress goes; ``None`` for silence.

    Returns:
        Mean and deviation over the parts asked for.

    Raises:
        ConfigError: no part is asked for, or the split has no such folds, or repetitions of it would all be the same.
        RunError: one of several parts at a time failed; the message names it, and those that were running are recorded.
    """
    split_seeds = [config.split_seed] if split_seeds is None else split_seeds
    wanted = [Part(*numbers) for numbers in product(split_seeds, folds, seeds)]
    if not wanted:
        raise ConfigError("nothing to evaluate: give at least one seed, fold and split seed")
    _check_parts(config, folds, split_seeds)
    key = config_key(config)
    done = finished_parts(file, key)
    todo = [part for part in wanted if part not in done]
    if console is not None and len(todo) < len(wanted):
        console.print(f"{len(wanted) - len(todo)} of {len(wanted)} parts are in {file} already")
    runner = _one_by_one if jobs == 1 or len(todo) == 1 else _in_processes
    for record in runner(config, todo, jobs, console):
        record = {"name": name, "key": key} | record
        append_record(file, record)
        done[Part.of(record)] = record
        if console is not None:
            split = f"split {record['split_seed']} " if len(split_seeds) > 1 else ""
            console.print(
                f"{split}fold {record['fold']} seed {record['seed']}: best epoch {record['best_epoch'] + 1}, "
                f"valid {record['valid']:.4f}, test {record['test']:.4f}, {record['seconds']:.0f} s",
                highlight=False,
            )
    return summarise([done[part] | {"name": name} for part in wanted])[0]


def _check_parts(config: TrainConfig, folds: Sequence[int], split_seeds: Sequence[int]) -> None:
    """Refuse, before anything is trained, parts that there are not, and repetitions that repeat nothing."""
    count = folds_of(config.data, config.split, config.num_folds)
    wrong = [fold for fold in folds if not 0 <= fold < count]
    if wrong:
        have = f"folds 0 to {count - 1}" if count > 1 else "no folds"
        raise ConfigError(f"{config.data} with split={config.split!r} has {have}, but fold {wrong[0]} is asked for")
    fixed = not seed_matters(config.data, config.split, config.valid_data, config.test_data)
    if len(split_seeds) > 1 and fixed:
        raise ConfigError(
            f"the split of {config.data} with split={config.split!r} is the same for every seed, so {len(split_seeds)} "
            "split seeds would count the same parts several times: give --seeds or --folds instead"
        )


def run_part(config: TrainConfig, console: Any = None) -> Record:
    """Train and test one part in a folder that is removed afterwards."""
    from plstm_graph.train.classic import CLASSIC, run_classic
    from plstm_graph.train.run import run_training

    if config.model in CLASSIC:
        return run_classic(config)
    folder = Path(tempfile.mkdtemp(prefix="plstm_graph-"))
    try:
        off = dict.fromkeys(("tensorboard", "keep_last", "predictions", "describe_split", "trust"), False)
        result = run_training(config, folder, console=console, **off)
        return result.record()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _one_by_one(config: TrainConfig, parts: list[Part], jobs: int, console: Any) -> Iterator[Record]:
    for part in parts:
        yield run_part(config.replace(**part._asdict()), console)


def _in_processes(config: TrainConfig, parts: list[Part], jobs: int, console: Any) -> Iterator[Record]:
    with _single_threaded_children(), ProcessPoolExecutor(jobs, get_context("spawn"), _use_one_thread) as pool:
        futures = {pool.submit(run_part, config.replace(**part._asdict())): part for part in parts}
        failed: tuple[Part, PLSTMGraphError] | None = None
        try:
            for future in as_completed(futures):
                if future.cancelled():
                    continue
                try:
                    yield future.result()
                except PLSTMGraphError as error:  # what runs already may end, and is recorded
                    failed = failed or (futures[future], error)
                    for other in futures:
                        other.cancel()
        finally:
            for future in futures:
                future.cancel()
    if failed is not None:
        part, error = failed
        raise RunError(f"split seed {part.split_seed}, fold {part.fold}, seed {part.seed}: {error}") from error


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Libraries read these when they load, so they must be set before a child starts."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
