"""Loudness and true peak, measured by ffmpeg's ebur128 and by scipy's resampling at eight times the rate."""

import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from generation.audio.loudness import gain_to_target, loudness, to_target_loudness, true_peak
from generation.request import SAMPLE_RATE

Audio = NDArray[np.float32]


def independent_true_peak(audio: Audio) -> float:
    """The largest magnitude between the samples of a loop as it repeats, eight times oversampled."""
    around = np.take(audio, np.arange(-500, len(audio) + 500), axis=0, mode="wrap").astype(np.float64)
    return float(np.abs(scipy.signal.resample_poly(around, 8, 1, axis=0)[4000:-4000]).max())


def heard_by_ffmpeg(audio: Audio) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dBTP of a loop played four times."""
    command = [
        *(
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-hide_banner",
            "-f",
            "f32le",
            "-ar",
            "44100",
            "-ac",
            "2",
            "-i",
            "-",
        ),
        *("-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"),
    ]
    played = np.tile(audio, (4, 1)).tobytes()
    said = subprocess.run(command, input=played, capture_output=True, timeout=60).stderr.decode()
    summary = said[said.rindex("Summary") :]
    values = re.search(r"I: +(-?[\d.]+) LUFS[\s\S]*Peak: +(-?[\d.]+) dBFS", summary)
    assert values is not None, said
    return float(values[1]), float(values[2])


def sound(kind: str) -> Audio:
    """Two seconds or so of something hard to measure."""
    random, time = np.random.default_rng(5), np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    match kind:
        case "noise":
            return random.standard_normal((len(time), 2)).astype(np.float32) * np.float32(0.01)
        case "quarter":  # every sample is 3 dB lower than the wave between them
            return np.stack([np.sin(np.pi / 2 * np.arange(len(time)) + np.pi / 4)] * 2, 1).astype(np.float32)
        case "bursts":
            envelope = (np.sin(2 * np.pi * 3 * time) > 0.95)[:, None]
            return (random.standard_normal((len(time), 2)) * envelope).astype(np.float32)
        case "seam":  # the peak stands between the last sample and the first
            clicks = np.zeros((2 * SAMPLE_RATE + 7, 2), np.float32)
            clicks[0, 0] = clicks[-1, 0] = clicks[30_000, 1] = clicks[30_001, 1] = 0.8
            return clicks
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["noise", "quarter", "bursts", "seam"])
def test_true_peak_is_what_a_finer_meter_finds(kind: str) -> None:
    audio = sound(kind)
    decibels = 20 * np.log10(true_peak(audio) / independent_true_peak(audio))
    assert -0.1 < decibels < 0.05


def test_peaks_between_samples_count_also_at_the_seam() -> None:
    assert true_peak(sound("quarter")) == pytest.approx(1, abs=0.003)
    inside, seam = sound("seam")[:, 1:], sound("seam")[:, :1]
    assert true_peak(seam) == pytest.approx(true_peak(inside), rel=1e-5)
    assert true_peak(seam) > 0.95


@pytest.mark.parametrize("samples", [1, 30, 1000])
def test_short_loops_have_a_true_peak_too(samples: int) -> None:
    audio = np.full((samples, 2), 0.5, np.float32)
    assert true_peak(audio) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("kind", ["noise", "quarter", "bursts", "seam"])
def test_no_finished_loop_exceeds_the_ceiling(kind: str) -> None:
    finished = to_target_loudness(sound(kind))
    assert 20 * np.log10(independent_true_peak(finished)) <= -1
    _, heard = heard_by_ffmpeg(finished)
    assert heard <= -1


def test_loudness_is_brought_to_target() -> None:
    finished = to_target_loudness(sound("noise"))
    assert loudness(finished) == pytest.approx(-14, abs=0.01)
    integrated, _ = heard_by_ffmpeg(finished)
    assert integrated == pytest.approx(-14, abs=0.15)


def test_peaks_limit_loudness() -> None:
    finished = to_target_loudness(sound("bursts"))
    assert 20 * np.log10(true_peak(finished)) == pytest.approx(-1.1, abs=1e-3)
    assert loudness(finished) < -14.5


def test_the_gain_is_for_all_that_sounds_together() -> None:
    """Stems times the mix's gain add up to the finished mix."""
    one, other = sound("noise"), sound("bursts") * np.float32(0.05)
    gain = np.float32(gain_to_target(one + other))
    assert np.abs(one * gain + other * gain - to_target_loudness(one + other)).max() < 1e-6


def test_silence_stays() -> None:
    silence = np.zeros((SAMPLE_RATE, 2), np.float32)
    assert gain_to_target(silence) == 1
    assert not to_target_loudness(silence).any()
