"""A caption never names somebody who is not heard."""

import re
from itertools import combinations
from random import Random

import pytest

from generation.corpus.captions import caption
from generation.corpus.composer import compose
from generation.corpus.instruments import BASSES, KITS, MELODIC
from generation.corpus.score import Score

WORDS: dict[str, tuple[str, ...]] = {
    **{name: sound.synonyms for name, sound in {**MELODIC, **BASSES}.items()},
    **{name: kit.synonyms for name, kit in KITS.items()},
}
DRUM_WORDS = ("drums", "drum", "beat", "beats", "percussion", "808")
DENIALS = ("without drums", "no drums")


def claims(text: str, words: tuple[str, ...]) -> list[str]:
    return [word for word in words if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)]


def unexplained(text: str, score: Score, present: frozenset[str]) -> str:
    """The caption without the names of those who are heard and without what it says is missing."""
    for denial in DENIALS:
        text = text.replace(denial, "")
    heard = [word for part in score.parts if part.role in present for word in WORDS[part.instrument]]
    for word in sorted(heard, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", "", text)
    return text


def test_nobody_is_named_who_is_not_heard() -> None:
    for seed in range(500):
        score = compose(seed)
        roles = [part.role for part in score.parts]
        for size in range(1, len(roles) + 1):
            for chosen in combinations(roles, size):
                present = frozenset(chosen)
                for attempt in range(3):
                    said = caption(score, present, Random(seed * 10 + attempt))
                    rest = unexplained(said, score, present)
                    heard = {part.instrument for part in score.parts if part.role in present}
                    for name, words in WORDS.items():
                        if name not in heard and not ("drums" in present and name in KITS):
                            assert not claims(rest, words), (said, name)
                    if "drums" not in present:
                        assert not claims(rest, DRUM_WORDS), said
                    if "bass" not in present:
                        assert not claims(rest, ("bass", "bassline")), said
                    if "drums" in present:
                        assert not claims(said, DENIALS), said


def test_captions_are_short_lines_in_many_voices() -> None:
    scores = [compose(seed) for seed in range(400)]
    said = [
        caption(score, frozenset(part.role for part in score.parts), Random(score.seed * 5 + attempt))
        for score in scores
        for attempt in range(5)
    ]
    assert len(set(said)) > 0.7 * len(said)
    for text in said:
        assert text == " ".join(text.split()).strip(" ,")
        assert len(text.split()) <= 26
    assert sum("bpm" in text for text in said) / len(said) == pytest.approx(0.3, abs=0.12)
    assert any("without drums" in text for text in said)


def test_a_soloist_is_often_just_its_name() -> None:
    score = next(score for score in map(compose, range(500)) if soloist(score) == "piano")
    said = [caption(score, frozenset({"lead", "chords"}), Random(attempt)) for attempt in range(300)]
    plain = {"piano", "a piano", "solo piano", "piano solo", "piano loop", "grand piano", "acoustic piano"}
    assert {"piano", "a piano", "solo piano"} <= set(said)
    assert sum(text in plain for text in said) / len(said) > 0.2


def test_a_tempo_and_a_key_are_the_scores_own() -> None:
    for seed in range(300):
        score = compose(seed)
        for attempt in range(4):
            said = caption(score, frozenset(part.role for part in score.parts), Random(attempt))
            for bpm in re.findall(r"(\d+) bpm", said):
                assert int(bpm) == score.bpm
            for mode in re.findall(r"[A-G](?: sharp| flat)? (minor|major)", said):
                assert (mode == "minor") == score.key.minor


def test_a_mix_without_parts_has_no_caption() -> None:
    with pytest.raises(ValueError, match="part that is heard"):
        caption(compose(1), frozenset(), Random(0))


def soloist(score: Score) -> str:
    names = {part.instrument for part in score.parts}
    return names.pop() if len(names) == 1 else ""
