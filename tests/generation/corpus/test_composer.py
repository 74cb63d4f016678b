"""What the composer promises: the same score from a seed, playable notes, and a fair share for everybody."""

import json
from collections import Counter
from itertools import pairwise

import pytest

from generation.corpus.composer import DUO_SHARE, SOLO_SHARE, compose
from generation.corpus.genres import GENRES
from generation.corpus.instruments import BASSES, KITS, MELODIC, SNARE, TEXTURES
from generation.corpus.score import Note, Part, Score
from generation.request import METRES, RiffRequest

SEEDS = range(2500)
PITCHED = ("bass", "chords", "lead", "counter")


@pytest.fixture(scope="module")
def scores() -> list[Score]:
    return [compose(seed) for seed in SEEDS]


def soloists(scores: list[Score]) -> Counter[str]:
    names = [{part.instrument for part in score.parts} for score in scores]
    return Counter(next(iter(name)) for name in names if len(name) == 1)


def bands(scores: list[Score]) -> list[Score]:
    """The scores that were drawn as bands, by the composer's own rule."""
    golden = (5**0.5 - 1) / 2
    return [score for score in scores if score.seed * golden % 1.0 >= SOLO_SHARE + DUO_SHARE]


def parts(scores: list[Score], *roles: str) -> list[tuple[Score, Part]]:
    return [(score, part) for score in scores for part in score.parts if part.role in roles]


def test_the_same_seed_gives_the_same_score(scores: list[Score]) -> None:
    assert [compose(seed) for seed in (0, 7, 2499)] == [scores[0], scores[7], scores[2499]]
    musical = [score.parts for score in scores if {part.role for part in score.parts} != {"texture"}]
    assert len(set(musical)) == len(musical)


def test_a_score_survives_json(scores: list[Score]) -> None:
    for score in scores[:300]:
        assert Score.from_dict(json.loads(json.dumps(score.to_dict()))) == score


def test_a_score_is_as_long_as_a_request_of_its_metre(scores: list[Score]) -> None:
    for score in scores[:300]:
        request = RiffRequest(prompt="x", seed=1, bars=score.bars, bpm=score.bpm, metre=score.metre)
        assert (score.steps, score.samples) == (request.sixteenths, request.samples)


def test_every_note_is_inside_the_loop_and_the_range(scores: list[Score]) -> None:
    for score in scores:
        for part in score.parts:
            assert part.notes
            for note in part.notes:
                assert 0 <= note.start < note.start + note.length <= score.steps + 1e-6
                assert 1 <= note.velocity <= 127
                if part.is_drums:
                    assert part.role == "drums"
                    assert 35 <= note.pitch <= 81
                elif part.role == "texture":
                    assert part.instrument in TEXTURES
                else:
                    sound = (BASSES if part.role == "bass" else MELODIC)[part.instrument]
                    assert sound.low <= note.pitch <= sound.high


def test_no_pitch_is_struck_while_it_sounds(scores: list[Score]) -> None:
    for _, part in parts(scores[:500], *PITCHED, "drums"):
        sounding: dict[int, float] = {}
        for note in part.notes:
            assert note.start >= sounding.get(note.pitch, 0.0) - 1e-3
            sounding[note.pitch] = note.start + note.length


def test_roles_are_unique_and_pan_and_reverb_in_bounds(scores: list[Score]) -> None:
    for score in scores:
        roles = [part.role for part in score.parts]
        assert len(set(roles)) == len(roles) > 0
        assert all(-1 <= part.pan <= 1 and 0 <= part.reverb <= 1 for part in score.parts)
        assert 60 <= score.bpm <= 180


def test_bars_and_metres_come_in_their_shares(scores: list[Score]) -> None:
    bars = Counter(score.bars for score in scores)
    assert set(bars) == {1, 2, 4, 8}
    for count, share in ((1, 0.20), (2, 0.30), (4, 0.38), (8, 0.12)):
        assert bars[count] / len(scores) == pytest.approx(share, abs=0.03)
    metres = Counter(score.metre for score in scores)
    for metre, share in (("4/4", 0.80), ("3/4", 0.105), ("6/8", 0.095)):
        assert metres[metre] / len(scores) == pytest.approx(share, abs=0.025)


def test_every_sound_gets_its_share_of_solos(scores: list[Score]) -> None:
    alone = soloists(scores)
    fair = len(scores) * SOLO_SHARE / (len(MELODIC) + len(BASSES) + 2 * len(KITS) + len(TEXTURES))
    for name in (*MELODIC, *BASSES, *TEXTURES):
        assert 0.7 * fair <= alone[name] <= 1.8 * fair, name
    for name in KITS:
        assert 1.5 * fair <= alone[name] <= 2.8 * fair, name


def test_any_run_of_seeds_is_balanced() -> None:
    alone = soloists([compose(seed) for seed in range(50_000, 50_700)])
    assert all(alone[name] >= 1 for name in (*MELODIC, *BASSES, *KITS, *TEXTURES))


def test_solos_and_duos_have_their_share(scores: list[Score]) -> None:
    alone = sum(soloists(scores).values())
    assert alone / len(scores) == pytest.approx(SOLO_SHARE, abs=0.02)
    small = sum(len({part.instrument for part in score.parts}) <= 2 for score in scores)
    assert small / len(scores) >= SOLO_SHARE + DUO_SHARE - 0.01


def test_every_genre_keeps_its_tempo_metre_and_players(scores: list[Score]) -> None:
    played = Counter(score.genre for score in scores)
    assert set(played) == {"", *GENRES}
    assert len(GENRES) >= 32
    assert all(played[genre] >= 25 for genre in GENRES)
    for score in bands(scores):
        genre = GENRES[score.genre]
        compound = score.metre == "6/8" and genre.compound_bpm
        low, high = genre.compound_bpm if compound and genre.compound_bpm else genre.bpm
        assert low <= score.bpm <= high
        assert score.metre in genre.metres
        for part in score.parts:
            allowed = {
                "drums": genre.kits,
                "bass": genre.basses,
                "chords": genre.chords,
                "lead": genre.leads,
                "counter": genre.counters or genre.leads,
                "texture": genre.textures,
            }[part.role]
            assert part.instrument in allowed


def test_grooves_and_players_of_a_genre_exist() -> None:
    for genre in GENRES.values():
        assert genre.kits
        for metre in genre.metres:
            for groove in genre.grooves_in(metre):
                assert {len(pattern.replace(" ", "")) for pattern in groove.values()} == {METRES[metre]}
        assert {*genre.chords, *genre.leads, *genre.counters} <= set(MELODIC)
        assert all(MELODIC[name].chordal for name in genre.chords)
        assert set(genre.basses) <= set(BASSES)
        assert set(genre.kits) <= set(KITS)
        assert set(genre.textures) <= set(TEXTURES)


def test_synthesised_sounds_play_where_they_belong(scores: list[Score]) -> None:
    def share(genre: str, role: str, *names: str) -> float:
        heard = [part.instrument for score, part in parts(bands(scores), role) if score.genre == genre]
        return sum(name in names for name in heard) / len(heard)

    assert share("acid", "bass", "acid bass") == 1.0
    assert share("chiptune", "lead", "chip pulse", "chip lead") == 1.0
    assert share("trance", "lead", "supersaw") > 0.2
    assert share("drum and bass", "bass", "reese bass") > 0.3
    assert share("trap", "bass", "808 bass") > 0.4
    assert share("lofi", "drums", "lofi kit") > 0.3


def test_textures_and_counter_lines_are_now_and_then(scores: list[Score]) -> None:
    drawn = bands(scores)
    assert sum(score.part("texture") is not None for score in drawn) / len(drawn) == pytest.approx(
        0.09, abs=0.02
    )
    assert sum(score.part("counter") is not None for score in drawn) / len(drawn) == pytest.approx(
        0.165, abs=0.03
    )


def test_a_fill_is_at_the_end_of_its_phrase(scores: list[Score]) -> None:
    long = [(score, part) for score, part in parts(scores, "drums") if score.bars >= 2]
    filled = [(score, part) for score, part in long if part.figure == "fill"]
    assert len(filled) / len(long) == pytest.approx(0.4, abs=0.06)

    def strokes(score: Score, part: Part, bar: int) -> int:
        length = METRES[score.metre]
        late = [note for note in part.notes if (bar + 0.5) * length <= note.start < (bar + 1) * length]
        return len([note for note in late if note.pitch in (SNARE, 45, 47, 50, 41, 48)])

    more = sum(
        strokes(score, part, score.bars - 1) > strokes(score, part, score.bars - 2) for score, part in filled
    )
    assert more > 0.85 * len(filled)
    builds = [(score, part) for score, part in long if part.figure == "build"]
    assert builds
    for score, part in builds:
        roll = [note.velocity for note in part.notes if note.pitch == SNARE and note.start > score.steps - 8]
        assert len(roll) >= 8


def test_the_tonic_is_clear(scores: list[Score]) -> None:
    """The bass begins a loop on the tonic or in its chord, and all play in the key."""
    begins = 0
    lines = parts(bands(scores), "bass")
    for score, part in lines:
        begins += min(part.notes, key=lambda note: note.start).pitch % 12 == score.key.tonic
    assert begins / len(lines) > 0.75
    outside = total = 0
    for score, part in parts(scores, *PITCHED):
        scale = (0, 2, 3, 5, 7, 8, 10) if score.key.minor else (0, 2, 4, 5, 7, 9, 11)
        total += len(part.notes)
        outside += sum((note.pitch - score.key.tonic) % 12 not in scale for note in part.notes)
    assert outside / total < 0.02


def test_melodies_move_by_small_steps_and_repeat_their_motif(scores: list[Score]) -> None:
    leaps: list[int] = []
    repeated = 0
    melodies = [(s, p) for s, p in parts(scores, "lead") if p.figure == "melody" and s.bars == 4]
    for score, part in melodies:
        leaps += [abs(second.pitch - first.pitch) for first, second in pairwise(part.notes)]
        bar = METRES[score.metre]
        rhythms = [
            tuple(round(note.start % bar) % bar for note in part.notes if round(note.start) // bar == index)
            for index in range(4)
        ]
        repeated += len(set(rhythms)) < 4
    assert sum(leap <= 4 for leap in leaps) / len(leaps) > 0.7
    assert sum(leap > 12 for leap in leaps) / len(leaps) < 0.02
    assert repeated / len(melodies) > 0.7


def test_chords_lead_their_voices(scores: list[Score]) -> None:
    """From a held chord to the next, the voices move a third or less on average."""
    moves: list[float] = []
    for score, part in parts(scores, "chords"):
        if part.figure != "sustained" or score.metre != "4/4":
            continue
        chords: dict[float, list[Note]] = {}
        for note in part.notes:
            chords.setdefault(round(note.start), []).append(note)
        held = [sorted(note.pitch for note in chords[step]) for step in sorted(chords)]
        for before, after in pairwise(held):
            if len(before) >= 3 and len(after) >= 3:
                moves.append(sum(min(abs(p - q) for q in before) for p in after) / len(after))
    assert len(moves) > 200
    assert sum(moves) / len(moves) < 3.0


def test_drums_alone_play_many_genres_on_every_kit(scores: list[Score]) -> None:
    heard: dict[str, set[str]] = {}
    for score in scores:
        if {part.role for part in score.parts} == {"drums"}:
            heard.setdefault(score.parts[0].instrument, set()).add(score.genre)
    assert set(heard) == set(KITS)
    for name in KITS:
        assert len(heard[name]) >= (3 if name == "orchestral kit" else 6), name


def test_eight_bars_are_not_four_bars_twice(scores: list[Score]) -> None:
    long = [(score, part) for score, part in parts(scores, "lead", "bass", "drums") if score.bars == 8]
    varied = 0
    for score, part in long:
        half = score.steps / 2
        first, second = (
            [
                (note.pitch, round(note.start % half))
                for note in part.notes
                if (note.start < half - 0.1) == early
            ]
            for early in (True, False)
        )
        assert first
        varied += first != second
    assert varied > 0.6 * len(long)


def test_some_play_softly_and_some_hard(scores: list[Score]) -> None:
    touches = [
        sum(note.velocity for note in part.notes) / len(part.notes)
        for _, part in parts(scores, "lead", "chords")
    ]
    assert sum(touch < 72 for touch in touches) / len(touches) == pytest.approx(0.18, abs=0.06)
    assert sum(touch > 98 for touch in touches) / len(touches) == pytest.approx(0.2, abs=0.12)
