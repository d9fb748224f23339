"""Cost against size: one log-log panel per sweep."""

from __future__ import annotations

import math
from pathlib import Path

from benchmarks.figures import CaseRecord, series, slope
from benchmarks.session import Record

COLORS = {
    "fused": "#0b6e99", "chunkwise": "#d1690e", "wavefront": "#5b8c2a", "parallel": "#8a4f9e", "GINConv": "0.45",
}  # fmt: skip


def draw_sweeps(record: Record, path: Path) -> bool:
    """Write one figure with all sweeps of a suite; ``False`` if it has none."""
    from matplotlib.figure import Figure

    sweeps = {name: case for name, case in record["cases"].items() if case["axis"] and case["calls"]}
    if not sweeps:
        return False
    columns = min(3, len(sweeps))
    rows = math.ceil(len(sweeps) / columns)
    figure = Figure(figsize=(4.4 * columns, 3.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, case in zip(panels, sweeps.values(), strict=False):
        _draw(panel, case)
    for panel in panels[len(sweeps) :]:
        panel.set_axis_off()
    figure.suptitle(
        f"forward + backward, median; {record['machine'].get('gpu', record['machine']['cpu'])}, "
        f"{record['threads']} threads, revision {record['revision']}" + (", QUICK RUN" if record["quick"] else ""),
        fontsize=9,
    )
    figure.savefig(path, dpi=130)
    return True


def _draw(panel, case: CaseRecord) -> None:
    for name, (x, y) in series(case).items():
        fitted = slope(x, y)
        label = name if fitted is None else f"{name}, slope {fitted:.2f}"
        panel.loglog(x, [1e3 * value for value in y], marker="o", ms=3.5, lw=1.4, label=label, color=COLORS.get(name))
    panel.set(xlabel=case["axis"], ylabel="ms")
    places = sorted({place for x, _ in series(case).values() for place in x})
    panel.set_xticks(places, [f"{place:g}" for place in places], fontsize=7)
    panel.xaxis.minorticks_off()
    panel.grid(alpha=0.3, which="major")
    panel.legend(fontsize=7)
