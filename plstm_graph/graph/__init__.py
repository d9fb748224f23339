"""Index mathematics: orientation, line graph, levels, multitree. No parameters, no features."""

from plstm_graph.graph.canonical import canonical_rank
from plstm_graph.graph.linedag import LineDAG
from plstm_graph.graph.transform import ToLineDAG
from plstm_graph.graph.walks import AddRandomWalks

__all__ = ["AddRandomWalks", "LineDAG", "ToLineDAG", "canonical_rank"]
