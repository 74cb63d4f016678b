"""A figure: what riffs measure, what real loops measure by the same ruler, and what was asked for."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from generation.judge.statistics import Estimate, ratio

Verdict = Literal["wanted", "needed", "short", ""]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure has to reach, and what is hoped for: of its own value, or of its share of real loops' value."""

    needed: float
    wanted: float
    of: Literal["value", "share"] = "value"
    is_most: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """`unit` says how values are written: "%", "dB", "Hz", "s", "MiB", "LUFS", "" for plain numbers."""

    section: str
    name: str
    riffs: Estimate
    real: Estimate | None = None
    unit: str = ""
    goal: Goal | None = None
    note: str = ""

    @property
    def share(self) -> Estimate | None:
        """Riffs over real loops, for quantities where that means something."""
        if self.real is None or self.unit in ("dB", "LUFS"):
            return None
        return ratio(self.riffs, self.real)

    @property
    def verdict(self) -> Verdict:
        """ "wanted" or "needed" for the better of what was reached, "short" for neither, "" without a goal."""
        goal = self.goal
        if goal is None:
            return ""
        judged = self.share if goal.of == "share" else self.riffs
        if judged is None or math.isnan(judged.value):
            return "short"

        def reached(limit: float) -> bool:
            # A figure is judged as it is printed: 0.998 of 1.0 prints as 1.00 and has reached it.
            return round(judged.value, 3) <= limit if goal.is_most else round(judged.value, 3) >= limit

        return "wanted" if reached(goal.wanted) else "needed" if reached(goal.needed) else "short"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready record; what could not be measured is null."""
        share = self.share
        return {
            "section": self.section,
            "name": self.name,
            "unit": self.unit,
            "riffs": _record(self.riffs),
            "real": _record(self.real),
            "share": _record(share),
            "needed": None if self.goal is None else self.goal.needed,
            "wanted": None if self.goal is None else self.goal.wanted,
            "judged_by": None if self.goal is None else self.goal.of,
            "verdict": self.verdict,
            "note": self.note,
        }


def written(estimate: Estimate | None, unit: str, *, interval: bool = False) -> str:
    """An estimate as people read it: 87 %, 1.04, 3.2 dB; with its interval in brackets where asked for."""
    if estimate is None or math.isnan(estimate.value):
        return "–"
    text = _number(estimate.value, unit)
    if interval and estimate.n > 1:
        text += f" [{_number(estimate.low, unit)}, {_number(estimate.high, unit)}]"
    return f"{text} {unit}" if unit else text


def markdown(figures: list[Figure]) -> str:
    """The figures as one Markdown table."""
    lines = [
        "| figure | real loops (ceiling) | riffs [95 %] | share of real | needed | wanted | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for figure in figures:
        goal = figure.goal
        needed, wanted = (
            ("", "")
            if goal is None
            else (limit(goal, goal.needed, figure.unit), limit(goal, goal.wanted, figure.unit))
        )
        cells = (
            figure.name,
            written(figure.real, figure.unit),
            written(figure.riffs, figure.unit, interval=True),
            written(figure.share, ""),
            needed,
            wanted,
            figure.verdict,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def limit(goal: Goal, value: float, unit: str) -> str:
    """A goal's limit as people read it: "≥ 0.90 of real", "≤ 1.50 s"."""
    sign = "≤" if goal.is_most else "≥"
    if goal.of == "share":
        return f"{sign} {value:.2f} of real"
    return f"{sign} {_number(value, unit)} {unit}".strip()


def _number(value: float, unit: str) -> str:
    match unit:
        case "%":
            return f"{100 * value:.1f}"
        case "Hz" | "MiB":
            return f"{value:.0f}"
        case "dB" | "LUFS":
            return f"{value:.1f}"
        case _:
            return f"{value:.2f}"


def _record(estimate: Estimate | None) -> dict[str, float | int | None] | None:
    if estimate is None:
        return None
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {**{name: None if math.isnan(v) else round(v, 5) for name, v in values.items()}, "n": estimate.n}
