"""The section on the split: what its parts hold, and how far from the training molecules the others are."""

from __future__ import annotations

from typing import Any

from plstm_graph.report.blocks import Block, Charts, Section, Table, Text
from plstm_graph.report.charts import NAMES, histogram
from plstm_graph.report.folder import FinishedRun
from plstm_graph.report.format import number
from plstm_graph.report.results import MOST_SCORED

_COUNTS = {
    "Molecules": "molecules",
    "Unreadable": "unreadable",
    "Scaffolds": "scaffolds",
    "Scaffolds also in training": "scaffolds_in_train",
    "Molecules with a scaffold in training": "molecules_with_scaffold_in_train",
    "Molecules also in training": "molecules_in_train",
}


def split(run: FinishedRun) -> Section:
    """Empty if the run left no ``split_report.json``."""
    section = Section("split", "Split")
    report = run.json("split_report.json")
    if report is not None:
        parts = report["parts"]
        section.blocks.extend([*_sizes(report), *_labels(parts), *_similarity(report)])
    return section


def _sizes(report: dict[str, Any]) -> list[Block]:
    parts = report["parts"]
    shown = {name: key for name, key in _COUNTS.items() if any(found.get(key) for found in parts.values())}
    rows = [[NAMES[part], *(_count(found.get(key)) for key in shown.values())] for part, found in parts.items()]
    blocks: list[Block] = [Table("Molecules and Bemis-Murcko scaffolds by part", ["Part", *shown], rows)]
    if any(found.get("sampled") for found in parts.values()):
        blocks.append(Text(f"Scaffolds and similarities are those of a sample: {report['sampling']}."))
    if report.get("molecules_in_no_part"):
        blocks.append(Text(f"{report['molecules_in_no_part']:,} molecules are in no part."))
    return blocks


def _count(count: int | None) -> str:
    return "–" if count is None else f"{count:,}"


def _labels(parts: dict[str, Any]) -> list[Block]:
    rows = []
    for part, found in parts.items():
        for target, labels in (found["targets"] or {}).items():
            rows.append([target, NAMES[part], f"{labels['labelled']:,}", f"{labels['missing']:,}", _balance(labels)])
    if not rows:
        return []
    cut = [Text(f"The table has the first {MOST_SCORED} of {len(rows)} lines.")] if len(rows) > MOST_SCORED else []
    columns = ["Target", "Part", "Labels", "Missing", "Distribution"]
    return [Table("Labels by target and part", columns, rows[:MOST_SCORED], headers=2, wrap=True), *cut]


def _balance(labels: dict[str, Any]) -> str:
    if "classes" in labels:
        total = max(1, labels["labelled"])
        shown = [f"{name}: {count / total:.1%}" for name, count in list(labels["classes"].items())[:8]]
        return ", ".join(shown) + (", …" if len(labels["classes"]) > 8 else "")
    if labels["mean"] is None:
        return "–"
    spread = f" ± {number(labels['deviation'])}" if labels["deviation"] is not None else ""
    return f"{number(labels['mean'])}{spread}, from {number(labels['min'])} to {number(labels['max'])}"


def _similarity(report: dict[str, Any]) -> list[Block]:
    near = {
        part: found["nearest_train_similarity"]
        for part, found in report["parts"].items()
        if (found.get("nearest_train_similarity") or {}).get("histogram")
    }
    if not near:
        return []
    edges = next(iter(near.values()))["histogram"]["edges"]
    counts = {part: found["histogram"]["counts"] for part, found in near.items()}
    middle = "; ".join(f"{NAMES[part]} median {found['quantiles']['0.5']:.2f}" for part, found in near.items())
    chart = histogram(
        "similarity", edges, counts, "similarity to the nearest training molecule",
        f"Histogram of the similarity of molecules to their nearest training molecule: {middle}.",
        f"Similarity to the nearest training molecule: {middle}",
    )  # fmt: skip
    return [Charts([chart]), Text(report["similarity"] + ".")]
