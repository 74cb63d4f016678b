"""The deck sample by sample: loops that have no seam, crossfades on the bar, volume, the end; and its packets."""

from itertools import pairwise

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.voice.deck import FRAME, RATE, TURN_SECONDS, Deck, Track, track_of
from bot.voice.source import DeckSource
from generation.audio.crossfade import crossfaded
from generation.request import SAMPLE_RATE
from tests.market.catalog.loops import tune

LOOKAHEAD = 312
FULL = 100


def tone(hertz: float, bpm: float, bars: int, level: float = 0.5) -> Track:
    """A loop of one sine on both sides, as the deck gets it; `hertz` is moved to the next that fits the loop."""
    samples = round(bars * 240 * SAMPLE_RATE / bpm)
    turns = round(hertz * samples / SAMPLE_RATE)
    wave = level * np.sin(2 * np.pi * turns * np.arange(samples) / samples)
    return track_of(f"{hertz}", np.stack([wave, wave], 1).astype(np.float32), bars=bars)


def played(deck: Deck, samples: int) -> NDArray[np.float32]:
    """So many samples, rounded up to whole frames."""
    frames = []
    for _ in range(-(-samples // FRAME)):
        frame = deck.frame()
        assert frame is not None
        frames.append(frame)
    return np.concatenate(frames)


def bends(sound: NDArray[np.float32]) -> float:
    """The sharpest bend: the largest second difference, which a click would be."""
    return float(np.abs(np.diff(sound.astype(np.float64), n=2, axis=0)).max())


def around(track: Track, start: int, count: int) -> NDArray[np.float32]:
    return track.audio.take(range(start, start + count), axis=0, mode="wrap")


def test_a_loop_keeps_its_period_at_another_rate() -> None:
    hertz, bpm = 440, 97.3
    samples = round(240 * SAMPLE_RATE / bpm)
    track = tone(hertz, bpm, 1)
    count = round(samples * RATE / SAMPLE_RATE)
    turns = round(hertz * samples / SAMPLE_RATE)
    exact = 0.5 * np.sin(2 * np.pi * turns * np.arange(count) / count)
    assert len(track.audio) == count
    assert track.audio.dtype == np.float32
    assert np.abs(track.audio[:, 0] - exact).max() < 1e-6


def test_a_loop_goes_round_without_a_seam() -> None:
    deck = Deck(FULL)
    track = track_of("a", tune(1, bpm=133, bars=1), bars=1)
    deck.cue(track)
    heard = played(deck, 4 * len(track.audio))
    # Only the first ten milliseconds differ from the loop itself: the volume comes up.
    ramp = FRAME // 2
    assert np.array_equal(heard[ramp:], around(track, ramp, len(heard) - ramp))
    closed = np.concatenate([track.audio, track.audio[:2]])
    assert bends(heard[ramp:]) == bends(closed)
    points = [
        bends(heard[place - 3 : place + 3]) for place in range(len(track.audio), len(heard), len(track.audio))
    ]
    assert len(points) == 4
    # What is sharpest in this loop is a drum in its middle, a hundred times what its seam is.
    assert max(points) < bends(track.audio) / 2


def test_the_same_calls_give_the_same_samples() -> None:
    def once() -> NDArray[np.float32]:
        deck = Deck(70)
        deck.cue(tone(220, 120, 1))
        first = played(deck, RATE)
        deck.cue(tone(330, 120, 1), soon=True)
        deck.volume = 20
        return np.concatenate([first, played(deck, 4 * RATE)])

    assert np.array_equal(once(), once())


def test_a_loop_of_equal_bars_comes_in_over_the_next_bar_where_the_old_one_stands() -> None:
    old, new = track_of("old", tune(1, bars=4), bars=4), track_of("new", tune(2, bars=2), bars=2)
    changes: list[Track] = []
    deck = Deck(FULL, on_change=changes.append)
    deck.cue(old)
    bar = 2 * RATE
    before = played(deck, 2 * bar + bar // 2)  # in the middle of the third bar
    deck.cue(new, soon=True)
    heard = np.concatenate([before, played(deck, 4 * bar)])
    start = 3 * bar
    assert np.array_equal(heard[FRAME:start], old.audio[FRAME:start])
    # The fourth bar of the old one is the second of the new one.
    fade = crossfaded(old.audio[start : start + bar], around(new, bar, bar))
    assert np.array_equal(heard[start : start + bar], np.clip(fade, -1, 1))
    rest = heard[start + bar :]
    assert np.array_equal(rest, around(new, 2 * bar, len(rest)))
    assert [track.loop_id for track in changes] == ["old", "new"]
    assert deck.track is new
    assert deck.cued is None


def test_a_crossfade_has_no_click_and_no_dip() -> None:
    old, new = tone(440, 120, 1), tone(660, 120, 1)
    deck = Deck(FULL)
    deck.cue(old)
    played(deck, FRAME)
    deck.cue(new, soon=True)
    heard = played(deck, 6 * RATE)
    # Never sharper than the sharper of the two by more than what both are at once.
    sharpest = bends(around(new, 0, RATE))
    assert bends(heard) <= bends(around(old, 0, RATE)) + sharpest
    loudness = [
        float(np.sqrt(np.square(heard[at : at + 2400]).mean())) for at in range(0, len(heard) - 2400, 2400)
    ]
    assert min(loudness) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert max(loudness) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_a_loop_fades_into_itself_unheard() -> None:
    track = track_of("a", tune(3, bars=2), bars=2)
    deck = Deck(FULL)
    deck.cue(track)
    played(deck, FRAME)
    deck.cue(track, soon=True)
    heard = played(deck, 3 * len(track.audio))
    assert np.abs(heard - around(track, FRAME, len(heard))).max() < 1e-6


def test_another_tempo_begins_at_its_beginning_within_a_beat() -> None:
    old, new = tone(440, 120, 2), tone(330, 90, 2)
    deck = Deck(FULL)
    deck.cue(old)
    played(deck, RATE)
    deck.cue(new, soon=True)
    heard = played(deck, 4 * RATE)
    start, beat = RATE, RATE // 2
    assert np.array_equal(heard[:start], around(old, RATE, RATE))
    assert np.array_equal(
        heard[start : start + beat], crossfaded(around(old, 2 * RATE, beat), new.audio[:beat])
    )
    rest = heard[start + beat :]
    assert np.array_equal(rest, around(new, beat, len(rest)))


def test_a_song_begins_at_its_beginning_whatever_stands_where() -> None:
    old = tone(440, 120, 4)
    song = track_of("song", tune(5, bars=4), bars=4, whole=True)
    assert len(song.audio) == len(old.audio)
    deck = Deck(FULL)
    deck.cue(old)
    played(deck, RATE)
    deck.cue(song, soon=True)
    heard = played(deck, 3 * RATE)
    rest = heard[RATE + RATE // 2 :]
    assert np.array_equal(rest, around(song, RATE // 2, len(rest)))


def test_what_waits_comes_when_the_loop_before_it_had_its_turn_and_is_round() -> None:
    old, new = tone(440, 100, 4), tone(330, 100, 4)  # 9.6 s: the fourth round ends at 38.4 s
    deck = Deck(FULL)
    deck.cue(old)
    deck.cue(new)
    assert deck.track is None
    played(deck, FRAME)
    assert deck.track is new  # the last one that was cued before anything was heard
    deck.cue(old)
    frames = 1
    while deck.track is new:
        played(deck, FRAME)
        frames += 1
    assert (frames - 1) * FRAME <= 38.4 * RATE < frames * FRAME
    assert TURN_SECONDS == 30

    # Whoever comes later waits until the loop is round.
    played(deck, 35 * RATE)
    place = (35 * RATE + frames * FRAME - round(38.4 * RATE)) % len(old.audio)
    deck.cue(new)
    left = 0
    while deck.track is old:
        played(deck, FRAME)
        left += 1
    assert abs(left * FRAME - (len(old.audio) - place)) <= 2 * FRAME


def test_a_skip_counts_for_what_is_cued_after_it() -> None:
    deck = Deck(FULL)
    old, new = tone(440, 120, 4), tone(330, 120, 4)
    deck.cue(old)
    played(deck, FRAME)
    deck.skip()
    played(deck, 5 * RATE)
    assert deck.track is old
    deck.cue(new)
    played(deck, 2 * RATE)
    assert deck.track is new


def test_a_change_of_volume_takes_half_a_frame() -> None:
    deck = Deck(50)
    level = np.ones((RATE, 2), np.float32)
    deck.cue(Track("a", level, 1, 4))
    assert deck.volume == 50
    first = deck.frame()
    assert first is not None
    ramp = FRAME // 2
    assert np.allclose(first[:ramp, 0], 0.5 * np.arange(ramp) / ramp, atol=1e-6)
    assert np.array_equal(first[ramp:, 1], np.full(ramp, 0.5, np.float32))
    deck.volume = 0
    falling = deck.frame()
    assert falling is not None
    assert np.allclose(falling[:ramp, 0], 0.5 - 0.5 * np.arange(ramp) / ramp, atol=1e-6)
    assert not falling[ramp:].any()
    deck.volume = 100
    rising = played(deck, 2 * FRAME)
    assert rising[ramp:].min() == 1


def test_it_ends_in_half_a_second() -> None:
    deck = Deck(FULL)
    deck.cue(Track("a", np.ones((RATE, 2), np.float32), 1, 4))
    played(deck, FRAME)
    deck.end()
    heard = played(deck, RATE // 2)
    assert len(heard) == 25 * FRAME
    steps = [float(later - earlier) for earlier, later in pairwise(heard[:, 0])]
    assert max(steps) <= 0
    assert min(steps) == pytest.approx(-2 / RATE, rel=0.01)
    assert heard[0, 0] == 1
    assert deck.frame() is None
    assert deck.frame() is None


def test_it_is_silent_until_there_is_something_and_ends_at_once_then() -> None:
    deck = Deck(FULL)
    assert not played(deck, RATE).any()
    deck.end()
    assert deck.frame() is None


def test_loud_sounds_together_stay_within_full_scale() -> None:
    deck = Deck(FULL)
    random = np.random.default_rng(1)
    loud = [np.sign(random.standard_normal((2 * RATE, 2))).astype(np.float32) for _ in range(2)]
    deck.cue(Track("a", loud[0], 1, 4))
    played(deck, FRAME)
    deck.cue(Track("b", loud[1], 1, 4), soon=True)
    assert np.abs(played(deck, 5 * RATE)).max() == 1


def test_each_frame_is_one_packet_that_sounds_like_it() -> None:
    deck, again = Deck(FULL), Deck(FULL)
    for each in (deck, again):
        each.cue(track_of("a", tune(4, bars=1), bars=1))
    source = DeckSource(deck, bitrate=96_000)
    assert source.is_opus()
    packets = [source.read() for _ in range(250)]
    assert 0.8 * 96_000 < sum(map(len, packets)) * 8 / 5 < 1.05 * 96_000
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = RATE, "stereo"
    heard = np.concatenate(
        [
            frame.to_ndarray().reshape(-1, 2)
            for packet in packets
            for frame in decoder.decode(av.Packet(packet))
        ]
    )
    wanted = played(again, 250 * FRAME)
    heard, wanted = heard[LOOKAHEAD:] / 32768, wanted[:-LOOKAHEAD]
    assert float((heard * wanted).sum() / np.sqrt((heard**2).sum() * (wanted**2).sum())) > 0.98
    deck.end()
    assert all(source.read() for _ in range(25))
    assert source.read() == b""
