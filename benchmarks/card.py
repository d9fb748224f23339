"""The speed card: what was promised, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks.figures import CaseRecord, rate, ratio, series, slope
from benchmarks.report import circumstances, markdown, number
from benchmarks.session import Record

Cases = dict[str, CaseRecord]


class Measured(NamedTuple):
    """A figure, and further ones that belong beside it."""

    value: float
    note: str = ""


class Row(NamedTuple):
    """A line of the card.

    Attributes:
        what: what is measured.
        suite: where.
        cases: which cases it needs.
        bar: what must be reached.
        aim: what should be reached.
        larger: whether more is better.
        measure: from the suite's cases to the figure, ``None`` if it was not measured.
    """

    what: str
    suite: str
    cases: tuple[str, ...]
    bar: float
    aim: float
    larger: bool
    measure: Callable[[Cases], Measured | None]


def _ratio(case: str, above: str, below: str, *, per_item: bool = False, beside: Mapping[str, str] | None = None):
    """Measure of a row: ratio of the medians of two calls; ``beside`` are further calls over the same base."""

    def measure(cases: Cases) -> Measured | None:
        value = ratio(cases[case], above, below, per_item=per_item)
        others = {label: ratio(cases[case], call, below) for label, call in (beside or {}).items()}
        note = ", ".join(f"{label} {number(other)}" for label, other in others.items() if other is not None)
        return None if value is None else Measured(value, note)

    return measure


def _smiles(cases: Cases) -> Measured | None:
    case = cases["smiles"]
    ours, theirs = rate(case, "featurize, list of Data"), rate(case, "ogb smiles2graph")
    if ours is None or theirs is None:
        return None
    packed = rate(case, "featurize, packed")
    note = f"{ours:,.0f} per second" + (f"; packed {number(packed / theirs)}" if packed else "")
    return Measured(ours / theirs, note)


def _line_graphs(cases: Cases) -> Measured | None:
    case = cases["line graph"]
    value, canonical = rate(case, "edge_index → LineDAG"), rate(case, "ToLineDAG canonical")
    note = f"with canonical orientation {canonical:,.0f}" if canonical else ""
    return None if value is None else Measured(value, note)


def _depth(cases: Cases) -> Measured | None:
    found = series(cases["depth"])
    slopes = {name: slope(*found[name]) for name in ("fused", "chunkwise") if name in found}
    known = {name: value for name, value in slopes.items() if value is not None}
    if len(known) < 2:
        return None
    return Measured(max(known.values()), ", ".join(f"{name} {value:.2f}" for name, value in known.items()))


def _epoch(cases: Cases) -> Measured | None:
    one_direction = "plstm, alternating directions"
    value = ratio(cases["epoch"], one_direction, "gin")
    if value is None:
        return None
    beside = {
        "batch 64": ratio(cases["epoch, small batches"], one_direction, "gin"),
        "both directions in every block": ratio(cases["epoch"], "plstm, both directions", "gin"),
        "the default model": ratio(cases["epoch"], "plstm", "gin"),
    }
    return Measured(value, ", ".join(f"{label} {number(r)}" for label, r in beside.items() if r is not None))


ROWS: tuple[Row, ...] = (
    Row(
        "fused operator ÷ GINConv (96→192→96)", "ops", ("molecules",), 1.0, 0.5, False,
        _ratio("molecules", "fused", "GINConv"),
    ),
    Row(
        "whole PLSTMConv, one direction ÷ GINConv", "layers", ("layers",), 2.5, 1.5, False,
        _ratio("layers", "PLSTMConv P", "GINConv", beside={"D-mode": "PLSTMConv D"}),
    ),
    Row(
        "pLSTM block (conv + MLP) ÷ GPS block (GINE + attention + MLP)", "layers", ("blocks",), 1.0, 0.5, False,
        _ratio(
            "blocks", "PLSTMBlock, edge features", "GPS block",
            beside={"both directions": "PLSTMBlock, both, edge features"},
        ),
    ),
    Row(
        "reference engine ÷ fused, per molecule", "ops", ("molecules",), 100, 500, True,
        _ratio("molecules", "reference", "fused", per_item=True),
    ),
    Row("wavefront ÷ fused", "ops", ("molecules",), 8, 15, True, _ratio("molecules", "wavefront", "fused")),
    Row(
        "epoch on ogbg-molhiv, 4 pLSTM blocks (one direction, with MLP) ÷ 4-layer GIN of the same width, same trainer",
        "train", ("epoch", "epoch, small batches"), 3.0, 1.5, False, _epoch,
    ),
    Row(
        "molecules per second, one core, SMILES → Data, ÷ OGB's smiles2graph", "prep", ("smiles",), 2, 4, True, _smiles,
    ),
    Row(
        "molecules per second, one core, edge_index → LineDAG (line graph, levels, multitree), batch of 500",
        "prep", ("line graph",), 20_000, 200_000, True, _line_graphs,
    ),
    Row(
        "cost against depth on a path, slope in log-log, 10² to 10⁵ nodes, fused and chunkwise", "ops", ("depth",),
        1.05, 1.0, False, _depth,
    ),
)  # fmt: skip


def needed(suite: str, case: str) -> bool:
    """Whether the card needs a case."""
    return any(row.suite == suite and case in row.cases for row in ROWS)


def verdict(row: Row, value: float) -> str:
    """``"hit, aim too"``, ``"hit"`` or ``"miss"``."""

    def reached(limit: float) -> bool:
        return value >= limit if row.larger else value <= limit

    return "hit, aim too" if reached(row.aim) else "hit" if reached(row.bar) else "miss"


def card(records: Mapping[str, Record]) -> str:
    """The card in Markdown, from the records of the suites."""
    lines = []
    for row in ROWS:
        cases = records.get(row.suite, {}).get("cases", {})
        measured = row.measure(cases) if all(case in cases for case in row.cases) else None
        sign = "≥" if row.larger else "≤"
        limits = [f"{sign} {limit:,g}" for limit in (row.bar, row.aim)]
        if measured is None:
            lines.append([row.what, *limits, "–", "not measured"])
            continue
        figure = number(measured.value) + (f" ({measured.note})" if measured.note else "")
        lines.append([row.what, *limits, figure, verdict(row, measured.value)])
    table = markdown(["what", "bar", "aim", "measured", ""], lines)
    first = next(iter(records.values()), None)
    head = "# Speed card\n\n" + (f"{circumstances(first)}\n\n" if first else "")
    return head + _EXPLANATION + "\n\n" + table + "\n"


_EXPLANATION = (
    "Batch of 500 molecules, width 96, 4 heads, K = V = 24, forward + backward; ratios of medians measured in turns in "
    "one process. Figures in brackets are for comparison and are not judged."
)
