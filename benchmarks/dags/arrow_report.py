"""Table and figure of the runs on arrow pointing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from benchmarks.dags.distance_report import COLORS
from benchmarks.dags.parts import spread
from plstm_graph.data.arrow_pointing import make_arrow_pointing
from plstm_graph.train.records import Record


def write_report(name: str, records: Sequence[Record], folder: Path, models: Sequence[str]) -> str:
    """Write ``<name>.md`` and ``.png``; returns the table."""
    text = _table(name, records, models)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    _draw(records, folder / f"{name}.png", models)
    return text


def _table(name: str, records: Sequence[Record], models: Sequence[str]) -> str:
    first = records[0]
    placed = " Arrow and disc stand in the middles of patches." if first["cell"] else ""
    lines = [
        "# Arrow pointing", "",
        f"Accuracy in percent, mean and deviation over seeds, on {first['test_pictures']:,} pictures of "
        f"{first['size']} pixels, the size trained on, and of {2 * first['size']} pixels; guessing gives 50. Trained "
        f"on {first['train_pictures']:,} pictures.{placed} Models other than pLSTM are told where a "
        f"patch is. `python -m benchmarks.dags {name}`", "",
        "| model | parameters | validation | test | double size | seeds | seconds per seed |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for model in models:
        runs = [r for r in records if r["model"] == model]
        if runs:
            shares = [spread([100 * r[part] for r in runs], 1) for part in ("validation", "test", "double")]
            lines.append(
                f"| {model} | {runs[0]['parameters']:,} | " + " | ".join(shares) + f" | {len(runs)} | "
                f"{mean(r['seconds'] for r in runs):.0f} |"
            )
    minutes = sum(record["seconds"] for record in records) / 60
    return "\n".join([*lines, "", f"Training took {minutes:.1f} minutes in all.", ""])


def _draw(records: Sequence[Record], path: Path, models: Sequence[str]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.3))
    size, scale, cell = (records[0][name] for name in ("size", "scale", "cell"))
    examples = make_arrow_pointing(4, size, scale=scale, cell=cell)
    for panel, picture, label in zip(left.subplots(2, 2).flat, *examples, strict=True):
        panel.imshow(picture.numpy(), cmap="gray_r")
        panel.set_title("points at the disc" if label else "does not", fontsize=8)
        panel.set_xticks([])
        panel.set_yticks([])
    panel = right.subplots()
    for model in models:
        runs = [r for r in records if r["model"] == model]
        if runs:
            heights = [mean(r[part] for r in runs) for part in ("test", "double")]
            panel.plot(
                heights, marker="o", color=COLORS[model], ls="-" if model.startswith("plstm") else "--", label=model
            )
            for run in runs:
                panel.plot([run["test"], run["double"]], "o", color=COLORS[model], ms=3, alpha=0.4)
    panel.axhline(0.5, color="0.3", lw=0.8, ls=":")
    panel.set_xticks((0, 1), (f"{size} pixels, as trained", f"{2 * size} pixels"))
    panel.set(ylabel="accuracy", xlim=(-0.25, 1.25), title="Arrow pointing (small dots: seeds)")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    figure.savefig(path, dpi=130)
