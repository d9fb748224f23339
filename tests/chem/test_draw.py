from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest
from rdkit import Chem

from plstm_graph.chem import draw_molecule
from plstm_graph.chem.draw import NEGATIVE, POSITIVE, value_color
from plstm_graph.errors import ConfigError, FeatureError, SmilesError


def fills(svg: str) -> set[str]:
    """Colours of the ellipses and circles behind atoms and of the areas behind bonds."""
    return set(re.findall(r"fill:(#[0-9A-F]{6})", svg)) - {"#FFFFFF", "#000000"}


def hexa(color: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{int(part * 255):02X}" for part in color)


def test_colours_of_values():
    assert value_color(2.0, 2.0) == pytest.approx(POSITIVE)
    assert value_color(-2.0, 2.0) == pytest.approx(NEGATIVE)
    assert value_color(9.0, 2.0) == pytest.approx(POSITIVE)
    assert value_color(0.0, 2.0) == value_color(0.0, 0.0) == (1.0, 1.0, 1.0)
    half = value_color(1.0, 2.0)
    assert all(POSITIVE[i] < half[i] < 1 for i in range(3))


@pytest.mark.parametrize("smiles", ["CCO", "[U]", "[Na+].[Cl-]", "C[C@H](F)/C=C/Cl", "*c1ccccc1", "[2H]O[2H]"])
def test_is_well_formed_svg(smiles):
    svg = draw_molecule(smiles, size=(120, 90), legend="a < b & c", selectable=True)
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert (root.get("width"), root.get("height")) == ("120px", "90px")


def test_values_colour_atoms_and_bonds():
    assert fills(draw_molecule("CCO")) == set()
    svg = draw_molecule("CCO", atom_values=[1.0, 0.0, math.nan], bond_values=[-1.0, 0.0])
    assert fills(svg) == {hexa(POSITIVE), hexa(NEGATIVE)}
    weak = draw_molecule("CCO", atom_values=[1.0, 0.0, 0.0], limit=10.0)
    assert hexa(POSITIVE) not in fills(weak)
    assert fills(draw_molecule("CCO", atom_values=[0.0, 0.0, 0.0])) == set()


def test_explicit_colours_win():
    svg = draw_molecule(
        "CC", atom_values=[1.0, 0.0], atom_colors={0: (1.0, 0.0, 0.0)}, bond_colors={0: (0.0, 1.0, 0.0)}
    )
    assert fills(svg) == {"#FF0000", "#00FF00"}


def test_labels_indices_and_legend_add_shapes():
    plain = draw_molecule("CCO")
    assert draw_molecule("CCO", show_indices=True).count("<path") == plain.count("<path") + 3
    assert draw_molecule("CCO", atom_labels=["x", "", ""]).count("<path") == plain.count("<path") + 1
    assert draw_molecule("CCO", legend="x").count("<path") == plain.count("<path") + 1


def test_text_never_becomes_markup():
    hostile = "<script>alert(1)</script>"
    svg = draw_molecule("CO", legend=hostile, atom_labels=[hostile, '"&']).lower()
    assert "script" not in svg
    assert "alert" not in svg


def test_selectable_shapes_carry_the_numbers():
    svg = draw_molecule("CCO", selectable=True)
    assert len(re.findall(r"class='atom-selector atom-\d'", svg)) == 3
    assert len(re.findall(r"class='bond-selector bond-\d ", svg)) == 2
    assert "selector" not in draw_molecule("CCO")


def test_the_molecule_is_left_as_it_was():
    mol = Chem.MolFromSmiles("c1ccccc1O")
    before = mol.ToBinary(Chem.PropertyPickleOptions.AllProps)
    draw_molecule(mol, atom_labels=list("abcdefg"))
    assert mol.ToBinary(Chem.PropertyPickleOptions.AllProps) == before


def test_a_fragment_without_kekule_form_is_drawn():
    mol = Chem.MolFromSmiles("c1cccc1", sanitize=False)
    mol.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(mol)
    ET.fromstring(draw_molecule(mol))


def test_files(tmp_path):
    svg = draw_molecule("CCO", path=tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == svg
    draw_molecule("CCO", atom_values=[1, 2, 3], path=str(tmp_path / "a.PNG"))
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match=r"not as 'a\.gif'"):
        draw_molecule("CCO", path=tmp_path / "a.gif")


def test_what_does_not_fit():
    with pytest.raises(FeatureError, match=r"atom_values must have 3 numbers, one each, got shape \[2\]"):
        draw_molecule("CCO", atom_values=[1, 2])
    with pytest.raises(FeatureError, match="bond_values must have 2"):
        draw_molecule("CCO", bond_values=[1, 2, 3])
    with pytest.raises(FeatureError, match="atom_labels must have 3 texts, one per atom, got 1"):
        draw_molecule("CCO", atom_labels=["x"])
    with pytest.raises(FeatureError, match="bond_colors names number 2, but the molecule has 0 to 1"):
        draw_molecule("CCO", bond_colors={2: (1.0, 0.0, 0.0)})
    with pytest.raises(SmilesError):
        draw_molecule("C(")
