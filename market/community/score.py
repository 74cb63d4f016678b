"""How popular a loop is: one number per chart, which stays as it is until something happens to the loop.

    score = log2( sum of points * 2^(age of the epoch / half-life) ) + 2 * log2( B / PRIOR_STARS )

What somebody did earns points, and a point halves in each half-life of the chart. Instead of shrinking old points every
day, new ones are made larger, which gives the same order ("forward decay": Cormode, Shkapenyuk, Srivastava and Xu,
*Forward Decay: A Practical Time Decay Model for Streaming Systems*, ICDE 2009). So only loops that something happened
to are worked out again, and the logarithm keeps the numbers small for ever: a score grows by 1 per half-life.

B is the Bayesian mean of the stars, as if PRIOR_RATINGS people had given PRIOR_STARS each before the first one came:
one good or bad rating moves little (the weighted rating of IMDb; Evan Miller, *How Not To Sort By Average Rating*,
2009, on why the plain mean will not do). Squared, it doubles the points of a loop that everybody gives 5 stars, and
leaves a tenth of them to one that everybody gives 1.

What a creator does to their own loop earns nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import log2
from typing import Literal, get_args

Chart = Literal["day", "week", "month", "all"]
CHARTS: tuple[Chart, ...] = get_args(Chart)

# Who was not heard of for so many days is not in the chart, however many points are left.
DAYS: dict[Chart, int | None] = {"day": 1, "week": 7, "month": 30, "all": None}
HALF_LIFE_DAYS: dict[Chart, float | None] = {"day": 0.5, "week": 3.5, "month": 15.0, "all": None}
# The one whose points searches go by.
POPULARITY: Chart = "month"

PUBLISHED, PLAYED, FAVOURED, LICENSED_FREE, LICENSED = 1.0, 1.0, 5.0, 10.0, 30.0

PRIOR_RATINGS, PRIOR_STARS = 5, 3.5
EPOCH = date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Points:
    """What a loop earned on a day."""

    day: date
    points: float


def score(chart: Chart, earned: Iterable[Points], ratings: int, stars: int) -> float:
    """The score of a loop in a chart; `stars` is the sum over its `ratings`. At least one point has to be earned."""
    return earnings(chart, earned) + 2 * log2(bayesian_mean(ratings, stars) / PRIOR_STARS)


def earnings(chart: Chart, earned: Iterable[Points]) -> float:
    """The first half of a score: the logarithm of the points, each as large as its day makes it."""
    half_life = HALF_LIFE_DAYS[chart]
    return _log2_sum(
        log2(each.points) + (0.0 if half_life is None else (each.day - EPOCH).days / half_life)
        for each in earned
    )


def bayesian_mean(ratings: int, stars: int) -> float:
    """The mean of the stars, drawn towards PRIOR_STARS as far as there are few ratings."""
    return (PRIOR_RATINGS * PRIOR_STARS + stars) / (PRIOR_RATINGS + ratings)


def _log2_sum(logarithms: Iterable[float]) -> float:
    """log2 of the sum of 2^x, without ever holding 2^x: after some decades it would not fit into a float."""
    terms = list(logarithms)
    largest = max(terms)
    return largest + log2(sum(2.0 ** (term - largest) for term in terms))
