"""Table and figure of the runs on graph properties."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from benchmarks.dags.parts import spread
from plstm_graph.train.records import Record

Group = tuple[str, str, str]


def write_report(records: Sequence[Record], folder: Path, tasks: Sequence[str]) -> str:
    """Write ``graph-properties.md`` and ``.png``; returns the table."""
    groups: dict[Group, list[Record]] = {}
    for record in sorted(records, key=lambda r: tasks.index(r["task"])):
        groups.setdefault((record["task"], record["model"], record["order"]), []).append(record)
    text = _table(groups)
    (folder / "graph-properties.md").write_text(text, encoding="utf-8")
    _draw(groups, tasks, folder / "graph-properties.png")
    return text


def _table(groups: dict[Group, list[Record]]) -> str:
    lines = [
        "# Graph properties", "",
        "log10 of the mean squared error on test graphs, lower is better; mean and deviation over seeds. *hops*: of "
        "distances in edges; *scaled*: of targets divided by the largest one of the training part. The order is that "
        "by which undirected graphs were oriented: `source` is breadth first from the source of the shortest paths, "
        "so it is given a part of the answer. `python -m benchmarks.dags graph-properties`", "",
        "| task | model | order | parameters | hops | scaled | seeds | epochs | seconds per seed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for (task, model, order), runs in groups.items():
        lines.append(
            f"| {task} | {model} | {order} | {runs[0]['parameters']:,} | {spread([r['hops'] for r in runs])} | "
            f"{spread([r['scaled'] for r in runs])} | {len(runs)} | {mean(len(r['curve']) for r in runs):.0f} | "
            f"{mean(r['seconds'] for r in runs):.0f} |"
        )
    minutes = sum(r["seconds"] for runs in groups.values() for r in runs) / 60
    return "\n".join([*lines, "", f"Training took {minutes:.1f} minutes in all, on one thread.", ""])


def _draw(groups: dict[Group, list[Record]], tasks: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4 * len(tasks), 3.4), layout="constrained")
    for panel, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        rows = [(f"{m}, {o}" if o != "none" else m, m, runs) for (t, m, o), runs in groups.items() if t == task]
        for place, (_, model, runs) in enumerate(reversed(rows)):
            color = "#0b6e99" if model.startswith("plstm") else "0.55"
            heights = [r["hops"] for r in runs]
            panel.plot(heights, [place] * len(runs), "o", color=color, ms=4, alpha=0.5)
            panel.plot(mean(heights), place, "|", color=color, ms=16, mew=2.5)
        panel.set_yticks(range(len(rows)), [label for label, _, _ in reversed(rows)], fontsize=8)
        panel.set(title=task, xlabel="log10 MSE in edges², test", ylim=(-0.6, len(rows) - 0.4))
        panel.grid(alpha=0.3)
    figure.suptitle("Graph properties: a dot per seed, a bar at the mean; left is better", fontsize=9)
    figure.savefig(path, dpi=130)
