"""The numbers of moderation, from rules.toml."""

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Rules:
    """What rules.toml says. `suspensions` are by the number of strikes from which on they apply."""

    reports_per_day: int
    reports_per_place: int
    again_after: timedelta
    counter: timedelta
    waiting: timedelta
    strike: timedelta
    suspensions: dict[int, timedelta]

    def suspension(self, strikes: int) -> timedelta | None:
        """For how long so many strikes suspend an account, if they do."""
        reached = [count for count in self.suspensions if count <= strikes]
        return self.suspensions[max(reached)] if reached else None


def _read() -> Rules:
    data = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))
    return Rules(
        reports_per_day=data["reports"]["per_day"],
        reports_per_place=data["reports"]["per_place"],
        again_after=timedelta(days=data["reports"]["again_after_days"]),
        counter=timedelta(days=data["cases"]["counter_days"]),
        waiting=timedelta(days=data["cases"]["waiting_days"]),
        strike=timedelta(days=data["strikes"]["expire_days"]),
        suspensions={
            int(count): timedelta(days=days) for count, days in data["strikes"]["suspensions"].items()
        },
    )


RULES = _read()
