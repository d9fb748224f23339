from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from plstm_graph.chem.features import (
    ATOM_DIMS,
    ATOM_FEATURES,
    BOND_DIMS,
    BOND_FEATURES,
    CHIRALITY,
    atom_table,
    bond_tables,
    index_of,
)
from plstm_graph.errors import FeatureError


def test_tables_are_those_of_ogb(smiles2graph):
    from ogb.utils.features import allowable_features, get_atom_feature_dims, get_bond_feature_dims

    assert list(ATOM_DIMS) == get_atom_feature_dims()
    assert list(BOND_DIMS) == get_bond_feature_dims()
    ours = [list(values) for values in (ATOM_FEATURES | BOND_FEATURES).values()]
    assert ours == list(allowable_features.values())
    assert list(ATOM_FEATURES)[CHIRALITY] == "chirality"


def test_unlisted_values_are_the_last_of_the_table():
    assert index_of("atomic_number", 0) == 118
    assert index_of("degree", 99) == ATOM_DIMS[2] - 1
    assert index_of("type", "DATIVE") == BOND_DIMS[0] - 1


def test_a_stereo_label_without_a_number_is_an_error():
    with pytest.raises(FeatureError, match="stereo STEREOATROPCW is none of STEREONONE"):
        index_of("stereo", "STEREOATROPCW")


def test_plain_tables_equal_ogb(tricky, smiles2graph):
    for smiles in tricky:
        mol, expected = Chem.MolFromSmiles(smiles), smiles2graph(smiles)
        edge_index, edge_attr = bond_tables(mol)
        np.testing.assert_array_equal(atom_table(mol), expected["node_feat"], err_msg=smiles)
        np.testing.assert_array_equal(edge_index, expected["edge_index"], err_msg=smiles)
        np.testing.assert_array_equal(edge_attr, expected["edge_feat"], err_msg=smiles)


def test_sizes_need_no_rdkit():
    import subprocess
    import sys

    code = "import sys, plstm_graph.chem.features as f; print(f.ATOM_DIMS, 'rdkit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
