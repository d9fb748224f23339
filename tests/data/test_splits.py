from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
import torch

from plstm_graph.chem import murcko_scaffold
from plstm_graph.data.packed import PackedDataset
from plstm_graph.data.splits import column_split, random_split, split_dataset
from plstm_graph.errors import ConfigError, TableError


def sizes(parts: dict[str, torch.Tensor]) -> list[int]:
    return [len(parts[part]) for part in ("train", "valid", "test")]


@pytest.mark.parametrize(("count", "expected"), [(100, [80, 10, 10]), (7, [6, 0, 1]), (0, [0, 0, 0])])
def test_random_split_is_a_partition(count: int, expected: list[int]) -> None:
    parts = random_split(count, seed=1)
    assert sizes(parts) == expected
    assert sorted(torch.cat([*parts.values()]).tolist()) == list(range(count))
    assert all(rows.tolist() == sorted(rows.tolist()) for rows in parts.values())


def test_random_split_follows_the_seed_alone() -> None:
    first = random_split(50, seed=1)
    torch.rand(3)
    assert all(torch.equal(rows, first[part]) for part, rows in random_split(50, seed=1).items())
    assert not torch.equal(random_split(50, seed=2)["train"], first["train"])
    assert sizes(random_split(10, fractions=(0.5, 0.5, 0.0))) == [5, 5, 0]


@pytest.mark.parametrize("fractions", [(0.8, 0.2), (0.8, 0.1, 0.2), (1.2, -0.1, -0.1)])
def test_wrong_fractions(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="fractions must be three numbers"):
        random_split(10, fractions=fractions)


def test_graphs_without_nodes_are_in_no_part(packed: Callable[..., PackedDataset]) -> None:
    dataset = packed(200)
    empty = (dataset.node_ptr.diff() == 0).nonzero().flatten().tolist()
    chosen = torch.cat([*split_dataset(dataset, "random", seed=3).values()]).tolist()
    assert empty
    assert sorted(chosen + empty) == list(range(200))


def test_scaffold_split_keeps_scaffolds_together() -> None:
    smiles = [f"{'C' * n}{ring}" for ring in ("c1ccccc1", "C1CCC1", "c1ccncc1", "C") for n in range(1, 8)]
    node_ptr = torch.arange(len(smiles) + 1)
    node_ptr[6:] -= 1  # the row before could not be read
    dataset = PackedDataset(
        name="rings",
        x=torch.zeros(int(node_ptr[-1]), 1),
        edge_index=torch.empty(2, 0, dtype=torch.int64),
        edge_attr=None,
        y=torch.zeros(len(smiles), 1),
        node_ptr=node_ptr,
        edge_ptr=torch.zeros(len(smiles) + 1, dtype=torch.int64),
        task="regression",
        metric="rmse",
        text_fields={"smiles": smiles},
    )
    parts = split_dataset(dataset, "scaffold", fractions=(0.5, 0.25, 0.25))
    assert sorted(torch.cat([*parts.values()]).tolist()) == [i for i in range(28) if i != 5]
    scaffolds = [{murcko_scaffold(smiles[i]) for i in parts[part].tolist()} for part in ("train", "valid", "test")]
    assert all(scaffolds)
    assert not scaffolds[0] & scaffolds[1] | scaffolds[0] & scaffolds[2] | scaffolds[1] & scaffolds[2]


def test_splits_that_do_not_exist(packed: Callable[..., PackedDataset]) -> None:
    with pytest.raises(ConfigError, match="random has no SMILES, so it cannot be split by scaffold"):
        split_dataset(packed(), "scaffold")
    with pytest.raises(ConfigError, match="split='time' does not exist"):
        split_dataset(packed(), "time")


def test_column_split() -> None:
    cells = pd.Series(["train", " VAL", "test", "Training", "validation", "train"], name="part")
    parts = column_split(cells)
    assert {part: rows.tolist() for part, rows in parts.items()} == {"train": [0, 3, 5], "valid": [1, 4], "test": [2]}


@pytest.mark.parametrize(("cell", "what"), [("holdout", "says 'holdout'"), (None, "is empty")])
def test_cell_that_names_no_part(cell: str | None, what: str) -> None:
    cells = pd.Series(["train", cell], name="part", index=[4, 7], dtype="str")
    with pytest.raises(TableError, match=rf"column 'part', row 7 {what}, which is none of train, valid and test"):
        column_split(cells)
