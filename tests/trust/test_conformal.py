"""Coverage of split-conformal intervals against the theory, on exchangeable data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from plstm_graph.errors import ConfigError
from plstm_graph.trust import SplitConformal, coverage_table


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("normalised", [False, True])
def test_marginal_coverage_is_that_of_the_theory(coverage: float, normalised: bool) -> None:
    """Without ties, a new row is inside with probability ceil((n + 1) coverage) / (n + 1), exactly."""
    draw = np.random.default_rng(0)
    n, repetitions, inside = 47, 4000, 0
    for _ in range(repetitions):
        size = draw.uniform(0.2, 5.0, n + 1)
        y = size * draw.standard_t(3, n + 1)  # heavy tails, and a spread that differs from row to row
        guess = np.zeros(n + 1)
        spread = size * draw.uniform(0.5, 2.0, n + 1) if normalised else None
        one = SplitConformal.fit(y[:n], guess[:n], None if spread is None else spread[:n])
        low, high = one.interval(guess[n:], coverage, None if spread is None else spread[n:])
        inside += bool(low[0] <= y[n] <= high[0])
    exact = math.ceil((n + 1) * coverage) / (n + 1)
    few, many = binom.ppf((0.0005, 0.9995), repetitions, exact)
    assert few <= inside <= many
    assert exact >= coverage


def test_quantile_is_the_smallest_that_covers_enough_of_n_plus_one() -> None:
    """A plain search: the smallest score with at least (n + 1) coverage scores at or below it."""
    draw = np.random.default_rng(1)
    for n in (1, 7, 9, 10, 99, 100):
        scores = draw.random(n)
        one = SplitConformal.fit(scores, np.zeros(n))
        for percent in range(1, 100):
            found = [s for s in np.sort(scores) if 100 * (scores <= s).sum() >= (n + 1) * percent]
            assert one.quantile(percent / 100) == (found[0] if found else math.inf), (n, percent)


def test_too_few_rows_give_infinite_intervals_and_an_error_that_says_so() -> None:
    one = SplitConformal.fit(np.arange(8.0), np.zeros(8))
    low, high = one.interval(np.array([1.0]), 0.9)
    assert (low[0], high[0]) == (-math.inf, math.inf)
    assert np.isfinite(one.interval(np.array([1.0]), 0.88)).all()
    with pytest.raises(ConfigError, match=r"coverage=0\.9 of 'logS' needs at least 9 .* calibrated on 8: .* 0\.888"):
        one.check(0.9, "logS")
    one.check(0.888, "logS")
    with pytest.raises(ConfigError, match="there is none"):
        SplitConformal.fit(np.array([np.nan]), np.zeros(1)).check(0.5, "logS")
    SplitConformal.fit(np.arange(9.0), np.zeros(9)).check(0.9, "logS")


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0, -0.1])
def test_coverage_is_a_share(coverage: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        SplitConformal.fit(np.arange(9.0), np.zeros(9)).quantile(coverage)


def test_missing_labels_do_not_count_and_spread_has_a_floor() -> None:
    y = np.array([1.0, np.nan, 4.0])
    one = SplitConformal.fit(y, np.zeros(3), spread=np.array([0.5, 9.0, 0.0]), floor=0.1)
    np.testing.assert_allclose(one.scores, [2.0, 40.0])
    low, high = one.interval(np.array([7.0]), 0.3, np.array([0.0]))
    np.testing.assert_allclose([low[0], high[0]], [6.8, 7.2])  # a spread of 0 counts as 0.1
    with pytest.raises(ConfigError, match="need the spread"):
        one.interval(np.array([7.0]), 0.3)


def test_held_out_coverage_is_counted_and_its_band_is_that_of_simulation() -> None:
    draw = np.random.default_rng(2)
    n, m = 60, 200
    one = SplitConformal.fit(draw.normal(size=n), np.zeros(n))
    y = draw.normal(size=m)
    rows = coverage_table(one, np.append(y, np.nan), np.zeros(m + 1), levels=(0.5, 0.9, 0.99))
    for row in rows[:2]:
        inside = sum(abs(v) <= one.quantile(row["coverage"]) for v in y)
        assert row["observed"] == inside / m
        assert row["mean_width"] == pytest.approx(2 * one.quantile(row["coverage"]))
    assert rows[2] == {
        "coverage": 0.99, "observed": 1.0, "expected_low": 1.0, "expected_high": 1.0, "mean_width": None,
    }  # fmt: skip
    shares = []
    for _ in range(3000):
        quantile = SplitConformal.fit(draw.normal(size=n), np.zeros(n)).quantile(0.9)
        shares.append(draw.binomial(m, 1 - 2 * norm.sf(quantile)) / m)
    below, above = np.quantile(shares, (0.05, 0.95))
    assert rows[1]["expected_low"] == pytest.approx(below, abs=0.011)
    assert rows[1]["expected_high"] == pytest.approx(above, abs=0.011)
    assert coverage_table(one, np.full(3, np.nan), np.zeros(3)) == []
