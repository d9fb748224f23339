"""Strokes on matplotlib axes: nodes, arrows, bonds, columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from plstm_graph.plot.layout import Bond

INK = "#333333"
PALE = "#b9bec5"
PRUNED = "#d1495b"
PAST = "#8a8f98"
AHEAD = "#d5d9df"
ELEMENTS = {
    "N": "#2b50c8", "O": "#cc2a1f", "S": "#9a7400", "F": "#1f8a3b", "Cl": "#1f8a3b", "Br": "#8a3b1f",
    "I": "#6b1f8a", "P": "#c06000", "B": "#a0605a", "Si": "#7a6a4a",
}  # fmt: skip
NODE_POINTS = 15.0
"""Diameter of a node in points (1/72 inch) where there is room for it."""


def level_colors(levels: Sequence[int], num_levels: int) -> list[Any]:
    """One colour per wavefront, from dark violet (first) to green-yellow (last)."""
    from matplotlib import colormaps

    span = max(num_levels - 1, 1)
    return [colormaps["viridis"](0.82 * level / span) for level in levels]


def corners(shapes: Sequence[np.ndarray], margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower left and upper right corner of all points, ``margin`` further out."""
    points = np.concatenate([shape.reshape(-1, 2) for shape in shapes])
    if not len(points):
        points = np.zeros((1, 2))
    return points.min(axis=0) - margin, points.max(axis=0) + margin


def arrow(
    ax: Axes, start: np.ndarray, end: np.ndarray, color: Any, size: float, reach: float, bend: float
) -> np.ndarray:
    """Straight or bent arrow between two nodes that are ``reach`` points wide; returns its middle."""
    from matplotlib.patches import FancyArrowPatch

    ax.add_patch(
        FancyArrowPatch(
            tuple(start),
            tuple(end),
            arrowstyle="-|>,head_length=0.45,head_width=0.24",
            connectionstyle=f"arc3,rad={bend}",
            mutation_scale=0.8 * size,
            shrinkA=reach / 2,
            shrinkB=reach / 2,
            color=color,
            linewidth=0.12 * size,
            joinstyle="miter",
            zorder=2,
        )
    )
    along = end - start
    return (start + end) / 2 + bend / 2 * np.array([along[1], -along[0]])


def route(
    ax: Axes,
    points: np.ndarray,
    color: Any,
    gap: float,
    width: float,
    dashed: bool = False,
    bulge: float = 0.0,
) -> np.ndarray:
    """Arrow through ``points [k, 2]``, flat at each, that starts and ends ``gap`` off its nodes; returns its middle."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    points = points.copy()
    points[0, 0] += gap
    points[-1, 0] -= gap
    middle = (points[0] + points[1]) / 2 + np.array([0.0, bulge])
    if bulge:
        points = np.insert(points, 1, middle, axis=0)
    vertices, codes = [points[0]], [Path.MOVETO]
    for start, end in pairwise(points):
        half = np.array([(end[0] - start[0]) / 2, 0.0])
        vertices += [start + half, end - half, end]
        codes += [Path.CURVE4] * 3
    line = {"color": color, "linewidth": width, "zorder": 1}
    # the dashes must not cut the arrow head, so line and head are drawn apart
    curve = Path(np.array(vertices), codes)
    ax.add_patch(FancyArrowPatch(path=curve, arrowstyle="-", linestyle=(0, (3, 2)) if dashed else "-", **line))
    tip = Path(np.array([points[-1] - [0.03, 0], points[-1]]), [Path.MOVETO, Path.LINETO])
    ax.add_patch(FancyArrowPatch(path=tip, arrowstyle="-|>", mutation_scale=4 + 4 * width, **line))
    return middle


def _shown(label: str) -> str:
    return label if len(label) <= 9 else label[:8] + "…"


def reach(labels: Sequence[str], size: float) -> float:
    """Width in points of the widest node with text in it."""
    longest = max((len(_shown(label)) for label in labels), default=0)
    return size if longest <= 2 else max(size, 0.27 * size * longest + 4)


def nodes(
    ax: Axes,
    points: np.ndarray,
    labels: Sequence[str],
    faces: Sequence[Any],
    rims: Sequence[Any],
    inks: Sequence[Any],
    size: float,
) -> None:
    """Discs of ``size`` points with text in them; a label of more than two characters gets a box instead."""
    for point, label, face, rim, ink in zip(points, labels, faces, rims, inks, strict=True):
        if len(label) <= 2:
            ax.plot(*point, "o", markersize=size, color=face, markeredgecolor=rim, markeredgewidth=0.9, zorder=3)
            ax.text(*point, label, ha="center", va="center_baseline", fontsize=0.53 * size, color=ink, zorder=4)
        else:
            box = {"boxstyle": "round,pad=0.3", "facecolor": face, "edgecolor": rim, "linewidth": 0.9}
            font = 0.4 * size
            ax.text(*point, _shown(label), ha="center", va="center", fontsize=font, color=ink, bbox=box, zorder=4)


def element_color(symbol: str) -> str:
    """Usual colour of an element, whatever its charge."""
    return ELEMENTS.get(symbol.rstrip("+−0123456789"), INK)


def bond_lines(ax: Axes, points: np.ndarray, bonds: Sequence[Bond]) -> None:
    """Pale second and third strokes beside the arrows of double, aromatic (dotted) and triple bonds."""
    for i, j, order, inside in bonds:
        if order < 1.5:
            continue
        start, end = points[i], points[j]
        along = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
        side = np.array([-along[1], along[0]])
        if np.dot(inside - (start + end) / 2, side) < 0:
            side = -side
        for sign in (1, -1) if order >= 3 else (1,):
            a, b = start + 0.12 * sign * side + 0.24 * along, end + 0.12 * sign * side - 0.24 * along
            style = (0, (1, 1.2)) if order == 1.5 else "-"
            ax.plot([a[0], b[0]], [a[1], b[1]], color=PALE, linewidth=1.5, linestyle=style, zorder=1)


def ink_on(color: Any) -> str:
    """Black or white, whichever reads better on ``color``."""
    red, green, blue = color[:3]
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.58 else "black"


def tag(ax: Axes, point: np.ndarray, text: str, size: float) -> None:
    """Small number on an arrow."""
    box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.9}
    ax.text(*point, text, ha="center", va="center", fontsize=0.4 * size, color=INK, bbox=box, zorder=2.5)


def column_heads(ax: Axes, top: float, colors: Sequence[Any]) -> None:
    """Number of every level above its column."""
    if not colors:
        ax.text(0, 0, "no edges", ha="center", va="center", fontsize=9, color=INK)
        return
    for level, color in enumerate(colors):
        ax.text(level, top, str(level), ha="center", va="center", fontsize=7.5, color=color, fontweight="bold")
    ax.text(-0.4, top, "level", ha="right", va="center", fontsize=7.5, color=INK)


def line_legend(ax: Axes, nothing_pruned: bool) -> None:
    """Say what solid and dashed line edges mean."""
    from matplotlib.lines import Line2D

    kept = Line2D([], [], color=INK, linewidth=1.2, label="line edge, kept in D-mode")
    dropped = "dropped in D-mode (P-mode has all)"
    pruned = Line2D([], [], color=PRUNED, linewidth=1.2, linestyle=(0, (3, 2)), label=dropped)
    handles = [kept] if nothing_pruned else [kept, pruned]
    ax.legend(handles=handles, loc="lower center", fontsize=7.5, frameon=False, borderaxespad=0.0)
