"""A data set as the trainer sees it: task, encoders, splits, batches - and a test split that stays shut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from plstm_graph.errors import ConfigError, RunError
from plstm_graph.train.task import Task

if TYPE_CHECKING:
    from plstm_graph.data import PackedDataset

MakeBatches = Callable[[np.ndarray, bool], Iterable]
"""``(rows, shuffle) -> batches``, with a length; shuffled anew at every iteration."""


@dataclass
class Source:
    """Graphs, labels and splits of one run.

    The test split cannot be read, neither its labels nor its batches, before :meth:`release_test` says which epoch
    was chosen without it.

    Args:
        name: name of the data set.
        task: what is predicted.
        in_channels: number of node features.
        encoders: ``node_encoder``, ``edge_encoder`` and ``edge_dim`` that fit the features.
        molecules: the graphs have OGB's atom and bond features.
        row: ``[G]`` row of the table that each graph came from, if it came from one.
        smiles: ``[G]`` SMILES of each graph, for molecules.
        chirality: for molecules, how their chirality is encoded; see :func:`plstm_graph.chem.from_smiles`.
        splits: rows of ``train``, ``valid`` and ``test``.
        weight: ``[G]`` how much each graph counts, mean 1 over train, if they do not count alike.
        descriptors: names of the numbers that are known of every graph besides.
        descriptor_values: ``[G, D]`` these numbers.
        read_labels: ``rows -> [G, T]`` float with NaN where missing, or ``[G]`` int64 with -1 where missing.
        make_batches: see :data:`MakeBatches`.
        make_reordered: ``rows -> batches`` in their order, oriented as in training, anew at every iteration; ``None``
            if the source has no such batches.
        read_graphs: ``rows -> graphs`` with all that the data set knows of them, or ``None``.

    Raises:
        ConfigError: a split is empty.
    """

    name: str
    task: Task
    in_channels: int | list[int]
    encoders: Mapping[str, Any]
    molecules: bool
    splits: Mapping[str, np.ndarray]
    read_labels: Callable[[np.ndarray], Tensor] = field(repr=False)
    make_batches: MakeBatches = field(repr=False)
    row: np.ndarray | None = field(default=None, repr=False)
    smiles: Sequence[str] | None = field(default=None, repr=False)
    weight: np.ndarray | None = field(default=None, repr=False)
    descriptors: tuple[str, ...] = ()
    descriptor_values: Tensor | None = field(default=None, repr=False)
    chirality: str = "written"
    make_reordered: Callable[[np.ndarray], Iterable] | None = field(default=None, repr=False)
    read_graphs: Callable[[np.ndarray], PackedDataset] | None = field(default=None, repr=False)
    chosen_epoch: int | None = None

    def __post_init__(self) -> None:
        for part in ("train", "valid", "test"):
            if not len(self.splits.get(part, ())):
                raise ConfigError(f"{self.name}: the {part} split is empty; choose another split")

    def labels(self, part: str) -> Tensor:
        """Labels of a split."""
        self._check(part)
        return self.read_labels(self.splits[part])

    def weights(self, part: str) -> np.ndarray | None:
        """Weights of the graphs of a split, ``None`` if all count alike."""
        return None if self.weight is None else self.weight[self.splits[part]]

    def batches(self, part: str) -> Iterable:
        """Batches of a split; those of ``train`` are shuffled."""
        self._check(part)
        return self.make_batches(self.splits[part], part == "train")

    def batches_in_order(self, part: str) -> Iterable:
        """Batches of a split, none of them shuffled."""
        self._check(part)
        return self.make_batches(self.splits[part], False)

    def reordered_batches(self, part: str) -> Iterable:
        """Batches of a split, none of them shuffled, with the orientations of training: new ones at every iteration.

        Raises:
            RunError: the source has no such batches.
        """
        self._check(part)
        if self.make_reordered is None:
            raise RunError(f"{self.name} has its graphs in one orientation only")
        return self.make_reordered(self.splits[part])

    def graphs(self, part: str) -> PackedDataset | None:
        """Graphs of a split, or ``None`` if the source gives batches only."""
        self._check(part)
        return None if self.read_graphs is None else self.read_graphs(self.splits[part])

    def release_test(self, best_epoch: int) -> None:
        """Open the test split, now that ``best_epoch`` was chosen by validation alone.

        Raises:
            RunError: no epoch was chosen.
        """
        if best_epoch < 0:
            raise RunError("the test split stays shut: no best validation epoch was chosen")
        self.chosen_epoch = best_epoch

    def _check(self, part: str) -> None:
        if part == "test" and self.chosen_epoch is None:
            raise RunError("the test split was read before the best validation epoch was fixed")
