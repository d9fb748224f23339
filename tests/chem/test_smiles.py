from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from rdkit import Chem, rdBase
from torch_geometric.loader import DataLoader

from plstm_graph import from_smiles
from plstm_graph.chem.arrays import Packed, pack
from plstm_graph.chem.parse import parse_rows, quiet_errors
from plstm_graph.chem.smiles import unpack
from plstm_graph.data.demo import make_demo
from plstm_graph.errors import ConfigError, FeatureError, SmilesError


def assert_equals_ogb(packed: Packed, strings: list[str], smiles2graph) -> None:
    nodes, edges = packed["node_ptr"], packed["edge_ptr"]
    assert len(nodes) == len(strings) + 1
    for g, smiles in enumerate(strings):
        expected = smiles2graph(smiles)
        graph = slice(nodes[g], nodes[g + 1]), slice(edges[g], edges[g + 1])
        same = (
            np.array_equal(packed["x"][graph[0]], expected["node_feat"])
            and np.array_equal(packed["edge_index"][:, graph[1]], expected["edge_index"])
            and np.array_equal(packed["edge_attr"][graph[1]], expected["edge_feat"])
        )
        assert same, smiles


def test_equals_ogb(tricky, smiles2graph):
    for smiles in tricky:
        ours, expected = from_smiles(smiles), smiles2graph(smiles)
        np.testing.assert_array_equal(ours.x.numpy(), expected["node_feat"], err_msg=smiles)
        np.testing.assert_array_equal(ours.edge_index.numpy(), expected["edge_index"], err_msg=smiles)
        np.testing.assert_array_equal(ours.edge_attr.numpy(), expected["edge_feat"], err_msg=smiles)
        assert {ours[key].dtype for key in ("x", "edge_index", "edge_attr", "canonical_rank")} == {torch.int64}
        assert sorted(ours.canonical_rank.tolist()) == list(range(ours.num_nodes)), smiles


def test_equals_ogb_on_the_demo_set(smiles2graph):
    strings = make_demo(300, seed=5).smiles.tolist()
    assert_equals_ogb(pack(map(Chem.MolFromSmiles, strings)), strings, smiles2graph)


@pytest.mark.data
@pytest.mark.timeout(300)
def test_equals_ogb_on_every_molecule_of_molhiv(data_root, smiles2graph):
    import pandas as pd

    table = pd.read_csv(data_root / "ogb" / "ogbg_molhiv" / "mapping" / "mol.csv.gz")
    failed: list = []
    for start in range(0, len(table), 2000):
        rows = dict(enumerate(table.smiles[start : start + 2000], start))
        with quiet_errors():
            packed = pack(parse_rows(rows.items(), failed))
            for row, smiles, _ in failed:
                if rows.pop(row, None):
                    with pytest.raises(AttributeError):  # OGB works on with RDKit's None
                        smiles2graph(smiles)
        assert_equals_ogb(packed, list(rows.values()), smiles2graph)
    assert len(failed) < 20


@pytest.mark.parametrize("smiles", ["C(C", "c1cccc1", "", None, math.nan, 5], ids=repr)
def test_what_cannot_be_read_is_an_error(smiles):
    with pytest.raises(SmilesError) as caught:
        from_smiles(smiles)
    assert caught.value.reason
    assert caught.value.row is None


def test_target():
    assert from_smiles("C").y is None
    assert from_smiles("C", y=2).y.tolist() == [[2.0]]
    several = from_smiles("C", y=[1, math.nan]).y
    assert several.shape == (1, 2)
    assert several.dtype == torch.float32
    assert several[0, 1].isnan()
    label = torch.tensor([3])
    assert from_smiles("C", y=label).y is label
    for wrong in ("high", [[1.0]], [1, "x"]):
        with pytest.raises(FeatureError, match="flat sequence of numbers"):
            from_smiles("C", y=wrong)


def test_batches_with_the_stock_loader():
    graphs = [from_smiles(smiles, y=1.0) for smiles in ("CCO", "C", "[Na+].[Cl-]", "c1ccccc1")]
    batch = next(iter(DataLoader(graphs, batch_size=4)))
    assert batch.num_graphs == 4
    assert batch.canonical_rank.shape == (12,)
    assert batch.edge_index.max() == 11
    assert batch.y.shape == (4, 1)
    assert batch.smiles == ["CCO", "C", "[Na+].[Cl-]", "c1ccccc1"]


def test_unpack_gives_the_graphs_back():
    strings = ["CCO", "C", "[Na+].[Cl-]", "c1ccccc1"]
    for graph, smiles in zip(unpack(pack(map(Chem.MolFromSmiles, strings)), strings), strings, strict=True):
        expected = from_smiles(smiles)
        assert graph.smiles == smiles
        for key in ("x", "edge_index", "edge_attr", "canonical_rank"):
            assert torch.equal(graph[key], expected[key]), (smiles, key)
        assert graph.edge_index.is_contiguous()


def test_unknown_chirality():
    with pytest.raises(ConfigError, match="chirality"):
        from_smiles("C", chirality="cip")


def ranked(packed: Packed, g: int, chirality: bool) -> tuple[np.ndarray, np.ndarray]:
    """Atom rows in the order of the ranks, and bonds as sorted rows (rank, rank, features)."""
    nodes, edges = slice(*packed["node_ptr"][g : g + 2]), slice(*packed["edge_ptr"][g : g + 2])
    rank, x = packed["canonical_rank"][nodes], packed["x"][nodes].copy()
    if not chirality:
        x[:, 1] = np.minimum(x[:, 1], 1)
    bonds = np.vstack([rank[packed["edge_index"][:, edges]], packed["edge_attr"][edges].T]).T
    return x[np.argsort(rank)], bonds[np.lexsort(bonds.T)]


def assert_invariant(strings: list[str], ways: int) -> None:
    """Any SMILES of a molecule gives the same graph, atoms taken in the order of ``canonical_rank``."""
    for smiles in strings:
        mol = Chem.MolFromSmiles(smiles)
        others = [Chem.MolFromSmiles(s) for s in Chem.MolToRandomSmilesVect(mol, ways, randomSeed=1)]
        for chirality in ("written", "canonical"):
            packed = pack([mol, *others], chirality)
            expected = ranked(packed, 0, chirality == "canonical")
            for g in range(1, ways + 1):
                for part, want in zip(ranked(packed, g, chirality == "canonical"), expected, strict=True):
                    np.testing.assert_array_equal(part, want, err_msg=f"{smiles} {chirality}")


STEREO = """
C[C@H]1CC[C@@H](C)CC1 C[C@H]1CC[C@H](C)CC1 N[C@@]1(C[C@@H](C1)N2OC(=O)NC2=O)C(=O)O O[C@H]1CC[C@@](C)(O)CC1
COc1ccccc1C(=O)NC[C@@]2(CC[C@@H](CC2)OC(=O)N)c3ccccc3 CCCCNC(=O)O[C@@H]1CC[C@@](CNC(=O)c2ccccc2OC)(CC1)c3ccccc3
C[C@H](O)[C@@H](O)C C[C@H](O)[C@H](O)C O[C@H]1[C@H](O)[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O C[C@@H]1C[C@H](C)C1
OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O C[C@H](F)[C@@H](Cl)[C@@H](C)F C/C=C/[C@H](/C=C\\C)O F/C=C/F F/C=C\\F
C[C@]12CC[C@H]3[C@@H](CCc4cc(O)ccc34)[C@@H]1CC[C@@H]2O CN1CC[C@]23c4c5ccc(O)c4O[C@H]2[C@@H](O)C=C[C@H]3[C@H]1C5
C/C=C1/CC[C@H](C)CC1 C[S@](=O)CC [13CH3][C@H](C)O [2H][C@](C)(F)O C[C@@H](O)CC.[Na+].C[C@H](O)CC O=C1C[C@@H]2CC[C@H]1C2
"""


def test_does_not_depend_on_how_the_smiles_was_written():
    assert_invariant([*STEREO.split(), *make_demo(180, seed=2).smiles], ways=5)


@pytest.mark.data
def test_does_not_depend_on_how_the_smiles_of_chembl_were_written(data_root):
    import pandas as pd

    table = pd.read_csv(data_root / "smiles" / "real_smiles.csv.gz")
    chiral = table[table.source == "chembl20_chiral"].smiles.sample(400, random_state=0)
    assert_invariant(chiral.tolist(), ways=5)


def test_only_the_canonical_tag_survives_rewriting():
    ways = set(Chem.MolToRandomSmilesVect(Chem.MolFromSmiles("C[C@H](F)Cl"), 20, randomSeed=1))
    for chirality, count in (("written", 2), ("canonical", 1)):
        assert len({from_smiles(smiles, chirality=chirality).x[:, 1].max().item() for smiles in ways}) == count


def test_ogb_is_never_loaded():
    code = "import sys, plstm_graph; plstm_graph.from_smiles('CCO'); print('ogb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_rdkit_log_is_not_touched():
    before = rdBase.LogStatus()
    from_smiles("CCO")
    assert rdBase.LogStatus() == before
