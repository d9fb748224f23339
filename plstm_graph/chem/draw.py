"""Pictures of molecules, with atoms and bonds coloured by numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from plstm_graph.chem.parse import parse_smiles
from plstm_graph.errors import ConfigError, FeatureError

Color = tuple[float, float, float]

NEGATIVE: Color = (0.16, 0.44, 0.78)
POSITIVE: Color = (0.93, 0.43, 0.07)


def value_color(value: float, limit: float) -> Color:
    """Blue at ``-limit``, white at 0, orange at ``+limit`` and beyond; red, green and blue from 0 to 1."""
    share = min(abs(value) / limit, 1.0) if limit > 0 else 0.0
    full = POSITIVE if value > 0 else NEGATIVE
    return tuple(1.0 - share * (1.0 - part) for part in full)  # type: ignore[return-value]


def draw_molecule(
    smiles_or_mol: str | Chem.Mol,
    *,
    atom_values: Sequence[float] | None = None,
    bond_values: Sequence[float] | None = None,
    limit: float | None = None,
    atom_colors: dict[int, Color] | None = None,
    bond_colors: dict[int, Color] | None = None,
    atom_labels: Sequence[str] | None = None,
    show_indices: bool = False,
    legend: str = "",
    size: tuple[int, int] = (400, 300),
    selectable: bool = False,
    path: str | Path | None = None,
) -> str:
    """Draw a molecule as SVG, and write it to a file if asked.

    Args:
        smiles_or_mol: a SMILES string or an RDKit molecule; atoms and bonds are numbered as RDKit reads them, which is
            the numbering of :func:`plstm_graph.chem.from_smiles` (bond b is the columns 2b and 2b + 1 of its
            ``edge_index``).
        atom_values: ``[N]`` numbers shown as colours, see :func:`value_color`; NaN and 0 stay uncoloured.
        bond_values: ``[E]`` likewise, on the same scale.
        limit: the value with the full colour; the largest absolute value by default.
        atom_colors: colours by atom number, instead of or on top of the values.
        bond_colors: likewise by bond number.
        atom_labels: ``[N]`` short texts beside the atoms.
        show_indices: write the atom numbers beside the atoms.
        legend: a line below the molecule.
        size: width and height in pixels.
        selectable: add invisible shapes with the classes ``atom-selector atom-i`` and ``bond-selector bond-b``, for
            pages that react to the pointer.
        path: file to write, ``.svg`` or ``.png``.

    Returns:
        The SVG, from ``<svg`` on; all text in it is drawn as paths, so that no label can become markup.

    Raises:
        SmilesError: the string cannot be read.
        FeatureError: values, colours or labels do not fit the number of atoms or bonds.
        ConfigError: the file name ends in something else than ``.svg`` or ``.png``.
    """
    suffix = Path(path).suffix.lower() if path is not None else ".svg"
    if suffix not in (".svg", ".png"):
        raise ConfigError(f"a molecule can be drawn as .svg or .png, not as {Path(str(path)).name!r}")
    mol = smiles_or_mol if isinstance(smiles_or_mol, Chem.Mol) else parse_smiles(smiles_or_mol)
    atoms = _values("atom_values", atom_values, mol.GetNumAtoms())
    bonds = _values("bond_values", bond_values, mol.GetNumBonds())
    if limit is None:
        limit = max((abs(v) for v in [*atoms.values(), *bonds.values()]), default=0.0)
    atom_paint = {i: value_color(v, limit) for i, v in atoms.items()} | (atom_colors or {})
    bond_paint = {i: value_color(v, limit) for i, v in bonds.items()} | (bond_colors or {})
    _check_numbers("atom_colors", atom_paint, mol.GetNumAtoms())
    _check_numbers("bond_colors", bond_paint, mol.GetNumBonds())
    prepared = rdMolDraw2D.PrepareMolForDrawing(_labelled(mol, atom_labels), kekulize=_can_kekulize(mol))

    def render(drawer: Any) -> Any:
        options = drawer.drawOptions()
        options.prepareMolsBeforeDrawing = False
        options.addAtomIndices = show_indices
        options.highlightRadius = 0.35
        options.atomHighlightsAreCircles = True
        options.highlightBondWidthMultiplier = 14
        if atom_paint or bond_paint:
            options.useBWAtomPalette()  # coloured element symbols are hard to read on coloured atoms
        drawer.DrawMolecule(
            prepared,
            legend=legend,
            highlightAtoms=list(atom_paint),
            highlightAtomColors=atom_paint,
            highlightBonds=list(bond_paint),
            highlightBondColors=bond_paint,
        )
        if selectable and hasattr(drawer, "TagAtoms"):
            drawer.TagAtoms(prepared)
        drawer.FinishDrawing()
        return drawer.GetDrawingText()

    svg = render(rdMolDraw2D.MolDraw2DSVG(*size))
    svg = svg[svg.index("<svg") :]
    if path is not None and suffix == ".svg":
        Path(path).write_text(svg, encoding="utf-8")
    elif path is not None:
        Path(path).write_bytes(render(rdMolDraw2D.MolDraw2DCairo(*size)))
    return svg


def _values(name: str, values: Sequence[float] | None, count: int) -> dict[int, float]:
    if values is None:
        return {}
    array = np.asarray(values, float)
    if array.shape != (count,):
        raise FeatureError(f"{name} must have {count} numbers, one each, got shape {list(array.shape)}")
    return {i: float(v) for i, v in enumerate(array) if math.isfinite(v) and v != 0}


def _check_numbers(name: str, paint: dict[int, Color], count: int) -> None:
    wrong = [i for i in paint if not 0 <= i < count]
    if wrong:
        raise FeatureError(f"{name} names number {wrong[0]}, but the molecule has 0 to {count - 1}")


def _labelled(mol: Chem.Mol, labels: Sequence[str] | None) -> Chem.Mol:
    if labels is None:
        return mol
    if len(labels) != mol.GetNumAtoms():
        raise FeatureError(f"atom_labels must have {mol.GetNumAtoms()} texts, one per atom, got {len(labels)}")
    mol = Chem.Mol(mol)
    for atom, label in zip(mol.GetAtoms(), labels, strict=True):
        if label:
            atom.SetProp("atomNote", str(label))
    return mol


def _can_kekulize(mol: Chem.Mol) -> bool:
    """Fragments of aromatic systems have no Kekule form, and are drawn with dashed rings."""
    try:
        Chem.Kekulize(Chem.Mol(mol))
    except Chem.KekulizeException:
        return False
    return True
