"""scikit-learn's own checks of an estimator, with its numeric data turned into SMILES."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.sklearn.adapted import SMALL, AdaptedClassifier, AdaptedRegressor

EXEMPT = {
    "check_sample_weight_equivalence_on_dense_data": (
        "asks that a row of weight 2 and the same row twice give equal weights of the network: batches and the "
        "held-out rows are drawn among the rows, so the two trainings see other batches"
    ),
}


@parametrize_with_checks(
    [AdaptedClassifier(**SMALL), AdaptedRegressor(**SMALL)],
    expected_failed_checks=lambda estimator: EXEMPT,
)
@pytest.mark.filterwarnings("ignore")
def test_estimator_check(estimator: BaseEstimator, check: Callable[[Any], None]) -> None:
    check(estimator)
