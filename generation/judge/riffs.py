"""Riffs for the judge: what the model makes of prompts, measured and kept as real loops are."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generation.corpus.genres import GENRES
from generation.corpus.instruments import KITS, SOUNDS, TEXTURES
from generation.engine import Engine
from generation.judge.loops import Facts, Specimen, read, write
from generation.judge.measures import measure
from generation.request import TONICS, RiffRequest
from generation.spectrogram import SpectrogramCodec

_RIFFS_PER_FILE = 16
_BARS_OF_SOLOS = (2, 4)

# Both ends of a morph, and the source and the prompt of a remix.
OPPOSITE_PROMPTS = (
    ("church bells", "techno loop"),
    ("solo piano", "drum and bass loop"),
    ("acoustic guitar, folk", "synthwave loop"),
    ("string section", "chiptune loop"),
    ("jazz trio", "metal loop"),
    ("music box lullaby", "808 beat"),
    ("reggae loop", "trance loop"),
    ("flute", "rock loop with distorted guitar"),
)
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
PLAYERS = ("piano", "acoustic guitar", "synth pad", "strings", "rhodes", "flute")


@dataclass(frozen=True, slots=True)
class Wish:
    """A request and what a loop that follows it would be."""

    request: RiffRequest
    facts: Facts


def make(
    engine: Engine,
    wishes: Sequence[Wish],
    folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Specimen]:
    """One riff per wish, in their order, judged by its sound: the picture is taken of the audio again.

    `folder` belongs to one model; what is there already is not made again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    codec = SpectrogramCodec()
    made: list[Specimen] = []
    for at in range(0, len(wishes), _RIFFS_PER_FILE):
        some = wishes[at : at + _RIFFS_PER_FILE]
        path = folder / f"{at:05d}-{len(some):02d}.npz"
        if not path.exists() or not _same(read(path), some):
            write(
                path, [specimen_of(engine.render(wish.request).takes[0].audio, wish, codec) for wish in some]
            )
        made += read(path)
        if on_progress:
            on_progress(len(made), len(wishes))
    return made


def remix(
    engine: Engine, count: int, folder: Path, on_progress: Callable[[int, int], None] | None = None
) -> list[list[Specimen]]:
    """For each pair of prompts: the first one's riff, then remixes of it by the second at rising strengths."""
    folder.mkdir(parents=True, exist_ok=True)
    codec = SpectrogramCodec()
    series = []
    for seed, (first, second) in enumerate(OPPOSITE_PROMPTS[:count]):
        path = folder / f"{seed:02d}.npz"
        if not path.exists():
            wish = plainly(first, seed, bars=2)
            source = engine.render(wish.request).takes[0].audio
            specimens = [specimen_of(source, wish, codec)]
            for strength in STRENGTHS:
                request = replace(wish.request, prompt=second, seed=seed + 1, strength=strength)
                audio = engine.render(request, source=source).takes[0].audio
                specimens.append(specimen_of(audio, Wish(request, wish.facts), codec))
            write(path, specimens)
        series.append(read(path))
        if on_progress:
            on_progress(len(series), count)
    return series


def specimen_of(audio: NDArray[np.float32], wish: Wish, codec: SpectrogramCodec) -> Specimen:
    """A riff's sound, (samples, 2) float32, as the judge sees and measures it."""
    request = wish.request
    level = codec.encode(audio, request.sixteenths).level
    return Specimen(wish.facts, level, measure(audio, request.bars, request.sixteenths))


def like(specimen: Specimen, seed: int) -> Wish:
    """The wish that a real loop's caption, length, metre, tempo and key make."""
    facts = specimen.facts
    return Wish(
        RiffRequest.parse(
            prompt=facts.caption[:300],
            seed=seed,
            bars=facts.bars,
            bpm=facts.bpm,
            metre=facts.metre,
            key=TONICS[facts.key // 2] + ("m" if facts.key % 2 else ""),
        ),
        facts,
    )


def alone() -> list[Wish]:
    """Every instrument, bass, kit and texture by its plain name, and the playable ones as "solo NAME" as well."""
    wishes = []
    for name, sound in SOUNDS.items():
        plain = sound.synonyms[0]
        second = plain if name in KITS or name in TEXTURES else f"solo {plain}"
        wishes += [
            plainly(prompt, seed, bars=bars, instruments=(name,))
            for seed, (prompt, bars) in enumerate(zip((plain, second), _BARS_OF_SOLOS, strict=True))
        ]
    return wishes


def plainly(
    prompt: str,
    seed: int,
    *,
    bars: int = 4,
    genre: str = "",
    instruments: tuple[str, ...] = (),
    key: str | None = None,
) -> Wish:
    """A wish with nothing but a prompt and a seed, as most people type it; the tempo is the prompt's or 120."""
    request = RiffRequest.parse(prompt=prompt, seed=seed, bars=bars, key=key)
    number = -1 if request.key is None else request.key.tonic * 2 + request.key.minor
    return Wish(
        request,
        Facts(prompt, genre, instruments, (), request.bpm, request.bars, request.metre, number, request.seed),
    )


def diverse(genre: str, seeds: int) -> list[Wish]:
    """One prompt, many seeds."""
    return [plainly(f"{GENRES[genre].synonyms[0]} loop", seed, bars=2, genre=genre) for seed in range(seeds)]


def with_and_without_drums(count: int) -> list[tuple[Wish, Wish]]:
    """A few players and some genres' bands, "with drums" and "without drums" from one seed and in one key."""
    subjects: list[tuple[str, str, tuple[str, ...]]] = [
        (f"{SOUNDS[name].synonyms[0]} and bass guitar", "", (name,)) for name in PLAYERS
    ]
    subjects += [(f"{GENRES[genre].synonyms[0]} loop", genre, ()) for genre in list(GENRES)[::3]]
    return [
        (
            plainly(f"{subject} with drums", seed, genre=genre, instruments=sounds, key="Am"),
            plainly(f"{subject} without drums", seed, genre=genre, instruments=sounds, key="Am"),
        )
        for seed, (subject, genre, sounds) in enumerate(subjects[:count])
    ]


def opposites(first: str, second: str, count: int) -> list[tuple[Wish, Wish]]:
    """The same players in one mood and in another, from one seed."""
    return [
        (
            plainly(f"{first} {SOUNDS[name].synonyms[0]}", seed, instruments=(name,)),
            plainly(f"{second} {SOUNDS[name].synonyms[0]}", seed, instruments=(name,)),
        )
        for seed, name in enumerate((PLAYERS * 2)[:count])
    ]


def morphs(count: int) -> list[list[Wish]]:
    """Five steps from one prompt to another, ends included, from one seed."""
    return [
        [
            Wish(
                replace(wish.request, morph_to=second, morph=place),
                replace(wish.facts, caption=f"{first} > {second}: {place}"),
            )
            for place in PLACES
        ]
        for seed, (first, second) in enumerate(OPPOSITE_PROMPTS[:count])
        for wish in (plainly(first, seed, bars=2),)
    ]


def names(caption: str, words: Sequence[str]) -> bool:
    """Whether a caption says one of the words or phrases."""
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", caption, re.IGNORECASE) for word in words)


def named_genre(facts: Facts) -> bool:
    """Whether a caption names its loop's genre, and two players or more are there to play it."""
    if not facts.genre or len(facts.instruments) < 2:
        return False
    genre = GENRES[facts.genre]
    return names(facts.caption, (*genre.synonyms, *genre.spanish))


def named_players(facts: Facts) -> tuple[str, ...]:
    """The players of an ensemble, drums aside, if its caption names them all; else ()."""
    players = tuple(name for name in facts.instruments if name not in KITS)
    if len(facts.instruments) < 2 or not all(names(facts.caption, words_for(name)) for name in players):
        return ()
    return players


def words_for(name: str) -> tuple[str, ...]:
    """All that people call a sound, in English and Spanish."""
    return (*SOUNDS[name].synonyms, *SOUNDS[name].spanish)


def accepted(name: str) -> set[str]:
    """The sounds that a sound's plain name may mean: "drum kit" is more than one."""
    return {other for other, sound in SOUNDS.items() if SOUNDS[name].synonyms[0] in sound.synonyms}


def _same(specimens: list[Specimen], wishes: Sequence[Wish]) -> bool:
    return [specimen.facts for specimen in specimens] == [wish.facts for wish in wishes]
