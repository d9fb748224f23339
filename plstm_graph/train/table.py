"""Tables of results, computed from the recorded parts and from nothing else."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plstm_graph.train.records import Part, Record, settings_key


@dataclass(frozen=True)
class Summary:
    """All parts (folds or seeds) of one configuration on one data set.

    Deviations are unbiased (n − 1), as leaderboards ask; NaN for a single part. ``test`` is of one orientation of every
    graph; ``averaged``, if it was asked for, of predictions averaged over ``test_orders`` orientations.
    """

    data: str
    name: str
    key: str
    metric: str
    parts: int
    parameters: int
    valid: float
    valid_std: float
    test: float
    test_std: float
    seconds_per_epoch: float
    peak_memory_mb: float
    revisions: tuple[str, ...]
    settings: str = ""
    averaged: float | None = None
    averaged_std: float = math.nan
    test_orders: int = 0

    @property
    def standard_error(self) -> float:
        """Standard error of the mean test value."""
        return self.test_std / math.sqrt(self.parts)


def summarise(records: Iterable[Record]) -> list[Summary]:
    """One summary per data set and configuration, in order of first appearance; the last record of a part counts."""
    groups: dict[tuple[str, str, str], dict[Part, Record]] = {}
    for record in records:
        group = groups.setdefault((record["data"], record["name"], record["key"]), {})
        group[Part.of(record)] = record
    return [_summary(data, name, key, list(parts.values())) for (data, name, key), parts in groups.items()]


def _summary(data: str, name: str, key: str, parts: list[Record]) -> Summary:
    valid, test = ([p[which] for p in parts] for which in ("valid", "test"))
    averaged = [p["test_averaged"] for p in parts if "test_averaged" in p]
    return Summary(
        data=data,
        name=name,
        key=key,
        metric=parts[0]["metric"],
        parts=len(parts),
        parameters=parts[0]["parameters"],
        valid=statistics.fmean(valid),
        valid_std=_deviation(valid),
        test=statistics.fmean(test),
        test_std=_deviation(test),
        seconds_per_epoch=statistics.median(p["seconds_per_epoch"] for p in parts),
        peak_memory_mb=max(p["peak_memory_mb"] for p in parts),
        revisions=tuple(dict.fromkeys(str(p["revision"]) for p in parts)),
        settings=settings_key(parts[0]),
        averaged=statistics.fmean(averaged) if averaged else None,
        averaged_std=_deviation(averaged),
        test_orders=parts[0].get("test_orders", 0),
    )


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan


def long_table(summaries: Sequence[Summary]) -> str:
    """Markdown, one line per data set and configuration; orders averaged at test have a column if there are any."""
    averaged = any(s.averaged is not None for s in summaries)
    extra = (" test, orders averaged |", "--:|") if averaged else ("", "")
    head = f"| data | model | metric | parts | parameters | valid | test | std. error |{extra[0]}"
    lines = [f"{head} s / epoch | peak MB | revision |", f"|---|---|---|--:|--:|--:|--:|--:|{extra[1]}--:|--:|---|"]
    for s in summaries:
        cells = (
            s.data,
            s.name,
            s.metric,
            str(s.parts),
            f"{s.parameters:,}",
            plus_minus(s.valid, s.valid_std),
            plus_minus(s.test, s.test_std),
            "–" if math.isnan(s.standard_error) else f"{s.standard_error:.4f}",
            *([_averaged(s)] if averaged else []),
            f"{s.seconds_per_epoch:.2f}",
            f"{s.peak_memory_mb:,.0f}",
            ", ".join(s.revisions),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _averaged(s: Summary) -> str:
    return "–" if s.averaged is None else f"{plus_minus(s.averaged, s.averaged_std)} ({s.test_orders} orders)"


def wide_table(summaries: Sequence[Summary]) -> str:
    """Markdown, models as rows and data sets as columns (test value), with the mean over data sets where complete.

    A name is one row, unless it stands for several configurations on one data set; then each of them has its own.
    """
    datasets = list(dict.fromkeys(s.data for s in summaries))
    used: dict[tuple[str, str], int] = Counter((s.name, s.data) for s in summaries)
    ambiguous = {name for (name, _), count in used.items() if count > 1}
    rows: dict[str, dict[str, Summary]] = {}
    for s in summaries:
        row = f"{s.name} ({s.settings})" if s.name in ambiguous else s.name
        rows.setdefault(row, {})[s.data] = s
    lines = ["| model | " + " | ".join(datasets) + " | mean |", "|---" + "|--:" * (len(datasets) + 1) + "|"]
    for name, row in rows.items():
        cells = [plus_minus(row[d].test, row[d].test_std) if d in row else "–" for d in datasets]
        complete = len(row) == len(datasets)
        mean = f"{statistics.fmean(s.test for s in row.values()):.4f}" if complete else "–"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {mean} |")
    return "\n".join(lines)


def plus_minus(mean: float, deviation: float) -> str:
    """``0.8095 ± 0.0057``, or the mean alone."""
    return f"{mean:.4f}" if math.isnan(deviation) else f"{mean:.4f} ± {deviation:.4f}"


def report(s: Summary) -> str:
    """A few lines for the terminal, as a leaderboard asks for them; parts of several revisions are not passed over."""
    parts = f"{s.parts} part{'s' if s.parts != 1 else ''}"
    averaged = "" if s.averaged is None else f"\ntest, orders averaged: {_averaged(s)}"
    mixed = f"\nparts of several revisions: {', '.join(s.revisions)}" if len(s.revisions) > 1 else ""
    return (
        f"{s.data} {s.name}, {parts}, {s.parameters:,} parameters\n"
        f"{s.metric}: validation {plus_minus(s.valid, s.valid_std)}, test {plus_minus(s.test, s.test_std)}"
        f"{averaged}{mixed}"
    )
