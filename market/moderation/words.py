"""Words that are refused in prompts, titles and descriptions: the shipped lists, and what people added to them.

What is compared is the text without case, accents, invisible characters and look-alike letters; each letter of a word
may be written as a digit, doubled, or set apart. A word is only found as a whole word, so that Scunthorpe, Nigerian
highlife and a therapist pass.
"""

import re
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from generation.arrangement import Layers, Morph
from generation.errors import InvalidRequest
from generation.fields import said
from generation.request import RiffRequest
from market.audit import service as audit
from market.errors import NotFound
from market.moderation import repository
from market.moderation.errors import TooManyWords, WordKnown
from market.moderation.models import BlockedWord

LISTS = Path(__file__).with_name("lists")
EVERYWHERE = ""
MAX_WORD_LENGTH = 80
MAX_WORDS = 1000
# How long another process may go on with what it knew before a word was added or removed.
LIFETIME_SECONDS = 10.0

_LEET = {
    "a": "4@", "b": "8", "e": "3€", "g": "9", "i": "1!", "l": "1", "o": "0", "s": "5$", "t": "7", "z": "2",
}  # fmt: skip
_LOOKALIKES = str.maketrans("авеікмнорстухѕјԁɡαεικνορτυχ", "abeikmhopctyxsjdgaeikvoptux")
# Bounded, so that no text makes the search slow.
_APART = r"(?:[^\w\s]|_){0,2}"
_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
_SPELT = re.compile(rf"{_START}[^\W_](?:[\W_]{{1,3}}[^\W_]){{2,}}{_END}")
# Note names: F A G is a chord progression before it is anything else.
_NOTES = frozenset("abcdefg")
_PLURAL = r"(?:[e3]?[s5$z]{1,3})?"
_ASKED_BEFORE = (
    r"(?:(?:style|manner|spirit|voices?|vocals?|sound|songs?|tracks?|music|version|covers?|remix) (?:of|by)"
    r"|sound(?:s|ing)? like|sung by|produced by|made by|inspired by|reminiscent of|a la) (?:the )?"
)
# The name ends there: "inspired by prince street" is about a street.
_NAME_ENDS = r"(?=$|[^\w\s]|\s(?:and|or|but|with|in|at|from|on)\b)"
_ASKED_AFTER = r"(?:['’]s?|s)? (?:type beat|style|voice|vocals?|covers?|clone|imitation|impression)"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words, each with what finds it, and one search for all of them, which for most texts is the only one."""

    words: tuple[tuple[str, re.Pattern[str]], ...]
    any: re.Pattern[str]

    @classmethod
    def of(cls, *parts: Iterable[tuple[str, str]]) -> "Lexicon":
        """From pairs of a word and the pattern that finds it, from its first letter on."""
        pairs = [pair for part in parts for pair in part]
        whole = [pattern for word, pattern in pairs if not _is_unspaced(word)]
        inside = [pattern for word, pattern in pairs if _is_unspaced(word)]
        # The boundary stands once before all: tried at each word's start, not by each word.
        every = [f"{_START}(?:{'|'.join(whole) or '(?!)'})", *inside]
        return cls(
            tuple(
                (word, re.compile(pattern if _is_unspaced(word) else _START + pattern))
                for word, pattern in pairs
            ),
            re.compile("|".join(every)),
        )

    def find(self, text: str) -> str | None:
        """The first word of the list that a folded text contains."""
        if self.any.search(text) is None:
            return None
        return next((word for word, pattern in self.words if _says(pattern, word, text)), None)


async def refused(session: AsyncSession, text: str, guild_id: str | None = None) -> str | None:
    """The word of `text` that is refused, as the list has it; None where there is none.

    With the words of a server (`guild_id`, Discord's id) beside those that count everywhere.
    """
    folded = fold(text)
    lexicons = [_shipped(), await _added(session, EVERYWHERE)]
    if guild_id:
        lexicons.append(await _added(session, guild_id))
    for reading in (folded, *_spelt_out(folded)):
        for lexicon in lexicons:
            if (word := lexicon.find(reading)) is not None:
                return word
    return None


async def require(session: AsyncSession, texts: Mapping[str, str], guild_id: str | None = None) -> None:
    """Raise InvalidRequest, for the field that it is in, where one of the texts contains a refused word."""
    for field, text in texts.items():
        word = await refused(session, text, guild_id) if text else None
        if word is not None:
            raise InvalidRequest(
                field, f"“{word}” in the {said(field)} is refused here: say it in other words."
            )


def texts_of(request: RiffRequest) -> dict[str, str]:
    """Everything that a request says in words, by its field."""
    texts = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "morph_to": request.morph_to,
    }
    match request.arrangement:
        case Morph(prompts=prompts):
            texts["arrangement.prompts"] = "\n".join(prompts)
        case Layers(prompts=layers):
            texts |= {f"arrangement.{role}": prompt for role, prompt in layers}
    return texts


async def of_guild(session: AsyncSession, guild_id: str) -> Sequence[BlockedWord]:
    """What was added on one server, or everywhere; in order."""
    return await repository.words(session, guild_id)


async def add(
    session: AsyncSession, word: str, *, by: str, guild_id: str = EVERYWHERE, note: str = ""
) -> BlockedWord:
    """Refuse a word or phrase from now on, on one server or everywhere.

    Raises InvalidRequest for what is no word, WordKnown and TooManyWords.
    """
    spelling = " ".join(word.split())
    if not any(character.isalnum() for character in fold(spelling)) or len(spelling) > MAX_WORD_LENGTH:
        raise InvalidRequest(
            "word", f"A word has letters or digits, and {MAX_WORD_LENGTH} characters at most."
        )
    await repository.hold(session, f"words {guild_id}")
    known = await repository.words(session, guild_id)
    if any(fold(one.word) == fold(spelling) for one in known):
        raise WordKnown(spelling)
    if len(known) >= MAX_WORDS:
        raise TooManyWords(MAX_WORDS)
    entry = BlockedWord(
        id=repository.new_id(),
        guild_id=guild_id,
        word=spelling,
        note=note,
        added_by=by,
        added_at=datetime.now(UTC),
    )
    session.add(entry)
    await session.flush()
    await audit.record(
        session, by, "word.add", f"word:{entry.id}", word=spelling, guild_id=guild_id, note=note
    )
    _forget_after_commit(session)
    return entry


async def remove(session: AsyncSession, word_id: str, *, by: str, guild_id: str | None = None) -> None:
    """Let a word that was added pass again; with `guild_id`, only one of that server. Raises NotFound."""
    entry = await repository.word(session, word_id)
    if entry is None or guild_id not in (None, entry.guild_id):
        raise NotFound("blocked word", word_id)
    await session.delete(entry)
    await session.flush()
    await audit.record(
        session,
        by,
        "word.remove",
        f"word:{entry.id}",
        word=entry.word,
        guild_id=entry.guild_id,
        note=entry.note,
    )
    _forget_after_commit(session)


def fold(text: str) -> str:
    """The text without case, accents, invisible characters and look-alike letters, its white space made even."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    visible = "".join(character for character in plain if unicodedata.category(character) not in ("Mn", "Cf"))
    # Composed again, for the alphabets in which NFKD takes letters apart.
    return " ".join(unicodedata.normalize("NFC", visible).translate(_LOOKALIKES).split())


def _spelt_out(folded: str) -> Iterator[str]:
    """Runs of single letters as the word that they spell: "x y z" as "xyz"."""
    for found in _SPELT.finditer(folded):
        letters = re.sub(r"[\W_]", "", found[0])
        if not _NOTES.issuperset(letters):
            yield letters
            # "a x y z" is an article and a word.
            yield letters[1:]


def _says(pattern: re.Pattern[str], word: str, text: str) -> bool:
    # "$10" is leetspeak for anything: of a word's letters one at least has to be a letter.
    needs_letter = any(character.isalpha() for character in word)
    return any(
        not needs_letter or any(character.isalpha() for character in found[0])
        for found in pattern.finditer(text)
    )


def _pattern(word: str) -> str:
    """What finds a word's letters, however they are written."""
    parts = [part for part in (re.sub(r"[\W_]", "", part) for part in fold(word).split()) if part]
    # Written as one word, short ones would turn up in others: "the rapist".
    gap = r"[\W_]{0,3}" if all(len(part) > 3 for part in parts) else r"[\W_]{1,3}"
    return gap.join(_APART.join(_runs(part)) for part in parts)


def _whole(word: str) -> str:
    return _pattern(word) + ("" if _is_unspaced(word) else _END)


def _runs(part: str) -> Iterator[str]:
    """What finds each run of the same letter; it may be longer than in the word, never shorter."""
    for run in re.finditer(r"(.)\1*", part):
        letter = f"[{re.escape(run[1] + _LEET.get(run[1], ''))}]"
        # The first one by itself: by it the search skips words at once.
        yield f"{letter}{letter}{{{len(run[0]) - 1},7}}"


def _is_unspaced(word: str) -> bool:
    """Whether a word's script puts no space between words, so that there are no whole ones to look for."""
    scripts = ("CJK", "HIRAGANA", "KATAKANA", "THAI")
    return any(unicodedata.name(character, "").startswith(scripts) for character in word)


@cache
def _shipped() -> Lexicon:
    return Lexicon.of(
        ((word, _pattern(word) + _PLURAL + _END) for name in ("slurs", "minors") for word in _list(name)),
        ((word, _whole(word)) for name in ("hate", "artists", "songs") for word in _list(name)),
        ((word, _ASKED_BEFORE + _pattern(word) + _NAME_ENDS) for word in _list("namesakes")),
        ((word, _pattern(word) + _ASKED_AFTER + _END) for word in _list("namesakes")),
    )


def _list(name: str) -> Iterator[str]:
    for line in (LISTS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


# By the engine of a process, then by server: when to read again, and what was read.
_known: WeakKeyDictionary[Any, dict[str, tuple[float, Lexicon]]] = WeakKeyDictionary()


_NONE = Lexicon.of()
_CHANGED = "words changed"


async def _added(session: AsyncSession, guild_id: str) -> Lexicon:
    of_engine = _known.setdefault(_engine(session), {})
    until, lexicon = of_engine.get(guild_id, (0.0, _NONE))
    changed = _CHANGED in session.info
    if changed or time.monotonic() >= until:
        added = await repository.words(session, guild_id)
        lexicon = Lexicon.of((one.word, _whole(one.word)) for one in added)
        # What is not committed is nobody else's business, and may never be.
        if not changed:
            of_engine[guild_id] = (time.monotonic() + LIFETIME_SECONDS, lexicon)
    return lexicon


def _forget_after_commit(session: AsyncSession) -> None:
    if _CHANGED not in session.info:
        session.info[_CHANGED] = True
        engine = _engine(session)
        event.listen(session.sync_session, "after_commit", lambda _: _known.pop(engine, None))


def _engine(session: AsyncSession) -> Any:
    # Reading and writing go through options of one engine, which share its pool.
    return session.get_bind().engine.pool
