"""pLSTM classification of molecules, two classes or more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from plstm_graph.errors import ConfigError, TableError
from plstm_graph.sklearn.base import PARAMETERS, SmilesEstimator
from plstm_graph.sklearn.inputs import check_rows, check_smiles, check_weights
from plstm_graph.train.task import Task


@dataclass(kw_only=True, eq=False, repr=False)
class PLSTMClassifier(ClassifierMixin, SmilesEstimator):
    __doc__ = f"""Predicts classes from SMILES, in scikit-learn's manner.

    The best epoch is the one with the highest accuracy on the held-out rows, and of those that tie the one with the
    lowest loss.
{PARAMETERS}
        class_weight: ``"balanced"`` weighs rare classes up; or the weight of every class, as a dictionary; or ``None``.

    Attributes:
        classes_: the classes, sorted; columns of ``predict_proba`` are in this order.
        predictor_, spec_: the fitted network, and how it is built and fed.
        history_: one row per epoch.
        best_epoch_: position of the epoch whose weights were kept.
        n_iter_: number of epochs.

    Example:
        >>> model = PLSTMClassifier(epochs=2, hidden_channels=8, num_layers=1, random_state=0)
        >>> model.fit(["CCO", "CCC", "CO", "CSC"], ["alcohol", "other", "alcohol", "other"]).predict_proba(["C"]).shape
        (1, 2)
    """

    class_weight: str | Mapping[Any, float] | None = None

    def fit(self, smiles: Any, y: Any, sample_weight: Any = None) -> PLSTMClassifier:
        """Train anew.

        Args:
            smiles: n strings: list, array or column.
            y: ``[n]`` classes: numbers or text.
            sample_weight: ``[n]``, 0 or more; rows of weight 0 are left out.

        Raises:
            SmilesError: a SMILES cannot be read; ``error.row`` is its row.
            TableError: there is one class only.
            FeatureError: numbers of rows differ, or a weight is wrong.
            ConfigError: a parameter has a value that does not exist or does not fit.
        """
        rows = check_smiles(smiles)
        if y is None:
            raise TableError("This estimator requires y to be passed, but the target y is None")
        labels = column_or_1d(y, warn=True)
        check_rows("y", labels, len(rows))
        check_classification_targets(labels)
        classes, codes = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise TableError(f"y holds one class only, {classes[0]!r}: a classifier needs two or more")
        names = tuple(str(name) for name in classes)
        if len(classes) == 2:
            task = Task("binary", (names[1],), metric="accuracy")
            label = codes.astype(np.float32).reshape(-1, 1)
        else:
            task = Task("multiclass", ("class",), num_classes=len(classes), metric="accuracy", class_names=names)
            label = codes.astype(np.int64)
        self._fit(rows, label, task, self._weights(labels, sample_weight), codes)
        self.classes_ = classes
        return self

    def predict_proba(self, smiles: Any) -> np.ndarray:
        """Probabilities ``[n, classes]``, in the order of ``classes_``.

        Raises:
            SmilesError: a SMILES cannot be read; ``error.row`` is its row.
        """
        values = self._predict(smiles).astype(float)
        if values.shape[1] == 1:
            return np.concatenate([1 - values, values], axis=1)
        return values / values.sum(axis=1, keepdims=True)  # to the precision of float64

    def predict(self, smiles: Any) -> np.ndarray:
        """The most likely class of every molecule, ``[n]``.

        Raises:
            SmilesError: a SMILES cannot be read; ``error.row`` is its row.
        """
        best = self.predict_proba(smiles).argmax(axis=1)
        return self.classes_[best]

    def _weights(self, labels: np.ndarray, sample_weight: Any) -> np.ndarray:
        """``[n]`` weights of rows times those of their classes."""
        weight = check_weights(sample_weight, len(labels))
        try:
            return weight * compute_sample_weight(self.class_weight, labels)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"class_weight={self.class_weight!r}: {error}") from error
