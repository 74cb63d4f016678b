"""A caption never names somebody who is not heard, and a bare name is never an ensemble's."""

import re
from itertools import combinations
from random import Random

import pytest

from generation.corpus.captions import SPANISH_SHARE, caption
from generation.corpus.composer import compose
from generation.corpus.genres import GENRES
from generation.corpus.instruments import BASSES, KITS, MELODIC, TEXTURES
from generation.corpus.score import Score
from generation.request import SAMPLE_RATE, metre_of

SOUNDS = {**MELODIC, **BASSES, **KITS, **TEXTURES}
WORDS: dict[str, tuple[str, ...]] = {
    name: tuple({*sound.synonyms, *sound.spanish}) for name, sound in SOUNDS.items()
}
DRUM_WORDS = ("drums", "drum", "beat", "beats", "percussion", "batería", "percusión")
DENIALS = ("without drums", "no drums", "sin batería", "without bass", "no bass", "sin bajo")
SPANISH = re.compile(r"\b(con|de|bucle|y|en|sin|un|una|compás|lento|rápido)\b|[áéíóúñ]")


@pytest.fixture(scope="module")
def scores() -> list[Score]:
    return [compose(seed) for seed in range(360)]


def roles_of(score: Score) -> frozenset[str]:
    return frozenset(part.role for part in score.parts)


def names_of(score: Score) -> set[str]:
    return {part.instrument for part in score.parts}


def claims(text: str, words: tuple[str, ...]) -> list[str]:
    return [word for word in words if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)]


def unexplained(text: str, score: Score, present: frozenset[str]) -> str:
    """The caption without the names of those who are heard, its genre's, and what it says is missing."""
    heard = [word for part in score.parts if part.role in present for word in WORDS[part.instrument]]
    if score.genre:
        heard += [score.genre, *GENRES[score.genre].synonyms, *GENRES[score.genre].spanish]
    for word in sorted((*heard, *DENIALS), key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", "·", text)
    return text


def test_nobody_is_named_who_is_not_heard(scores: list[Score]) -> None:
    for score in scores[:90]:
        roles = sorted(roles_of(score))
        for size in range(1, len(roles) + 1):
            for chosen in combinations(roles, size):
                present = frozenset(chosen)
                for attempt in range(2):
                    said = caption(score, present, Random(score.seed * 10 + attempt))
                    rest = unexplained(said, score, present)
                    heard = {part.instrument for part in score.parts if part.role in present}
                    for name, words in WORDS.items():
                        if name not in heard and not ("drums" in present and name in KITS):
                            assert not claims(rest, words), (said, name)
                    if "drums" not in present:
                        assert not claims(rest, DRUM_WORDS), said
                        assert not claims(said, ("trap beat", "lofi beats", "drum and bass")), said
                    if "bass" not in present:
                        assert not claims(rest, ("bass", "bassline", "bajo")), said
                    if "drums" in present:
                        assert not claims(said, DENIALS[:3]), said
                    if "bass" in present:
                        assert not claims(said, DENIALS[3:]), said


def test_an_ensemble_is_named_whole_or_says_that_there_are_more(scores: list[Score]) -> None:
    partial = alone = said_of = 0
    for score in scores:
        if len(names_of(score)) < 2:
            continue
        for attempt in range(3):
            said = caption(score, roles_of(score), Random(score.seed * 7 + attempt))
            if SPANISH.search(said):
                continue
            said_of += 1
            kits = (*DRUM_WORDS, *(word for name in KITS for word in WORDS[name]))
            named = [bool(claims(said, kits if name in KITS else WORDS[name])) for name in names_of(score)]
            if all(named):
                continue
            genres = (score.genre, *GENRES[score.genre].synonyms) if score.genre else ()
            assert claims(said, genres), said
            rest = re.sub("|".join(map(re.escape, sorted(genres, key=len, reverse=True))), "", said)
            if any(claims(rest, WORDS[name]) for name in names_of(score)):
                partial += 1
                assert re.search(r"\b(band|ensemble)\b.*\band (others|more)\b", said), said
            else:
                alone += 1
    assert 0 < partial / said_of < 0.03
    assert (partial + alone) / said_of <= 0.09


def test_a_bare_name_is_a_soloists_and_often_all_that_is_said(scores: list[Score]) -> None:
    bare = {word for words in WORDS.values() for word in words}
    short = solos = 0
    for score in scores:
        for attempt in range(3):
            said = caption(score, roles_of(score), Random(score.seed * 3 + attempt))
            if len(names_of(score)) > 1:
                genres = (score.genre, *GENRES[score.genre].synonyms) if score.genre else ()
                assert said not in bare or said in genres, said
            elif not SPANISH.search(said):
                solos += 1
                stripped = re.sub(r"^(solo|an?|just|only|sound of) | loop$", "", said)
                short += stripped in bare or stripped in DRUM_WORDS or stripped == "drum"
    assert short / solos == pytest.approx(0.36, abs=0.09)


def test_captions_are_short_lines_in_many_voices(scores: list[Score]) -> None:
    said = [
        caption(score, roles_of(score), Random(score.seed * 5 + attempt))
        for score in scores
        for attempt in range(3)
    ]
    assert len(set(said)) > 0.8 * len(said)
    for text in said:
        assert text == " ".join(text.split()).strip(" ,:")
        assert "  " not in text
        assert len(text.split()) <= 24
    assert sum("bpm" in text for text in said) / len(said) == pytest.approx(0.22, abs=0.07)
    assert any("without drums" in text for text in said)
    spanish = sum(bool(SPANISH.search(text)) for text in said) / len(said)
    assert SPANISH_SHARE - 0.03 <= spanish <= SPANISH_SHARE + 0.03


def test_spanish_names_and_articles_agree() -> None:
    score = next(score for score in map(compose, range(900)) if names_of(score) == {"nylon guitar"})
    said = {caption(score, roles_of(score), Random(attempt)) for attempt in range(2500)}
    assert {"guitarra española", "solo de guitarra española", "una guitarra española"} <= said
    assert not any("un guitarra" in text for text in said)
    rain = next(score for score in map(compose, range(900)) if names_of(score) == {"rain"})
    assert "bucle de lluvia" in {caption(rain, roles_of(rain), Random(attempt)) for attempt in range(2000)}


def test_a_tempo_a_key_and_a_metre_are_the_scores_own(scores: list[Score]) -> None:
    named = odd = 0
    for score in scores:
        for attempt in range(4):
            said = caption(score, roles_of(score), Random(attempt))
            for bpm in re.findall(r"(\d+) bpm", said):
                assert int(bpm) == score.bpm
            for mode in re.findall(r"[A-G](?: sharp| flat)? (minor|major)", said):
                assert (mode == "minor") == score.key.minor
            for mode in re.findall(r" (menor|mayor)\b", said):
                assert (mode == "menor") == score.key.minor
            if roles_of(score) <= {"drums", "texture"}:
                assert not re.search(r"\b[A-G]( sharp| flat)? (minor|major)|\bin [A-G]", said), said
            for metre in re.findall(r"\b([346]/[48])\b", said):
                assert metre == score.metre, said
            # What the prompt's own reader makes of the caption is the metre, wherever it says one.
            assert metre_of(said) in (score.metre, "4/4"), said
            if score.metre != "4/4":
                odd += 1
                named += metre_of(said) == score.metre
    assert named / odd > 0.2


def test_words_about_the_playing_are_true(scores: list[Score]) -> None:
    checked = 0
    for score in scores:
        played = [part for part in score.parts if part.role != "texture"]
        notes = [note for part in played for note in part.notes]
        for attempt in range(4):
            said = caption(score, roles_of(score), Random(attempt + 50))
            if re.search(r"\b(loud|powerful|hard hitting)\b", said) and "loud drum kit" not in said:
                checked += 1
                assert sum(note.velocity for note in notes) / len(notes) > 100, said
            if re.search(r"\b(quiet|softly played)\b", said):
                checked += 1
                assert sum(note.velocity for note in notes) / len(notes) < 70, said
            if re.search(r"\b(sparse|minimalist)\b", said):
                checked += 1
                seconds = score.samples / SAMPLE_RATE
                onsets = sum(len({round(note.start, 1) for note in part.notes}) for part in played)
                assert onsets / seconds / len(played) < 2.2, said
    assert checked > 20


def test_a_mix_without_parts_has_no_caption() -> None:
    with pytest.raises(ValueError, match="part that is heard"):
        caption(compose(1), frozenset(), Random(0))
