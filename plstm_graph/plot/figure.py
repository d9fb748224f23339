"""The figures: a DAG beside its line graph, the line graph alone, and the wavefronts one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch_geometric.data import Data

from plstm_graph.plot import draw
from plstm_graph.plot.layout import layered
from plstm_graph.plot.subject import Subject, depth, subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDEST = 13.0
"""Width of a figure in inches that is not exceeded; larger graphs are drawn smaller."""

HEADING = 0.32
"""Inches above every panel for its heading."""

MOST_NUMBERED = 80
"""With more edges than this the numbers on the arrows would hide them."""


def plot_dag(
    graph: Any,
    *,
    order: str | Callable[[Data], Tensor] = "canonical",
    names: Sequence[Hashable] | None = None,
    layout: str = "auto",
    line_graph: bool = True,
    title: str | None = None,
    max_edges: int = 500,
) -> Figure:
    """Draw a graph with its orientation, and beside it its line graph with levels as columns.

    Arrows of the DAG and nodes of the line graph bear the position of the edge in ``dag.edge_index`` and the colour
    of its level: edges of one colour are computed at the same time (a wavefront). Line edges that D-mode drops to get
    a multitree are dashed.

    Args:
        graph: a SMILES string, a ``Data`` (with or without ``dag``), a ``LineDAG`` or a networkx graph.
        order: orientation of an undirected graph that has no ``dag`` yet, as in :class:`plstm_graph.ToLineDAG`.
        names: label of every node; ``None`` means element symbols, ``data.node_names`` or numbers.
        layout: ``"molecule"`` (RDKit), ``"spring"``, ``"layers"`` (columns by depth), or ``"auto"``,
            which draws a :meth:`LineDAG.grid` as a grid.
        line_graph: draw the line graph as well.
        title: title of the figure; ``None`` says how large the DAG is.
        max_edges: a graph with more edges is refused.

    Returns:
        A matplotlib ``Figure`` that pyplot does not know of: ``figure.savefig("dag.png")``.

    Raises:
        GraphError: ``graph`` cannot be drawn, is too large, or ``names`` has the wrong length.
        ConfigError: ``layout`` or ``order`` does not exist.
        SmilesError: the SMILES string cannot be read.
    """
    what = subject(graph, order, names, layout, max_edges)
    dag_panel = _dag_panel(what)
    panels = [dag_panel, _line_panel(what)] if line_graph else [dag_panel]
    return _compose(panels, title if title is not None else what.title)


def plot_line_graph(
    graph: Any,
    *,
    order: str | Callable[[Data], Tensor] = "canonical",
    title: str | None = None,
    max_edges: int = 500,
) -> Figure:
    """Draw the line graph alone: one node per DAG edge, columns are levels, dashed line edges are dropped in D-mode.

    Arguments, result and errors are those of :func:`plot_dag`.
    """
    what = subject(graph, order, None, "layers", max_edges)
    return _compose([_line_panel(what)], title if title is not None else what.title)


def plot_wavefronts(
    graph: Any,
    *,
    order: str | Callable[[Data], Tensor] = "canonical",
    names: Sequence[Hashable] | None = None,
    layout: str = "auto",
    title: str | None = None,
    max_panels: int = 12,
    max_edges: int = 500,
) -> Figure:
    """Draw the DAG once per level: the edges computed in that step in colour, those before in grey, the rest pale.

    Args:
        graph: a SMILES string, a ``Data``, a ``LineDAG`` or a networkx graph.
        max_panels: with more levels than this, levels evenly spread between the first and the last are shown.
        order, names, layout, title, max_edges: as in :func:`plot_dag`.

    Returns:
        A matplotlib ``Figure`` that pyplot does not know of.

    Raises:
        GraphError, ConfigError, SmilesError: as in :func:`plot_dag`.
    """
    what = subject(graph, order, names, layout, max_edges)
    count = max(min(what.dag.num_levels, max_panels), 1)
    steps = np.unique(np.linspace(0, max(what.dag.num_levels - 1, 0), count).round().astype(int))
    across = 4 if what.dag.num_edges <= 16 else 3
    panels = [_dag_panel(what, int(step), WIDEST / across) for step in steps]
    return _compose(panels, title if title is not None else what.title, min(len(steps), across))


@dataclass(frozen=True)
class _Panel:
    """One drawing in data coordinates, and how large one unit of them is on paper.

    Args:
        low, high: corners ``[2]`` of what is drawn, with margins.
        unit: inches per unit ``[2]`` of x and y.
        heading: title of the panel.
        paint: draws on axes whose scale is ``unit``.
    """

    low: np.ndarray
    high: np.ndarray
    unit: np.ndarray
    heading: str
    paint: Callable[[Axes], None]

    @property
    def inches(self) -> np.ndarray:
        """Width and height on paper, wide enough for the heading."""
        return np.maximum((self.high - self.low) * self.unit, [0.08 * len(self.heading), 0.8])

    def draw(self, ax: Axes, inches: np.ndarray) -> None:
        """Paint in the middle of a cell of that size, at the scale of the panel, however large the cell is."""
        ax.set_axis_off()
        ax.set_title(self.heading, fontsize=9, color=draw.INK)
        half, middle = inches / self.unit / 2, (self.low + self.high) / 2
        ax.set_xlim(middle[0] - half[0], middle[0] + half[0])
        ax.set_ylim(middle[1] - half[1], middle[1] + half[1])
        self.paint(ax)


def _compose(panels: list[_Panel], title: str, columns: int | None = None) -> Figure:
    """Panels side by side where they fit, else below each other."""
    from matplotlib.figure import Figure

    if columns is None:
        columns = len(panels) if sum(panel.inches[0] for panel in panels) <= WIDEST else 1
    rows = -(-len(panels) // columns)
    grid = [panels[r * columns : (r + 1) * columns] for r in range(rows)]
    heights = [max(panel.inches[1] for panel in row) for row in grid]
    widths = [max(row[c].inches[0] for row in grid if c < len(row)) for c in range(columns)]
    head, foot = 0.45, 0.12
    full = np.array([sum(widths), sum(heights) + HEADING * rows + head + foot])
    figure = Figure(figsize=tuple(full), dpi=120)
    figure.text(0.5, 1 - 0.2 / full[1], title, fontsize=11, ha="center", va="center")
    bottom = full[1] - head
    for row, height in zip(grid, heights, strict=True):
        bottom -= height + HEADING
        for c, panel in enumerate(row):
            inches = np.array([widths[c], height])
            corner = np.array([sum(widths[:c]), bottom])
            panel.draw(figure.add_axes((*(corner / full), *(inches / full))), inches)
    return figure


def _dag_panel(what: Subject, step: int | None = None, widest: float = WIDEST) -> _Panel:
    dag = what.dag
    points, routes = what.points, None
    if points is None:
        stretch = np.array([1.7, 0.8])
        points, routes = layered(depth(dag).tolist(), [(tail, head) for tail, head in dag.edge_index.t().tolist()])
        points, routes = points * stretch, [route * stretch for route in routes]
    low, high = draw.corners([points, *(routes or [])], 0.6)
    roomy = max(0.62, draw.reach(what.labels, draw.NODE_POINTS) / 38)
    unit = min(roomy, widest / (high - low)[0], 7.5 / (high - low)[1])
    size = min(draw.NODE_POINTS, draw.NODE_POINTS * 1.1 * unit / roomy)

    def paint(ax: Axes) -> None:
        reach = draw.reach(what.labels, size)
        _paint_edges(ax, what, points, routes, step, size, reach, unit)
        colors = [draw.element_color(label) if what.is_molecule else draw.INK for label in what.labels]
        draw.nodes(ax, points, what.labels, ["white"] * len(points), colors, colors, size)

    heading = "DAG: edges numbered and coloured by level" if step is None else f"step {step}"
    return _Panel(low, high, np.array([unit, unit]), heading, paint)


def _paint_edges(
    ax: Axes,
    what: Subject,
    points: np.ndarray,
    routes: list[np.ndarray] | None,
    step: int | None,
    size: float,
    reach: float,
    unit: float,
) -> None:
    dag = what.dag
    levels = dag.level.tolist()
    colors = draw.level_colors(levels, dag.num_levels)
    bold = [1.0] * len(levels)
    if step is None:
        draw.bond_lines(ax, points, what.bonds)
    else:
        bold = [1.8 if level == step else 1.0 for level in levels]
        colors = [colors[e] if v == step else draw.PAST if v < step else draw.AHEAD for e, v in enumerate(levels)]
    copies: Counter[tuple[int, int]] = Counter()
    for e, (tail, head) in enumerate(dag.edge_index.t().tolist()):
        copy = copies[tail, head]
        copies[tail, head] += 1
        if routes is not None:
            middle = draw.route(ax, routes[e], colors[e], reach / 144 / unit, 0.12 * size * bold[e], bulge=0.45 * copy)
        else:
            middle = draw.arrow(ax, points[tail], points[head], colors[e], size * bold[e], reach, bend=0.3 * copy)
        if step is None and dag.num_edges <= MOST_NUMBERED:
            draw.tag(ax, middle, str(e), size)


def _line_panel(what: Subject) -> _Panel:
    dag = what.dag
    flip = np.array([1.0, -1.0])  # the first edges of a level on top
    points, routes = layered(dag.level.tolist(), [(a, b) for a, b in dag.line_index.t().tolist()])
    points, routes = points * flip, [route * flip for route in routes]
    low, high = draw.corners([points, *routes], 0.6)
    top = high[1] + 0.5
    low, high = low - np.array([0.6, 0.8 if dag.multitree.all() else 1.4]), high + np.array([0.0, 1.0])
    unit = np.minimum([0.68, 0.36], [WIDEST, 8.0] / (high - low))
    size = min(draw.NODE_POINTS, 72 * 0.42 * unit[0], 72 * 0.85 * unit[1])
    colors = draw.level_colors(dag.level.tolist(), dag.num_levels)

    def paint(ax: Axes) -> None:
        for path, kept in zip(routes, dag.multitree.tolist(), strict=True):
            color = draw.INK if kept else draw.PRUNED
            draw.route(ax, path, color, size / 144 / unit[0], 0.08 * size, dashed=not kept)
        inks = [draw.ink_on(color) for color in colors]
        draw.nodes(ax, points, [str(e) for e in range(dag.num_edges)], colors, ["white"] * len(colors), inks, size)
        draw.column_heads(ax, top, draw.level_colors(range(dag.num_levels), dag.num_levels))
        draw.line_legend(ax, bool(dag.multitree.all()))

    return _Panel(low, high, unit, "line graph: one node per edge, in columns by level", paint)
