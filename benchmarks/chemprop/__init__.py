"""plstm_graph beside chemprop 2, by ``python -m benchmarks.chemprop``: the same molecules, splits and metrics."""
