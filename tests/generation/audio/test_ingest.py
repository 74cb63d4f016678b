"""Whatever people bring is read as sound or refused in a sentence, quickly, and nothing of it stays."""

import io
import os
import struct
import subprocess
import tempfile
import time
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from generation.audio.export import wav
from generation.audio.ingest import MAX_BYTES, read_audio
from generation.audio.pcm import sha256
from generation.errors import UnreadableAudio
from generation.request import SAMPLE_RATE, RiffRequest, Take

Sound = NDArray[np.float32]
FUZZED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MAGIC = (
    b"",
    b"RIFF\0\1\0\0WAVEfmt ",
    b"fLaC\0\0\0\x22",
    b"OggS\0\2",
    b"ID3\4\0\0",
    b"\xff\xfb\x90\x64",
    b"\0\0\0\x18ftypM4A \0\0\0\0",
)
NOT_NUMBERS = "contains samples that are not numbers: export it again."
DAMAGED = "holds no sound that can be read: it is damaged, cut off or of an odd kind."


def tone(seconds: float = 1.0, rate: int = SAMPLE_RATE, channels: int = 2) -> Sound:
    time_ = np.arange(round(seconds * rate)) / rate
    sides = [0.5 * np.sin(2 * np.pi * 440 * (1 + side / 2) * time_) for side in range(channels)]
    return np.stack(sides, 1).astype(np.float32)


def as_wav(audio: Sound, rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def encoded(audio: Sound, ending: str, *options: str, folder: Path) -> bytes:
    """The sound as ffmpeg writes it into a file."""
    source, target = folder / "encoded-from.wav", folder / f"encoded.{ending}"
    source.write_bytes(as_wav(audio))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(source), *options, "-y", str(target)]
    subprocess.run(command, check=True)
    content = target.read_bytes()
    source.unlink()
    target.unlink()
    return content


def pitch(side: Sound) -> int:
    middle = side[len(side) // 4 : len(side) // 4 + SAMPLE_RATE // 2]
    return 2 * int(np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle))))))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that the test can look into."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def refusal(content: bytes | Path, place: Path, name: str = "mine.wav", max_seconds: float = 60.0) -> str:
    """The sentence of a refusal that came within two seconds and left nothing behind."""
    started = time.monotonic()
    with pytest.raises(UnreadableAudio) as refused:
        read_audio(content, name=name, max_seconds=max_seconds)
    assert time.monotonic() - started < 2
    assert list(place.iterdir()) == []
    return str(refused.value)


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("wav", ()),
        ("mp3", ()),
        ("ogg", ("-c:a", "libvorbis")),
        ("ogg", ("-c:a", "libopus", "-ar", "48000")),
        ("opus", ("-ar", "48000")),
        ("flac", ("-ar", "96000")),
        ("m4a", ()),
        ("m4a", ("-c:a", "alac", "-movflags", "+faststart")),
    ],
)
def test_every_format_is_read(ending: str, options: tuple[str, ...], tmp_path: Path, place: Path) -> None:
    audio = read_audio(encoded(tone(1.5), ending, *options, folder=tmp_path), name="mine")
    assert audio.dtype == np.float32
    assert audio.shape[1] == 2
    assert len(audio) == pytest.approx(1.5 * SAMPLE_RATE, abs=0.06 * SAMPLE_RATE)
    assert (pitch(audio[:, 0]), pitch(audio[:, 1])) == (440, 660)
    assert np.sqrt(np.square(audio).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("rate", [8000, 22_050, 48_000, 192_000])
def test_any_rate_becomes_44100(rate: int) -> None:
    audio = read_audio(as_wav(tone(1, rate), rate), name="mine")
    assert audio.shape == (SAMPLE_RATE, 2)
    assert (pitch(audio[:, 0]), pitch(audio[:, 1])) == (440, 660)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW"])
def test_every_kind_of_sample_is_read(subtype: str) -> None:
    audio = read_audio(as_wav(tone(), subtype=subtype), name="mine")
    assert np.abs(audio - tone()).max() < (0.02 if subtype in ("PCM_U8", "ALAW") else 1e-4)


def test_mono_is_heard_on_both_sides() -> None:
    audio = read_audio(as_wav(tone(channels=1)), name="mine")
    assert (audio[:, 0] == audio[:, 1]).all()


def test_eight_channels_are_mixed_down() -> None:
    audio = read_audio(as_wav(tone(channels=8)), name="mine")
    assert audio.shape == (SAMPLE_RATE, 2)
    assert np.abs(audio).max() > 0.1


def test_a_path_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "a b;-i 'c.wav"
    path.write_bytes(as_wav(tone()))
    assert read_audio(path).shape == (SAMPLE_RATE, 2)
    path.write_bytes(b"")
    with pytest.raises(UnreadableAudio, match=r"^a b;-i 'c.wav is empty\.$"):
        read_audio(path)


def test_a_loop_of_ours_keeps_its_bytes() -> None:
    audio = np.random.default_rng(0).uniform(-1, 1, (SAMPLE_RATE, 2)).astype(np.float32)
    request = RiffRequest.parse(prompt="bells", seed=1)
    recipe = {"request": request.to_dict(), "model": "tiny", "samples": len(audio), "sha256": sha256(audio)}
    assert sha256(read_audio(wav(Take(audio, np.zeros((1, 1), np.uint8), recipe)), name="mine")) == sha256(
        audio
    )


def test_too_loud_is_turned_down() -> None:
    audio = read_audio(as_wav(tone() * 8, subtype="FLOAT"), name="mine")
    assert np.abs(audio).max() == pytest.approx(1, abs=1e-6)
    assert np.abs(audio - tone() * 2).max() < 1e-3


def test_exactly_the_longest_is_taken() -> None:
    assert read_audio(as_wav(tone(2)), name="mine", max_seconds=2).shape == (2 * SAMPLE_RATE, 2)


def test_a_name_is_shown_without_folder_and_surprises(place: Path) -> None:
    assert refusal(b"", place, "/home/me/song.wav") == "song.wav is empty."
    assert refusal(b"", place, "C:\\music\\song.wav") == "song.wav is empty."
    assert refusal(b"", place, "a\x1b[31m\n.wav") == "a?[31m?.wav is empty."
    assert refusal(b"", place, "x" * 300 + ".wav") == "x" * 40 + "…" + "x" * 11 + ".wav is empty."
    assert refusal(b"", place, "") == "The file is empty."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (lambda: as_wav(tone() * 0), "is silent: there is nothing to start from."),
        (lambda: as_wav(tone() * 1e-3), "is silent: there is nothing to start from."),
        (lambda: as_wav(tone(0.003)), "lasts 3 ms: at least half a second is needed."),
        (lambda: as_wav(tone(0)), "lasts 0 ms: at least half a second is needed."),
        (lambda: as_wav(tone(channels=24)), "has 24 channels: at most 8 are possible, two are best."),
        (lambda: as_wav(tone() * np.float32(np.nan), subtype="FLOAT"), NOT_NUMBERS),
        (lambda: as_wav(np.full((SAMPLE_RATE, 2), np.inf, np.float32), subtype="FLOAT"), NOT_NUMBERS),
        (lambda: as_wav(tone())[:40], DAMAGED),
        (lambda: b"fLaC" + bytes(1000), DAMAGED),
        (lambda: b"OggS" + bytes(1000), DAMAGED),
        (lambda: b"ID3" + bytes(1000), DAMAGED),
        (lambda: b"\0\0\0\x20ftypM4A " + bytes(1000), DAMAGED),
    ],
    ids=lambda value: None if callable(value) else value.split()[1],
)  # fmt: skip
def test_bad_sound_is_refused(content: Callable[[], bytes], sentence: str, place: Path) -> None:
    assert refusal(content(), place) == f"mine.wav {sentence}"


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("song.wav", as_wav(tone()))
    return buffer.getvalue()


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        _zip(),
        _png(),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"RIFF\x24\0\0\0AVI LIST",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"x",
    ],
    ids=["zip", "png", "m3u8", "concat", "avi", "svg", "one byte"],
)
def test_what_is_no_sound_is_refused(content: bytes, place: Path) -> None:
    sentence = "mine.wav is not audio that can be read: give a WAV, MP3, OGG, Opus, FLAC or M4A file."
    assert refusal(content, place) == sentence


def test_an_mp3_that_breaks_off_is_refused(tmp_path: Path, place: Path) -> None:
    whole = encoded(tone(4), "mp3", folder=tmp_path)
    assert refusal(whole[: len(whole) // 2], place, "mine.mp3").startswith(
        "mine.mp3 is cut off or damaged: only 2.0 of its 4.0 seconds can be read."
    )
    assert refusal(whole[:600], place, "mine.mp3").startswith("mine.mp3 ")


@pytest.mark.parametrize("ending", ["flac", "m4a"])
def test_other_files_that_break_off_are_refused(ending: str, tmp_path: Path, place: Path) -> None:
    whole = encoded(tone(4), ending, folder=tmp_path)
    assert refusal(whole[: len(whole) // 2], place).startswith("mine.wav ")


def test_two_hours_are_refused_at_once(tmp_path: Path, place: Path) -> None:
    slow = ("-b:a", "8k", "-ar", "8000", "-write_xing", "0")
    minute = encoded(tone(60, channels=1), "mp3", *slow, folder=tmp_path)
    assert refusal(minute * 120, place).startswith("mine.wav lasts longer: at most 60 seconds are possible")
    header = struct.pack(
        "<4sI8sIHHIIHH4sI", b"RIFF", 2**31, b"WAVEfmt ", 16, 1, 1, 4000, 4000, 1, 8, b"data", 28_800_000
    )
    assert refusal(header + bytes(28_800_000), place) == (
        "mine.wav lasts 120 min 0 s: at most 60 seconds are possible, so cut out what you want to use."
    )


def test_what_is_too_large_is_not_even_opened(tmp_path: Path, place: Path) -> None:
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert refusal(path, place, "") == "huge.wav has 40 MiB: at most 40 are possible, so cut it or use MP3."


def test_what_is_no_file_is_refused(tmp_path: Path, place: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert refusal(tmp_path / "pipe.wav", place, "") == "pipe.wav is not a file."
    (tmp_path / "folder").mkdir()
    assert refusal(tmp_path / "folder", place, "") == "folder is not a file."
    assert (
        refusal(tmp_path / "none.wav", place, "") == "none.wav cannot be opened: No such file or directory."
    )
    assert refusal(Path("\0"), place, "") == "? cannot be opened: its name is impossible."


def _seeds(folder: Path) -> list[bytes]:
    short = tone(0.6)
    return [
        as_wav(short),
        *(encoded(short, ending, folder=folder) for ending in ("mp3", "ogg", "flac", "m4a")),
    ]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return _seeds(tmp_path_factory.mktemp("seeds"))


@FUZZED
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject, seeds: list[bytes], place: Path) -> None:
    content = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(1, 8))):
        # Headers are where the harm is.
        at = data.draw(st.integers(0, 200) | st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    kept = data.draw(st.just(len(content)) | st.integers(1, len(content)))
    _is_read_or_refused(bytes(content[:kept]), place)


@FUZZED
@given(magic=st.sampled_from(MAGIC), rest=st.binary(max_size=600))
def test_random_bytes_are_read_or_refused(magic: bytes, rest: bytes, place: Path) -> None:
    _is_read_or_refused(magic + rest, place)


def _is_read_or_refused(content: bytes, place: Path) -> None:
    sentence, audio = "", np.zeros((0, 2), np.float32)
    try:
        audio = read_audio(content, name="mine")
    except UnreadableAudio as refused:
        sentence = str(refused)
    if sentence:
        assert sentence.startswith("mine ")
        assert sentence.endswith(".")
    else:
        assert audio.shape[1] == 2
        assert SAMPLE_RATE // 2 <= len(audio) <= 60 * SAMPLE_RATE
        assert np.isfinite(audio).all()
        assert 0 < np.abs(audio).max() <= 1
    assert list(place.iterdir()) == []


def test_wave_module_agrees() -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(struct.pack("<h", 16_384) * SAMPLE_RATE)
    assert read_audio(buffer.getvalue(), name="mine") == pytest.approx(0.5, abs=1e-4)
