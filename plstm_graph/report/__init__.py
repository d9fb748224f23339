"""The report of a training run: one self-contained page made from what the run left in its folder.

>>> from plstm_graph.report import write_report
"""

from __future__ import annotations

from plstm_graph.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
