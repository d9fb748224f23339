"""The estimators behind an adapter that turns scikit-learn's numeric test data into SMILES."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from plstm_graph.sklearn import PLSTMClassifier, PLSTMRegressor

SMALL = {"epochs": 2, "hidden_channels": 4, "num_layers": 1, "heads": 1, "random_state": 0, "accelerator": "cpu"}


def to_smiles(x: np.ndarray) -> list[str]:
    """A chain per row: every number becomes a branch whose length and end atom tell it from others."""
    return ["C" + "".join(_branch(value) for value in row[:8]) for row in np.asarray(x, float)]


def _branch(value: float) -> str:
    bucket = int(np.clip(np.floor(2 * value), -4, 8)) + 4
    return "C(" + "C" * (bucket // 3) + "FON"[bucket % 3] + ")"


class _Adapter:
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        return super().fit(to_smiles(validate_data(self, X)), y, sample_weight)

    def _predict(self, X: Any) -> np.ndarray:
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        return super()._predict(to_smiles(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = False
        tags.input_tags.two_d_array = True
        for kind in (tags.classifier_tags, tags.regressor_tags):
            if kind is not None:
                kind.poor_score = True  # two epochs of a tiny model
        return tags


class AdaptedClassifier(_Adapter, PLSTMClassifier):
    """Takes numbers."""


class AdaptedRegressor(_Adapter, PLSTMRegressor):
    """Takes numbers."""
