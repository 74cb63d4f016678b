"""Text as the search reads it, the same for every database: folded words, their lexemes, and spelling.

A word is what a person would type ("bells"), its lexeme is what is compared ("bell"). Lexemes and marks are short ASCII
without quotes or spaces, so that neither database's query language can be reached with them.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from market.search.models import MAX_WORD

MAX_TERMS = 12
MAX_TEXT = 400
# Of a long description, what stands at its beginning.
MAX_DESCRIPTION_WORDS = 60
_STOPWORDS = frozenset(
    (
        "a", "an", "and", "at", "by", "for", "from", "in", "is", "it", "of", "on", "or", "that", "the", "this", "to",
        "with", "con", "de", "del", "el", "en", "la", "las", "los", "un", "una", "y",
    )
)  # fmt: skip
_CHUNK = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_WORD = re.compile(r"[^\W_]+")
_PLURAL = re.compile(r"(?<=..[^sui])s$")


def folded(text: str) -> str:
    """Lower case without accents and without what no text should hold (NULs, halves of surrogate pairs)."""
    if text.isascii() and text.isprintable():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in decomposed if not unicodedata.category(char).startswith(("M", "C")))


def printed(text: str, limit: int = 80) -> str:
    """A label as it can be kept and shown: without controls, NULs among them, and not too long."""
    return "".join(char for char in text if not unicodedata.category(char).startswith("C"))[:limit].strip()


def words_of(text: str) -> Iterator[str]:
    """The words of a text in order, as they are indexed: of "lo-fi", "lo", "fi" and "lofi"."""
    for chunk in _CHUNK.findall(folded(text)):
        parts = _WORD.findall(chunk)
        for word in (*parts, "".join(parts)) if len(parts) > 1 else parts:
            if word not in _STOPWORDS and len(word) <= MAX_WORD:
                yield word


def terms_of(text: str) -> list[tuple[str, ...]]:
    """What a search is for: terms in order, each one word or the parts of a hyphenated one; repeated ones once."""
    terms = dict.fromkeys(
        parts
        for chunk in _CHUNK.findall(folded(text[:MAX_TEXT]))
        if (
            parts := tuple(
                word for word in _WORD.findall(chunk) if word not in _STOPWORDS and len(word) <= MAX_WORD
            )
        )
    )
    return list(terms)[:MAX_TERMS]


def unfinished(text: str) -> tuple[str, str]:
    """A folded text up to the word that is being typed, and that word; without letters, two empty texts."""
    if not _WORD.search(text):
        return "", ""
    *_, last = re.split(r"[\W_]", text)
    return text.removesuffix(last), last


@lru_cache(100_000)
def lexeme_of(word: str) -> str:
    """What a folded word is compared by: without a plural's s, and ASCII whatever the script."""
    if word.isascii():
        return _PLURAL.sub("", word)
    return f"x-{hashlib.blake2b(word.encode(), digest_size=8).hexdigest()}"


def primary(lexeme: str) -> str:
    """The mark of a lexeme that stands in a title or a tag."""
    return f"p={lexeme}"


def mark(dimension: str, value: str) -> str:
    """The lexeme that says that a loop has this value in a dimension: "g=drum-and-bass"."""
    return f"{dimension}={slug_of(value)}"


def slug_of(value: str) -> str:
    """A value as it is compared, whatever its case, accents and signs: short ASCII."""
    plain = folded(value)
    slug = re.sub("[^a-z0-9]+", "-", plain).strip("-")
    if not slug or len(slug) > MAX_WORD or not plain.isascii():
        return hashlib.blake2b(plain.encode(), digest_size=8).hexdigest()
    return slug


def rests_of(word: str) -> set[str]:
    """What is left of a word without one of its letters, and the word: two words at one edit share one of these.

    Implements the deletes of Garbe's symmetric spelling correction, at distance 1.
    """
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def distance(one: str, other: str, limit: int) -> int:
    """Letters to change, add, leave out or swap with a neighbour (optimal string alignment); at most limit + 1."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, candidate in enumerate(other, 1):
            best = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != candidate))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == candidate:
                best = min(best, before[column - 2] + 1)
            current.append(best)
        if min(current) > limit:
            return limit + 1
        before, last = last, current
    return min(last[-1], limit + 1)


def farthest(word: str) -> int:
    """How many letters of a word may be wrong."""
    return 1 if len(word) < 5 else 2 if len(word) < 9 else 3


def trigrams_of(word: str) -> list[str]:
    """Its stretches of three letters."""
    return [word[at : at + 3] for at in range(len(word) - 2)]


def splits_of(word: str) -> list[tuple[str, str]]:
    """The ways to read one word as two of at least three letters."""
    return [(word[:at], word[at:]) for at in range(3, len(word) - 2)]


def distinct(words: Iterable[str], limit: int) -> list[str]:
    """The first `limit` different ones."""
    seen: dict[str, None] = {}
    for word in words:
        if len(seen) == limit:
            break
        seen.setdefault(word)
    return list(seen)
