"""What the page needs of one molecule: a drawing, where its atoms are, and all numbers as plain values."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor

from plstm_graph.chem.draw import draw_molecule, value_color
from plstm_graph.chem.parse import parse_smiles
from plstm_graph.explain.attribution import LayerAttribution
from plstm_graph.explain.molecule import MoleculeExplanation
from plstm_graph.graph.linedag import LineDAG

_ATOM = re.compile(r"<circle\s+cx='([-\d.]+)' cy='([-\d.]+)'[^>]*class='atom-selector atom-(\d+)'")
_SELECTOR = re.compile(r"<(?:circle|path)\b[^>]*-selector [^>]*/>\s*")
DIGITS = 6
LABEL_ROOM = 55.0
"""Pixels around the outermost atoms for their symbols and numbers."""


def molecule_view(found: MoleculeExplanation) -> dict[str, Any]:
    """Values of the template: texts, the drawing as SVG, and ``numbers`` for the script."""
    mol = parse_smiles(found.smiles)
    atoms = mol.GetNumAtoms()
    width, height = (480, 380) if atoms <= 40 else (680, 520) if atoms <= 90 else (960, 720)
    drawing = draw_molecule(
        mol,
        size=(width, height),
        selectable=True,
        atom_labels=[str(i) for i in range(atoms)],  # RDKit's own indices would number drawn hydrogens as well
        atom_colors={0: (1.0, 1.0, 1.0)},  # white, so that all symbols are black and can be read on every colour
    )
    places = {int(atom): (float(x), float(y)) for x, y, atom in _ATOM.findall(drawing)}
    points = [places[atom] for atom in range(atoms)]
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]
    labels = [f"{atom.GetSymbol()}{atom.GetIdx()}" for atom in mol.GetAtoms()]
    radius = _radius(points, bonds)
    blanked = found.atoms.blanked
    limit = float(blanked[:, 0].abs().max())
    return {
        "name": found.name,
        "smiles": found.smiles,
        "predictions": [(n, f"{v:.4g}") for n, v in zip(found.targets, found.predictions.tolist(), strict=True)],
        "notes": found.notes,
        "unit": found.unit,
        "frame": " ".join(f"{v:.0f}" for v in _frame(points, width, height)),
        "radius": radius,
        "drawing": _SELECTOR.sub("", drawing),
        "points": points,
        "segments": [_between(points[i], points[j], radius) for i, j in bonds],
        "labels": labels,
        "colors": [_css(value_color(v, limit)) for v in blanked[:, 0].tolist()],
        "numbers": {
            "labels": labels,
            "symbols": [atom.GetSymbol() for atom in mol.GetAtoms()],
            "points": points,
            "bonds": bonds,
            "radius": radius,
            "unit": found.unit,
            "targets": list(found.targets),
            "output": _plain(found.atoms.output),
            "blanked": _plain(blanked.T),
            "gradient": _plain(found.atoms.gradient_input.T),
            "layers": [_layer(layer, found.data.dag) for layer in found.layers],
        },
    }


def _layer(found: LayerAttribution, dag: LineDAG) -> dict[str, Any]:
    return {
        "layer": found.layer,
        "mode": found.mode,
        "reverse": found.reverse,
        "edges": found.edge_index.T.tolist(),
        "bond": (dag.edge_id // 2).tolist(),
        "level": wavefronts(dag, found.reverse),
        "lines": [int(dag.multitree.sum()) if found.mode == "D" else dag.num_line_edges, dag.num_line_edges],
        "residual": found.residual,
        "mark": _plain(found.mark),
        "direct": _plain(found.direct),
        "directShare": _plain(found.direct_share),
        "length": _plain(found.value.norm(dim=-1)),
        "gating": _plain(found.gating),
        "match": _plain(found.match),
        "share": _plain(found.share),
        "edgeShare": _plain(found.edge_share),
        "paths": _plain(found.paths),
    }


def wavefronts(dag: LineDAG, reverse: bool) -> list[int]:
    """Step in which each edge is computed: longest path of line edges that ends in it, in the direction of travel."""
    if not reverse:
        return dag.level.tolist()
    level = [0] * dag.num_edges
    for before, after in sorted(dag.line_index.T.tolist(), key=lambda pair: -pair[1]):
        level[before] = max(level[before], level[after] + 1)
    return level


def _radius(points: list[tuple[float, float]], bonds: list[tuple[int, int]]) -> float:
    lengths = sorted(math.dist(points[i], points[j]) for i, j in bonds)
    return min(20.0, 0.36 * lengths[len(lengths) // 2]) if lengths else 20.0


def _between(start: tuple[float, float], end: tuple[float, float], radius: float) -> tuple[float, float, float, float]:
    """Ends of the part of a bond that no atom covers."""
    share = min(radius / max(math.dist(start, end), 1e-9), 0.5)
    (x, y), (u, v) = start, end
    return x + share * (u - x), y + share * (v - y), u + share * (x - u), v + share * (y - v)


def _frame(points: list[tuple[float, float]], width: float, height: float) -> tuple[float, float, float, float]:
    """Left, top, width and height of the part of a drawing that is not empty, at least a third of it."""
    frame = []
    for places, size in zip(zip(*points, strict=True), (width, height), strict=True):
        low, high = max(0.0, min(places) - LABEL_ROOM), min(size, max(places) + LABEL_ROOM)
        missing = max(0.0, size / 3 - (high - low))
        frame.append((low - missing / 2, high - low + missing))
    (left, across), (top, down) = frame
    return left, top, across, down


def _css(color: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)


def _plain(values: Tensor) -> Any:
    """Nested lists with six significant digits, which keeps the page small; exact zeros stay zero."""

    def short(value: Any) -> Any:
        if isinstance(value, list):
            return [short(v) for v in value]
        return float(f"{value:.{DIGITS}g}") if value else 0

    return short(torch.as_tensor(values).detach().double().cpu().tolist())
