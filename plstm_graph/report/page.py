"""``report.html`` of a run folder."""

from __future__ import annotations

from pathlib import Path

from plstm_graph import page
from plstm_graph.report import overview, results
from plstm_graph.report.folder import FinishedRun, read_run
from plstm_graph.report.split import split
from plstm_graph.report.trust import trust

FILE = "report.html"


def render_report(run: FinishedRun) -> str:
    """The page as a string; texts of users are shown as they are, never as markup.

    Sections for which the run left no data are left out.
    """
    sections = [overview.learning(run)]
    if run.predictions is not None and run.task.kind != "sequence":  # whose file names words, not their scores
        sections += [results.results(run.task, run.predictions), results.worst(run.task, run.predictions)]
    sections += [trust(run), split(run), overview.settings(run)]
    return page.render(
        "plstm_graph.report",
        "report.html",
        styles=("report.css",),
        title=f"{Path(str(run.config['data'])).name}: {', '.join(run.task.targets[:3])}",
        figures=overview.headline(run),
        sections=[section for section in sections if section.blocks],
        incomplete=run.predictions is None,
    )


def write_report(folder: str | Path, path: str | Path | None = None) -> Path:
    """Make the report of a run from its folder; nothing is trained or predicted.

    Args:
        folder: run folder of a finished training.
        path: HTML file to write; ``report.html`` in the folder by default.

    Returns:
        The file.

    Raises:
        RunError: the folder is not that of a finished run, or a file in it is damaged.
    """
    run = read_run(folder)
    return page.write(render_report(run), run.folder / FILE if path is None else path)
