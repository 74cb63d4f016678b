"""How what another model plays becomes a loop on the request's grid."""

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.arrange.grid import find_grid
from generation.arrange.stretch import stretch
from generation.engine import Engine
from generation.models.foreign.closing import close, measured, on_grid, overlap_of
from generation.request import SAMPLE_RATE, RiffRequest

Sound = NDArray[np.float32]


def request(**values: object) -> RiffRequest:
    return RiffRequest.parse(**{"prompt": "bells", "seed": 1, "bars": 2, **values})


def noise(samples: int, seed: int = 1) -> Sound:
    return np.random.default_rng(seed).normal(0, 0.1, (samples, 2)).astype(np.float32)


def beat(bpm: float, seconds: float) -> Sound:
    """Kick, snare and hats at a tempo, from the first sample on."""
    random = np.random.default_rng(0)
    audio = np.zeros(round(seconds * SAMPLE_RATE) + 8000, np.float32)
    time = np.arange(6000) / SAMPLE_RATE
    for eighth in range(int(seconds * bpm / 30)):
        start = round(eighth * 30 / bpm * SAMPLE_RATE)
        kick = np.sin(2 * np.pi * 60 * time) * np.exp(-time * 30) * (eighth % 4 == 0)
        snare = random.normal(0, 0.4, 6000) * np.exp(-time * 40) * (eighth % 4 == 2)
        hat = random.normal(0, 0.1, 6000) * np.exp(-time * 150)
        audio[start : start + 6000] += (kick + snare + hat).astype(np.float32)
    return np.stack([audio[: round(seconds * SAMPLE_RATE)]] * 2, 1)


def power(audio: Sound) -> float:
    return float(np.square(audio).mean())


@pytest.mark.parametrize(("bpm", "seconds"), [(40, 0.5), (90, 0.5), (150, 0.4), (240, 0.25)])
def test_the_overlap_is_a_beat_within_bounds(bpm: float, seconds: float) -> None:
    assert overlap_of(request(bpm=bpm)) == round(seconds * SAMPLE_RATE)


def test_a_closed_loop_goes_on_where_it_ends() -> None:
    played = np.cumsum(noise(120_000), 0) * 0.01
    loop = close(played.astype(np.float32), 100_000, 10_000)
    assert loop.shape == (100_000, 2)
    # Past the end comes what was played past it, up to what little of the start has faded in at the first sample.
    assert np.abs(loop[0] - played[100_000]).max() < 1e-3
    assert (loop[10_000:] == played[10_000:100_000]).all()


def test_a_fade_keeps_the_power_of_what_is_unlike_and_of_what_is_alike() -> None:
    unlike = close(noise(60_000), 40_000, 20_000)
    assert power(unlike[:20_000]) == pytest.approx(power(noise(60_000)[:20_000]), rel=0.05)
    same = np.tile(noise(40_000), (2, 1))
    assert np.abs(close(same, 40_000, 20_000) - same[:40_000]).max() < 1e-4


def test_silence_stays_silent() -> None:
    assert not close(np.zeros((50_000, 2), np.float32), 40_000, 8_000).any()


def test_a_loop_that_repeats_has_no_seam_and_one_that_is_cut_has() -> None:
    asked = request(bpm=120, bars=4)
    played = beat(120, 10)
    closed = measured(close(played, asked.samples, 22_050), asked, 22_050)
    assert closed["flux"] is not None
    assert closed["flux"] == pytest.approx(1, abs=0.25)
    assert closed["overlap"] == 0.5
    tone = np.sin(np.arange(played.shape[0]) * 0.0501)[:, None].astype(np.float32) * np.ones(
        (1, 2), np.float32
    )
    cut, faded = tone[: asked.samples], close(tone, asked.samples, 22_050)
    seams = [measured(loop, asked, 22_050)["step"] for loop in (cut, faded)]
    assert (seams[0] or 0) > 1.5 > (seams[1] or 9)


def test_one_bar_has_no_other_start_to_compare_with() -> None:
    asked = request(bars=1)
    assert measured(noise(asked.samples), asked, 0)["flux"] is None


@pytest.mark.parametrize(("played_bpm", "asked_bpm"), [(112, 120), (126, 120), (60, 124), (118, 240)])
def test_what_was_played_near_the_tempo_is_brought_to_it(played_bpm: float, asked_bpm: float) -> None:
    asked = request(bpm=asked_bpm, bars=4)
    needed = asked.samples + overlap_of(asked)
    audio, found = on_grid(beat(played_bpm, 16), asked, needed)
    assert found["fitted"]
    assert len(audio) >= needed
    again = find_grid(audio).bpm / asked_bpm
    assert min(abs(again - times) for times in (0.5, 1.0, 2.0)) < 0.01


def test_music_from_somewhere_in_a_piece_and_a_little_too_fast_becomes_a_loop() -> None:
    """Our own model stands for another one: what it plays starts in the middle of a bar, four percent too fast."""
    piece = Engine.load().render(request(prompt="church bells", bars=4, bpm=100)).takes[0].audio
    played = stretch(np.roll(piece, -16_000, 0), round(len(piece) / 1.04))
    asked = request(bars=2, bpm=100)
    overlap = overlap_of(asked)
    audio, found = on_grid(played, asked, asked.samples + overlap)
    assert found["fitted"]
    assert found["bpm"] == pytest.approx(104, rel=0.01)
    cut, closed = (
        measured(loop, asked, 0)["flux"]
        for loop in (played[: asked.samples], close(audio, asked.samples, overlap))
    )
    assert (closed or 9) < 1.5 < (cut or 0)


@pytest.mark.parametrize(
    ("played", "bpm"),
    [(noise(500_000), 120), (beat(90, 11), 126), (beat(100, 4.3), 110)],
    ids=["without a beat", "at another tempo", "too short to be made shorter"],
)
def test_what_cannot_be_brought_to_the_tempo_is_left_as_it_is(played: Sound, bpm: float) -> None:
    audio, found = on_grid(played, request(bpm=bpm), request(bpm=bpm).samples)
    assert (audio == played).all()
    assert not found["fitted"]
