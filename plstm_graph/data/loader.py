"""Batches of a :class:`PackedDataset`: collated and oriented in the loader's workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from plstm_graph.data.packed import PackedDataset
from plstm_graph.errors import ConfigError


class GraphLoader(DataLoader):
    """Iterate over batches of graphs.

    A worker takes all graphs of a batch at once out of the packed tensors and applies ``transform`` to the whole
    batch, so that one line DAG is built per batch, and random orientations are drawn anew for every batch.

    Order and random transforms depend on the seed, the epoch and the position of the batch alone, so they are the
    same with any number of workers. Every iteration is an epoch; Lightning numbers them itself, so that a resumed run
    goes on as it would have. In a distributed run, a loader that shuffles gives every process its own share of the
    batches; one that does not gives all of them to each.

    Args:
        dataset: the graphs.
        batch_size: graphs per batch.
        rows: ``[M]`` graphs to use, for example ``dataset.splits["train"]``; all by default.
        shuffle: new order in every epoch.
        transform: applied to every batch, for example :class:`plstm_graph.ToLineDAG`. If it draws random numbers,
            then from torch's CPU generator.
        num_workers: worker processes, kept from epoch to epoch; 0 works in this process.
        seed: of the order and of random transforms; ``None`` takes one from torch's generator in every epoch.
        drop_last: leave out a last batch that is smaller.
        pin_memory: copy batches to pinned memory, for faster transfer to a GPU.

    Raises:
        ConfigError: ``batch_size`` is not positive.
    """

    def __init__(
        self,
        dataset: PackedDataset,
        batch_size: int,
        *,
        rows: Tensor | None = None,
        shuffle: bool = False,
        transform: Callable[[Any], Any] | None = None,
        num_workers: int = 0,
        seed: int | None = None,
        drop_last: bool = False,
        pin_memory: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        rows = torch.arange(len(dataset)) if rows is None else torch.as_tensor(rows, dtype=torch.int64)
        super().__init__(
            _Batches(dataset, transform),
            sampler=_BatchOrder(rows, batch_size, shuffle, seed, drop_last),
            batch_size=None,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=pin_memory,
            generator=None if seed is None else torch.Generator().manual_seed(seed),
        )

    def set_epoch(self, epoch: int) -> None:
        """Number of the next epoch, counted from 0."""
        self.sampler.set_epoch(epoch)


class _BatchOrder(Sampler):
    """Yields ``(rows, seed)`` of every batch."""

    def __init__(self, rows: Tensor, batch_size: int, shuffle: bool, seed: int | None, drop_last: bool) -> None:
        self.rows, self.batch_size, self.shuffle, self.seed, self.drop_last = rows, batch_size, shuffle, seed, drop_last
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self._num_batches() // (_place()[1] if self.shuffle else 1))

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        seed = self.seed if self.seed is not None else int(torch.randint(2**62, ()))
        generator = torch.Generator().manual_seed(_mix(seed, self.epoch))
        self.epoch += 1
        rows = self.rows[torch.randperm(self.rows.numel(), generator=generator)] if self.shuffle else self.rows
        count = self._num_batches()
        seeds = torch.randint(2**32, (count,), generator=generator).tolist()
        batches = list(zip(rows.split(self.batch_size)[:count], seeds, strict=True))
        if self.shuffle:
            place, processes = _place()
            short = -count % processes
            batches = (batches + batches[:short])[place::processes]  # every process must take as many steps
        yield from batches

    def _num_batches(self) -> int:
        whole, rest = divmod(self.rows.numel(), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)


class _Batches:
    """Maps ``(rows, seed)`` to a finished batch."""

    def __init__(self, dataset: PackedDataset, transform: Callable[[Any], Any] | None) -> None:
        self.dataset, self.transform = dataset, transform

    def __getitem__(self, key: tuple[Tensor, int]) -> Any:
        rows, seed = key
        batch = self.dataset.collate(rows)
        if self.transform is None:
            return batch
        with _random_numbers(seed):
            return self.transform(batch)


@contextmanager
def _random_numbers(seed: int) -> Iterator[None]:
    """Seed torch's CPU generator, and give it its state back afterwards."""
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def _mix(seed: int, epoch: int) -> int:
    """Seed of an epoch, such that neither neighbouring seeds nor neighbouring epochs share their orders."""
    return int(np.random.SeedSequence((seed % 2**64, epoch)).generate_state(1, np.uint32)[0])


def _place() -> tuple[int, int]:
    """Rank and number of processes."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
