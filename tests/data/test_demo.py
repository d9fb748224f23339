from __future__ import annotations

import hashlib

import pandas as pd
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen, rdFingerprintGenerator

from plstm_graph.data.demo import MOST, TARGETS, make_demo, write_demo
from plstm_graph.errors import ConfigError

MARKS = {name: Chem.MolFromSmarts(name) for name in ("Cl", "F", "C#N", "[N+](=O)[O-]")}


@pytest.fixture(scope="module")
def demo() -> pd.DataFrame:
    return make_demo()


@pytest.fixture(scope="module")
def mols(demo) -> list[Chem.Mol]:
    return [Chem.MolFromSmiles(smiles) for smiles in demo.smiles]


def exchanged(mol: Chem.Mol) -> Chem.Mol:
    """The molecule with chlorine and fluorine in each other's place."""
    twin = Chem.RWMol(mol)
    for atom in twin.GetAtoms():
        if atom.GetAtomicNum() in (9, 17):
            atom.SetAtomicNum(26 - atom.GetAtomicNum())
    return Chem.MolFromSmiles(Chem.MolToSmiles(twin))


def distances(mol: Chem.Mol) -> tuple[float, float]:
    """Bonds from chlorine to the nitrile's carbon and to the nitro group's nitrogen."""
    at = {name: mol.GetSubstructMatch(mark)[0] for name, mark in MARKS.items()}
    matrix = Chem.GetDistanceMatrix(mol)
    return matrix[at["Cl"], at["C#N"]], matrix[at["Cl"], at["[N+](=O)[O-]"]]


def test_table(demo, mols):
    assert demo.columns.tolist() == ["smiles", "family", *TARGETS]
    assert len(demo) == 2000
    assert demo.smiles.is_unique
    assert all(mols)
    assert not demo.isna().to_numpy().any()
    assert demo.family.value_counts(normalize=True).loc["peptide"] == pytest.approx(0.4, abs=0.05)


def test_targets_are_balanced_in_both_families(demo):
    for _, part in demo.groupby("family"):
        assert part.near_nitrile.mean() == pytest.approx(0.5, abs=0.05)
        assert part.hydroxyl.mean() == pytest.approx(0.45, abs=0.1)
        assert part.logp.std() > 1


def test_local_targets(demo, mols):
    for row, mol in zip(demo.itertuples(), mols, strict=True):
        assert row.logp == pytest.approx(Crippen.MolLogP(mol), abs=1e-3)
        free = [a for a in mol.GetAtoms() if a.GetSymbol() == "O" and a.GetTotalNumHs() == 1]
        acids = {a for match in mol.GetSubstructMatches(Chem.MolFromSmarts("C(=O)[OH]")) for a in match}
        assert row.hydroxyl == any(atom.GetIdx() not in acids for atom in free), row.smiles


def test_every_mark_is_there_once(mols):
    for mol in mols:
        assert [len(mol.GetSubstructMatches(mark)) for mark in MARKS.values()] == [1, 1, 1, 1]


def test_long_range_target_depends_on_groups_far_apart(demo, mols):
    for answer, mol in zip(demo.near_nitrile, mols, strict=True):
        to_nitrile, to_nitro = distances(mol)
        assert answer == (to_nitrile < to_nitro)
        assert min(to_nitrile, to_nitro) >= 13
        assert abs(to_nitrile - to_nitro) >= 3


def test_no_neighbourhood_of_radius_four_tells_the_long_range_target(mols):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=4)
    for mol in mols:
        twin = exchanged(mol)
        assert generator.GetSparseCountFingerprint(twin) == generator.GetSparseCountFingerprint(mol)
        assert distances(twin) == distances(mol)[::-1]


def test_same_bytes_for_the_same_seed(tmp_path):
    first = write_demo(tmp_path / "new" / "a.csv", n=200, seed=3).read_bytes()
    assert write_demo(tmp_path / "b.csv", n=200, seed=3).read_bytes() == first
    assert write_demo(tmp_path / "c.csv", n=200, seed=4).read_bytes() != first
    assert b"\r" not in first
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "b.csv"), make_demo(200, seed=3), check_dtype=False)


def test_default_set_has_not_changed(demo):
    """By those columns that no version of RDKit writes or rounds differently."""
    columns = demo[["family", "hydroxyl", "near_nitrile"]].to_csv(index=False, lineterminator="\n")
    assert hashlib.sha256(columns.encode()).hexdigest() == (
        "948c5591bdcb6f11d6582d7453aba0279104bf8b8c27e71c1287bbc07573b5b1"
    )


def test_a_smaller_set_is_the_beginning_of_a_larger_one(demo):
    pd.testing.assert_frame_equal(make_demo(50), demo.head(50))


def test_sizes(demo):
    assert len(make_demo(0)) == 0
    assert make_demo(0).columns.tolist() == demo.columns.tolist()
    for wrong in (-1, MOST + 1):
        with pytest.raises(ConfigError, match=f"got {wrong}"):
            make_demo(wrong)
