"""Riffusion's images: drawn as Riffusion draws them, heard at least as well as there, and never believed."""

import io
import math
import struct
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from generation.errors import UnreadablePicture
from generation.riffusion import RiffusionCodec, RiffusionParams
from generation.riffusion.params import (
    FREQUENCIES_TAG,
    MAX_FREQUENCY_TAG,
    MAX_VALUE_TAG,
    POWER_TAG,
    SAMPLE_RATE_TAG,
    STEP_TAG,
    STEREO_TAG,
    WINDOW_TAG,
)
from generation.riffusion.pictures import MAX_BYTES, described, open_picture, params_of, to_bytes

SAMPLE_RATE = 44_100


def music(seconds: float = 2.0) -> NDArray[np.float32]:
    """Chords that decay and a drum of noise, four a second, a little to the left: (samples, 2)."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    since = time % 0.25
    random = np.random.default_rng(3)
    sound = 0.25 * random.standard_normal(len(time)) * np.exp(-60 * since)
    for chord, (low, middle, high) in enumerate(((220, 277.2, 329.6), (196, 246.9, 293.7))):
        playing = (time // 0.5 % 2 == chord) * np.exp(-3 * (time % 0.5))
        for hertz in (low, middle, high):
            for partial in range(1, 8):
                sound += playing * np.sin(math.tau * partial * hertz * time) / partial / 8
    return (0.4 * np.stack([sound, 0.7 * np.roll(sound, 400)], 1)).astype(np.float32)


def convergence(original: NDArray[np.float32], copy: NDArray[np.float32]) -> float:
    """Norm of the difference of STFT magnitudes up to 10 kHz over the original's, in dB."""
    window = torch.hann_window(2048)
    wanted, heard = (
        torch.stft(
            torch.from_numpy(side[: len(copy)].copy()), 2048, 512, window=window, return_complex=True
        ).abs()[:464]
        for side in (original, copy)
    )
    heard = heard * ((wanted * heard).sum() / heard.square().sum())
    return 20 * math.log10(float((wanted - heard).norm() / wanted.norm()))


@pytest.mark.parametrize("stereo", [False, True])
def test_the_image_is_the_one_that_riffusion_draws(stereo: bool) -> None:
    """Riffusion's steps as they stand there: a padded transform, torchaudio's dense filter bank, a power curve."""
    sound = music(1.0)
    channels = sound.T if stereo else sound.mean(1)[None]
    spectrum = torch.stft(
        torch.from_numpy(np.ascontiguousarray(channels) * 32768), 17_640, 441, 4410, torch.hann_window(4410),
        return_complex=True,
    ).abs().numpy()  # fmt: skip
    hertz = np.linspace(0, 22_050, 8821)
    edges = 700 * (10 ** (np.linspace(0, 2595 * math.log10(1 + 10_000 / 700), 514) / 2595) - 1)
    rising = (hertz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hertz[:, None]) / np.diff(edges)[1:]
    bands = np.maximum(0, np.minimum(rising, falling)).T.astype(np.float32) @ spectrum
    wanted = (255 - 255 * (bands / bands.max()) ** 0.25).astype(np.uint8)[:, ::-1]

    image = RiffusionCodec(RiffusionParams(stereo=stereo)).to_image(sound)
    assert (image.mode, image.size) == ("RGB", (101, 512))
    red, green, blue = (np.asarray(image)[..., layer].astype(int) for layer in range(3))
    drawn = (green, blue) if stereo else (red, red)
    for layer, expected in zip(drawn, (wanted[0], wanted[-1]), strict=True):
        apart = np.abs(layer - expected)
        assert apart.max() <= 1
        assert np.mean(apart == 0) > 0.999
    assert not red.any() if stereo else (red == green).all() and (red == blue).all()
    tags = dict(image.getexif())
    assert tags.pop(MAX_VALUE_TAG) == pytest.approx(bands.max(), rel=1e-5)
    assert tags == {
        11000: 44_100, 11005: int(stereo), 11010: 10, 11020: 100, 11030: 400,
        11040: 512, 11050: 0, 11060: 10_000, 11070: 0.25,
    }  # fmt: skip


def test_low_is_at_the_bottom_and_dark_is_loud() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sin(math.tau * 1000 * time)[:, None].astype(np.float32)
    column = np.asarray(RiffusionCodec().to_image(tone))[:, 50, 0]
    # 1000 mel are 1000 Hz; 10 kHz are 3073 mel in 513 steps.
    assert abs((511 - int(column.argmin())) + 1 - 1000 / 3073.2 * 513) <= 1
    assert column.min() == 0
    assert column[:100].min() > 240


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_an_image_sounds_like_what_it_was_drawn_of(ending: str) -> None:
    sound = music()
    codec = RiffusionCodec()
    picture = open_picture(to_bytes(codec.to_image(sound), ending))
    assert params_of(picture) == codec.params
    heard = codec.to_audio(picture)
    assert (heard.shape, heard.dtype) == ((200 * 441, 1), np.float32)
    assert np.abs(heard).max() == pytest.approx(10 ** (-0.1 / 20))
    # Riffusion's own way back (32 iterations of Griffin-Lim on a guess of the magnitudes) comes to -15 dB on music.
    assert convergence(sound.mean(1), heard[:, 0]) < (-17 if ending == ".png" else -13)


def test_left_and_right_come_back_on_their_sides() -> None:
    sound = music(1.0)
    codec = RiffusionCodec(RiffusionParams(stereo=True))
    heard = codec.to_audio(open_picture(to_bytes(codec.to_image(sound), ".png")))
    assert heard.shape == (100 * 441, 2)
    assert convergence(sound[:, 0], heard[:, 0]) < -15
    assert convergence(sound[:, 1], heard[:, 1]) < -15
    levels = np.sqrt(np.square(heard).mean(0))
    assert levels[1] / levels[0] == pytest.approx(0.7, rel=0.1)


def test_the_same_image_gives_the_same_bytes() -> None:
    picture = RiffusionCodec().to_image(music(0.6))
    assert RiffusionCodec().to_audio(picture).tobytes() == RiffusionCodec().to_audio(picture).tobytes()
    assert to_bytes(picture, ".png") == to_bytes(RiffusionCodec().to_image(music(0.6)), ".png")


@pytest.mark.parametrize(
    "params",
    [
        RiffusionParams(min_hz=20, max_hz=20_000),
        RiffusionParams(sample_rate=22_050, step_ms=7, window_ms=64, padded_ms=128, frequencies=300),
        RiffusionParams(step_ms=20, window_ms=50, padded_ms=50, frequencies=128, max_hz=8000, power=0.5),
    ],
)
def test_other_settings_work_both_ways(params: RiffusionParams) -> None:
    sound = music(1.0)[: params.sample_rate]
    codec = RiffusionCodec(params)
    picture = open_picture(to_bytes(codec.to_image(sound), ".png"))
    # A transform of odd length reaches half a sample less far.
    width = 1 + (len(sound) - params.n_fft % 2) // params.hop_length
    assert picture.size == (width, params.frequencies)
    assert params_of(picture) == params
    heard = codec.to_audio(picture)
    assert len(heard) == (picture.width - 1) * params.hop_length
    assert convergence(sound.mean(1), heard[:, 0]) < -10


def test_silence_is_white_and_stays_silent() -> None:
    image = RiffusionCodec().to_image(np.zeros((SAMPLE_RATE, 2), np.float32))
    assert (np.asarray(image) == 255).all()
    assert not RiffusionCodec().to_audio(image).any()


def test_an_image_without_tags_has_riffusions_defaults() -> None:
    grey = Image.fromarray(np.asarray(RiffusionCodec().to_image(music(0.6)))[..., 0])
    picture = open_picture(_png(grey))
    assert (described(picture), params_of(picture)) == ({}, RiffusionParams())
    with_one = Image.new("RGB", (64, 512))
    with_one.getexif()[SAMPLE_RATE_TAG] = 48_000
    assert params_of(open_picture(to_bytes(with_one, ".png"))) == RiffusionParams()


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [
        ({SAMPLE_RATE_TAG: "fast"}, "SAMPLE_RATE is not a number in the image's EXIF tags."),
        ({SAMPLE_RATE_TAG: b"\0\1"}, "SAMPLE_RATE is not a number in the image's EXIF tags."),
        ({SAMPLE_RATE_TAG: (1, 2)}, "SAMPLE_RATE is not a number in the image's EXIF tags."),
        ({SAMPLE_RATE_TAG: math.nan}, "SAMPLE_RATE is not a number in the image's EXIF tags."),
        ({POWER_TAG: math.inf}, "POWER_FOR_IMAGE is not a number in the image's EXIF tags."),
        ({POWER_TAG: 0.0}, "POWER_FOR_IMAGE is 0: a Riffusion image has 0.05 to 2 there."),
        ({SAMPLE_RATE_TAG: 0}, "SAMPLE_RATE is 0: a Riffusion image has 8000 to 96000 there."),
        (
            {SAMPLE_RATE_TAG: 4_000_000_000},
            "SAMPLE_RATE is 4e+09: a Riffusion image has 8000 to 96000 there.",
        ),
        ({SAMPLE_RATE_TAG: 44_100.5}, "SAMPLE_RATE is 44100.5: it has to be a whole number."),
        ({STEP_TAG: 0}, "STEP_SIZE_MS is 0: a Riffusion image has 1 to 100 there."),
        ({WINDOW_TAG: -5}, "WINDOW_DURATION_MS is -5: a Riffusion image has 20 to 500 there."),
        ({MAX_FREQUENCY_TAG: 1e300}, "MAX_FREQUENCY is 1e+300: a Riffusion image has 100 to 22050 there."),
        ({STEREO_TAG: "yes"}, "STEREO is not a number in the image's EXIF tags."),
        ({FREQUENCIES_TAG: 511}, "The image has 512 rows: with its settings it has to have 511."),
    ],
)
def test_hostile_tags_are_one_sentence(tags: dict[int, Any], sentence: str) -> None:
    image = Image.new("RGB", (64, 512))
    image.getexif().update({**RiffusionParams().to_exif(1.0), **tags})
    picture = open_picture(to_bytes(image, ".png"))

    def hear() -> None:
        RiffusionCodec(params_of(picture)).to_audio(picture)

    with pytest.raises(UnreadablePicture) as refused:
        hear()
    assert str(refused.value) == sentence


@pytest.mark.parametrize("width", [1, 6, 7000])
def test_a_width_that_no_clip_has_is_refused(width: int) -> None:
    with pytest.raises(UnreadablePicture, match="a Riffusion image of these settings has 7 to 6111 columns"):
        RiffusionCodec().to_audio(Image.new("RGB", (width, 512)))
    with pytest.raises(UnreadablePicture, match=r"^\d+ columns are"):
        RiffusionCodec().to_image(np.zeros((width * 441 - 1, 1), np.float32))


def test_pictures_that_are_none_or_too_much() -> None:
    whole = to_bytes(RiffusionCodec().to_image(music(0.6)), ".png")
    bomb = _raw_png(60_000, 60_000)
    large = _raw_png(8192, 8192)
    text = zlib.compress(bytes(200_000_000), 9)
    texts = whole[:33] + _chunk(b"zTXt", b"riffmarket\0\0" + text) + whole[33:]
    for content, sentence in (
        (b"", "x.png is not a picture that can be read: give a PNG or JPEG file."),
        (b"RIFF....WAVEfmt ", "x.png is not a picture that can be read: give a PNG or JPEG file."),
        (
            _png(Image.new("RGB", (8, 8)), "GIF"),
            "x.png is not a picture that can be read: give a PNG or JPEG file.",
        ),
        (whole[:2000], "x.png is damaged: export it again."),
        (
            _png(Image.new("RGB", (8, 8)), exif=b"Exif\0\0MM\0*" + b"\x7f" * 200),
            "x.png is damaged: export it again.",
        ),
        (texts, "x.png is damaged: export it again."),
        (bomb, "x.png has far too many pixels: that is no spectrogram of a clip."),
        (large, "x.png has far too many pixels: that is no spectrogram of a clip."),
        (bytes(MAX_BYTES + 1), "x.png is larger than 32 MiB: that is no spectrogram of a clip."),
        (
            _png(Image.new("CMYK", (64, 512)), "JPEG"),
            "x.png has CMYK pixels: a spectrogram has 8-bit RGB or grey ones, so save it as that.",
        ),
        (
            _png(Image.new("I;16", (64, 512))),
            "x.png has I;16 pixels: a spectrogram has 8-bit RGB or grey ones, so save it as that.",
        ),
    ):
        with pytest.raises(UnreadablePicture) as refused:
            open_picture(content, "x.png")
        assert str(refused.value) == sentence


def test_the_format_needs_no_torch() -> None:
    """The web process answers in it."""
    code = "import generation.riffusion.pictures, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def _png(image: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def _raw_png(width: int, height: int) -> bytes:
    """A grey PNG that is a few bytes long and says that it is that large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
