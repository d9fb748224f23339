"""Tables and a picture of the comparison, from the recorded lines and from nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

from benchmarks.chemprop import accuracy, speed
from benchmarks.compare import TIE, advantage, mean_and_error, standard_error, verdict
from plstm_graph.train.records import Record, read_records

PEER = "chemprop"
Groups = dict[tuple[str, str], list[Record]]
"""(set, program) → records."""


def write_report(folder: Path) -> str:
    """Write ``chemprop.md``, and ``chemprop.png`` if there are accuracies; returns the text."""
    tested, timed = (_read(folder / name) for name in (accuracy.FILE, speed.FILE))
    lines = ["# plstm_graph beside chemprop 2", ""]
    if tested:
        groups = by_part(tested, accuracy.part_of)
        lines += [
            *_about_accuracy(tested),
            *accuracy_table(groups),
            "",
            "![test values of all seeds](chemprop.png)",
            "",
        ]
        _draw(groups, folder / "chemprop.png")
    if timed:
        lines += [*_about_speed(timed), *speed_table(by_part(timed, speed.sample_of)), ""]
    text = "\n".join(lines)
    (folder / "chemprop.md").write_text(text, encoding="utf-8")
    return text


def _read(file: Path) -> list[Record]:
    return read_records([file]) if file.is_file() else []


def by_part(records: Sequence[Record], part) -> Groups:
    """Records by set and program; of several settings under one name, those of the newest record count."""
    newest = {(r["data"], r["program"]): r["key"] for r in records}
    parts = {part(r): r for r in records if r["key"] == newest[r["data"], r["program"]]}
    groups: Groups = {}
    for record in parts.values():
        groups.setdefault((record["data"], record["program"]), []).append(record)
    return groups


def accuracy_table(groups: Groups) -> list[str]:
    """One line per set and program."""
    lines = [
        "| data | metric | program | parameters | test | validation | against chemprop | seeds | s / epoch | "
        "molecules / s | ratio | s in all |",
        "|---|---|---|--:|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    for data in dict.fromkeys(data for data, _ in groups):
        theirs = groups.get((data, PEER))
        programs = sorted((program for d, program in groups if d == data), key=lambda name: (name != PEER, name))
        for program in programs:
            runs = groups[data, program]
            rate = median(r["molecules_per_second"] for r in runs)
            compared = theirs and program != PEER
            ratio = f"{rate / median(r['molecules_per_second'] for r in theirs):.2f}" if compared else "–"
            cells = (
                data, runs[0]["metric"], program, f"{runs[0]['parameters']:,}",
                *(mean_and_error([r[part] for r in runs]) for part in ("test", "valid")),
                verdict(advantage(runs, theirs)) if compared else "–",
                str(len(runs)), f"{median(r['seconds_per_epoch'] for r in runs):.2f}", f"{rate:,.0f}", ratio,
                f"{median(r['seconds'] for r in runs):.0f}",
            )  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def speed_table(groups: Groups) -> list[str]:
    """One line per set, and one for predictions; every program with its faster number of threads."""
    programs = list(dict.fromkeys(program for _, program in groups))
    others = [name for name in programs if name != PEER]
    head = ["what", *(f"{name}, molecules / s" for name in (PEER, *others)), *(f"ratio {name}" for name in others)]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    for data in dict.fromkeys(data for data, _ in groups):
        best = {name: best_rate(groups[data, name]) for name in programs if (data, name) in groups}
        what = "training" if next(iter(groups[data, next(iter(best))]))["what"] == "train" else "prediction"
        cells = [f"{what}, {data}"]
        for name in (PEER, *others):
            rate, threads = best.get(name, (math.nan, 0))
            cells.append(f"{rate:,.0f} ({threads} thread{'s' * (threads != 1)})" if threads else "–")
        for name in others:
            known = name in best and PEER in best
            cells.append(f"{best[name][0] / best[PEER][0]:.2f}" if known else "–")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def best_rate(records: Sequence[Record]) -> tuple[float, int]:
    """Median of molecules per second, and threads, for the number of threads where it is highest."""
    rates: dict[int, list[float]] = {}
    for record in records:
        rates.setdefault(record["threads"], []).append(record["molecules_per_second"])
    return max((median(values), threads) for threads, values in rates.items())


def _about_accuracy(records: Sequence[Record]) -> list[str]:
    epochs = {record["program"]: record["epochs"] for record in records}
    jobs = max(record["jobs"] for record in records)
    load = f"with {jobs} such processes side by side, so they are figures under load" if jobs > 1 else "one at a time"
    return [
        "## Accuracy", "",
        "OGB's scaffold splits; both programs read the same tables, train with their own settings ("
        + ", ".join(f"{name}: {count} epochs" for name, count in epochs.items())
        + ") and keep the epoch that is best on the validation part. The test value is computed by scikit-learn from "
        "the predictions each program wrote. Mean ± standard error over seeds; *against chemprop* is the difference in "
        f"units of its standard error, positive if better than chemprop, a tie below {TIE:.0f}. "
        f"Seconds and molecules per second are those of training, on one thread, {load}; the ratio is molecules per "
        "second over those of chemprop (above 1: faster). The last column is the whole process. "
        "`python -m benchmarks.chemprop accuracy`", "",
        _circumstances(records), "",
    ]  # fmt: skip


def _about_speed(records: Sequence[Record]) -> list[str]:
    rounds = 1 + max(record["round"] for record in records)
    predicted = [r for r in records if r["what"] == "predict"]
    what = f" Prediction is the whole process on {predicted[0]['molecules']:,} molecules." if predicted else ""
    cpu = records[-1]["machine"]
    return [
        "## Speed", "",
        f"Both programs in turns, median of {rounds} round{'s' * (rounds != 1)}, each with the number of threads that "
        f"suits it better. Training is the median epoch of {speed.EPOCHS}, without start-up and validation, timed "
        f"between the same hooks of Lightning in both programs.{what} Ratios are over chemprop, above 1: faster. "
        f"Load before a sample: at most {max(r['load'] for r in records):.1f}. "
        "`python -m benchmarks.chemprop speed`", "",
        f"{cpu['cpu']}, {cpu['cores']} cores. {_circumstances([r for r in records if 'versions' in r] or records)}", "",
    ]  # fmt: skip


def _circumstances(records: Sequence[Record]) -> str:
    versions: dict[str, None] = {}
    for record in records:
        found = record.get("versions", {})
        named = {name: found[name] for name in ("chemprop", "plstm_graph", "torch", "rdkit") if name in found}
        versions[" ".join(f"{name} {version}" for name, version in named.items())] = None
    revisions = dict.fromkeys(record["revision"] for record in records)
    return f"Versions: {'; '.join(versions)}. Revision: {', '.join(revisions)}."


def _draw(groups: Groups, path: Path) -> None:
    from matplotlib.figure import Figure

    sets = list(dict.fromkeys(data for data, _ in groups))
    programs = sorted({program for _, program in groups}, key=lambda name: (name != PEER, name))
    figure = Figure(figsize=(2.6 * len(sets), 0.7 + 0.55 * len(programs) + 0.8), layout="constrained")
    for panel, data in zip(figure.subplots(1, len(sets), squeeze=False, sharey=True)[0], sets, strict=True):
        for row, program in enumerate(programs):
            values = [r["test"] for r in groups.get((data, program), [])]
            if not values:
                continue
            color = "0.4" if program == PEER else f"C{row - 1}"
            panel.plot(values, [row] * len(values), "o", ms=4, color=color, alpha=0.5)
            panel.errorbar(fmean(values), row, xerr=standard_error(values), fmt="|", ms=14, color=color, capsize=3)
        metric = next(runs[0]["metric"] for (d, _), runs in groups.items() if d == data)
        panel.set(title=data, xlabel=f"test {metric} ({'lower' if metric == 'rmse' else 'higher'} is better)")
        panel.set_yticks(range(len(programs)), programs)
        panel.set_ylim(len(programs) - 0.5, -0.5)
        panel.xaxis.label.set_size(8)
        panel.grid(alpha=0.3, axis="x")
    figure.savefig(path, dpi=130)
