"""Differences in standard errors."""

import math

import pytest
from scipy import stats

from benchmarks.compare import advantage, mean_and_error, verdict


def test_difference_is_in_standard_errors_and_its_sign_says_who_is_better():
    a, b = [0.80, 0.83, 0.79, 0.85, 0.81], [0.90, 0.88, 0.93, 0.91, 0.86]
    welch = stats.ttest_ind(b, a, equal_var=False).statistic
    ours, theirs = ([{"metric": "rmse", "test": value} for value in values] for values in (a, b))
    assert advantage(ours, theirs) == pytest.approx(welch)  # a lower error is better
    for record in ours + theirs:
        record["metric"] = "rocauc"
    assert advantage(ours, theirs) == pytest.approx(-welch)
    assert math.isnan(advantage(ours[:1], theirs[:1]))
    verdicts = [verdict(d) for d in (1.9, -1.9, 2.1, -2.1, math.nan)]
    assert verdicts == ["+1.9 (tie)", "-1.9 (tie)", "+2.1 (better)", "-2.1 (worse)", "–"]


def test_mean_and_error():
    assert mean_and_error([0.5]) == "0.500"
    assert mean_and_error([1.0, 2.0, 3.0]) == f"2.000 ± {1 / math.sqrt(3):.3f}"
