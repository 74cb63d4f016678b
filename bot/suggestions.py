"""What chat offers while somebody types: prompts, keys, moods, tempos, presets, styles and forms of songs.

All of it comes from memory but styles (a folder) and a person's own prompts (a query). What is offered is shown in the
person's language; what is sent is what the model or the market reads, in English.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TypeVar

from discord.app_commands import Choice

from generation import form
from generation.corpus.genres import GENRES
from generation.corpus.spanish import MOODS as SPANISH_MOODS
from generation.errors import InvalidRequest
from generation.presets import PRESETS
from generation.request import BPM, GENRE_BPM, TONICS, Key, bpm_of
from market.catalog.vocabulary import Word, canonical, normal, vocabulary
from market.language import say, say_count

MOST = 25
LONGEST = 100  # characters of a choice's name, and of its value

# 24, of the 25 that Discord shows at once.
KEYS = tuple(f"{tonic}{mode}" for mode in ("", "m") for tonic in TONICS)
_SOLFEGE = {"C": "do", "D": "re", "E": "mi", "F": "fa", "G": "sol", "A": "la", "B": "si"}
_ACCIDENTALS = (("", "", ""), ("#", " sharp", " sostenido"), ("b", " flat", " bemol"))

# What the shipped model plays well: what its corpus has much of, said as its captions say it.
IDEAS = (
    "lofi hip hop with warm rhodes", "drum and bass break", "solo acoustic piano", "a waltz for accordion",
    "deep house with piano chords", "dark techno with church bells", "smooth jazz with saxophone",
    "funk groove with slap bass", "cinematic strings, epic", "synthwave with a synth pad",
    "bossa nova with nylon guitar", "reggae with organ and bass guitar", "chiptune lead, playful",
    "boom bap with vinyl crackle", "trap beat with 808 drums", "flamenco guitar in E minor",
    "ambient synth pad with rain", "cumbia with accordion", "celtic flute, lively", "music box, dreamy",
    "metal guitar, aggressive", "harp and choir, calm", "salsa with piano and brass section",
    "trance with a supersaw, uplifting", "blues guitar, smoky",
)  # fmt: skip
SONG_FORMS = (
    "intro A B A' B' outro",
    "intro verse chorus verse chorus outro",
    "intro verse chorus verse chorus bridge chorus outro",
    "intro A A' B break A'' B' outro",
    "intro A drop break A' drop outro",
    "A:4 B:4 A':4 B':4",
    "intro A x2 B C break A' B' outro",
)
_FURTHER_SECTIONS = ("A", "A'", "B", "B'", "C", "break", "outro")


Value = TypeVar("Value", str, float)


def choice(name: str, value: Value) -> Choice[Value]:
    """A choice whose name is short enough for Discord."""
    return Choice(name=name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…", value=value)


# Keys


def key_of_words(text: str) -> str:
    """A key as people write it ("F sharp minor", "la menor", "Gb"), in short; what is none stays as it is."""
    return _spellings().get(_folded(text), text)


def keys(language: str, typed: str) -> list[Choice[str]]:
    """Keys of which a spelling begins with what is typed; what it spells out, or the name shown, comes first."""
    wanted = _folded(typed)
    spelt = _spellings().get(wanted)
    fitting = {known for spelling, known in _spellings().items() if spelling.startswith(wanted)}
    offered = [choice(key_name(language, known), known) for known in KEYS if known in fitting]
    offered.sort(key=lambda one: (one.value != spelt, not _folded(one.name).startswith(wanted)))
    return offered


def key_name(language: str, key: str) -> str:
    """A key's whole name: "F# minor", "fa sostenido menor (F#m)"."""
    tonic, minor = key.removesuffix("m"), key.endswith("m")
    if language != "es":
        return f"{tonic} {'minor' if minor else 'major'}"
    said = next(spanish for sign, _, spanish in _ACCIDENTALS if sign == tonic[1:])
    return f"{_SOLFEGE[tonic[0]]}{said} {'menor' if minor else 'mayor'} ({key})"


@cache
def _spellings() -> Mapping[str, str]:
    """Every way to write a key, in lower case, and the short one; one of a kind before its equals in sound."""
    found = {}
    for letter, solfege in _SOLFEGE.items():
        for sign, english, spanish in _ACCIDENTALS:
            for minor in (False, True):
                mode, modo, short = ("minor", "menor", "m") if minor else ("major", "mayor", "")
                known = str(Key.parse(f"{letter}{sign} {mode}"))
                ways = {f"{letter}{sign}{short}", f"{solfege}{sign}{short}"}
                for tonic in (letter + sign, letter + english, letter + spanish, solfege + spanish):
                    ways |= {f"{tonic} {mode}", f"{tonic} {modo}", f"{tonic} {mode[:3]}"}
                    ways |= set() if minor else {tonic}
                found.update(dict.fromkeys(map(_folded, sorted(ways)), known))
    return found


def _folded(text: str) -> str:
    """Lower case without accents and with plain signs."""
    plain = unicodedata.normalize("NFKD", text.replace("♯", "#").replace("♭", "b").casefold())
    return " ".join("".join(sign for sign in plain if not unicodedata.combining(sign)).split())


# Moods and tempos


def mood_of_words(text: str) -> str:
    """A mood by the name that the model knows it by; what is none that we know stays as it is."""
    known = canonical(text)
    return known[1] if known is not None and known[0] == "mood" else text


def moods(language: str, typed: str) -> list[Choice[str]]:
    """Moods that one of their names begins with what is typed, or else has it inside; the commonest first."""
    wanted = normal(typed)
    found = sorted(
        ((rank, word) for word in _moods() if (rank := _rank(word, wanted)) is not None),
        key=lambda ranked: ranked[0],
    )
    return [
        choice(SPANISH_MOODS.get(word.value, word.value) if language == "es" else word.value, word.value)
        for _, word in found[:MOST]
    ]


@cache
def _moods() -> Sequence[Word]:
    """All moods, those first that most genres have."""
    played = Counter(mood for genre in GENRES.values() for mood in genre.moods)
    known = [word for word in vocabulary() if word.kind == "mood"]
    return sorted(known, key=lambda word: -played[word.value])


def _rank(word: Word, wanted: str) -> int | None:
    names = [normal(name) for name in (word.value, *word.aliases)]
    if any(name.startswith(wanted) for name in names):
        return 0
    return 1 if any(wanted in name for name in names) else None


def tempos(language: str, prompt: str, typed: str) -> list[Choice[float]]:
    """Tempos: the one that is typed, that of the prompt so far, and those of genres."""
    offered: dict[float, str] = {}
    digits = re.sub(r"[^\d.]", "", typed.replace(",", "."))
    try:
        own = float(digits)
    except ValueError:
        own = 0.0
    if BPM[0] <= own <= BPM[1]:
        offered[own] = ""
    said = say(language, "from your prompt")
    if prompt.strip():
        offered[bpm_of(prompt)] = said
    for genre, bpm in sorted(GENRE_BPM.items(), key=lambda item: (item[1], item[0])):
        known = offered.get(float(bpm), "")
        if known != said:
            offered[float(bpm)] = ", ".join(filter(None, (known, genre)))
    fitting = [(bpm, why) for bpm, why in offered.items() if f"{bpm:g}".startswith(digits) or bpm == own]
    return [choice(f"{bpm:g} bpm" + (f" ({why})" if why else ""), bpm) for bpm, why in fitting[:MOST]]


# Presets, styles and forms


def presets(language: str, typed: str) -> list[Choice[str]]:
    """Presets with what they set."""
    wanted = normal(typed)
    return [
        choice(f"{name}: {preset_says(language, name)}", name)
        for name in PRESETS
        if name.startswith(wanted) or wanted in normal(preset_says(language, name))
    ]


def preset_says(language: str, name: str) -> str:
    """What a preset sets, in words."""
    said = []
    for part, value in PRESETS[name].items():
        match part:
            case "steps":
                said.append(say_count(language, "{count} step", "{count} steps", int(value)))
            case "bars":
                said.append(say_count(language, "{count} bar", "{count} bars", int(value)))
            case "takes":
                said.append(say_count(language, "{count} take", "{count} takes", int(value)))
            case "bpm":
                said.append(f"{value} bpm")
            case "guidance_scale":
                how = "follows your words closely" if float(value) > 3.5 else "takes your words loosely"
                said.append(say(language, how))
            case "negative_prompt":
                said.append(say(language, "without {what}", what=value))
    return ", ".join(said) or say(language, "what it is without one")


def styles(names: Iterable[str], typed: str) -> list[Choice[str]]:
    """Styles whose names begin with what is typed."""
    wanted = typed.strip().casefold().removeprefix("style:")
    return [choice(name, name) for name in names if name.startswith(wanted)][:MOST]


def song_forms(typed: str) -> list[Choice[str]]:
    """Forms that begin with what is typed, or go on from it by a section."""
    text = " ".join(typed.split())
    try:
        is_form = bool(form.read(text))
    except InvalidRequest:
        is_form = False
    further = [f"{text} {section}" for section in _FURTHER_SECTIONS] if is_form else []
    begun = [known for known in SONG_FORMS if known.casefold().startswith(text.casefold())]
    offered = dict.fromkeys([*([text] if is_form else []), *begun, *further])
    return [Choice(name=known, value=known) for known in offered if len(known) <= LONGEST][:MOST]


# Prompts


def prompts(typed: str, own: Sequence[str]) -> list[Choice[str]]:
    """What is typed as it stands, with its last word made whole, own prompts that have it in them, and ideas."""
    text = " ".join(typed.split())
    wanted = normal(text)
    offered = [text] if text else []
    offered += _completed(text)
    offered += [prompt for prompt in (*own, *IDEAS) if wanted in normal(prompt)]
    return [Choice(name=prompt, value=prompt) for prompt in dict.fromkeys(offered) if len(prompt) <= LONGEST][
        :MOST
    ]


def _completed(text: str) -> list[str]:
    """A prompt with its last word as the beginning of a name that the model knows, in English."""
    before, _, last = text.rpartition(" ")
    begun = normal(last)
    if len(begun) < 3:
        return []
    found = [
        word.value
        for word in vocabulary()
        if any(normal(name).startswith(begun) for name in (word.value, *word.aliases))
    ]
    return [f"{before} {value}".strip() for value in found if normal(value) != begun][:6]
