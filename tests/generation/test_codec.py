"""The codec on sounds whose spectrogram is known, and on a rendered loop."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from generation.request import SAMPLE_RATE
from generation.spectrogram import Spectrogram, SpectrogramCodec
from generation.spectrogram.patches import to_patches, to_spectrogram

CODEC = SpectrogramCodec()
BAR = 2 * SAMPLE_RATE  # 120 bpm


def tone(hz: float, left: float = 1.0, right: float = 1.0, samples: int = BAR) -> NDArray[np.float32]:
    wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(samples) / SAMPLE_RATE)
    return np.stack([left * wave, right * wave], 1).astype(np.float32)


def plucks(samples: int = BAR) -> NDArray[np.float32]:
    """Eight decaying notes, the last of which rings over the seam."""
    time = np.arange(samples) / SAMPLE_RATE
    wave = np.zeros(samples)
    for number, hz in enumerate((220, 277, 330, 440, 330, 277, 220, 165)):
        onset = (number * samples / 8 + samples * 0.08) / SAMPLE_RATE
        since = (time - onset) % (samples / SAMPLE_RATE)
        wave += np.sin(2 * np.pi * hz * since) * np.exp(-6 * since)
    return np.stack([wave, wave], 1).astype(np.float32) / 3


def roughness(audio: NDArray[np.float32]) -> tuple[float, float]:
    """Jump across the seam, and the 99.9th percentile of jumps inside, of the louder channel's second difference."""
    curve = np.abs(np.diff(np.concatenate([audio[-2:], audio, audio[:2]]), 2, axis=0)).max(1)
    return float(curve[:3].max()), float(np.quantile(curve[3:-3], 0.999))


@pytest.mark.parametrize("hz", [60, 440, 3000, 12_000])
def test_a_tone_stands_in_its_band(hz: float) -> None:
    picture = CODEC.encode(tone(hz), 1)
    assert picture.level.shape == (128, 160)
    loudest = picture.level.mean(0).argmax()
    assert abs(CODEC.centres_hz[loudest] / hz - 1) < 0.06
    assert picture.level.max() == 255


@pytest.mark.parametrize("hz", [110, 440, 2500])
def test_a_tone_comes_back_at_its_pitch(hz: float) -> None:
    audio = CODEC.decode(CODEC.encode(tone(hz), 1), BAR)
    spectrum = np.abs(np.fft.rfft(audio[:, 0]))
    assert abs(spectrum.argmax() * SAMPLE_RATE / BAR / hz - 1) < 0.03


def test_silence_stays_silence() -> None:
    audio = CODEC.decode(
        Spectrogram(np.zeros((128, 160), np.uint8), np.full((16, 40, 2), 128, np.uint8)), BAR
    )
    assert audio.shape == (BAR, 2)
    assert not audio.any()


@pytest.mark.parametrize(("left", "right"), [(1.0, 0.25), (0.25, 1.0), (1.0, 1.0)])
def test_sides_keep_their_levels(left: float, right: float) -> None:
    audio = CODEC.decode(CODEC.encode(tone(440, left, right), 1), BAR)
    levels = np.sqrt((audio**2).mean(0))
    assert abs(20 * np.log10(levels[0] / levels[1] * right / left)) < 1.0


def test_width_survives() -> None:
    noise = np.random.default_rng(1).standard_normal((BAR, 2)).astype(np.float32) * 0.1
    wide = CODEC.decode(CODEC.encode(noise, 1), BAR)
    narrow = CODEC.decode(CODEC.encode(noise[:, [0, 0]], 1), BAR)
    assert abs(np.corrcoef(wide.T)[0, 1]) < 0.3
    assert np.corrcoef(narrow.T)[0, 1] > 0.97


@pytest.mark.parametrize("samples", [BAR, 4 * 60 * SAMPLE_RATE // 41, 44_103])
def test_the_end_runs_into_the_start(samples: int) -> None:
    audio = CODEC.decode(CODEC.encode(plucks(samples), 1), samples)
    assert len(audio) == samples
    seam, body = roughness(audio)
    assert seam <= body


def test_where_a_loop_starts_makes_no_difference() -> None:
    picture = CODEC.encode(plucks(), 1)
    turned = CODEC.encode(np.roll(plucks(), BAR // 4, axis=0), 1)
    shifted = np.roll(picture.level, 32, axis=0).astype(int)
    assert np.abs(turned.level.astype(int) - shifted).max() <= 1


def test_the_same_picture_gives_the_same_samples() -> None:
    picture = CODEC.encode(plucks(), 1)
    torch.rand(7)  # the state of the global generator plays no part
    assert (CODEC.decode(picture, BAR) == CODEC.decode(picture, BAR)).all()


def test_a_round_trip_is_close() -> None:
    first = CODEC.encode(plucks(), 1)
    second = CODEC.encode(CODEC.decode(first, BAR), 1)
    loud = first.level > 128
    error = np.abs(first.level.astype(float) - second.level)[loud] * 80 / 255
    assert error.mean() < 3.0


def test_patches_hold_the_whole_picture() -> None:
    picture = CODEC.encode(plucks() * np.float32([1, 0.3]), 1)
    again = to_spectrogram(to_patches(picture), CODEC)
    assert (again.level == picture.level).all()
    assert (again.stereo == picture.stereo).all()
