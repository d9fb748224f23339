"""pLSTM regression of one or several numbers per molecule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from plstm_graph.sklearn.base import PARAMETERS, SmilesEstimator
from plstm_graph.sklearn.inputs import check_numbers, check_smiles
from plstm_graph.train.task import Task


@dataclass(kw_only=True, eq=False, repr=False)
class PLSTMRegressor(RegressorMixin, SmilesEstimator):
    __doc__ = f"""Predicts numbers from SMILES, in scikit-learn's manner.
{PARAMETERS}
        loss: ``"mse"`` or ``"l1"``, of the standardised targets.

    Attributes:
        predictor_, spec_: the fitted network, and how it is built and fed.
        history_: one row per epoch.
        best_epoch_: position of the epoch whose weights were kept.
        n_iter_: number of epochs.

    Example:
        >>> model = PLSTMRegressor(epochs=2, hidden_channels=8, num_layers=1, random_state=0)
        >>> model.fit(["CCO", "CCC", "c1ccccc1", "CC(=O)O"], [-0.1, 1.8, 2.1, -0.2]).predict(["CCCO"]).shape
        (1,)
    """

    loss: str = "mse"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, smiles: Any, y: Any, sample_weight: Any = None) -> PLSTMRegressor:
        """Train anew.

        Args:
            smiles: n strings: list, array or column.
            y: numbers ``[n]``, or ``[n, T]`` for T targets, where NaN is a missing label.
            sample_weight: ``[n]``, 0 or more; rows of weight 0 are left out.

        Raises:
            SmilesError: a SMILES cannot be read; ``error.row`` is its row.
            TableError: a label is no finite number.
            FeatureError: numbers of rows differ, or a weight is wrong.
            ConfigError: a parameter has a value that does not exist or does not fit.
        """
        rows = check_smiles(smiles)
        names = [str(name) for name in y.columns] if hasattr(y, "columns") else None
        values = check_numbers(y, len(rows))
        single = values.ndim == 1
        values = values.reshape(len(rows), -1)
        targets = names or (["y"] if single else [f"y{i}" for i in range(values.shape[1])])
        self._fit(rows, values.astype(np.float32), Task("regression", tuple(targets), loss=self.loss), sample_weight)
        self.n_outputs_ = values.shape[1]
        self._single = single
        return self

    def predict(self, smiles: Any) -> np.ndarray:
        """``[n]``, or ``[n, T]`` if ``y`` had two dimensions, in the units of ``y``.

        Raises:
            SmilesError: a SMILES cannot be read; ``error.row`` is its row.
        """
        values = self._predict(smiles).astype(float)
        return values[:, 0] if self._single else values

    def _own_settings(self) -> dict[str, Any]:
        return {"loss": self.loss}
