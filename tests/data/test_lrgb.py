from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from plstm_graph import from_smiles
from plstm_graph.data.lrgb import SETS, load_lrgb
from plstm_graph.errors import ConfigError, DatasetNotFoundError, SmilesError, TableError
from tests.data.conftest import MOLECULES, cut_off

ROWS = {"train": [3, 1, 0, 7], "val": [2, 5], "test": [4, 6]}


@pytest.fixture
def peptides(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small set in LRGB's layout and returns the folder of the set."""

    def write(name: str, smiles: tuple[str, ...] = MOLECULES, pickled: bool = False) -> Path:
        this = SETS[name]
        folder = tmp_path / "lrgb" / this.folder
        (folder / "raw").mkdir(parents=True)
        table = pd.DataFrame({"smiles": smiles, "peptide_seq": "A", "identifier": range(len(smiles))})
        if name == "peptides-func":
            table["labels"] = [str([(i + j) % 2 for j in range(10)]) for i in range(len(smiles))]
        else:
            for j, target in enumerate(this.targets):
                table[target] = np.arange(len(smiles)) ** 2.0 + j
        table.to_csv(folder / this.table)
        if pickled:
            rows = {part: np.array(rows) for part, rows in ROWS.items()}
            (folder / this.splits).write_bytes(pickle.dumps(rows))
        else:
            (folder / "split_csv").mkdir()
            for part, rows in ROWS.items():
                pd.Series(rows).to_csv(folder / f"split_csv/{part}.csv", header=False, index=False)
        return folder

    return write


@pytest.mark.parametrize("pickled", [False, True])
def test_functional(peptides: Callable[..., Path], tmp_path: Path, pickled: bool) -> None:
    peptides("peptides-func", pickled=pickled)
    dataset = load_lrgb("peptides-func", tmp_path)
    assert dataset.y.tolist() == [[(i + j) % 2 for j in range(10)] for i in range(8)]
    assert (dataset.task, dataset.metric, dataset.num_tasks, len(dataset.targets)) == ("binary", "ap", 10, 10)
    assert {part: rows.tolist() for part, rows in dataset.splits.items()} == {
        "train": ROWS["train"],
        "valid": ROWS["val"],
        "test": ROWS["test"],
    }
    for i, smiles in enumerate(MOLECULES):
        expected = from_smiles(smiles)
        for key in ("x", "edge_index", "edge_attr", "canonical_rank"):
            assert torch.equal(dataset[i][key], expected[key]), (smiles, key)


def test_structural_targets_are_standardised(peptides: Callable[..., Path], tmp_path: Path) -> None:
    peptides("peptides-struct")
    dataset = load_lrgb("peptides-struct", tmp_path)
    assert (dataset.task, dataset.metric, dataset.num_tasks) == ("regression", "mae", 11)
    assert torch.allclose(dataset.y.mean(dim=0), torch.zeros(11), atol=1e-6)
    assert torch.allclose(dataset.y.std(dim=0), torch.ones(11))
    assert dataset.targets[:4] == ["Inertia_mass_a", "Inertia_mass_b", "Inertia_mass_c", "Inertia_valence_a"]


def test_pickle_that_would_run_code(peptides: Callable[..., Path], tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "ran",)

    folder = peptides("peptides-func", pickled=True)
    (folder / SETS["peptides-func"].splits).write_bytes(pickle.dumps({"train": Evil()}))
    with pytest.raises(TableError, match=r"cannot be read as LRGB's split: .*not just arrays"):
        load_lrgb("peptides-func", tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [{"train": np.arange(3)}, {"train": [0], "val": [1], "test": [8]}, [1, 2]])
def test_wrong_split(peptides: Callable[..., Path], tmp_path: Path, content: object) -> None:
    folder = peptides("peptides-func", pickled=True)
    (folder / SETS["peptides-func"].splits).write_bytes(pickle.dumps(content))
    with pytest.raises(TableError, match=r"cannot be read as LRGB's split|test goes up to row 8"):
        load_lrgb("peptides-func", tmp_path)


def test_damaged_table(peptides: Callable[..., Path], tmp_path: Path) -> None:
    cut_off(peptides("peptides-func") / SETS["peptides-func"].table)
    with pytest.raises(TableError, match=r"csv\.gz cannot be read as LRGB's table of peptides-func"):
        load_lrgb("peptides-func", tmp_path)


def test_molecule_that_cannot_be_read(peptides: Callable[..., Path], tmp_path: Path) -> None:
    peptides("peptides-func", smiles=(*MOLECULES[:7], "C1CC"))
    with pytest.raises(SmilesError, match="row 7: cannot read SMILES 'C1CC'"):
        load_lrgb("peptides-func", tmp_path)


def test_missing_set(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetNotFoundError, match=r"lacks raw/peptide_multi_class_dataset\.csv\.gz, splits_random.*lrgb"
    ):
        load_lrgb("peptides-func", tmp_path)
    with pytest.raises(ConfigError, match="none of LRGB's sets"):
        load_lrgb("pcqm-contact", tmp_path)


@pytest.mark.data
def test_real_set(data_root: Path, tmp_path: Path) -> None:
    dataset = load_lrgb("peptides-func", data_root)
    assert (len(dataset), dataset.x.size(0), dataset.edge_index.size(1)) == (15535, 2344859, 4773974)
    parts = {part: len(rows) for part, rows in dataset.splits.items()}
    assert parts == {"train": 10873, "valid": 2331, "test": 2331}
    assert sorted(torch.cat([*dataset.splits.values()]).tolist()) == list(range(15535))


@pytest.mark.data
def test_split_in_text_is_that_of_the_pickle(data_root: Path, tmp_path: Path) -> None:
    from plstm_graph.data import lrgb

    source, this = data_root / "lrgb/peptides-functional", SETS["peptides-func"]
    text = lrgb._splits(source, this, 15535)
    (tmp_path / this.splits).write_bytes((source / this.splits).read_bytes())
    pickled = lrgb._splits(tmp_path, this, 15535)
    assert {part: rows.tolist() for part, rows in text.items()} == {
        part: rows.tolist() for part, rows in pickled.items()
    }
