"""Training loops are found, played in any key and from any bar on; what is new passes."""

from dataclasses import replace

import numpy as np
import pytest

from generation.corpus.composer import compose
from generation.corpus.score import Note, Score
from generation.embedding.originality import TOO_NEAR, load_prints, originality, print_of
from generation.embedding.picture import Audio
from generation.errors import InvalidRequest, UnreadableAudio
from generation.request import METRES
from tests.generation.embedding.conftest import Play

TRAINED_ON = (1346, 415, 1965, 22_651, 1461)
HELD_OUT = range(1_700_000, 1_700_008)


def judged(audio: Audio, score: Score) -> tuple[bool, int | None]:
    found = originality(audio, score.bpm, score.metre, score.bars)
    return found.is_original, found.seed


def transposed(score: Score, semitones: int) -> Score:
    parts = tuple(
        part
        if part.is_drums
        else replace(
            part,
            notes=tuple(
                Note(note.start, note.length, note.pitch + semitones, note.velocity) for note in part.notes
            ),
        )
        for part in score.parts
    )
    return replace(score, parts=parts)


@pytest.mark.parametrize("seed", TRAINED_ON)
def test_a_training_loop_is_found(seed: int, play: Play) -> None:
    score = compose(seed)
    assert judged(play(score), score) == (False, seed)


@pytest.mark.parametrize("semitones", [-4, 3])
def test_in_another_key_and_from_another_bar_on(semitones: int, play: Play) -> None:
    score = compose(TRAINED_ON[0])
    bar = METRES[score.metre] * 15 * 44_100 / score.bpm
    audio = np.roll(play(transposed(score, semitones)), round(bar), 0)
    assert judged(audio, score) == (False, score.seed)


def test_said_twice_it_is_still_the_same(play: Play) -> None:
    score = compose(TRAINED_ON[0])
    found = originality(np.tile(play(score), (2, 1)), score.bpm, score.metre, 2 * score.bars)
    assert (found.is_original, found.seed) == (False, score.seed)


def test_new_scores_pass(play: Play) -> None:
    scores = [score for score in map(compose, HELD_OUT) if score.parts]
    assert [judged(play(score), score)[0] for score in scores] == [True] * len(scores)


def test_drums_have_no_tune_to_take(play: Play) -> None:
    score = compose(TRAINED_ON[0])
    groove = next(
        score
        for score in map(compose, range(1_800_000, 1_800_200))
        if [part.role for part in score.parts] == ["drums"]
    )
    assert judged(play(groove), groove)[0]
    assert not print_of(groove).any()
    assert print_of(score).any()


def test_as_many_scores_are_covered_as_is_said() -> None:
    assert sum(len(some.seeds) for some in load_prints().values()) == 4410


def test_a_sound_that_is_not_its_bars_is_refused() -> None:
    sound = np.random.default_rng(0).standard_normal((88_200, 2)).astype(np.float32)
    assert originality(sound, 120, "4/4", 1).nearest < TOO_NEAR
    with pytest.raises(InvalidRequest, match="does not last 2 bars of 4/4 at 120 bpm"):
        originality(sound, 120, "4/4", 2)
    with pytest.raises(UnreadableAudio, match="only silence"):
        originality(sound * 0, 120, "4/4", 1)
    with pytest.raises(UnreadableAudio, match="too short"):
        originality(sound[:9000], 120, "4/4", 1)
