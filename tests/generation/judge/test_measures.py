import math

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.judge import measures
from generation.request import SAMPLE_RATE
from generation.spectrogram import SpectrogramCodec

BARS, SAMPLES = 4, 4 * SAMPLE_RATE


def _loop() -> NDArray[np.float32]:
    """Four bars of one second: steady noise and a tone, both of which close over the loop."""
    time = np.arange(SAMPLES) / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(size=SAMPLES) * 0.01
    return np.asarray(noise + 0.2 * np.sin(2 * np.pi * 220 * time), np.float32)


def test_the_seam_of_a_whole_loop_is_as_any_bar_start_and_a_broken_one_is_noticed() -> None:
    whole = _loop()
    assert 0.8 < measures.seam_flux(whole, BARS) < 1.25
    gap = whole.copy()
    gap[-SAMPLE_RATE // 10 :] = 0
    assert measures.seam_flux(gap, BARS) > 2
    tone = np.sin(2 * np.pi * 220 * np.arange(SAMPLES) / SAMPLE_RATE).astype(np.float32) + 0.01 * whole
    assert measures.seam_flux(tone, BARS) < 1.5
    assert measures.seam_flux(tone[: SAMPLES - 50], BARS) > 2
    assert math.isnan(measures.seam_flux(whole, 1))


def test_a_jump_at_the_seam_is_noticed() -> None:
    tone = np.sin(2 * np.pi * 220 * np.arange(SAMPLES) / SAMPLE_RATE).astype(np.float32)
    assert measures.seam_step(tone) < 1.5
    cut = tone[: SAMPLES - 50]
    assert measures.seam_step(cut) > 10


def test_silent_quarter_notes_are_counted() -> None:
    audio = np.stack([_loop()] * 2, 1)
    assert measures.silent_share(audio, BARS * 16) == 0
    audio[SAMPLE_RATE : 2 * SAMPLE_RATE] = 1e-5
    assert measures.silent_share(audio, BARS * 16) == 0.25
    assert measures.silent_share(np.zeros_like(audio), BARS * 16) == 1


def test_width_tells_mono_from_wide() -> None:
    left, right = np.random.default_rng(0).normal(size=(2, SAMPLES)).astype(np.float32)
    assert measures.width(np.stack([left, left], 1)) == pytest.approx(-60)
    assert measures.width(np.stack([left, right], 1)) == pytest.approx(0, abs=0.2)


def test_brightness_follows_the_spectrum() -> None:
    time = np.arange(SAMPLES) / SAMPLE_RATE
    low, high = (np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (300, 6000))
    assert measures.brightness(low)[0] == pytest.approx(300, rel=0.1)
    assert measures.brightness(low + high)[0] == pytest.approx(3150, rel=0.1)
    assert measures.brightness(low + high)[1] > 5 * measures.brightness(low)[1]


def test_log_spectral_distance_ignores_gain_and_hears_a_lost_band() -> None:
    audio = np.random.default_rng(0).normal(size=(SAMPLES, 2)).astype(np.float32)
    assert measures.log_spectral_distance(audio, 0.3 * audio) < 0.01
    spectrum = np.fft.rfft(audio, axis=0)
    spectrum[int(12_000 * SAMPLES / SAMPLE_RATE) :] = 0
    dull = np.fft.irfft(spectrum, axis=0).astype(np.float32)
    assert measures.log_spectral_distance(audio, dull) > 20
    assert measures.log_spectral_distance(audio, dull, 10_000) < 1


def test_measures_are_plain_numbers_and_the_codec_loses_something() -> None:
    audio = np.stack([_loop()] * 2, 1)
    found = measures.measure(audio, BARS, BARS * 16)
    assert isinstance(found["chroma"], list)
    assert len(found["chroma"]) == 12
    assert all(isinstance(value, int | float) for name, value in found.items() if name != "chroma")
    assert found["peak"] == pytest.approx(float(np.abs(audio).max()))
    full, low = measures.codec_loss(SpectrogramCodec(), audio, BARS * 16)
    assert 0.5 < full < 12
    assert 0.5 < low < 12
