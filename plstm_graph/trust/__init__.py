"""How far a prediction can be trusted: intervals, calibrated probabilities, likeness to the training molecules.

Statistics on arrays, without networks; :mod:`plstm_graph.train` applies them to trained models.
"""

from __future__ import annotations

from plstm_graph.trust.calibration import calibration_errors
from plstm_graph.trust.conformal import SplitConformal, coverage_table
from plstm_graph.trust.domain import Domain
from plstm_graph.trust.temperature import Temperature, fit_binary_temperature, fit_class_temperature

__all__ = [
    "Domain",
    "SplitConformal",
    "Temperature",
    "calibration_errors",
    "coverage_table",
    "fit_binary_temperature",
    "fit_class_temperature",
]
