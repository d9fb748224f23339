"""From settings to batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from plstm_graph.train.config import TrainConfig, make_config
from plstm_graph.train.load import load_source, training_order


def test_orientations_of_training_are_new_in_every_epoch_and_all_others_stay(tmp_path: Path) -> None:
    table = tmp_path / "chains.csv"
    rows = [f"{'C' * n}O,{n},{'train' if n % 3 else 'valid' if n % 2 else 'test'}" for n in range(2, 20)]
    table.write_text("\n".join(["smiles,y,part", *rows]))
    settings = {"split": "column", "split_column": "part", "target": ("y",), "order": "center"}
    source = load_source(TrainConfig(data=str(table), train_order="random-root", **settings))
    plain = load_source(TrainConfig(data=str(table), train_order="center", **settings))

    def roots(batches):
        """Nodes of every batch from which edges lead out and to which none leads, in the order of the row numbers."""
        found = {}
        for batch in batches:
            tails, heads = batch.dag.edge_index
            first = sorted(set(tails.tolist()) - set(heads.tolist()))
            found |= {int(batch.y[g]): n - int(batch.ptr[g]) for g, n in enumerate(first)}
        return sorted(found.items())

    assert roots(source.batches("valid")) == roots(plain.batches("valid"))
    assert all(root in (n // 2, (n + 1) // 2) for n, root in roots(plain.batches("train")))  # atoms 0 to n
    train = source.batches("train")
    drawn = [roots(train) for _ in range(5)]
    assert len({str(d) for d in drawn}) == 5


@pytest.mark.parametrize(
    ("settings", "order"),
    [
        ({}, "random-root"),
        ({"order": "index"}, "index"),
        ({"train_order": "center"}, "center"),
        ({"order": "index", "train_order": "random"}, "random"),
    ],
)
def test_order_of_training_graphs(settings, order):
    assert training_order(make_config(settings)) == order
