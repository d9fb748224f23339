"""Graph networks to compare with, built on PyTorch Geometric's own layers, under the same trainer as PLSTM."""

from plstm_graph.nn.baselines.registry import MODELS, build_model, model_options

__all__ = ["MODELS", "build_model", "model_options"]
