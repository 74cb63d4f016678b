"""What people read, in their language.

The English text in the code is the key; other languages stand in `locales/<language>/*.po`, one file per subject, with
the placeholders of `str.format`. Errors are raised as whole English sentences far from anybody who knows a language;
`retold` finds the template that a sentence was made from (in the catalogue, with `{}` where the values were).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES = Path(__file__).with_name("locales")
DEFAULT = "en"
# Each under its own name.
LANGUAGES = {"en": "English", "es": "Español"}


def language_of(tag: str | None) -> str:
    """The language that we have for a tag like "es-419" or "pt-BR"; English where there is none."""
    language = (tag or "").partition("-")[0].lower()
    return language if language in LANGUAGES else DEFAULT


def say(language: str, text: str, /, context: str | None = None, **values: object) -> str:
    """An English template in a language, filled in. What a catalogue lacks stays English.

    `context` tells two uses of one word apart ("command": names of commands and their options).
    """
    known = _catalogue(language)
    if known is not None:
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
    if known is None:
        return sentence
    whole = known.words.gettext(sentence)
    if whole != sentence:
        return whole
    for template in known.templates:
        found = template.pattern.fullmatch(sentence)
        if found is not None:
            return template.text.format(*(known.words.gettext(value) for value in found.groups()))
    return sentence


def entries(language: str) -> Sequence[tuple[str | None, str, str]]:
    """All that a language's files hold: (context, English, translation); each form of a plural by itself."""
    return [
        (message.context, english, translated)
        for message in _read(language)
        if message.id and message.string
        for english, translated in zip(_forms(message.id), _forms(message.string), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Template:
    pattern: re.Pattern[str]
    text: str


@dataclass(frozen=True, slots=True)
class _Known:
    words: GNUTranslations
    templates: tuple[_Template, ...]


@cache
def _catalogue(language: str) -> _Known | None:
    """What is known of a language; None for English."""
    if language == DEFAULT or language not in LANGUAGES:
        return None
    compiled = BytesIO()
    write_mo(compiled, _read(language))
    compiled.seek(0)
    templates = [
        _Template(_pattern(english), translated)
        for context, english, translated in entries(language)
        if context is None and "{}" in english
    ]
    # The more a template says, the surer it is that a sentence was made from it.
    templates.sort(key=lambda template: len(template.pattern.pattern), reverse=True)
    return _Known(GNUTranslations(compiled), tuple(templates))


def _read(language: str) -> Catalog:
    """All files of a language as one catalogue."""
    whole = Catalog(locale=language)
    for path in sorted((LOCALES / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if message.id:
                    whole[message.id] = message
    return whole


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(re.escape(part) for part in template.split("{}")), re.DOTALL)


def _forms(text: str | Sequence[str]) -> Sequence[str]:
    return [text] if isinstance(text, str) else text
