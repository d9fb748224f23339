"""From settings to batches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from plstm_graph.chem import from_smiles, iter_featurize
from plstm_graph.errors import ConfigError
from plstm_graph.graph import AddRandomWalks
from plstm_graph.train.config import TrainConfig, make_config
from plstm_graph.train.load import load_dataset, load_source, training_order, with_random_walks
from plstm_graph.train.run import make_predictor


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


def test_a_number_of_steps_that_is_none_is_named(tmp_path):
    table = tmp_path / "few.csv"
    table.write_text("\n".join(["smiles,y", *(f"{'C' * n}O,{n}" for n in range(2, 22))]))
    with pytest.raises(ConfigError, match="rwse_dim"):
        load_source(TrainConfig(data=str(table), target=("y",), model_options={"rwse_dim": "many"}))


def test_random_walks_of_a_data_set_are_those_of_its_graphs_whatever_the_parts(tmp_path, monkeypatch):
    table = tmp_path / "few.csv"
    table.write_text("\n".join(["smiles,y", *(f"C1{'C' * n}1O,{n}" for n in range(2, 22))]))
    config = TrainConfig(data=str(table), target=("y",))
    monkeypatch.setattr("plstm_graph.train.load.GRAPHS_AT_ONCE", 7)
    dataset = with_random_walks(load_dataset(config), {"rwse_dim": 5})
    alone = [AddRandomWalks(5)(dataset[g]).rwse for g in range(len(dataset))]
    torch.testing.assert_close(dataset.node_fields["rwse"], torch.cat(alone))
    assert with_random_walks(dataset, {}) is dataset
    none = with_random_walks(dataset.subset([]), {"rwse_dim": 5})
    assert none.node_fields["rwse"].shape == (0, 5)


@pytest.mark.parametrize("model", ["plstm", "gin"])
def test_a_model_that_reads_random_walks_gets_them_in_training_and_from_smiles(model: str, tmp_path: Path) -> None:
    table = tmp_path / "chains.csv"
    table.write_text("\n".join(["smiles,y", *(f"{'C' * n}O,{n}" for n in range(2, 22))]))
    options = {"rwse_dim": 3, "hidden_channels": 8, "num_layers": 2}
    config = TrainConfig(data=str(table), target=("y",), model=model, model_options=options, epochs=1)
    source = load_source(config)
    batch = next(iter(source.batches("valid")))
    smiles = [f"{'C' * n}O" for n in batch.y.flatten().int().tolist()]
    expected = torch.cat([AddRandomWalks(3)(from_smiles(s)).rwse for s in smiles])
    torch.testing.assert_close(batch.rwse, expected)
    spec, predictor = make_predictor(config, source)
    predictor.eval()
    torch.testing.assert_close(predictor(spec.batch(next(iter_featurize(smiles)).packed)), predictor(batch))
