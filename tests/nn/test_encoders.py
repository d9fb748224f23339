"""Encoders."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.utils import from_smiles

from plstm_graph.chem import ATOM_DIMS, BOND_DIMS
from plstm_graph.errors import FeatureError
from plstm_graph.nn.encoders import (
    ATOM_FEATURE_SIZES,
    BOND_FEATURE_SIZES,
    AtomEncoder,
    BondEncoder,
    CategoryEncoder,
    DegreeEncoder,
    SinusoidalEncoding,
    node_degree,
    node_depth,
)
from tests.strategies import grid_dag


def test_sizes_are_those_of_the_features():
    assert tuple(ATOM_DIMS) == ATOM_FEATURE_SIZES
    assert tuple(BOND_DIMS) == BOND_FEATURE_SIZES


def test_atom_encoder_adds_one_embedding_per_feature():
    encoder = AtomEncoder(8)
    x = torch.stack([torch.randint(0, size, (20,)) for size in ATOM_FEATURE_SIZES], dim=1)
    tables = encoder.table.split(ATOM_FEATURE_SIZES)
    expected = sum(table[x[:, i]] for i, table in enumerate(tables))
    torch.testing.assert_close(encoder(x), expected)
    assert encoder(x[:0]).shape == (0, 8)


def test_sinusoidal_encoding():
    out = SinusoidalEncoding(7)(torch.arange(5))
    assert out.shape == (5, 7)
    torch.testing.assert_close(out[:, 0], torch.arange(5).float().sin())
    torch.testing.assert_close(out[:, 1], torch.arange(5).float().cos())


def test_degrees_have_a_vector_each_up_to_the_largest():
    encoder = DegreeEncoder(6, largest=3)
    out = encoder(torch.tensor([0, 3, 2, 4, 100]))
    torch.testing.assert_close(out, encoder.table[[0, 3, 2, 3, 3]])


def test_learned_degrees_do_not_drown_the_node_features():
    """Sines and cosines of small numbers are all but constant, and several times as long as an embedded label."""
    torch.manual_seed(0)
    x, degree = torch.randint(0, 37, (200, 1)), torch.randint(1, 5, (200,))
    labels = CategoryEncoder([37], 64)(x).norm(dim=1).mean()
    lengths = {
        encoder: encoder(64)(degree).norm(dim=1).mean() / labels for encoder in (DegreeEncoder, SinusoidalEncoding)
    }
    assert lengths[DegreeEncoder] < 1.5
    assert lengths[SinusoidalEncoding] > 4


def test_degree_and_depth():
    dag = grid_dag(3, 4)
    assert node_degree(dag).view(3, 4).tolist() == [[2, 3, 3, 2], [3, 4, 4, 3], [2, 3, 3, 2]]
    assert node_depth(dag).view(3, 4).tolist() == [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]


@pytest.mark.parametrize(("value", "column"), [(3, 0), (-1, 0), (2, 1), (-1, 1)])
def test_a_category_out_of_range_is_named_and_never_read_from_another_feature(value, column):
    x = torch.zeros(4, 2, dtype=torch.int64)
    x[2, column] = value
    with pytest.raises(
        FeatureError, match=rf"row 2, column {column} of the categorical features is {value}, but .* 0 to"
    ):
        CategoryEncoder([3, 2], 8)(x)


def test_bonds_as_pyg_codes_them_are_refused():
    bonds = from_smiles("c1ccccc1").edge_attr
    with pytest.raises(FeatureError, match="is 12, but that feature has the categories 0 to 4"):
        BondEncoder(8)(bonds)
