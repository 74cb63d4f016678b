"""What people read, in their language.

The English text in the code is the key; other languages stand in `locales/<language>/*.po`, one file per subject, with
the placeholders of `str.format`. Errors are raised as whole English sentences far from anybody who knows a language;
`retold` finds the template that a sentence was made from (in the catalogue, with `{}` where the values were).

A value stays as it is, for it may be what somebody wrote. Where it is a word of ours ("loop", in "There is no loop
12."), the translation says `{:word}`, or `{:Word}` at the beginning of a sentence, and the word stands in the catalogue
with the context "word", perhaps as a template itself; it may also be whole sentences.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Self

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES = Path(__file__).with_name("locales")
DEFAULT = "en"
# Each under its own name.
LANGUAGES = {"en": "English", "es": "Español"}
WORD = "word"

_QUOTED = re.compile("“[^”]*”")
# A value within a sentence may end one, too.
_MOST_PIECES = 4
_SENTENCE_END = re.compile(r"(?<=[.!?]) ")


def language_of(tag: str | None) -> str:
    """The language that we have for a tag like "es-419" or "pt-BR"; English where there is none."""
    language = (tag or "").partition("-")[0].lower()
    return language if language in LANGUAGES else DEFAULT


def say(language: str, text: str, /, context: str | None = None, **values: object) -> str:
    """An English template in a language, filled in. What a catalogue lacks stays English.

    `context` tells two uses of one word apart ("command": names of commands and their options).
    """
    known = _catalogue(language)
    if known is not None and text:
        text = known.words.gettext(text) if context is None else known.words.pgettext(context, text)
    return text.format(**values) if values else text


def say_count(language: str, one: str, many: str, count: int, /, **values: object) -> str:
    """`one` or `many` of something in a language; both may hold {count}."""
    known = _catalogue(language)
    text = (one if count == 1 else many) if known is None else known.words.ngettext(one, many, count)
    return text.format(count=count, **values)


def retold(language: str, sentence: str) -> str:
    """A sentence that was made in English, in a language; unchanged where no template of the catalogue fits."""
    known = _catalogue(language)
    told = None if known is None else known.told(sentence)
    return sentence if told is None else told


def entries(folder: Path) -> Sequence[tuple[str | None, str, str]]:
    """All that a language's files hold: (context, English, translation); each form of a plural by itself."""
    return [
        (message.context, english, translated)
        for message in _read(folder)
        if message.id and message.string
        for english, translated in zip(_forms(message.id), _forms(message.string), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Template:
    """`pattern` gives the values of an English sentence, and `text` takes them."""

    pattern: re.Pattern[str]
    text: str


@dataclass(slots=True)
class Catalogue:
    """What is known of a language; `templates` by context, the surest first."""

    words: GNUTranslations
    templates: dict[str | None, list[_Template]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The catalogue of all files of a language, whose folder has its name. Takes a moment."""
        compiled = BytesIO()
        write_mo(compiled, _read(folder))
        compiled.seek(0)
        catalogue = cls(GNUTranslations(compiled))
        listed = [entry for entry in entries(folder) if entry[0] in (None, WORD)]
        words = [english for context, english, _ in listed if context == WORD and "{}" not in english]
        # Longest first: what is tried first is what is taken.
        words.sort(key=len, reverse=True)
        for context, english, translated in sorted(listed, key=_sureness, reverse=True):
            if "{}" in english:
                template = _Template(_pattern(english, translated, words), translated)
                catalogue.templates.setdefault(context, []).append(template)
        return catalogue

    def told(self, sentence: str, context: str | None = None) -> str | None:
        """The translation of a sentence, or of what has this context; None where nothing fits."""
        # What has placeholders in it is a template only by chance: that is what somebody wrote into it.
        if sentence and "{" not in sentence:
            words = self.words
            whole = words.gettext(sentence) if context is None else words.pgettext(context, sentence)
            if whole != sentence:
                return whole
        for template in self.templates.get(context, ()):
            found = template.pattern.fullmatch(sentence)
            if found is not None:
                return template.text.format(*(_Value(self, value) for value in found.groups()))
        return None

    def word(self, value: str) -> str:
        """A value that is English of ours: a word, a part of a sentence, or sentences."""
        if _QUOTED.fullmatch(value):
            return value
        for written in (value, value[:1].lower() + value[1:]):
            told = self.told(written, WORD)
            if told is not None:
                return told
        return " ".join(self._sentences(value))

    def _sentences(self, text: str) -> Iterator[str]:
        pieces = _SENTENCE_END.split(text)
        while pieces:
            # The shortest beginning that is a sentence of ours: a longer one could be two, of which a value ate one.
            ends = range(1, min(len(pieces), _MOST_PIECES) + 1)
            tries = ((end, self.told(" ".join(pieces[:end]))) for end in ends)
            end, told = next(((end, told) for end, told in tries if told is not None), (1, pieces[0]))
            yield told
            pieces = pieces[end:]


@dataclass(frozen=True, slots=True)
class _Value:
    """A value on its way into a translation, which says whether it is translated itself."""

    catalogue: Catalogue
    value: str

    def __format__(self, how: str) -> str:
        if how.lower() != WORD:
            return self.value
        word = self.catalogue.word(self.value)
        return word if how == WORD or word == self.value else word[:1].upper() + word[1:]


@cache
def _catalogue(language: str) -> Catalogue | None:
    """What is known of a language; None for English."""
    if language == DEFAULT or language not in LANGUAGES:
        return None
    return Catalogue.read(LOCALES / language)


def _read(folder: Path) -> Catalog:
    """All files of a language as one."""
    whole = Catalog(locale=folder.name)
    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=folder.name):
                if message.id:
                    whole[message.id] = message
    return whole


def _sureness(entry: tuple[str | None, str, str]) -> tuple[bool, int]:
    """How sure it is that what fits a template was made from it: by how it begins, and how much of it is its own."""
    return not entry[1].startswith("{}"), len(entry[1].replace("{}", ""))


def _pattern(english: str, translated: str, words: Sequence[str]) -> re.Pattern[str]:
    """Finds a template's values, each as short as what follows it allows.

    A word of ours is not cut off within itself: "blocked word", in "There is no blocked word 12.".
    The groups are atomic, so that the time stays linear in a sentence's length.
    """
    ours = {place for place, how in _placeholders(translated) if how.lower() == WORD}
    first, *parts = english.split("{}")
    pattern = re.escape(first)
    for place, part in enumerate(parts):
        if place == len(parts) - 1:
            return re.compile(f"{pattern}(.*){re.escape(part)}", re.DOTALL)
        known = [re.escape(word) for word in words if part in word] if place in ours else []
        pattern += f"(?>({'|'.join([*known, '.*?'])}){re.escape(part)})"
    raise ValueError(english)


def _placeholders(text: str) -> Iterator[tuple[int, str]]:
    """(place, format) of each `{}`, `{1}` or `{:word}` of a template."""
    names = [(name, how or "") for _, name, how, _ in Formatter().parse(text) if name is not None]
    for number, (name, how) in enumerate(names):
        yield int(name) if name else number, how


def _forms(text: str | Sequence[str]) -> Sequence[str]:
    return [text] if isinstance(text, str) else text
