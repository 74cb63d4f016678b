"""Which keys go together: the circle of fifths, or the Camelot wheel, as disc jockeys know it."""

from typing import Literal

from generation.errors import InvalidRequest
from generation.request import Key

KeyMatch = Literal["exact", "relative", "compatible"]
NO_KEY = 24


def number_of(key: str | None) -> int:
    """0 to 11 for C to B major, 12 to 23 for C to B minor, NO_KEY for none."""
    if key is None:
        return NO_KEY
    try:
        parsed = Key.parse(key)
    except InvalidRequest:
        return NO_KEY
    return parsed.tonic + 12 * parsed.minor


def name_of(number: int) -> str:
    """The key with a number, "none" for NO_KEY."""
    return "none" if number == NO_KEY else str(Key(number % 12, number >= 12))


def camelot(number: int) -> str:
    """Its place on the Camelot wheel, "8A" for A minor."""
    major = (number + 3) % 12 if number >= 12 else number
    return f"{(7 * major + 7) % 12 + 1}{'A' if number >= 12 else 'B'}"


def matching(number: int, match: KeyMatch) -> frozenset[int]:
    """The keys that count as this one.

    Relative adds the key with the same notes (A minor to C major), compatible those a fifth up and down as well,
    and what has no key goes with every key.
    """
    if match == "exact" or number == NO_KEY:
        return frozenset({number})
    minor = number >= 12
    relative = (number + 3) % 12 if minor else (number + 9) % 12 + 12
    if match == "relative":
        return frozenset({number, relative})
    fifths = {(number + step) % 12 + 12 * minor for step in (7, 5)}
    return frozenset({number, relative, NO_KEY} | fifths)
