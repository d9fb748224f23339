"""Table and figure of the reach at the start of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import geometric_mean

from benchmarks.dags.distance_report import COLORS
from plstm_graph.train.records import Record

LEAST = 1e-30
"""What is smaller counts as this, so that a mean of logarithms exists."""


def write_report(records: Sequence[Record], folder: Path, shapes: Sequence[str], models: Sequence[str]) -> str:
    """Write ``gradient-norms.md`` and ``.png``; returns the table."""
    text = _table(records, shapes, models)
    (folder / "gradient-norms.md").write_text(text, encoding="utf-8")
    _draw(records, folder / "gradient-norms.png", shapes, models)
    return text


def means(records: Sequence[Record], shape: str, model: str, what: str) -> dict[int, float]:
    """Geometric mean over the seeds by distance."""
    runs = [r for r in records if r["shape"] == shape and r["model"] == model and what in r]
    values = zip(*(run[what] for run in runs), strict=True)
    return {
        distance: geometric_mean(max(LEAST, value) for value in row)
        for distance, row in zip(runs[0]["distances"] if runs else (), values, strict=True)
    }


def _table(records: Sequence[Record], shapes: Sequence[str], models: Sequence[str]) -> str:
    distances = sorted({d for record in records for d in record["distances"]})
    lines = [
        "# Gradient norms at the start of training", "",
        "Norm of a far node's output by the first node's input, as a share of that at distance 1, and for pLSTM the "
        "transport of one edge's state (largest node at the distance, and sum over all of them; bounds: 1 for the sum "
        "in P-mode, and for every edge that enters a node in D-mode). Geometric mean over seeds. "
        "`python -m benchmarks.dags gradient-norms`",
        "", "| graph | model | what | " + " | ".join(map(str, distances)) + " |",
        "|---|---|---|" + "---|" * len(distances),
    ]  # fmt: skip
    for shape in shapes:
        for model in models:
            for what in ("gradient", "largest", "sum"):
                found = means(records, shape, model, what)
                if found:
                    cells = [f"{found[d]:.2g}" if d in found else "-" for d in distances]
                    lines.append(f"| {shape} | {model} | {what} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _draw(records: Sequence[Record], path: Path, shapes: Sequence[str], models: Sequence[str]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(shapes), 6.2), layout="constrained")
    rows = figure.subplots(2, len(shapes), squeeze=False, sharex=True)
    for column, shape in enumerate(shapes):
        upper, lower = rows[0][column], rows[1][column]
        for model in models:
            for what, panel, line in (("largest", upper, "-"), ("sum", upper, ":"), ("gradient", lower, "-")):
                found = means(records, shape, model, what)
                if found:
                    label = model if what == "gradient" else f"{model}, {what}"
                    panel.plot([*found], [*found.values()], line, color=COLORS[model], marker="o", ms=3, label=label)
        reach = [d for d in sorted({d for r in records for d in r["distances"] if r["shape"] == shape}) if d > 1]
        upper.axhline(1, color="0.2", lw=1, ls="--", label="1, bound of P's sum")
        if shape == "grid" and reach:
            walk = [(math.pi * d / 2) ** -0.5 for d in reach]
            for panel in (upper, lower):
                panel.plot(reach, walk, color="0.2", lw=1, ls="-.", label="(π Δ / 2)$^{-1/2}$")
        for panel, bottom in ((upper, 1e-3), (lower, 1e-12)):
            panel.set_xscale("log", base=2)
            panel.set_yscale("log")
            low, high = panel.get_ylim()
            panel.set_ylim(min(0.1, max(low, bottom)), max(3, high))
            panel.grid(alpha=0.3)
            panel.legend(fontsize=7)
        upper.set_title(shape)
        lower.set_xlabel("distance Δ")
    rows[0][0].set_ylabel("transport of one edge's state")
    rows[1][0].set_ylabel("gradient norm / that at distance 1")
    figure.savefig(path, dpi=130)
