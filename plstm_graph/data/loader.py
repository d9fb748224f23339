"""Batches of a :class:`PackedDataset`: collated and oriented in the loader's workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from plstm_graph.data.packed import PackedDataset


class GraphLoader(DataLoader):
    """Iterate over batches of graphs.

    A worker takes all graphs of a batch at once out of the packed tensors and applies ``transform`` to the whole
    batch, so that one line DAG is built per batch, and random orientations are drawn anew for every batch.

    Args:
        dataset: the graphs.
        batch_size: graphs per batch.
        rows: ``[M]`` graphs to use, for example ``dataset.splits["train"]``; all by default.
        shuffle: new order in every epoch.
        transform: applied to every batch, for example :class:`plstm_graph.ToLineDAG`.
        num_workers: worker processes; 0 works in this process.
        seed: seed of the order and, (in workers) of random transforms; ``None`` follows torch's
            global generator.
        drop_last: leave out a last batch that is smaller.
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
    ) -> None:
        rows = torch.arange(len(dataset)) if rows is None else torch.as_tensor(rows, dtype=torch.int64)
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        order = RandomSampler(rows, generator=generator) if shuffle else SequentialSampler(rows)
        super().__init__(
            _Batches(dataset, rows, transform),
            sampler=BatchSampler(order, batch_size, drop_last),
            batch_size=None,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            generator=generator,
        )


class _Batches:
    """Maps a list of positions in ``rows`` to a finished batch."""

    def __init__(self, dataset: PackedDataset, rows: Tensor, transform: Callable[[Any], Any] | None) -> None:
        self.dataset, self.rows, self.transform = dataset, rows, transform

    def __len__(self) -> int:
        return self.rows.numel()

    def __getitem__(self, positions: list[int]) -> Any:
        batch = self.dataset.collate(self.rows[positions])
        return batch if self.transform is None else self.transform(batch)
