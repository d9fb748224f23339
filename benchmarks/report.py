"""Markdown from records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.figures import CaseRecord, median, quartiles, rate, ratio, series, slope
from benchmarks.session import BEFORE, NOW, Record


def suite_report(record: Record) -> str:
    """All tables of a suite, with the circumstances above them."""
    parts = [f"# Speed: {record['suite']}", circumstances(record)]
    for name, case in record["cases"].items():
        parts += [f"## {name}", sentence(case["about"]), case_table(case, record["against"])]
        if case["axis"]:
            parts.append(slopes_table(case))
        if case["failed"]:
            parts.append(_failures(case))
    for name, table in record["tables"].items():
        parts += [f"## {name}", markdown(table["columns"], table["rows"])]
    return "\n\n".join(parts) + "\n"


def circumstances(record: Record) -> str:
    """Machine, versions and revision in a few lines."""
    machine = record["machine"]
    device = machine.get("gpu", machine["cpu"]) if record["device"] == "cuda" else machine["cpu"]
    threads = f"{record['threads']} thread{'s' if record['threads'] != 1 else ''}"
    lines = [
        f"{device}, {machine['cores']} cores, {machine['memory_gb']} GB; {threads}; {machine['system']}",
        ", ".join(f"{name} {value}" for name, value in record["versions"].items()),
        f"revision {record['revision']}"
        + (f" against {record['against']}" if record["against"] else "")
        + f", {record['started']}, {record['seconds']:.0f} s, load {record['load_before']:.1f} before and "
        f"{record['load_after']:.1f} after",
        f"molecules: {record['molecules']}",
    ]
    if record["quick"]:
        lines.append("**Quick run: small inputs and few rounds. These figures only show that everything works.**")
    return "  \n".join(lines)


def case_table(case: CaseRecord, against: str | None = None) -> str:
    """One line per call, or per place on the axis for a sweep."""
    return _sweep_table(case, against) if case["axis"] else _plain_table(case, against)


def _plain_table(case: CaseRecord, against: str | None) -> str:
    unit = "ms" if case["unit"] == "s" else case["unit"]
    scale = 1e3 if case["unit"] == "s" else 1
    entries = case["calls"]
    seconds, items = case["unit"] == "s", any(e["items"] for e in entries.values())
    bytes_ = any(e["bytes"] for e in entries.values())
    columns = ["", f"median, {unit}", "quartiles"]
    columns += ["molecules", "molecules / s"] if items and seconds else []
    columns += ["GB / s"] if bytes_ else []
    columns += [f"÷ {case['base']}"] if case["base"] else []
    columns += [f"{against}, {unit}", f"now ÷ {against}"] if against else []
    rows = []
    for name, entry in entries.items():
        value = median(case, name)
        row = [name, "–", "–"] if value is None else [name, number(value * scale), _range(entry, scale)]
        if items and seconds:
            row += [str(entry["items"]), _or_dash(rate(case, name), "{:,.0f}")]
        if bytes_:
            speed = entry["bytes"] / value / 1e9 if value and entry["bytes"] else None
            row.append(_or_dash(speed, "{:.2f}"))
        if case["base"]:
            per_item = entry["items"] != entries.get(case["base"], entry)["items"]
            value = ratio(case, name, case["base"], per_item=per_item)
            row.append(_or_dash(value, "{:.3g}") + (" (per molecule)" if per_item else ""))
        if against:
            before = median(case, name, BEFORE)
            row += [_or_dash(before and before * scale, "{:.4g}"), _or_dash(_change(case, name), "{:.3f}")]
        rows.append(row)
    return markdown(columns, rows)


def _range(entry: dict[str, Any], scale: float) -> str:
    return " – ".join(number(value * scale) for value in quartiles(entry["samples"][NOW]))


def _change(case: CaseRecord, call: str) -> float | None:
    now, before = median(case, call), median(case, call, BEFORE)
    return now / before if now and before else None


def _sweep_table(case: CaseRecord, against: str | None) -> str:
    found = series(case)
    places = sorted({place for x, _ in found.values() for place in x})
    rows = []
    for place in places:
        row = [f"{place:g}"]
        for name, (x, y) in found.items():
            cell = number(1e3 * y[x.index(place)]) if place in x else "–"
            change = next((_change(case, c) for c in case["calls"] if c == f"{name} @ {place:g}"), None)
            row.append(cell + (f" (× {change:.2f})" if against and change else ""))
        rows.append(row)
    note = f", ms (× now ÷ {against})" if against else ", ms"
    return markdown([case["axis"], *(name + note for name in found)], rows)


def slopes_table(case: CaseRecord) -> str:
    """Slopes of a sweep in log-log, over all places and over the last three."""
    rows = [
        [name, f"{x[0]:g} – {x[-1]:g}", _or_dash(slope(x, y), "{:.2f}"), _or_dash(slope(x[-3:], y[-3:]), "{:.2f}")]
        for name, (x, y) in series(case).items()
    ]
    return markdown(["log-log slope", "range", "whole range", "last three places"], rows)


def _failures(case: CaseRecord) -> str:
    rows = [[call, version, text.splitlines()[0]] for call, m in case["failed"].items() for version, text in m.items()]
    return markdown(["failed", "version", "error"], rows)


def markdown(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, first column to the left and the others to the right."""
    lines = [_line(columns), "|---" + "|--:" * (len(columns) - 1) + "|"]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def number(value: float) -> str:
    """Three significant digits, without exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def sentence(text: str) -> str:
    """First letter large, a full stop behind."""
    return f"{text[0].upper()}{text[1:]}."


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)
