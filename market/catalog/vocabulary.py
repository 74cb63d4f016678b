"""The words that loops are tagged with and looked for by: one plain name for each thing, and all else it is called.

The names are those of the corpus that the model learnt from, in English and Spanish. FAMILIES puts under one name what
a listener does not tell apart, ALIASES adds what people type besides.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from generation.corpus.genres import GENRES, NEUTRAL
from generation.corpus.instruments import BASSES, KITS, MELODIC, TEXTURES
from generation.corpus.spanish import MOODS as SPANISH_MOODS

KINDS = ("genre", "mood", "instrument", "texture")
# The longest name has so many words.
_LONGEST = 5

# What the corpus tells apart and a person who looks for music does not; by the corpus's name.
FAMILIES = {
    "boom bap": "hip hop", "world": "world music",
    "rhodes": "electric piano", "fm electric piano": "electric piano",
    "nylon guitar": "classical guitar", "clean guitar": "electric guitar",
    "chip pulse": "chip lead", "chip arp": "chip lead", "fm bell": "digital bell",
    "acoustic bass": "double bass", "finger bass": "bass guitar", "picked bass": "bass guitar",
    "standard kit": "drum kit", "room kit": "drum kit", "power kit": "drum kit",
    "electronic kit": "electronic drums", "808 kit": "808 drums", "synth 808": "808 drums", "synth 909": "909 drums",
    "jazz kit": "jazz drums", "brush kit": "brush drums", "orchestral kit": "orchestral percussion",
    "lofi kit": "lofi drums", "glitch kit": "glitch drums",
}  # fmt: skip

# What else people say, and words for more than one of the corpus's sounds.
ALIASES: dict[tuple[str, str], tuple[str, ...]] = {
    ("genre", "drum and bass"): ("drum n bass", "drum & bass", "d&b", "d n b", "dn b"),
    ("genre", "hip hop"): ("hiphop", "hip-hop", "rap", "rap beat", "boombap"),
    ("genre", "lofi"): ("lo-fi", "lo fi", "lofi hip hop", "chill hop", "study beats"),
    ("genre", "soul"): ("r&b", "rhythm and blues", "neosoul"),
    ("genre", "electronic"): ("electro", "electronic dance music", "electrónico", "música electrónica"),
    ("genre", "cinematic"): ("trailer", "film music", "movie score", "cine", "cinemático"),
    ("genre", "orchestral"): ("orchestra", "symphony", "orquesta", "orquestal"),
    ("genre", "classical"): ("clásica", "barroco", "classic"),
    ("genre", "bossa nova"): ("bossa", "bossanova", "brasileña"),
    ("genre", "reggaeton"): ("regueton", "perreo"),
    ("genre", "synthwave"): ("outrun", "retro wave"),
    ("genre", "uk garage"): ("ukg", "2-step", "2 step"),
    ("genre", "ambient"): ("ambiental", "soundscape"),
    ("genre", "celtic"): ("irish", "jig", "irlandesa", "celta"),
    ("genre", "world music"): ("world",),
    ("mood", "chill"): ("chilled", "chillout", "chill out", "mellow"),
    ("mood", "relaxed"): ("relaxing", "relajante"),
    ("mood", "happy"): ("joyous", "feliz", "upbeat", "alegre"),
    ("mood", "sad"): ("sorrowful", "unhappy"),
    ("mood", "dark"): ("gloomy", "sombre", "sombrío"),
    ("mood", "melancholic"): ("melancholy", "melancholia"),
    ("mood", "energetic"): ("energy", "powerful energy", "lleno de energía"),
    ("mood", "dreamy"): ("dreamlike", "dream"),
    ("mood", "haunting"): ("spooky", "eerie", "scary", "creepy"),
    ("mood", "epic"): ("grand", "grandioso"),
    ("mood", "calm"): ("quiet mood", "serene", "tranquil", "sereno"),
    ("mood", "romantic"): ("romance", "love"),
    ("mood", "sparse"): ("minimalist",),
    ("mood", "busy"): ("dense", "full of notes"),
    ("mood", "soft"): ("softly played",),
    ("mood", "loud"): ("hard hitting",),
    ("instrument", "electric piano"): ("e-piano", "e piano", "epiano", "wurlitzer", "wurli"),
    ("instrument", "piano"): ("pianos", "upright piano"),
    ("instrument", "guitar"): ("guitars", "guitarra", "guitarras"),
    ("instrument", "acoustic guitar"): ("guitarra acustica",),
    ("instrument", "bass"): ("bass line", "bassline", "línea de bajo"),
    ("instrument", "drums"): ("drum", "drum loop", "drum beat", "beat", "beats", "percussion", "percusión", "ritmo"),
    ("instrument", "drum kit"): ("drumkit", "drum-kit", "live drums"),
    ("instrument", "church bells"): ("bell", "carillon", "campana"),
    ("instrument", "synth"): ("synths", "synthesizers", "sinte", "sintetizadores"),
    ("instrument", "synth pad"): ("pads", "synth pads"),
    ("instrument", "saxophone"): ("saxes", "alto sax", "saxophones"),
    ("instrument", "violin"): ("violins", "fiddles"),
    ("instrument", "flute"): ("flutes", "flautas"),
    ("instrument", "trumpet"): ("trumpets", "trompetas"),
    ("instrument", "choir"): ("choral", "choirs", "vocals", "voices"),
    ("instrument", "double bass"): ("contrabass", "stand-up bass"),
    ("instrument", "808 bass"): ("808s",),
    ("texture", "rain"): ("raindrops", "rainy"),
    ("texture", "vinyl crackle"): ("vinyl", "crackle", "vinilo"),
    ("texture", "ocean waves"): ("sea", "ocean", "mar"),
    ("texture", "birdsong"): ("birds", "pájaros"),
    ("texture", "thunder"): ("thunderstorm", "storm", "tormenta"),
    ("texture", "fire crackle"): ("fireplace", "fuego"),
    ("texture", "typing"): ("typewriter", "keyboard clicks"),
}  # fmt: skip

# What follows these is what there is none of: "no drums", "sin bajo".
_NEGATIONS = ("no", "without", "sin", "not", "minus")
_WORD = re.compile(r"[a-z0-9&+]+")


@dataclass(frozen=True, slots=True)
class Word:
    """One thing by its plain name, and what else it is called, as people type it."""

    kind: str
    value: str
    aliases: tuple[str, ...]


def normal(text: str) -> str:
    """Lower case without accents, hyphens and marks: "Lo-Fi, Batería" is "lo fi bateria"."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(_WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign))))


def canonical(word: str) -> tuple[str, str] | None:
    """The kind and the plain name of what people call by a word or two; None where it is nothing that we know."""
    return _names().get(normal(word))


def mentioned(text: str) -> Sequence[tuple[str, str]]:
    """Kinds and plain names of all that a sentence names, in its order, the longest names first; not what it denies."""
    words = normal(text).split()
    found: dict[tuple[str, str], None] = {}
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            known = _names().get(" ".join(words[at : at + length]))
            if known is None:
                continue
            if not at or words[at - 1] not in _NEGATIONS:
                found[known] = None
            at += length - 1
            break
        at += 1
    return list(found)


@cache
def vocabulary() -> Sequence[Word]:
    """All the words by kind and name."""
    aliases: dict[tuple[str, str], dict[str, None]] = {}
    for word, known in _spoken():
        said = aliases.setdefault(known, {})
        if normal(word) != normal(known[1]) and _names().get(normal(word)) == known:
            said[word] = None
    return [
        Word(kind, value, tuple(said))
        for (kind, value), said in sorted(
            aliases.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1])
        )
    ]


@cache
def _names() -> Mapping[str, tuple[str, str]]:
    """What each normal form means: a plain name before all aliases, then whoever claims it first."""
    names = {normal(value): (kind, value) for _, (kind, value) in reversed(list(_spoken()))}
    for word, known in _spoken():
        names.setdefault(normal(word), known)
    return names


def _spoken() -> Iterator[tuple[str, tuple[str, str]]]:
    """Every name with its kind and plain name; genres come first, so that chiptune is one."""
    for name, genre in GENRES.items():
        known = ("genre", FAMILIES.get(name, name))
        for word in (name, *genre.synonyms, *genre.spanish):
            yield word, known
    for sounds in (MELODIC, BASSES, KITS):
        for name, sound in sounds.items():
            known = ("instrument", FAMILIES.get(name, name))
            for word in (name, *sound.synonyms, *sound.spanish):
                yield word, known
    for name, texture in TEXTURES.items():
        for word in (name, *texture.synonyms, *texture.spanish):
            yield word, ("texture", name)
    moods = dict.fromkeys((*NEUTRAL.moods, *(mood for genre in GENRES.values() for mood in genre.moods)))
    for mood in (*moods, "sparse", "busy", "soft", "loud"):
        yield mood, ("mood", mood)
        if mood in SPANISH_MOODS:
            yield SPANISH_MOODS[mood], ("mood", mood)
    for known, words in ALIASES.items():
        yield known[1], known
        for word in words:
            yield word, known
