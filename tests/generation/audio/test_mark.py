"""Previews carry a mark that is heard, sits everywhere and is not in the way."""

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.audio.loudness import loudness, to_target_loudness
from generation.audio.mark import CEILING, RELATIVE_LU, Place, bell, marked, places
from generation.request import SAMPLE_RATE

Sound = NDArray[np.float32]


def music(seconds: float) -> Sound:
    """Two low notes and some noise, at the usual loudness."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(1).standard_normal(len(time)) * 0.02
    sound = np.sin(2 * np.pi * 110 * time) + 0.5 * np.sin(2 * np.pi * 164.8 * time) + noise
    return to_target_loudness(np.stack([sound, np.roll(sound, 99)], axis=1).astype(np.float32) / 2)


def correlation(sound: Sound, place: Place) -> float:
    """Of the mark that should be there with what is there, in the middle of both sides."""
    mark = bell(place.pitch).astype(np.float64)
    heard = np.take(sound.sum(1), np.arange(place.start, place.start + len(mark)), mode="wrap").astype(float)
    heard -= heard.mean()
    return float(heard @ mark / np.sqrt((heard @ heard) * (mark @ mark)))


@pytest.mark.parametrize(("bpm", "most"), [(60, 4), (90, 4), (120, 4), (138, 4), (174, 8)])
def test_no_stretch_of_four_beats_is_free_of_it(bpm: float, most: int) -> None:
    """Eight of a fast loop; the marks themselves stand at many places of the bar and on both sides."""
    beat = 60 * SAMPLE_RATE / bpm
    found = list(places(60 * SAMPLE_RATE, bpm, "x"))
    starts = np.array([place.start for place in found])
    assert (np.diff(starts) > 0).all()
    assert np.diff(starts).max() < most * beat
    assert starts[0] < beat * most / 2
    assert 60 * SAMPLE_RATE - starts[-1] < most * beat
    assert len({round(start / beat % 4, 2) for start in starts}) >= 6
    assert min(place.side for place in found) < 0 < max(place.side for place in found)


def test_the_shortest_sound_has_one() -> None:
    [place] = places(SAMPLE_RATE // 2, 240, "x")
    assert place.start < SAMPLE_RATE // 2


def test_the_places_are_the_same_each_time_and_the_seed_moves_what_they_sound_like() -> None:
    one, again, other = (list(places(20 * SAMPLE_RATE, 100, seed)) for seed in ("a", "a", "b"))
    assert one == again
    assert [place.start for place in one] == [place.start for place in other]
    assert all(first.pitch != second.pitch for first, second in zip(one, other, strict=True))
    # A quarter of a tone and two decibels at most.
    assert all(1200 < place.pitch < 1450 and 0.8 < place.level < 1.25 for place in (*one, *other))


@pytest.mark.parametrize("repeats", [True, False])
def test_the_mark_is_in_it_and_softer_than_the_music(repeats: bool) -> None:
    sound = music(8)
    preview = marked(sound, 120, "x", repeats=repeats)
    assert preview.shape == sound.shape
    assert preview.dtype == np.float32
    assert np.abs(preview).max() <= CEILING + 1e-6
    inside = [place for place in places(len(sound), 120, "x") if place.start < len(sound) - SAMPLE_RATE]
    assert len(inside) >= 4
    for place in inside:
        assert correlation(preview, place) > 0.25
        assert abs(correlation(sound, place)) < 0.02
    # So soft that the music is as loud as before, within half a unit.
    assert abs(loudness(preview) - loudness(sound)) < 0.7
    assert RELATIVE_LU < 0


def test_a_loops_last_mark_rings_on_at_its_start_and_a_songs_does_not() -> None:
    silence = np.full((2 * SAMPLE_RATE, 2), 1e-6, np.float32)
    last = max(place.start for place in places(len(silence), 60, "y"))
    ringing = last + round(0.75 * SAMPLE_RATE) - len(silence)
    found = {repeats: marked(silence, 60, "y", repeats=repeats) - silence for repeats in (True, False)}
    assert np.array_equal(found[True][ringing + 100 :], found[False][ringing + 100 :]) or ringing <= 0


def test_the_sides_do_not_cancel_it() -> None:
    """Whoever subtracts one side from the other still has it."""
    sound = music(8)
    sound[:, 1] = sound[:, 0]
    preview = marked(sound, 120, "x", repeats=True)
    difference = preview[:, 0] - preview[:, 1]
    assert float(np.sqrt(np.mean(difference**2))) > 1e-3


def test_silence_is_marked_softly() -> None:
    preview = marked(np.zeros((4 * SAMPLE_RATE, 2), np.float32), 120, "x", repeats=True)
    assert 1e-4 < np.abs(preview).max() < 0.1
