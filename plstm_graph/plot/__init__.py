"""Pictures of DAGs, line graphs and wavefronts, as matplotlib figures that work without a display.

>>> from plstm_graph.plot import plot_dag
>>> figure = plot_dag("CC(=O)Oc1ccccc1C(=O)O")
>>> figure.savefig("aspirin.png")  # doctest: +SKIP
"""

from __future__ import annotations

from plstm_graph.plot.figure import plot_dag, plot_line_graph, plot_wavefronts

__all__ = ["plot_dag", "plot_line_graph", "plot_wavefronts"]
