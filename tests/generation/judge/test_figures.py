import json
import math

from generation.judge.figures import Figure, Goal, markdown, written
from generation.judge.statistics import Estimate


def _estimate(value: float, n: int = 100) -> Estimate:
    return Estimate(value, value - 0.02, value + 0.02, n)


def test_a_goal_of_the_share_is_judged_by_the_share() -> None:
    goal = Goal(0.9, 0.97, "share")
    for riffs, verdict in ((0.78, "wanted"), (0.73, "needed"), (0.7, "short")):
        assert Figure("", "genre", _estimate(riffs), _estimate(0.8), "%", goal).verdict == verdict
    assert Figure("", "genre", _estimate(0.9), None, "%", goal).verdict == "short"


def test_a_goal_of_the_value_may_be_a_limit_from_above() -> None:
    goal = Goal(1.3, 1.1, is_most=True)
    for riffs, verdict in (
        (1.1, "wanted"),
        (1.1004, "wanted"),
        (1.2, "needed"),
        (1.31, "short"),
        (math.nan, "short"),
    ):
        assert Figure("", "distance", _estimate(riffs), goal=goal).verdict == verdict
    assert Figure("", "distance", _estimate(1.2)).verdict == ""


def test_decibels_have_no_share() -> None:
    assert Figure("", "width", _estimate(-10), _estimate(-8), "dB").share is None
    share = Figure("", "centroid", _estimate(900), _estimate(1000), "Hz").share
    assert share is not None
    assert share.value == 0.9


def test_values_are_written_as_people_read_them() -> None:
    assert written(Estimate(0.873, 0.85, 0.9, 50), "%", interval=True) == "87.3 [85.0, 90.0] %"
    assert written(Estimate(1.0349, 1, 1, 1), "", interval=True) == "1.03"
    assert written(Estimate(math.nan, math.nan, math.nan, 0), "%") == "–"
    assert written(None, "dB") == "–"


def test_the_record_is_json_and_the_table_has_a_row_each() -> None:
    figures = [
        Figure("a", "genre", _estimate(0.6), _estimate(0.8), "%", Goal(0.9, 0.97, "share")),
        Figure("a", "unknown", Estimate(math.nan, math.nan, math.nan, 0)),
    ]
    records = [json.loads(json.dumps(figure.to_dict(), allow_nan=False)) for figure in figures]
    assert records[0]["share"]["value"] == 0.75
    assert records[0]["verdict"] == "short"
    assert records[1]["riffs"] == {"value": None, "low": None, "high": None, "n": 0}
    rows = markdown(figures).splitlines()
    assert len(rows) == 4
    assert rows[2].startswith("| genre | 80.0 % | 60.0 [58.0, 62.0] % | 0.75 | ≥ 0.90 of real |")
