"""Table and figure of the state-tracking runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

Record = dict[str, Any]
Bins = Sequence[tuple[int, int]]

COLORS = ("0.55", "#d1690e", "#0b6e99", "#5b8c2a")


def write_report(
    records: Sequence[Record], folder: Path, tasks: Mapping[str, int], models: Sequence[str], bins: Bins
) -> str:
    """Write ``state-tracking.md`` and ``.png``; returns the table."""
    text = _table(records, tasks, models, bins)
    (folder / "state-tracking.md").write_text(text, encoding="utf-8")
    _draw(records, folder / "state-tracking.png", tasks, models, bins)
    return text


def _table(records: Sequence[Record], tasks: Mapping[str, int], models: Sequence[str], bins: Bins) -> str:
    first = records[0]
    seeds = len({record["seed"] for record in records})
    over = f"Mean over {seeds} seeds, in brackets the lowest." if seeds > 1 else "One seed, so the brackets repeat it."
    lines = [
        "# State tracking",
        "",
        f"Share of nodes, in percent, for which the places of all items are right, by distance from the root: trained "
        f"to {first['train_depth']}, tested to {first['test_depth']}. {over} "
        "`python -m benchmarks.dags state-tracking`",
        "",
        "| task | guessing | transitions | parameters | graph | " + " | ".join(f"{a}-{b}" for a, b in bins) + " | s |",
        "|---|---|---|---|---|" + "---|" * len(bins) + "---|",
    ]
    for task, items in tasks.items():
        for model in models:
            runs = [r for r in records if r["task"] == task and r["model"] == model]
            for shape in ("path", "tree") if runs else ():
                cells = [
                    f"{100 * mean(values):.1f} ({100 * min(values):.1f})"
                    for values in zip(*(r[shape] for r in runs), strict=True)
                ]
                lines.append(
                    f"| {task} | {100 / math.factorial(items):.1f} | {model} | {runs[0]['parameters']:,} | {shape} | "
                    + " | ".join(cells)
                    + f" | {mean(r['seconds'] for r in runs):.0f} |"
                )
    total = sum(record["seconds"] for record in records)
    return "\n".join([*lines, "", f"Training took {total / 60:.1f} minutes in all, on one thread.", ""])


def _draw(records: Sequence[Record], path: Path, tasks: Mapping[str, int], models: Sequence[str], bins: Bins) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.3 * len(tasks), 3.6), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    places = range(len(bins))
    for panel, (task, items) in zip(panels, tasks.items(), strict=True):
        for model, color in zip(models, COLORS, strict=True):
            runs = [r for r in records if r["task"] == task and r["model"] == model]
            for shape, line in (("path", "-"), ("tree", "--")) if runs else ():
                heights = [mean(values) for values in zip(*(r[shape] for r in runs), strict=True)]
                label = model if shape == "path" else None
                panel.plot(places, heights, line, color=color, marker="o", ms=3.5, lw=1.5, label=label)
        panel.axhline(1 / math.factorial(items), color="0.3", lw=0.8, ls=":")
        panel.axvspan(-0.4, 0.5, color="0.93", zorder=0)
        panel.set_xticks(places, [f"{a}-{b}" for a, b in bins], fontsize=8)
        panel.set(title=f"{task}: {items} items", xlabel="distance from the root", xlim=(-0.4, len(bins) - 0.6))
        panel.grid(alpha=0.3)
    panels[0].set(ylabel="nodes with all places right", ylim=(-0.03, 1.05))
    panels[0].legend(fontsize=8, title="transitions", title_fontsize=8)
    figure.suptitle(
        "State tracking: paths (solid) and trees (dashed); grey: distances trained on; dotted: guessing", fontsize=9
    )
    figure.savefig(path, dpi=130)
