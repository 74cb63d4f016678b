"""The codec on sounds whose spectrogram is known, and on a rendered loop."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from generation.request import SAMPLE_RATE
from generation.spectrogram import Spectrogram, SpectrogramCodec
from generation.spectrogram.inverse import BandInverse
from generation.spectrogram.patches import to_patches, to_spectrogram

CODEC = SpectrogramCodec()
BAR = 2 * SAMPLE_RATE  # 120 bpm


def untrained_inverse() -> BandInverse:
    """A network that does something, if nothing useful: as it is made, it corrects nothing."""
    torch.manual_seed(3)
    inverse = BandInverse(CODEC.bands, CODEC.window_length // 2 + 1, width=32, depth=1).eval()
    torch.nn.init.normal_(inverse.write.weight, std=0.03)
    return inverse


WITH_NET = SpectrogramCodec(inverse=untrained_inverse())
both = pytest.mark.parametrize("codec", [CODEC, WITH_NET], ids=["plain", "with a network"])


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
    picture = CODEC.encode(tone(hz), 16)
    assert picture.level.shape == (128, 160)
    loudest = picture.level.mean(0).argmax()
    assert abs(CODEC.centres_hz[loudest] / hz - 1) < 0.06
    assert picture.level.max() == 255


@pytest.mark.parametrize("hz", [110, 440, 2500])
def test_a_tone_comes_back_at_its_pitch(hz: float) -> None:
    audio = CODEC.decode(CODEC.encode(tone(hz), 16), BAR)
    spectrum = np.abs(np.fft.rfft(audio[:, 0]))
    assert abs(spectrum.argmax() * SAMPLE_RATE / BAR / hz - 1) < 0.03


@both
def test_silence_stays_silence(codec: SpectrogramCodec) -> None:
    audio = codec.decode(
        Spectrogram(np.zeros((128, 160), np.uint8), np.full((16, 40, 2), 128, np.uint8)), BAR
    )
    assert audio.shape == (BAR, 2)
    assert not audio.any()


@pytest.mark.parametrize(("left", "right"), [(1.0, 0.25), (0.25, 1.0), (1.0, 1.0)])
def test_sides_keep_their_levels(left: float, right: float) -> None:
    audio = CODEC.decode(CODEC.encode(tone(440, left, right), 16), BAR)
    levels = np.sqrt((audio**2).mean(0))
    assert abs(20 * np.log10(levels[0] / levels[1] * right / left)) < 1.0


def test_width_survives() -> None:
    noise = np.random.default_rng(1).standard_normal((BAR, 2)).astype(np.float32) * 0.1
    wide = CODEC.decode(CODEC.encode(noise, 16), BAR)
    narrow = CODEC.decode(CODEC.encode(noise[:, [0, 0]], 16), BAR)
    assert abs(np.corrcoef(wide.T)[0, 1]) < 0.3
    assert np.corrcoef(narrow.T)[0, 1] > 0.97


def test_mono_stays_mono() -> None:
    audio = CODEC.decode(CODEC.encode(plucks(), 16), BAR)
    assert np.abs(audio[:, 0] - audio[:, 1]).max() < 0.01


def test_each_side_keeps_its_spectrum_however_wide_the_sound_is() -> None:
    noise = np.random.default_rng(2).standard_normal((BAR, 2)).astype(np.float32) * 0.1
    first = CODEC.encode(noise, 16)
    audio = CODEC.decode(first, BAR)
    second = CODEC.encode(audio[:, [0, 0]], 16)
    error = (second.level.astype(float) - first.level) * 80 / 255
    assert np.abs(error - error.mean()).mean() < 2.2


@both
@pytest.mark.parametrize("samples", [BAR, 16 * 15 * SAMPLE_RATE // 41, 44_103])
def test_the_end_runs_into_the_start(codec: SpectrogramCodec, samples: int) -> None:
    audio = codec.decode(codec.encode(plucks(samples), 16), samples)
    assert len(audio) == samples
    seam, body = roughness(audio)
    assert seam <= body


@both
@pytest.mark.parametrize("step", [1, 2])
def test_a_turned_picture_is_the_same_sound_turned(codec: SpectrogramCodec, step: int) -> None:
    hop = 690 * step
    samples = 16 * 8 * hop
    picture = codec.encode(plucks(samples), 16)
    turned = Spectrogram(np.roll(picture.level, 3 * 8, 0), np.roll(picture.stereo, 3, 0))
    difference = np.roll(codec.decode(picture, samples), 3 * 8 * hop, 0) - codec.decode(turned, samples)
    assert np.abs(difference).max() < 1e-3


@both
@pytest.mark.parametrize(("bpm", "sixteenths"), [(40, 1), (61, 2), (97, 12), (174, 3), (240, 1)])
def test_every_tempo_and_length_has_its_loop(codec: SpectrogramCodec, bpm: int, sixteenths: int) -> None:
    samples = round(sixteenths * 15 * SAMPLE_RATE / bpm)
    first = codec.encode(tone(440, samples=samples), sixteenths)
    audio = codec.decode(first, samples)
    assert audio.shape == (samples, 2)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() == pytest.approx(0.9)
    band = int(np.abs(codec.centres_hz - 440).argmin())
    assert abs(int(codec.encode(audio, sixteenths).level.mean(0).argmax()) - band) <= 1


def test_where_a_loop_starts_makes_no_difference() -> None:
    picture = CODEC.encode(plucks(), 16)
    turned = CODEC.encode(np.roll(plucks(), BAR // 4, axis=0), 16)
    shifted = np.roll(picture.level, 32, axis=0).astype(int)
    assert np.abs(turned.level.astype(int) - shifted).max() <= 1


@both
def test_the_same_picture_gives_the_same_samples(codec: SpectrogramCodec) -> None:
    picture = codec.encode(plucks(), 16)
    torch.rand(7)  # the state of the global generator plays no part
    assert (codec.decode(picture, BAR) == codec.decode(picture, BAR)).all()


@both
def test_a_round_trip_is_close(codec: SpectrogramCodec) -> None:
    first = codec.encode(plucks(), 16)
    second = codec.encode(codec.decode(first, BAR), 16)
    loud = first.level > 128
    error = np.abs(first.level.astype(float) - second.level)[loud] * 80 / 255
    assert error.mean() < 2.0


def test_a_network_changes_what_the_bands_leave_open_and_not_the_bands() -> None:
    picture = CODEC.encode(plucks(), 16)
    (plain, _), (guessed, _) = CODEC.magnitudes(picture, BAR), WITH_NET.magnitudes(picture, BAR)
    loud = picture.level > 64
    wanted = (picture.level[loud] / 255 - 1) * 80
    for magnitude, tolerance in ((plain, 0.2), (guessed, 1.0)):
        bands = 10 * torch.log10(magnitude.square() @ CODEC.filters.T).numpy()[loud]
        assert np.abs(bands - wanted).mean() < tolerance
    assert float((plain - guessed).norm() / plain.norm()) > 0.03
    above = round(19_000 * CODEC.window_length / SAMPLE_RATE)
    assert not plain[:, above:].any()
    assert guessed[:, above:].any()


def test_the_picture_is_the_one_that_models_were_trained_on() -> None:
    level = CODEC.encode(plucks(), 16).level
    expected = [
        [125, 71, 0, 0, 0, 0],
        [83, 32, 0, 0, 0, 0],
        [25, 68, 0, 0, 0, 0],
        [0, 193, 0, 0, 0, 0],
        [0, 152, 0, 0, 0, 0],
        [0, 195, 0, 0, 0, 0],
        [7, 153, 0, 0, 0, 0],
        [47, 112, 0, 0, 0, 0],
    ]
    assert np.abs(level[::16, 10:130:20].astype(int) - np.array(expected)).max() <= 1


def test_patches_hold_the_whole_picture() -> None:
    picture = CODEC.encode(plucks() * np.float32([1, 0.3]), 16)
    again = to_spectrogram(to_patches(picture), CODEC)
    assert (again.level == picture.level).all()
    assert (again.stereo == picture.stereo).all()
