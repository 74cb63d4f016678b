"""How sure a figure is: 95 % intervals of shares, means, medians and ratios, and the Fréchet distance."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Z = 1.959964
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value, its 95 % interval, and how many loops it comes from."""

    value: float
    low: float
    high: float
    n: int


def proportion(hits: Sequence[bool] | NDArray[np.bool_]) -> Estimate:
    """A share of hits with its Wilson score interval (Wilson, 1927); NaN where there is nothing to count."""
    n = len(hits)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    share = float(np.mean(hits))
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half), n)


def bootstrap(
    values: Sequence[float] | NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64], int], NDArray[np.float64]],
) -> Estimate:
    """A statistic of measured values with its percentile interval (Efron, 1979).

    `statistic` takes (values, axis) as `np.mean` and `np.median` do. NaNs are left out.
    """
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if len(known) == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    rows = np.random.default_rng(0).integers(len(known), size=(_RESAMPLES, len(known)))
    low, high = np.quantile(statistic(known[rows], 1), (0.025, 0.975))
    return Estimate(float(statistic(known, 0)), float(low), float(high), len(known))


def mean(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """The mean with its bootstrap interval."""
    return bootstrap(values, lambda known, axis: np.mean(known, axis=axis))


def median(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """The median with its bootstrap interval."""
    return bootstrap(values, lambda known, axis: np.median(known, axis=axis))


def quantile95(values: Sequence[float] | NDArray[np.float64]) -> Estimate:
    """The 95th percentile with its bootstrap interval."""
    return bootstrap(values, lambda known, axis: np.quantile(known, 0.95, axis=axis))


def ratio(riffs: Estimate, real: Estimate) -> Estimate:
    """One positive estimate as a share of another; the interval adds their errors on a logarithmic scale."""
    if not (riffs.value > 0 and real.value > 0):
        missing = math.nan if not real.value > 0 else 0.0
        return Estimate(missing, missing, missing, min(riffs.n, real.n))
    share = riffs.value / real.value

    def above(estimate: Estimate) -> float:
        return math.log(max(estimate.high, estimate.value) / estimate.value)

    def below(estimate: Estimate) -> float:
        return math.log(estimate.value / max(min(estimate.low, estimate.value), 1e-3 * estimate.value))

    low = share * math.exp(-math.hypot(below(riffs), above(real)))
    high = share * math.exp(math.hypot(above(riffs), below(real)))
    return Estimate(share, low, high, min(riffs.n, real.n))


def frechet_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The Fréchet distance of the normal distributions fitted to two sets of rows (Dowson and Landau, 1982), squared.

    It shrinks with the number of rows: compare at equal numbers only.
    """
    difference = float(np.square(first.mean(0) - second.mean(0)).sum())
    covariance, other = np.cov(first.T), np.cov(second.T)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    return max(0.0, difference + float(np.trace(covariance) + np.trace(other) - 2 * cross))


def frechet_ratio(
    riffs: NDArray[np.float64], real: NDArray[np.float64], reference: NDArray[np.float64], resamples: int = 60
) -> Estimate:
    """How many times farther riffs are from a reference set of real loops than another real set of equal size is.

    Drawing rows with repetition makes every distance larger: the interval keeps the width of the resampled ratios
    and is laid round the measured one.
    """
    n = min(len(riffs), len(real), len(reference))
    sets = riffs[:n], real[:n], reference[:n]

    def over_floor(one: NDArray[np.float64], two: NDArray[np.float64], three: NDArray[np.float64]) -> float:
        return frechet_distance(one, three) / max(frechet_distance(two, three), 1e-12)

    chance = np.random.default_rng(0)
    value = over_floor(*sets)
    drawn = [over_floor(*(rows[chance.integers(n, size=n)] for rows in sets)) for _ in range(resamples)]
    low, high = value * np.quantile(drawn, (0.025, 0.975)) / np.median(drawn)
    return Estimate(value, float(low), float(high), n)
