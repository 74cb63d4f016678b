"""Tempo and bars of sounds that nobody has counted, and sounds laid onto a request's bars."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from generation.arrange.grid import CONFIDENT, Grid, find_grid, fit
from generation.arrange.stretch import stretch
from generation.audio.ingest import read_audio
from generation.corpus import synth
from generation.corpus.composer import compose
from generation.corpus.score import Score
from generation.judge.measures import seam_flux, seam_step
from generation.request import METRES, SAMPLE_RATE, RiffRequest
from tests.generation.audio.test_ingest import encoded

Sound = NDArray[np.float32]

# Scores that our own synthesisers play alone, from seeds that nothing is trained on.
SEEDS = (1_500_022, 1_500_072, 1_500_174, 1_500_318)


@cache
def rendered(seed: int) -> tuple[Score, Sound]:
    score = compose(seed)
    stems = [synth.play(part, score) for part in score.parts]
    return score, np.asarray(np.sum([0.3 * stem / np.abs(stem).max() for stem in stems], axis=0), np.float32)


def clip(loop: Sound, start: int, seconds: float, speed: float = 1.0) -> Sound:
    """A stretch of a loop that goes on for ever, played faster or slower."""
    place = (start + np.arange(round(seconds * SAMPLE_RATE)) * speed) % len(loop)
    wrapped = np.concatenate([loop, loop[:1]])
    return np.stack([np.interp(place, np.arange(len(wrapped)), side) for side in wrapped.T], 1).astype(
        np.float32
    )


def clicks(bpm: float, seconds: float, beats: int = 4, first: float = 0.0) -> Sound:
    """A low thump on each downbeat and a high tick on each other eighth."""
    audio = np.zeros((round(seconds * SAMPLE_RATE), 2), np.float32)
    time = np.arange(4000) / SAMPLE_RATE
    thump = np.sin(2 * np.pi * 60 * time) * np.exp(-time * 30)
    tick = 0.4 * np.random.default_rng(0).normal(size=4000) * np.exp(-time * 120)
    for eighth in range(int((seconds - first) * bpm / 30)):
        at = round((first + eighth * 30 / bpm) * SAMPLE_RATE)
        sound = (thump if eighth % (2 * beats) == 0 else tick)[: len(audio) - at]
        audio[at : at + len(sound)] += sound[:, None]
    return audio


def request(**values: object) -> RiffRequest:
    return RiffRequest.parse(**{"prompt": "bells", "seed": 1, **values})


@pytest.mark.parametrize(
    ("seed", "start", "speed"),
    [
        (SEEDS[0], 5000, 1.0),
        (SEEDS[1], 70_000, 0.957),
        (SEEDS[2], 31_234, 1.0431),
        (SEEDS[3], 12_345, 0.9789),
        (SEEDS[3], 80_000, 1.0604),
    ],
)
def test_the_tempo_of_a_rendered_loop_is_found(seed: int, start: int, speed: float) -> None:
    score, loop = rendered(seed)
    grid = find_grid(clip(loop, start, 10.3, speed))
    assert grid.bpm == pytest.approx(score.bpm * speed, rel=0.002)
    assert grid.metre == score.metre
    assert grid.confidence > 0.9
    bar = score.samples / score.bars / speed
    missed = (grid.downbeat_samples + start / speed + bar / 2) % bar - bar / 2
    assert abs(missed) < 0.02 * SAMPLE_RATE
    assert 0 <= grid.downbeat_samples < bar


@pytest.mark.parametrize("bpm", [71.37, 127.83, 168.6])
def test_fractions_of_a_beat_per_minute_are_found(bpm: float) -> None:
    found = find_grid(clicks(bpm, 20, first=0.3)).bpm
    assert min(abs(found / bpm / times - 1) for times in (0.5, 1, 2)) < 0.0005


def test_a_file_of_whole_bars_says_its_tempo_to_the_sample() -> None:
    score, loop = rendered(SEEDS[1])
    grid = find_grid(loop)
    assert (grid.bpm, grid.downbeat_samples) == (pytest.approx(score.bpm, rel=1e-5), 0)
    assert grid.settings(len(loop)) == {"bars": score.bars, "bpm": score.bpm, "metre": score.metre}
    asked = request(**grid.settings(len(loop)))
    assert asked.samples == len(loop)


def test_an_mp3_of_a_loop_is_known_for_one(tmp_path: Path) -> None:
    score, loop = rendered(SEEDS[2])
    grid = find_grid(read_audio(encoded(loop, "mp3", folder=tmp_path), name="loop.mp3"))
    assert grid.settings(len(loop)) == {"bars": score.bars, "bpm": score.bpm, "metre": score.metre}
    assert grid.downbeat_samples == 0


@pytest.mark.parametrize("kind", ["silence", "noise", "hum", "pad"])
def test_what_has_no_beat_is_free(kind: str) -> None:
    time = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(size=(len(time), 2)) * 0.1
    swell = 1 + 0.5 * np.sin(2 * np.pi * 0.13 * time)
    sounds = {
        "silence": np.zeros((len(time), 2)),
        "noise": noise,
        "hum": np.stack([0.3 * np.sin(2 * np.pi * 50 * time)] * 2, 1),
        "pad": np.stack([0.2 * swell * sum(np.sin(2 * np.pi * hz * time) for hz in (220, 277, 330))] * 2, 1),
    }
    audio = sounds[kind].astype(np.float32)
    grid = find_grid(audio)
    assert grid.is_free
    assert grid.settings(len(audio)) == {}


@settings(max_examples=15, deadline=None)
@given(
    seconds=st.floats(0.5, 4),
    strikes=st.lists(st.floats(0, 1), max_size=12),
    noise=st.sampled_from([0.0, 1e-6, 0.2]),
    offset=st.sampled_from([0.0, 0.5, -1.0]),
    values=st.fixed_dictionaries(
        {"bars": st.integers(1, 16), "bpm": st.floats(40, 240), "metre": st.sampled_from(sorted(METRES))}
    ),
)
def test_any_sound_is_laid_onto_any_grid(
    seconds: float, strikes: list[float], noise: float, offset: float, values: dict[str, object]
) -> None:
    audio = np.full((round(seconds * SAMPLE_RATE), 2), offset, np.float32)
    audio += noise * np.random.default_rng(0).normal(size=audio.shape).astype(np.float32)
    for strike in strikes:
        audio[int(strike * (len(audio) - 1)), 0] = 1
    grid = find_grid(np.clip(audio, -1, 1))
    assert 0 <= grid.confidence <= 1
    asked = request(**{**values, **grid.settings(len(audio))})
    loop = fit(audio, grid, asked)
    assert loop.shape == (asked.samples, 2)
    assert np.isfinite(loop).all()
    assert fit(audio, Grid(grid.bpm, grid.downbeat_samples, 1.0, grid.metre), request(**values)).shape[1] == 2


def test_the_same_sound_gives_the_same_grid() -> None:
    _, loop = rendered(SEEDS[2])
    assert find_grid(loop) == find_grid(loop.copy())


@pytest.mark.parametrize(("bpm", "wished"), [(97.3, 120.0), (150.0, 110.0), (120.0, 120.0), (120.0, 120.05)])
def test_a_sound_is_laid_onto_the_grid(bpm: float, wished: float) -> None:
    grid = Grid(bpm, round(0.3 * SAMPLE_RATE), 1.0, "4/4")
    asked = request(bars=2, bpm=wished)
    loop = fit(clicks(bpm, 10, first=0.3), grid, asked)
    assert loop.shape == (asked.samples, 2)
    eighth = asked.samples / 16
    loud = np.abs(np.concatenate([loop, loop])).max(1)
    for beat in range(1, 17):
        near = loud[round(beat * eighth - 0.03 * SAMPLE_RATE) : round(beat * eighth + 0.03 * SAMPLE_RATE)]
        onset = int(np.argmax(near > 0.4 * near.max())) / SAMPLE_RATE - 0.03
        assert abs(onset) < 0.005, f"eighth {beat} is {1000 * onset:.1f} ms off"


@pytest.mark.parametrize("counted", [60.0, 240.0])
def test_a_tempo_counted_in_other_beats_is_no_reason_to_stretch(counted: float) -> None:
    audio = clicks(120, 10)
    loop = fit(audio, Grid(counted, 0, 1.0, "4/4"), request(bars=2, bpm=120))
    assert np.abs(loop[: 3 * SAMPLE_RATE] - audio[: 3 * SAMPLE_RATE]).max() < 1e-3


def test_a_fitted_sound_loops() -> None:
    score, loop = rendered(SEEDS[0])
    source = clip(loop, 31_000, 11.0)
    asked = request(bars=4, bpm=score.bpm * 0.9)
    fitted = fit(source, find_grid(source), asked).mean(1)
    assert seam_flux(fitted, 4) < 1.6
    assert seam_step(fitted) < 4


def test_too_few_bars_are_repeated() -> None:
    grid = Grid(120.0, 0, 1.0, "4/4")
    loop = fit(clicks(120, 4.6), grid, request(bars=5, bpm=120))
    turn = 4 * SAMPLE_RATE
    assert loop.shape == (10 * SAMPLE_RATE, 2)
    assert (loop[:turn] == loop[turn : 2 * turn]).all()
    assert (loop[: 2 * SAMPLE_RATE] == loop[2 * turn :]).all()


def test_another_metre_is_counted_in_sixteenths() -> None:
    grid = Grid(120.0, 0, 1.0, "4/4")
    asked = request(bars=4, bpm=120, metre="3/4")
    loop = fit(clicks(120, 8), grid, asked)
    assert loop.shape == (asked.samples, 2) == (4 * METRES["3/4"] * 15 * SAMPLE_RATE // 120, 2)
    plain = clicks(120, 8)[: len(loop)]
    assert np.abs(loop[: len(loop) // 2] - plain[: len(loop) // 2]).max() < 1e-3


def test_the_liveliest_bars_are_taken() -> None:
    audio = clicks(120, 16)
    audio[: 8 * SAMPLE_RATE] *= 0.001
    loop = fit(audio, Grid(120.0, 0, 1.0, "4/4"), request(bars=2, bpm=120))
    assert np.abs(loop[: 3 * SAMPLE_RATE] - audio[8 * SAMPLE_RATE : 11 * SAMPLE_RATE]).max() < 1e-3


@pytest.mark.parametrize("seconds", [0.6, 3.0, 20.0])
def test_a_sound_without_a_beat_is_joined_softly(seconds: float) -> None:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    audio = np.stack([0.3 * np.sin(2 * np.pi * 221.3 * time)] * 2, 1).astype(np.float32)
    asked = request(bars=2, bpm=100)
    loop = fit(audio, Grid(100.0, 0, CONFIDENT / 2, "4/4"), asked)
    assert loop.shape == (asked.samples, 2)
    assert (
        np.abs(np.diff(np.concatenate([loop, loop])[:, 0])).max()
        < 0.3 * 2 * np.pi * 221.3 / SAMPLE_RATE * 1.6
    )


@pytest.mark.parametrize("ratio", [0.7, 1.0004, 1.3])
def test_stretching_keeps_pitch_width_and_place(ratio: float) -> None:
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    sides = [0.3 * np.sin(2 * np.pi * hz * time) for hz in (440, 660)]
    tone = np.stack(sides, 1).astype(np.float32)
    middle = len(tone) // 2
    tone[middle : middle + 100] += 0.6
    samples = round(len(tone) * ratio)
    longer = stretch(tone, samples)
    assert longer.shape == (samples, 2)
    part = longer[samples // 8 : samples // 8 + SAMPLE_RATE]
    spectra = np.abs(np.fft.rfft(part * np.hanning(len(part))[:, None], axis=0))
    assert tuple(spectra.argmax(0)) == (440, 660)
    assert np.abs(part).max(0) == pytest.approx([0.3, 0.3], rel=0.1)
    assert abs(int(np.abs(longer).sum(1).argmax()) - samples / 2) < 0.004 * SAMPLE_RATE


def test_the_web_process_can_find_a_grid_without_torch() -> None:
    program = "import sys, generation.arrange.grid, generation.audio.ingest; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
