import math

import numpy as np
import pytest

from generation.judge.statistics import Estimate, frechet_distance, frechet_ratio, median, proportion, ratio


def test_wilson_interval_has_the_textbook_values() -> None:
    estimate = proportion([True] * 8 + [False] * 2)
    assert estimate.value == 0.8
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (0.4902, 0.9433)
    assert proportion([True] * 5).high == 1.0
    assert round(proportion([True] * 5).low, 4) == 0.5655
    assert math.isnan(proportion([]).value)


def test_bootstrap_interval_covers_the_median_and_leaves_unknown_values_out() -> None:
    values = np.random.default_rng(1).normal(3, 1, 400)
    estimate = median([*values, math.nan])
    assert estimate.n == 400
    assert estimate.low < 3 < estimate.high
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * 1.2533 / 20, rel=0.35)


def test_ratio_of_two_estimates() -> None:
    share = ratio(Estimate(0.6, 0.5, 0.7, 100), Estimate(0.8, 0.7, 0.9, 200))
    assert share.value == pytest.approx(0.75)
    assert share.n == 100
    assert 0.5 / 0.9 < share.low < 0.75 < share.high < 0.7 / 0.7
    assert ratio(Estimate(0, 0, 0.1, 9), Estimate(0.8, 0.7, 0.9, 9)).value == 0
    assert math.isnan(ratio(Estimate(0.5, 0.4, 0.6, 9), Estimate(math.nan, math.nan, math.nan, 0)).value)


def test_frechet_distance_of_a_set_with_itself_is_nothing_and_of_a_shifted_one_the_shift() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 8))
    assert frechet_distance(rows, rows) < 1e-8
    assert frechet_distance(rows, rows + 2) == pytest.approx(8 * 4)
    assert frechet_distance(rows, 3 * rows) > np.trace(np.cov(rows.T)) * 3.9


def test_frechet_ratio_tells_a_strange_set_from_one_of_the_same_kind() -> None:
    same, real, reference = np.random.default_rng(0).normal(size=(3, 300, 8))
    alike = frechet_ratio(same, real, reference, resamples=20)
    strange = frechet_ratio(same + 0.5, real, reference, resamples=20)
    assert 0.5 < alike.value < 2
    assert strange.low > alike.high
    assert strange.n == 300
