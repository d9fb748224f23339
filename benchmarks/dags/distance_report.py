"""Table and figure of accuracy against distance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from benchmarks.dags.parts import spread
from plstm_graph.train.records import Record

COLORS = {
    "plstm-P": "#d1690e", "plstm-D": "#0b6e99", "plstm": "#5b8c2a", "gin": "0.3", "gps": "0.6", "dagnn": "#8a4f9e",
    "plstm-paper-start": "#a9c98c",
}  # fmt: skip

TITLES = {
    "tree-neighbors-match": ("Tree-NeighborsMatch", "depth of the tree", "One run per depth, two seeds never see the "
                             "same trees; training never repeats a tree, so this is the accuracy in training, too. For "
                             "depths 7 and 8, training has smaller trees besides. A model that guesses at a depth is "
                             "not run on deeper trees. Towards the root every edge has one successor, so P and D are "
                             "the same there."),
    "ring-transfer": ("Ring transfer", "nodes of the ring", "One run per size; the answer is half the ring away."),
    "recall": ("Associative recall along random DAGs", "distance", "One run up to the distance of 100, tested beyond."),
}  # fmt: skip


def write_report(task: str, records: Sequence[Record], folder: Path, models: Sequence[str]) -> str:
    """Write ``<task>.md`` and ``.png``; returns the table."""
    text = _table(task, records, models)
    (folder / f"{task}.md").write_text(text, encoding="utf-8")
    _draw(task, records, folder / f"{task}.png", models)
    return text


def curves(records: Sequence[Record], model: str) -> dict[int, list[float]]:
    """Accuracy of every seed by size."""
    found: dict[int, list[float]] = {}
    for record in records:
        if record["model"] == model:
            for size, share in record["accuracy"].items():
                found.setdefault(int(size), []).append(share)
    return dict(sorted(found.items()))


def _table(task: str, records: Sequence[Record], models: Sequence[str]) -> str:
    title, axis, how = TITLES[task]
    sizes = sorted({int(size) for record in records for size in record["accuracy"]})
    chance = {int(size): record["chance"] for record in records for size in record["accuracy"]}
    lines = [
        f"# {title}", "",
        f"Accuracy in percent by {axis}, mean and deviation over seeds. {how} `python -m benchmarks.dags {task}`", "",
        "| model | " + " | ".join(map(str, sizes)) + " | seconds per run |",
        "|---|" + "---|" * (len(sizes) + 1),
        "| guessing | " + " | ".join(f"{100 * chance[size]:.1f}" for size in sizes) + " | |",
    ]  # fmt: skip
    for model in models:
        found = curves(records, model)
        if found:
            cells = [spread([100 * s for s in found[size]], 1) if size in found else "-" for size in sizes]
            seconds = mean(record["seconds"] for record in records if record["model"] == model)
            lines.append(f"| {model} | " + " | ".join(cells) + f" | {seconds:.0f} |")
    minutes = sum(record["seconds"] for record in records) / 60
    return "\n".join([*lines, "", f"Training took {minutes:.1f} minutes in all, on one thread.", ""])


def _draw(task: str, records: Sequence[Record], path: Path, models: Sequence[str]) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    title, axis, _ = TITLES[task]
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    panel = figure.subplots()
    chance: dict[int, float] = {}
    for model in models:
        found = curves(records, model)
        if found:
            look = {"color": COLORS[model], "marker": "o", "ms": 4, "ls": "-" if model.startswith("plstm") else "--"}
            panel.plot([*found], [mean(shares) for shares in found.values()], label=model, **look)
            low, high = ([pick(shares) for shares in found.values()] for pick in (min, max))
            panel.fill_between([*found], low, high, color=COLORS[model], alpha=0.12, lw=0)
    for record in records:
        chance |= {int(size): record["chance"] for size in record["accuracy"]}
    panel.plot(*zip(*sorted(chance.items()), strict=True), ":", color="0.3", lw=1, label="guessing")
    if task == "recall":
        panel.set_xscale("log")
        panel.axvspan(*records[0]["train"], color="0.93", zorder=0, label="trained on")
    else:
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set(xlabel=axis, ylabel="accuracy", ylim=(-0.03, 1.04))
    panel.set_title(f"{title} (band: least to best seed)", fontsize=10)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    figure.savefig(path, dpi=130)
