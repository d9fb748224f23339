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
    unlabelled = dataset.y.isnan().all(dim=1).nonzero().flatten().tolist()
    assert empty
    assert set(unlabelled) - set(empty)
    assert sorted({*chosen, *empty, *unlabelled}) == list(range(200))
    assert not set(chosen) & {*empty, *unlabelled}


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


def rings(y: torch.Tensor, task: str = "binary") -> PackedDataset:
    smiles = [
        f"{'C' * n}{ring}" for ring in ("c1ccccc1", "C1CCC1", "c1ccncc1", "c1ccsc1", "C1CC1", "C") for n in (1, 2, 3, 4)
    ]
    return PackedDataset(
        name="rings",
        x=torch.zeros(len(smiles), 1),
        edge_index=torch.empty(2, 0, dtype=torch.int64),
        edge_attr=None,
        y=y,
        node_ptr=torch.arange(len(smiles) + 1),
        edge_ptr=torch.zeros(len(smiles) + 1, dtype=torch.int64),
        task=task,
        metric="rocauc",
        num_classes=3 if task == "multiclass" else 0,
        text_fields={"smiles": smiles},
    )


def test_folds_keep_scaffolds_together_and_leave_out_what_has_no_label() -> None:
    y = (torch.arange(24) % 2).float().view(-1, 1)
    y[[3, 17]] = torch.nan
    dataset = rings(y)
    tested = []
    for fold in range(3):
        parts = split_dataset(dataset, "scaffold-kfold", fold=fold, num_folds=3)
        tested += parts["test"].tolist()
        held = [{murcko_scaffold(dataset.smiles[i]) for i in rows.tolist()} for rows in parts.values()]
        assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]
    assert sorted(tested) == [i for i in range(24) if i not in (3, 17)]


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_folds_of_a_single_target_with_classes_are_stratified(task: str) -> None:
    label = (torch.arange(24) < 6).long()  # 6 of 24
    dataset = rings(label.float().view(-1, 1) if task == "binary" else label, task)
    for fold in range(3):
        parts = split_dataset(dataset, "kfold", fold=fold, num_folds=3)
        assert {part: int(label[rows].sum()) for part, rows in parts.items()} == dict.fromkeys(parts, 2)


def test_folds_belong_to_splits_in_folds() -> None:
    dataset = rings(torch.zeros(24, 1))
    with pytest.raises(ConfigError, match="split='random' has no folds: fold=1 has no meaning"):
        split_dataset(dataset, "random", fold=1)
    with pytest.raises(ConfigError, match="fold 3 does not exist"):
        split_dataset(dataset, "kfold", fold=3, num_folds=3)
