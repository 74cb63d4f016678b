"""Files of a take, read back by libraries that are not ours."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from generation.audio.export import mp3, peaks, wav
from generation.audio.loudness import loudness, to_target_loudness
from generation.audio.picture import spectrogram_png
from generation.audio.recipes import read_recipe
from generation.engine import Engine
from generation.errors import RiffError
from generation.request import RiffRequest, Take


@pytest.fixture(scope="module")
def take(tiny_model: Path) -> Take:
    asked = RiffRequest.parse(prompt="café bells", bars=2, bpm=100, key="F#m", seed=3, steps=2)
    return Engine.load(tiny_model).render(asked).takes[0]


def test_wav_is_24_bit_and_loops(take: Take) -> None:
    with soundfile.SoundFile(io.BytesIO(wav(take))) as file:
        assert (file.samplerate, file.channels, file.subtype, file.frames) == (44_100, 2, "PCM_24", 211_680)
        notes = file.extra_info
        audio = file.read(dtype="float32")
    assert np.abs(audio - take.audio).max() < 2**-22
    for line in (
        "Start :     0  End : 211679",
        "Beats     : 8",
        "Meter     : 4/4",
        "Tempo     : 100",
        "Root note : 0x42",
    ):
        assert line in notes


@pytest.mark.parametrize("metre", ["3/4", "6/8"])
def test_wav_tells_its_metre(take: Take, metre: str) -> None:
    """Its beats are the quarter notes that the tempo counts."""
    asked = {**take.recipe["request"], "metre": metre}
    other = replace(take, recipe={**take.recipe, "request": asked})
    with soundfile.SoundFile(io.BytesIO(wav(other))) as file:
        notes = file.extra_info
    for line in ("Beats     : 6", f"Meter     : {metre}", "Tempo     : 100"):
        assert line in notes


def test_wav_carries_its_recipe(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(wav(take))
    recipe, digest = read_recipe(path)
    assert recipe == take.recipe
    assert digest == take.recipe["sha256"]


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVEdata\xff\xff\xff\xff", b"[]", b"{}", b"\x00\xff"]
)
def test_files_without_a_recipe_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(content)
    with pytest.raises(RiffError, match=r"holds no recipe of ours"):
        read_recipe(path)


def test_mp3_plays_as_long(take: Take) -> None:
    information = soundfile.info(io.BytesIO(mp3(take)))
    assert (information.samplerate, information.channels) == (44_100, 2)
    assert abs(information.duration - len(take.audio) / 44_100) < 0.05


def test_picture_shows_the_loop_and_keeps_the_recipe(take: Take) -> None:
    picture = Image.open(io.BytesIO(spectrogram_png(take)))
    assert picture.size == (1024, 320)
    assert json.loads(picture.info["riffmarket"]) == take.recipe
    assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50


def test_peaks_are_the_loudest_samples(take: Take) -> None:
    values = peaks(take, 512)
    assert len(values) == 512
    assert max(values) == pytest.approx(np.abs(take.audio).max(), abs=1e-4)


def test_loudness_is_brought_to_target() -> None:
    quiet = np.random.default_rng(1).standard_normal((44_100, 2)).astype(np.float32) * 0.01
    assert loudness(to_target_loudness(quiet)) == pytest.approx(-14, abs=0.1)


def test_peaks_limit_loudness_and_silence_stays() -> None:
    clicks = np.zeros((44_100, 2), np.float32)
    clicks[::4410] = 0.5
    assert np.abs(to_target_loudness(clicks)).max() == pytest.approx(10 ** (-1 / 20))
    assert not to_target_loudness(np.zeros((44_100, 2), np.float32)).any()
