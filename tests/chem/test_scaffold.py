from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from plstm_graph.chem import murcko_scaffold, scaffold_split
from plstm_graph.chem.scaffold import scaffold_groups
from plstm_graph.errors import ConfigError, SmilesError


def test_scaffold():
    assert murcko_scaffold("CCc1ccc(OC)cc1") == "c1ccccc1"
    assert murcko_scaffold("OC(=O)CNCc1ccccc1CCC1CC1") == "c1ccc(CCC2CC2)cc1"
    assert murcko_scaffold("CC1CCCCC1=O") == "O=C1CCCCC1"
    assert murcko_scaffold("CCO") == ""
    assert murcko_scaffold(Chem.MolFromSmiles("CC1CC1")) == "C1CC1"
    with pytest.raises(SmilesError):
        murcko_scaffold("c1cccc1")


def test_chirality_of_the_ring_system():
    pair = ["C[C@H]1C[C@@H]2CCC[C@@H]2C1", "C[C@H]1C[C@@H]2CCC[C@H]2C1"]
    assert len({murcko_scaffold(smiles) for smiles in pair}) == 2
    assert len({murcko_scaffold(smiles, with_chirality=False) for smiles in pair}) == 1


def test_groups_are_ordered_by_size_then_by_later_first_row():
    strings = ["C1CC1", "C1CCC1", "C", "C1CC1C", "C1CCC1C", "x", None, "CC", "CO"]
    groups = [rows.tolist() for rows in scaffold_groups(strings)]
    assert groups == [[2, 7, 8], [1, 4], [0, 3], [6], [5]]


def test_split_covers_all_rows_and_keeps_scaffolds_together():
    rings = [f"C1{'C' * size}C1" for size in range(1, 30) for _ in range(size % 4 + 1)]
    parts = scaffold_split(rings, fractions=(0.6, 0.2, 0.2))
    assert list(parts) == ["train", "valid", "test"]
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(rings)))
    seen = [{rings[i] for i in rows} for rows in parts.values()]
    assert sum(map(len, seen)) == len(set(rings))
    assert len(parts["train"]) <= 0.6 * len(rings)
    for rows in parts.values():
        assert rows.dtype == np.int64
        assert (np.diff(rows) > 0).all()


def test_a_scaffold_that_fits_nowhere_goes_to_test():
    parts = scaffold_split(["CC"] * 10)
    assert [len(rows) for rows in parts.values()] == [0, 0, 10]


def test_no_rows():
    assert [len(rows) for rows in scaffold_split([]).values()] == [0, 0, 0]


@pytest.mark.parametrize("fractions", [(0.8, 0.2), (0.5, 0.1, 0.1), (1.2, -0.1, -0.1)])
def test_wrong_fractions(fractions):
    with pytest.raises(ConfigError, match="sum to 1"):
        scaffold_split(["C"], fractions=fractions)


@pytest.mark.data
@pytest.mark.parametrize("name", ["molesol", "molfreesolv", "molbace", "mollipo", "molhiv"])
def test_gives_the_splits_of_ogb(data_root, name):
    folder = data_root / "ogb" / f"ogbg_{name}"
    parts = scaffold_split(pd.read_csv(folder / "mapping" / "mol.csv.gz").smiles)
    for part, rows in parts.items():
        expected = pd.read_csv(folder / "split" / "scaffold" / f"{part}.csv.gz", header=None)[0]
        np.testing.assert_array_equal(rows, expected, err_msg=part)
