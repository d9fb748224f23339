"""The pLSTM operator on the line graph: one signature, several exact engines."""

from plstm_graph.ops.gating import gating_matrix
from plstm_graph.ops.operator import ENGINES, explain_engine, plstm

__all__ = ["ENGINES", "explain_engine", "gating_matrix", "plstm"]
