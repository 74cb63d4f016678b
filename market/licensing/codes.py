"""A licence's public code: RM- and three groups of five of Crockford's base32 letters, 75 random bits."""

import re
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DIGITS = 15
_CODE = re.compile(f"[{ALPHABET}]{{{_DIGITS}}}")
# Letters that are taken for digits (Crockford).
_LOOKALIKES = str.maketrans("OIL", "011", "- ")


def fresh() -> str:
    """A new code, which nobody can guess."""
    return _spelt("".join(secrets.choice(ALPHABET) for _ in range(_DIGITS)))


def read(text: str) -> str | None:
    """The code that somebody typed: any case, with or without RM, hyphens and blanks, O for 0, I or L for 1."""
    if not text.isascii():
        return None
    digits = text.strip().upper().translate(_LOOKALIKES)
    if len(digits) == _DIGITS + 2:
        digits = digits.removeprefix("RM")
    return _spelt(digits) if _CODE.fullmatch(digits) else None


def _spelt(digits: str) -> str:
    return "-".join(["RM", digits[:5], digits[5:10], digits[10:]])
