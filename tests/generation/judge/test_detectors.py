import numpy as np
import pytest
from numpy.typing import NDArray

from generation.judge import detectors
from generation.request import SAMPLE_RATE, Key

Sound = NDArray[np.float32]


def _tone(pitch: float, seconds: float) -> Sound:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    partials = sum(0.6**k * np.sin(2 * np.pi * hertz * (k + 1) * time) for k in range(6))
    return np.asarray(partials * np.exp(-4 * time / seconds), np.float32)


def _tune(key: Key) -> Sound:
    """Tonic chord, a scale up and down, and the tonic chord again."""
    steps = (0, 2, 3, 5, 7, 8, 10, 12) if key.minor else (0, 2, 4, 5, 7, 9, 11, 12)
    chord = np.asarray(sum(_tone(48 + key.tonic + step, 0.5) for step in (0, steps[2], 7)), np.float32)
    scale = [_tone(60 + key.tonic + step, 0.25) for step in (*steps, *steps[::-1])]
    return np.concatenate([chord, chord, *scale, chord, chord])


def _clicks(bpm: float, seconds: float = 16) -> Sound:
    audio = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
    noise = np.random.default_rng(0).normal(size=2000) * np.exp(-np.arange(2000) / 300)
    for beat in range(int(seconds * bpm / 60)):
        at = round(beat * 60 / bpm * SAMPLE_RATE)
        audio[at : at + 2000] += (noise * (1.0 if beat % 4 == 0 else 0.6))[: len(audio) - at]
    return audio


@pytest.mark.parametrize("name", ["C", "Am", "F#", "Ebm", "G", "Bm"])
def test_the_key_of_a_tune_is_found(name: str) -> None:
    key = Key.parse(name)
    classes = detectors.chroma(_tune(key))
    assert classes.sum() == pytest.approx(1)
    assert detectors.key(classes) == key.tonic * 2 + key.minor
    assert detectors.on_scale(classes, key.tonic * 2 + key.minor) > 0.85
    assert detectors.on_scale(classes, (key.tonic + 6) % 12 * 2 + key.minor) < 0.5


@pytest.mark.parametrize("bpm", [76, 97.5, 120, 148])
def test_the_tempo_of_clicks_is_found(bpm: float) -> None:
    assert detectors.tempo(detectors.onset_strength(_clicks(bpm))) == pytest.approx(bpm, rel=0.02)


def test_silence_has_neither_tempo_nor_pitch() -> None:
    silence = np.zeros(4 * SAMPLE_RATE, np.float32)
    assert detectors.tempo(detectors.onset_strength(silence)) == 0
    assert not detectors.chroma(silence).any()


def test_tempo_errors_are_told_apart() -> None:
    assert detectors.tempo_error(123, 120) == ""
    assert detectors.tempo_error(60, 120) == "octave"
    assert detectors.tempo_error(180, 120) == "octave"
    assert detectors.tempo_error(100, 120) == "wrong"


def test_a_loop_is_repeated_in_whole_turns() -> None:
    loop = np.arange(30_000, dtype=np.float32)
    assert len(detectors.repeated(loop, 1)) == 60_000
