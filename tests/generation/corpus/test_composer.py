"""What the composer promises: the same score from a seed, playable notes, and a fair share for everybody."""

import json
from collections import Counter

import pytest

from generation.corpus.composer import DUO_SHARE, SOLO_SHARE, compose
from generation.corpus.genres import GENRES
from generation.corpus.instruments import BASSES, KITS, MELODIC
from generation.corpus.score import Score

SEEDS = range(3000)


@pytest.fixture(scope="module")
def scores() -> list[Score]:
    return [compose(seed) for seed in SEEDS]


def soloists(scores: list[Score]) -> Counter[str]:
    names = [{part.instrument for part in score.parts} for score in scores]
    return Counter(next(iter(name)) for name in names if len(name) == 1)


def test_the_same_seed_gives_the_same_score(scores: list[Score]) -> None:
    assert [compose(seed) for seed in (0, 7, 2999)] == [scores[0], scores[7], scores[2999]]
    assert len({score.parts for score in scores}) == len(scores)


def test_a_score_survives_json(scores: list[Score]) -> None:
    for score in scores[:300]:
        assert Score.from_dict(json.loads(json.dumps(score.to_dict()))) == score


def test_every_note_is_inside_the_loop_and_the_range(scores: list[Score]) -> None:
    for score in scores:
        for part in score.parts:
            assert part.notes
            for note in part.notes:
                assert 0 <= note.start < note.start + note.length <= score.steps + 1e-6
                assert 1 <= note.velocity <= 127
                if part.is_drums:
                    assert part.program == KITS[part.instrument].program
                    assert 35 <= note.pitch <= 81
                else:
                    sound = (BASSES if part.role == "bass" else MELODIC)[part.instrument]
                    assert part.program == sound.program
                    assert sound.low <= note.pitch <= sound.high


def test_no_pitch_is_struck_while_it_sounds(scores: list[Score]) -> None:
    for score in scores[:500]:
        for part in score.parts:
            sounding: dict[int, float] = {}
            for note in part.notes:
                assert note.start >= sounding.get(note.pitch, 0.0) - 1e-3
                sounding[note.pitch] = note.start + note.length


def test_roles_are_unique_and_pan_and_reverb_in_bounds(scores: list[Score]) -> None:
    for score in scores:
        roles = [part.role for part in score.parts]
        assert len(set(roles)) == len(roles) > 0
        assert all(-1 <= part.pan <= 1 and 0 <= part.reverb <= 1 for part in score.parts)
        assert 60 <= score.bpm <= 176


def test_bars_come_in_their_shares(scores: list[Score]) -> None:
    bars = Counter(score.bars for score in scores)
    assert set(bars) == {1, 2, 4, 8}
    for count, share in ((1, 0.12), (2, 0.25), (4, 0.43), (8, 0.20)):
        assert bars[count] / len(scores) == pytest.approx(share, abs=0.03)


def test_every_sound_gets_its_share_of_solos(scores: list[Score]) -> None:
    alone = soloists(scores)
    fair = len(scores) * SOLO_SHARE / (len(MELODIC) + len(BASSES) + 2 * len(KITS))
    for name in (*MELODIC, *BASSES):
        assert 0.75 * fair <= alone[name] <= 1.35 * fair, name
    for name in KITS:
        assert 1.2 * fair <= alone[name] <= 3.5 * fair, name


def test_any_run_of_seeds_is_balanced() -> None:
    alone = soloists([compose(seed) for seed in range(50_000, 51_000)])
    assert all(alone[name] >= 2 for name in (*MELODIC, *BASSES, *KITS))


def test_a_third_of_the_scores_are_solos_and_duos(scores: list[Score]) -> None:
    small = sum(len({part.instrument for part in score.parts}) <= 2 for score in scores)
    assert small / len(scores) >= SOLO_SHARE + DUO_SHARE - 0.01


def test_every_genre_is_played_and_heard_as_drums_alone(scores: list[Score]) -> None:
    played = Counter(score.genre for score in scores)
    assert set(played) == {"", *GENRES}
    assert all(played[genre] >= 70 for genre in GENRES)
    drums_alone = {score.genre for score in scores if {part.role for part in score.parts} == {"drums"}}
    assert drums_alone == set(GENRES)


def test_eight_bars_are_not_four_bars_twice(scores: list[Score]) -> None:
    long = [score for score in scores if score.bars == 8]
    for score in long:
        halves = [
            [
                (part.role, note.pitch, round(note.start % 64, 1))
                for part in score.parts
                for note in part.notes
                if (note.start < 63.9) == first
            ]
            for first in (True, False)
        ]
        assert all(halves)
    varied = sum(
        len([note for note in part.notes if note.start < 63.9])
        != len([note for note in part.notes if note.start >= 63.9])
        for score in long
        for part in score.parts
    )
    assert varied > len(long) / 2


def test_bands_are_built_from_their_genre(scores: list[Score]) -> None:
    for score in scores:
        if len(score.parts) < 3 or not score.genre:
            continue
        genre = GENRES[score.genre]
        for part in score.parts:
            allowed = {
                "drums": genre.kits,
                "bass": genre.basses,
                "chords": genre.chords,
                "lead": genre.leads,
            }[part.role]
            assert part.instrument in allowed
