"""Matplotlib figures as SVG whose colours follow the style of the page, in light and in dark."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = {
    name: f"#0a0b{number:02x}" for number, name in enumerate(("ink", "soft", "line", "train", "valid", "test"), start=1)
}
"""What a chart is drawn with; on the page these colours become the CSS variables ``--ink``, ``--soft``, ..."""

_SETTINGS = {
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.titlesize": 9,
    "text.color": COLORS["ink"],
    "axes.labelcolor": COLORS["ink"],
    "axes.edgecolor": COLORS["soft"],
    "xtick.color": COLORS["soft"],
    "ytick.color": COLORS["soft"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLORS["line"],
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "lines.linewidth": 1.6,
}
_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r"#([\w-]+)")


@dataclass(frozen=True)
class Chart:
    """A picture of the page.

    Attributes:
        svg: the drawing, without texts of users.
        label: what it shows, in words.
        caption: what stands below it.
    """

    svg: str
    label: str
    caption: str = ""


class Drawing:
    """``with Drawing() as drawing:`` paint on ``drawing.axes``; ``drawing.svg(name)`` gives the SVG.

    Args:
        width, height: in inches; the page scales them to the width of its columns.
    """

    def __init__(self, width: float = 4.6, height: float = 3.3) -> None:
        from matplotlib import rc_context

        self._settings = rc_context(_SETTINGS)
        self._size = (width, height)
        self.figure: Figure
        self.axes: Axes

    def __enter__(self) -> Drawing:
        from matplotlib.figure import Figure

        self._settings.__enter__()
        self.figure = Figure(figsize=self._size, layout="constrained")
        self.axes = self.figure.add_subplot()
        return self

    def __exit__(self, *problem: object) -> None:
        self._settings.__exit__(*problem)

    def svg(self, name: str) -> str:
        """The SVG; ``name`` keeps its identifiers apart from those of other charts on the page."""
        from matplotlib import rc_context

        file = io.StringIO()
        with rc_context({"svg.hashsalt": name}):
            self.figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        text = file.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
        text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
        text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
        used = set(_REFERENCE.findall(text))  # others, such as axes_1, would stand several times on the page
        text = _ID.sub(lambda found: found[0] if found[1] in used else "", text)
        for color, value in COLORS.items():
            text = text.replace(value, f"var(--{color})")
        return text
