from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from plstm_graph.chem import arrays
from plstm_graph.chem.arrays import concatenate, pack, spread
from plstm_graph.errors import ConfigError

NAMES = {"x", "edge_index", "edge_attr", "canonical_rank", "node_ptr", "edge_ptr"}


def mols_of(strings: list[str]) -> list[Chem.Mol]:
    return [Chem.MolFromSmiles(smiles) for smiles in strings]


def assert_same(packed: dict, expected: dict) -> None:
    assert packed.keys() == expected.keys() == NAMES
    for name in NAMES:
        np.testing.assert_array_equal(packed[name], expected[name], err_msg=name)
        assert packed[name].dtype == np.int64, name


def part(packed: dict, g: int) -> dict:
    nodes, edges = slice(*packed["node_ptr"][g : g + 2]), slice(*packed["edge_ptr"][g : g + 2])
    return {
        "x": packed["x"][nodes],
        "canonical_rank": packed["canonical_rank"][nodes],
        "edge_index": packed["edge_index"][:, edges],
        "edge_attr": packed["edge_attr"][edges],
    }


def test_this_rdkit_is_read_the_fast_way():
    assert arrays._binary_layout_is_known()


def test_fast_and_plain_way_agree(tricky, monkeypatch):
    mols = mols_of(tricky)
    fast = pack(mols)
    monkeypatch.setattr(arrays, "_binary_layout_is_known", lambda: False)
    assert_same(pack(mols), fast)


def test_an_unknown_layout_is_noticed(monkeypatch):
    arrays._binary_layout_is_known.cache_clear()
    shifted = arrays._lookup() + 1
    monkeypatch.setattr(arrays, "_lookup", lambda: shifted)
    assert not arrays._binary_layout_is_known()
    arrays._binary_layout_is_known.cache_clear()


def test_no_molecules():
    packed = pack(())
    assert packed.keys() == NAMES
    assert packed["x"].shape == (0, 9)
    assert packed["edge_index"].shape == (2, 0)
    assert packed["edge_attr"].shape == (0, 3)
    assert packed["node_ptr"].tolist() == packed["edge_ptr"].tolist() == [0]


def test_concatenate_joins_in_order():
    strings = ["CCO", "C", "c1ccccc1", "[Na+].[Cl-]", "CC"]
    parts = [pack(mols_of(strings[:2])), pack(()), pack(mols_of(strings[2:]))]
    assert_same(concatenate(parts), pack(mols_of(strings)))
    assert_same(concatenate([]), pack(()))


def test_spread_leaves_places_empty():
    packed = spread(pack(mols_of(["CCO", "CC"])), np.array([1, 3]), 5)
    assert packed["node_ptr"].tolist() == [0, 0, 3, 3, 5, 5]
    assert packed["edge_ptr"].tolist() == [0, 0, 4, 4, 6, 6]
    assert part(packed, 3)["x"].shape == (2, 9)


def test_ranks_are_a_permutation_within_each_molecule(tricky):
    packed = pack(mols_of(tricky))
    for g in range(len(tricky)):
        rank = part(packed, g)["canonical_rank"]
        assert sorted(rank) == list(range(len(rank))), tricky[g]


def test_unknown_chirality():
    with pytest.raises(ConfigError, match=r"'written' or 'canonical', got 'rs'"):
        pack((), "rs")


def test_canonical_chirality_changes_no_other_column():
    mols = mols_of(["C[C@H](F)Cl", "CC[C@@](F)(Cl)Br", "CCO"])
    written, canonical = pack(mols), pack(mols, "canonical")
    for name in NAMES - {"x"}:
        np.testing.assert_array_equal(written[name], canonical[name])
    np.testing.assert_array_equal(np.delete(written["x"], 1, 1), np.delete(canonical["x"], 1, 1))
    np.testing.assert_array_equal(written["x"][:, 1] > 0, canonical["x"][:, 1] > 0)


def test_canonical_chirality_tells_mirror_images_apart():
    for one, other in (("C[C@H](F)Cl", "C[C@@H](F)Cl"), ("C[C@H]1CC[C@@H](C)CC1", "C[C@H]1CC[C@H](C)CC1")):
        packed = pack(mols_of([one, other]), "canonical")
        tags = [part(packed, g)["x"][np.argsort(part(packed, g)["canonical_rank"]), 1].tolist() for g in (0, 1)]
        assert tags[0] != tags[1]
