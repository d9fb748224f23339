from __future__ import annotations

import numpy as np
from rdkit import Chem

from plstm_graph.chem import arrays
from plstm_graph.chem._binary import HEADER, PADDING, ambiguous, counts, decode, order_chirality
from plstm_graph.chem.arrays import pack


def run(forms: list[bytes]) -> np.ndarray:
    start = np.cumsum([0, *map(len, forms)])
    data = np.frombuffer(b"".join(forms) + bytes(PADDING), np.uint8)
    return decode(data, start, arrays._lookup())[-1]


def test_everything_but_queries_and_maps_is_decoded(tricky):
    mols = [Chem.MolFromSmiles(smiles) for smiles in tricky]
    forms = [mol.ToBinary(0) for mol in mols]
    sizes = np.array([(mol.GetNumAtoms(), mol.GetNumBonds()) for mol in mols])
    start = np.cumsum([0, *map(len, forms)])
    np.testing.assert_array_equal(counts(np.frombuffer(b"".join(forms), np.uint8), start), sizes)
    done = run(forms)
    left = {smiles for smiles, well in zip(tricky, done, strict=True) if not well}
    assert left == {
        smiles for smiles in tricky if "*" in smiles or ":1]" in smiles or ":7]" in smiles or "C~C" in smiles
    }


def test_damaged_input_is_declined_or_read_but_never_leaves_the_arrays(tricky):
    rng = np.random.default_rng(0)
    mols = [Chem.MolFromSmiles(smiles) for smiles in tricky]
    declined = 0
    for _ in range(20):
        forms = []
        for mol in mols:
            form = bytearray(mol.ToBinary(0))
            for at in rng.integers(HEADER, len(form), 3):
                form[at] = rng.integers(256)
            forms.append(bytes(form))
        declined += int((~run(forms)).sum())
    cut = [mol.ToBinary(0)[: HEADER + i % 4] for i, mol in enumerate(mols)]
    assert not run(cut).any()
    assert declined > 0


def test_order_of_neighbours_decides_the_tag():
    star = np.array([[0, 1, 0, 2, 0, 3, 0, 4], [1, 0, 2, 0, 3, 0, 4, 0]])
    for ranks, expected in (([4, 0, 1, 2, 3], 1), ([4, 1, 0, 2, 3], 2), ([4, 1, 2, 0, 3], 1), ([4, 3, 2, 1, 0], 1)):
        x = np.zeros((5, 9), np.int64)
        x[0, 1] = 1
        order_chirality(np.array([0, 5]), np.array([0, 8]), np.array(ranks), star, x)
        assert x[:, 1].tolist() == [expected, 0, 0, 0, 0], ranks


def test_ambiguous_centres():
    """Those whose ring looks the same both ways round."""
    expected = {
        "C[C@H]1CC[C@@H](C)CC1": True,
        "N[C@@]1(C[C@@H](C1)N2OC(=O)NC2=O)C(=O)O": True,
        "C[C@H](F)Cl": False,
        "C[C@H]1CC[C@@H](C)OC1": False,
        "C[C@]12CC[C@H]3[C@@H](CCc4cc(O)ccc34)[C@@H]1CC[C@@H]2O": False,
        "C1CC1": False,
    }
    packed = pack(map(Chem.MolFromSmiles, expected))
    found = ambiguous(packed["node_ptr"], packed["edge_ptr"], packed["edge_index"], packed["x"])
    assert dict(zip(expected, found.tolist(), strict=True)) == expected
