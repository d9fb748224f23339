"""The charts of a report: learning curves, parity, residuals, ROC and precision-recall curves, histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from plstm_graph.report.svg import COLORS, Chart, Drawing

if TYPE_CHECKING:
    from plstm_graph.report.folder import Curve

Pairs = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Part → true values and predictions ``[G]``."""

NAMES = {"train": "training", "valid": "validation", "test": "test"}
_MARKS = {"train": ("o", 7, 0.3), "valid": ("s", 12, 0.6), "test": ("o", 14, 0.75)}
MOST_STEPS = 400
"""Points of a curve that are drawn; more cannot be told apart."""


def learning_curves(curves: Sequence[Curve], metric: str) -> list[Chart]:
    """Losses and the validation metric by epoch; those of an ensemble are thin lines on top of each other."""
    return [
        _by_epoch("loss", {"train": "train_loss", "valid": "valid_loss"}, curves),
        _by_epoch(metric, {"valid": "valid"}, curves),
    ]


def _by_epoch(name: str, columns: Mapping[str, str], curves: Sequence[Curve]) -> Chart:
    single, longest = len(curves) == 1, max(len(curve.epochs) for curve in curves)
    with Drawing() as drawing:
        for i, curve in enumerate(curves):
            x = curve.epochs["epoch"] + 1
            for part, column in columns.items():
                drawing.axes.plot(
                    x, curve.epochs[column],
                    color=COLORS[part], linestyle="--" if part == "valid" and len(columns) > 1 else "-",
                    marker="." if single and longest < 40 else "", alpha=1 if single else 0.7,
                    linewidth=1.6 if single else 1, label=NAMES[part] if i == 0 else None,
                )  # fmt: skip
            if single:
                drawing.axes.axvline(
                    x[curve.best], color=COLORS["soft"], linestyle=":", linewidth=1, label="best epoch"
                )
        drawing.axes.set(xlabel="epoch", ylabel=name)
        drawing.axes.xaxis.get_major_locator().set_params(integer=True)
        drawing.axes.legend()
        svg = drawing.svg(f"curve {name}")
    first, lines = curves[0], []
    for part, column in columns.items():
        values = first.epochs[column]
        ends = f"{values.iloc[0]:.4g} to {values.iloc[-1]:.4g}, {values[first.best]:.4g} in the best epoch"
        lines.append(f"{NAMES[part]} from {ends}")
    of = "" if single else f" of {len(curves)} members; of the first one"
    label = f"Line chart of {name} by epoch, {longest} epochs, best epoch {first.best + 1}{of}: {'; '.join(lines)}."
    caption = f"{name[:1].upper()}{name[1:]} by epoch" + ("" if single else f", {len(curves)} members")
    return Chart(svg, label, caption)


def parity(number: int, parts: Pairs, most: int, scores: str) -> Chart:
    """Predictions against true values; at most ``most`` graphs of every part are drawn, chosen at random.

    Args:
        number: keeps charts of one kind apart.
        parts: what is drawn.
        most: graphs of a part.
        scores: how good the predictions are, in words.
    """
    everything = np.concatenate([array for pair in parts.values() for array in pair])
    low, high = float(everything.min()), float(everything.max())
    margin = 0.04 * (high - low) or 1.0
    shown = {}
    with Drawing(4.6, 4.2) as drawing:
        ends = (low - margin, high + margin)
        drawing.axes.plot(ends, ends, color=COLORS["soft"], linewidth=1, linestyle=":", label="predicted = true")
        for part, (true, predicted) in parts.items():
            chosen = _sample(len(true), most)
            shown[part] = (len(chosen), len(true))
            marker, size, alpha = _MARKS[part]
            drawing.axes.scatter(
                true[chosen], predicted[chosen],
                s=size, marker=marker, alpha=alpha, color=COLORS[part], linewidths=0, label=NAMES[part],
            )  # fmt: skip
        drawing.axes.set(xlabel="true", ylabel="predicted", xlim=ends, ylim=ends, aspect="equal")
        drawing.axes.legend(loc="upper left")
        svg = drawing.svg(f"parity {number}")
    label = f"Scatter plot of predicted against true values from {low:.4g} to {high:.4g}: {scores}."
    return Chart(svg, label, f"Predicted against true values: {scores}{_how_many(shown)}")


def residuals(number: int, true: np.ndarray, predicted: np.ndarray) -> Chart:
    """Histogram of prediction minus true value."""
    error = predicted - true
    edges = np.histogram_bin_edges(error, bins=min(40, max(10, int(np.sqrt(len(error))))))
    low, middle, high = np.quantile(error, (0.05, 0.5, 0.95))
    with Drawing(4.6, 4.2) as drawing:
        drawing.axes.hist(error, bins=edges, color=COLORS["test"], alpha=0.75)
        drawing.axes.axvline(0, color=COLORS["ink"], linewidth=1)
        drawing.axes.set(xlabel="predicted − true", ylabel="test graphs")
        drawing.axes.yaxis.get_major_locator().set_params(integer=True)
        svg = drawing.svg(f"residuals {number}")
    text = f"median {middle:.3g}, 90 % between {low:.3g} and {high:.3g}"
    return Chart(
        svg, f"Histogram of the errors of {len(error)} test graphs: {text}.", f"Errors in the test part: {text}"
    )


def roc(number: int, parts: Pairs) -> Chart:
    """True positive rate against false positive rate."""
    from sklearn.metrics import roc_auc_score, roc_curve

    areas, curves = {}, {}
    for part, (true, probability) in parts.items():
        areas[part] = roc_auc_score(true, probability)
        curves[part] = roc_curve(true, probability)[:2]
    return _curve_chart(
        f"roc {number}",
        curves,
        areas,
        "ROC curve",
        "area",
        ("false positive rate", "true positive rate"),
        diagonal=True,
    )


def precision_recall(number: int, parts: Pairs) -> Chart:
    """Precision against recall; the area is average precision."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    areas, curves = {}, {}
    for part, (true, probability) in parts.items():
        areas[part] = average_precision_score(true, probability)
        precision, recall, _ = precision_recall_curve(true, probability)
        curves[part] = (recall, precision)
    return _curve_chart(
        f"pr {number}", curves, areas, "Precision-recall curve", "average precision", ("recall", "precision"), step=True
    )


def histogram(
    name: str, edges: Sequence[float], counts: Mapping[str, Sequence[int]], axis: str, label: str, caption: str
) -> Chart:
    """Shares of the graphs of every part by bin, from counts that are there already."""
    with Drawing() as drawing:
        for part, count in counts.items():
            share = np.asarray(count) / max(1, sum(count))
            drawing.axes.stairs(share, edges, color=COLORS[part], label=NAMES[part], linewidth=1.6)
            drawing.axes.stairs(share, edges, color=COLORS[part], fill=True, alpha=0.15)
        drawing.axes.set(xlabel=axis, ylabel="share of graphs", xlim=(edges[0], edges[-1]), ylim=(0, None))
        drawing.axes.legend()
        svg = drawing.svg(name)
    return Chart(svg, label, caption)


def _curve_chart(
    name: str,
    curves: Pairs,
    areas: Mapping[str, float],
    title: str,
    area: str,
    axes: tuple[str, str],
    diagonal: bool = False,
    step: bool = False,
) -> Chart:
    with Drawing(4.6, 4.2) as drawing:
        if diagonal:
            drawing.axes.plot((0, 1), (0, 1), color=COLORS["soft"], linestyle=":", linewidth=1)
        for part, (x, y) in curves.items():
            chosen = np.unique(np.linspace(0, len(x) - 1, MOST_STEPS).round().astype(int))
            drawing.axes.plot(
                x[chosen], y[chosen],
                color=COLORS[part], linestyle="-" if part == "test" else "--",
                drawstyle="steps-post" if step else "default", label=f"{NAMES[part]}, {areas[part]:.3f}",
            )  # fmt: skip
        drawing.axes.set(xlabel=axes[0], ylabel=axes[1], xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        drawing.axes.legend(loc="lower right" if diagonal else "lower left")
        svg = drawing.svg(name)
    text = "; ".join(f"{NAMES[part]} {area} {value:.3f}" for part, value in areas.items())
    return Chart(svg, f"{title}: {text}.", f"{title}: {text}")


def _sample(count: int, most: int) -> np.ndarray:
    if count <= most:
        return np.arange(count)
    return np.random.default_rng(0).choice(count, most, replace=False)


def _how_many(shown: Mapping[str, tuple[int, int]]) -> str:
    """Which parts are not drawn in full."""
    cut = [f"{few:,} of {all_:,} {NAMES[part]} graphs" for part, (few, all_) in shown.items() if few < all_]
    return f"; shown are {', '.join(cut)}, chosen at random" if cut else ""
