"""Pictures of held-out coverage and of calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

BINS = 10
AT_MOST = 12
"""Targets that get a panel; a picture of more says how many it leaves out."""


def draw_coverage(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]], molecules: str) -> None:
    """Observed against nominal coverage, a panel per target, with the band that 90 % of draws would fall into.

    Args:
        path: PNG file to write.
        tables: target → rows of :func:`plstm_graph.trust.coverage_table`.
        molecules: what the rows were measured on, such as ``"test molecules"``.
    """
    figure, axes, note = _panels(list(tables))
    for axis, (target, rows) in zip(axes, tables.items(), strict=False):
        level = [row["coverage"] for row in rows]
        axis.fill_between(
            level, [r["expected_low"] for r in rows], [r["expected_high"] for r in rows],
            alpha=0.25, linewidth=0, label="90 % of draws",
        )  # fmt: skip
        axis.plot([0, 1], [0, 1], color="0.6", linestyle=":")
        finite = [row for row in rows if row["mean_width"] is not None]
        axis.plot([r["coverage"] for r in finite], [r["observed"] for r in finite], marker="o", label="observed")
        axis.set(title=target, xlabel="coverage asked for", ylabel=f"share of {molecules} inside", xlim=(0, 1))
        axis.set_ylim(0, 1.02)
        axis.grid(alpha=0.3)
    axes[0].legend(loc="upper left", frameon=False)
    figure.suptitle("Coverage of prediction intervals" + note)
    figure.savefig(path, dpi=120)


def draw_reliability(path: Path, panels: Mapping[str, tuple[np.ndarray, Mapping[str, np.ndarray]]], x: str) -> None:
    """Reliability diagram: frequency against probability in ten bins, before and after calibration.

    Args:
        path: PNG file to write.
        panels: target → ``[n]`` whether it came true, and label → ``[n]`` probability of it.
        x: name of the probability.
    """
    from sklearn.calibration import calibration_curve

    figure, axes, note = _panels(list(panels))
    for axis, (target, (truth, curves)) in zip(axes, panels.items(), strict=False):
        axis.plot([0, 1], [0, 1], color="0.6", linestyle=":")
        for marker, (label, probability) in zip("os^", curves.items(), strict=False):
            share, mean = calibration_curve(truth, probability, n_bins=BINS, pos_label=1)
            count = np.bincount(np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], probability), minlength=BINS)
            (line,) = axis.plot(mean, share, alpha=0.8, label=label)
            size = 15 + 150 * np.sqrt(count[count > 0] / len(truth))
            axis.scatter(mean, share, s=size, marker=marker, color=line.get_color(), alpha=0.7)
        axis.set(title=f"{target} ({len(truth):,} molecules)", xlabel=x, ylabel="share that came true")
        axis.set(xlim=(0, 1), ylim=(-0.02, 1.02))
        axis.grid(alpha=0.3)
    axes[0].legend(loc="upper left", frameon=False)
    figure.suptitle("Reliability on the test split" + note)
    figure.savefig(path, dpi=120)


def _panels(names: Sequence[str]) -> tuple[Any, Any, str]:
    from matplotlib.figure import Figure

    shown = min(len(names), AT_MOST)
    columns = min(shown, 4)
    rows = -(-shown // columns)
    figure = Figure(figsize=(max(4.6, 3.7 * columns), 3.9 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[shown:]:
        axis.set_axis_off()
    return figure, axes, f" (the first {shown} of {len(names)} targets)" if shown < len(names) else ""
