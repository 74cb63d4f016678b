"""The parts of a request as doors are given them, checked one by one; each refusal is a sentence for its field."""

import unicodedata
from collections.abc import Collection

from generation.errors import InvalidRequest

MAX_PROMPT_LENGTH = 300
MAX_SEED = 2**32 - 1


def text(field: str, value: object, label: str) -> str:
    """One line of text, its white space made even; "" for None."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidRequest(field, f"{label} has to be text.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise InvalidRequest(field, f"{label} contains control characters: use plain text on one line.")
    if len(value) > MAX_PROMPT_LENGTH:
        raise InvalidRequest(
            field, f"{label} has {len(value)} characters: at most {MAX_PROMPT_LENGTH} are possible."
        )
    return " ".join(value.split())


def number(field: str, value: object, bounds: tuple[float, float], default: float) -> float:
    """A number within bounds; `default` for None and ""."""
    if value is None or value == "":
        return default
    low, high = bounds
    label = said(field)
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            field, f"{label} has to be a number from {low:.10g} to {high:.10g}, not {quoted(value)}."
        ) from None
    if not low <= result <= high:
        raise InvalidRequest(field, f"{label} has to be from {low:.10g} to {high:.10g}, not {quoted(value)}.")
    return result


def whole(field: str, value: object, bounds: tuple[int, int], default: int) -> int:
    """A whole number within bounds; `default` for None and ""."""
    result = number(field, value, bounds, default)
    if result != int(result):
        raise InvalidRequest(field, f"{said(field)} has to be a whole number, not {quoted(value)}.")
    return int(result)


def choice(field: str, value: object, choices: Collection[str], default: str) -> str:
    """One of the choices; `default` for None and ""."""
    if value in (None, ""):
        return default
    if not isinstance(value, str) or value not in choices:
        names = [name for name in choices if name]
        offered = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
        raise InvalidRequest(field, f"{said(field)} has to be {offered}, not {quoted(value)}.")
    return value


def said(field: str) -> str:
    """A field's name as a sentence says it."""
    return field.rpartition(".")[2].replace("_", " ")


def quoted(value: object) -> str:
    """The value as a person wrote it, short and printable."""
    printable = "".join(character if character.isprintable() else "?" for character in str(value))
    return f"“{printable[:40]}{'…' if len(printable) > 40 else ''}”"
