"""What a creator says of a loop and asks for it, checked part by part; each refusal is a sentence for its field."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from generation import fields
from generation.errors import InvalidRequest
from market.catalog.tags import MAX_TAG_LENGTH, MAX_TAGS
from market.licensing import tiers

TITLE_LENGTH = 100
DESCRIPTION_LENGTH = 2000
# Below a dollar a payment's fee eats the price; above ten thousand it is a mistake or a ruse.
PRICE_CENTS = (100, 1_000_000)
_DOLLARS = re.compile(r"([0-9]{1,7})(?:\.([0-9]{1,2}))?", re.ASCII)


def paid_tiers() -> tuple[str, ...]:
    """The names of the tiers that may have a price, from the least to the most."""
    return tuple(name for name, tier in tiers.every().items() if tier.price_cents)


def parse(given: Mapping[str, object]) -> dict[str, Any]:
    """The parts that were given, checked, by the names of a Listing's columns, and `tags` and `rights`.

    `tags` None stands for "those that are found by themselves". Raises InvalidRequest.
    """
    return {name: _PARTS[name](value) for name, value in given.items()}


def cents(tier: str, typed: str) -> int | None:
    """The price of a tier as somebody typed it, in dollars; None where nothing was typed. Raises InvalidRequest."""
    plain = typed.strip().removeprefix("$").replace(",", "")
    if not plain:
        return None
    found = _DOLLARS.fullmatch(plain)
    if found is None:
        raise InvalidRequest(
            f"prices.{tier}", f"{fields.quoted(plain)} is no price: write it like 9 or 9.50."
        )
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def _title(value: object) -> str:
    title = _text("title", value, TITLE_LENGTH, lines=False)
    if not title:
        raise InvalidRequest("title", "The title is empty: give the loop a name.")
    return title


def _description(value: object) -> str:
    return _text("description", value, DESCRIPTION_LENGTH, lines=True)


def _tags(value: object) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise InvalidRequest("tags", "Tags are a list of words.")
    if len(value) > MAX_TAGS:
        raise InvalidRequest("tags", f"These are {len(value)} tags: at most {MAX_TAGS} are possible.")
    words = [_text("tags", word, MAX_TAG_LENGTH, lines=False) for word in value]
    return [word for word in words if word]


def _prices(value: object) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise InvalidRequest("prices", "Prices are an object: cents by the name of a licence.")
    prices = {}
    for tier, cents in value.items():
        if tier not in paid_tiers():
            names = ", ".join(paid_tiers())
            raise InvalidRequest("prices", f"{fields.quoted(tier)} has no price: possible are {names}.")
        if cents is None:
            continue
        if (
            isinstance(cents, bool)
            or not isinstance(cents, int)
            or not PRICE_CENTS[0] <= cents <= PRICE_CENTS[1]
        ):
            least, most = (f"{limit // 100:,}" for limit in PRICE_CENTS)
            raise InvalidRequest(
                f"prices.{tier}",
                f"The price for {tier} is in whole cents, from ${least} to ${most}, not {fields.quoted(cents)}.",
            )
        prices[str(tier)] = cents
    return {tier: prices[tier] for tier in paid_tiers() if tier in prices}


def _flag(name: str) -> Any:
    def parsed(value: object) -> bool:
        if not isinstance(value, bool):
            raise InvalidRequest(name, f"{name} is either true or false.")
        return value

    return parsed


def _text(field: str, value: object, longest: int, *, lines: bool) -> str:
    """One line, or several, of printable text; "" for None."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidRequest(field, f"The {field} has to be text.")
    if len(value) > longest:
        raise InvalidRequest(
            field, f"The {field} has {len(value)} characters: at most {longest} are possible."
        )
    plain = value.replace("\r\n", "\n") if lines else value
    if any(unicodedata.category(sign) in ("Cc", "Cs") and not (lines and sign in "\n\t") for sign in plain):
        raise InvalidRequest(field, f"The {field} contains control characters: use plain text.")
    if not lines:
        return " ".join(plain.split())
    return plain.strip()


_PARTS = {
    "title": _title,
    "description": _description,
    "tags": _tags,
    "prices": _prices,
    "free": _flag("free"),
    "rights": _flag("rights"),
}
