"""What the parts of a split hold, and how far from the training molecules valid and test are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from plstm_graph.errors import SmilesError
from plstm_graph.train.run_folder import write_json
from plstm_graph.train.source import Source
from plstm_graph.train.task import Task

FILE = "split_report.json"
MAX_EXAMINED = 10_000
"""Molecules of a part, at most, whose structure is looked at."""

MAX_COMPARED = 1_000
"""Molecules of valid or test, at most, that are compared with those of train."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = 20

Report = dict[str, Any]


def split_report(source: Source, *, seed: int = 0) -> Report:
    """Describe a split of molecules: sizes, labels, scaffolds, similarity of valid and test to train.

    The labels of the test part stay out (``"targets": null``) until :func:`add_test_labels`, as the test part is shut
    until the best epoch is chosen.

    Args:
        source: data of a run, with ``smiles``.
        seed: of the samples that are taken from large parts, see :data:`MAX_EXAMINED` and :data:`MAX_COMPARED`.

    Returns:
        Plain values, for JSON. Per part: ``molecules``; ``targets`` (see :func:`describe_labels`); ``examined``, the
        number of molecules that all further figures are about (``sampled`` if these are not all), less those that are
        ``unreadable`` (RDKit refuses them); ``scaffolds``, distinct Bemis-Murcko scaffolds. For valid and test also
        ``scaffolds_in_train``, ``molecules_with_scaffold_in_train``, ``molecules_in_train`` (same canonical SMILES),
        and ``nearest_train_similarity``: per molecule, the Tanimoto similarity to the most similar one of train.
    """
    draw = np.random.default_rng(seed)
    sizes = {part: len(rows) for part, rows in source.splits.items()}
    chosen = {part: _sample(rows.tolist(), MAX_EXAMINED, draw) for part, rows in source.splits.items()}
    read = {part: _Molecules([source.smiles[row] for row in rows]) for part, rows in chosen.items()}
    train = read["train"]
    parts: dict[str, Report] = {}
    for part, molecules in read.items():
        shut = part == "test" and source.chosen_epoch is None
        parts[part] = {
            "molecules": sizes[part],
            "targets": None if shut else describe_labels(source.task, source.labels(part)),
            "examined": len(chosen[part]),
            "sampled": len(chosen[part]) < sizes[part],
            "unreadable": len(chosen[part]) - len(molecules.read),
            "scaffolds": len(set(molecules.scaffolds)),
        }
        if part != "train":
            parts[part] |= _compare(molecules, train, draw)
    return {
        "data": source.name,
        "task": source.task.kind,
        "molecules_in_no_part": len(source.smiles) - sum(sizes.values()),
        "sampling": f"of a part, {MAX_EXAMINED} molecules at most are examined, and {MAX_COMPARED} of these at most "
        f"compared with train (random numbers of seed {seed})",
        "scaffold": "Bemis-Murcko, without chirality; molecules without rings share the empty scaffold",
        "similarity": "Tanimoto similarity of Morgan fingerprints (radius 2, 2048 bits, without chirality) to the "
        "most similar examined molecule of train",
        "parts": parts,
    }


def write_split_report(folder: Path, source: Source) -> Report:
    """:func:`split_report` as ``split_report.json`` in a run folder."""
    report = split_report(source)
    write_json(folder / FILE, report)
    return report


def add_test_labels(folder: Path, source: Source) -> None:
    """Complete the report of a run folder, if it has one, once the test part is open.

    Raises:
        RunError: the best epoch is not chosen yet.
    """
    path = folder / FILE
    if path.is_file():
        report = json.loads(path.read_text(encoding="utf-8"))
        report["parts"]["test"]["targets"] = describe_labels(source.task, source.labels("test"))
        write_json(path, report)


def describe_labels(task: Task, y: Tensor) -> dict[str, Report]:
    """Per target: how many labels are there and missing, and their balance, or mean, deviation (n − 1) and range.

    Args:
        task: what is predicted.
        y: ``[G, T]`` float with NaN where missing, or ``[G]`` int64 classes, negative where missing.
    """
    if task.kind == "multiclass":
        known = y[y >= 0]
        names = task.class_names or tuple(str(i) for i in range(task.num_classes))
        counts = known.bincount(minlength=len(names)).tolist()
        described = _counted(len(known), len(y)) | {"classes": dict(zip(names, counts, strict=True))}
        return {task.targets[0]: described}
    found = {}
    for name, column in zip(task.targets, y.double().T, strict=True):
        known = column[~column.isnan()]
        found[name] = _counted(len(known), len(column))
        if task.kind == "binary":
            ones = int(known.sum())
            found[name] |= {"classes": {"0": len(known) - ones, "1": ones}}
        else:
            found[name] |= {
                "mean": float(known.mean()) if len(known) else None,
                "deviation": float(known.std()) if len(known) > 1 else None,
                "min": float(known.min()) if len(known) else None,
                "max": float(known.max()) if len(known) else None,
            }
    return found


def _counted(labelled: int, graphs: int) -> Report:
    return {"labelled": labelled, "missing": graphs - labelled}


class _Molecules:
    """The molecules of a part that can be read, their scaffolds and canonical SMILES."""

    def __init__(self, smiles: Sequence[str]) -> None:
        from rdkit.Chem import MolToSmiles

        from plstm_graph.chem.parse import parse_smiles
        from plstm_graph.chem.scaffold import murcko_scaffold

        self.read: list[Any] = []
        for text in smiles:
            with suppress(SmilesError):  # a few of OGB's molecules have valences that RDKit refuses today
                self.read.append(parse_smiles(text))
        self.scaffolds = [murcko_scaffold(molecule, with_chirality=False) for molecule in self.read]
        self.canonical = [MolToSmiles(molecule) for molecule in self.read]

    @cached_property
    def fingerprints(self) -> list[Any]:
        from plstm_graph.chem.similarity import morgan_fingerprints

        return morgan_fingerprints(self.read)


def _compare(molecules: _Molecules, train: _Molecules, draw: np.random.Generator) -> Report:
    known, there = set(train.scaffolds), set(train.canonical)
    queries = _sample(molecules.fingerprints, MAX_COMPARED, draw)
    return {
        "scaffolds_in_train": len(known & set(molecules.scaffolds)),
        "molecules_with_scaffold_in_train": sum(s in known for s in molecules.scaffolds),
        "molecules_in_train": sum(s in there for s in molecules.canonical),
        "nearest_train_similarity": {"molecules": len(queries), "train_molecules": len(train.read)}
        | _similarity(queries, train.fingerprints),
    }


def _sample(items: list[Any], limit: int, draw: np.random.Generator) -> list[Any]:
    if len(items) <= limit:
        return items
    return [items[i] for i in np.sort(draw.choice(len(items), limit, replace=False))]


def _similarity(queries: list[Any], references: list[Any]) -> Report:
    from plstm_graph.chem.similarity import nearest_similarity

    if not queries or not references:
        return {"mean": None, "quantiles": None, "histogram": None}
    nearest = nearest_similarity(queries, references)
    counts, edges = np.histogram(nearest, bins=BINS, range=(0.0, 1.0))
    return {
        "mean": round(float(nearest.mean()), 6),
        "quantiles": {f"{q:g}": round(float(np.quantile(nearest, q)), 6) for q in QUANTILES},
        "histogram": {"edges": np.round(edges, 6).tolist(), "counts": counts.tolist()},
    }


def summary_lines(report: Report) -> list[str]:
    """The report in short, one line per part."""
    lines = [f"{part}: {_summary(found)}" for part, found in report["parts"].items()]
    if report["molecules_in_no_part"]:
        lines.append(f"{report['molecules_in_no_part']:,} molecules are in no part")
    return lines


def _summary(part: Report) -> str:
    sampled = f" among {part['examined']:,} of them" if part["sampled"] else ""
    words = [f"{part['molecules']:,} molecules, {part['scaffolds']:,} scaffolds{sampled}"]
    if "scaffolds_in_train" in part:
        words[0] += f" ({part['scaffolds_in_train']:,} in train too)"
        if part["molecules_in_train"]:
            words.append(f"the same molecule in train: {part['molecules_in_train']:,}")
        near = part["nearest_train_similarity"]
        if near["quantiles"] is not None:
            low, middle, high = (near["quantiles"][q] for q in ("0.05", "0.5", "0.95"))
            words.append(f"similarity to train {middle:.2f} ({low:.2f} to {high:.2f})")
    targets = list((part["targets"] or {}).items())
    words += [f"{name} {_label_summary(found)}" for name, found in targets[:3]]
    if len(targets) > 3:
        words.append(f"{len(targets) - 3} more targets")
    return "; ".join(words)


def _label_summary(target: Report) -> str:
    if "classes" in target:
        total = max(1, target["labelled"])
        text = ", ".join(f"{name}: {count / total:.0%}" for name, count in list(target["classes"].items())[:6])
        text += ", ..." if len(target["classes"]) > 6 else ""
    elif target["mean"] is None:
        text = "no labels"
    else:
        text = f"{target['mean']:.3g} ± {target['deviation'] or 0:.3g}"
    return text + (f" ({target['missing']:,} missing)" if target["missing"] else "")
