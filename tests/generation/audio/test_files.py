"""Files of a take, read back by libraries that are not ours."""

import io
import json
import re
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from generation.arrangement import Song
from generation.audio.export import (
    ENCODINGS,
    encode_file,
    flac,
    mp3,
    ogg,
    opus,
    peaks,
    peaks_file,
    stem_wav,
    tags_of,
    wav,
    wav_stream,
)
from generation.audio.pcm import audio_of, pcm24, sha256
from generation.audio.recipes import pcm_of, read_recipe
from generation.errors import RiffError
from generation.request import RiffRequest, Take

WRITERS = {"flac": flac, "ogg": ogg, "opus": opus, "mp3": mp3}


def looked_at(path: Path) -> str:
    """What ffmpeg says about a file."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stderr


def similarity(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


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
    """Its beats are the quarter notes that the tempo counts: six in two bars."""
    asked = {**take.recipe["request"], "metre": metre}
    other = replace(take, audio=take.audio[: 211_680 * 6 // 8], recipe={**take.recipe, "request": asked})
    with soundfile.SoundFile(io.BytesIO(wav(other))) as file:
        notes = file.extra_info
    for line in ("Beats     : 6", f"Meter     : {metre}", "Tempo     : 100"):
        assert line in notes


def test_a_stream_gives_the_same_wav(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    with wav_stream(path, RiffRequest.from_dict(take.recipe["request"])) as out:
        for start in range(0, len(take.audio), 50_001):
            out.write(take.audio[start : start + 50_001])
        assert (out.samples, out.sha256) == (211_680, take.recipe["sha256"])
        out.finish(take.recipe)
    assert path.read_bytes() == wav(take)


def test_a_stream_without_its_end_leaves_no_file(take: Take, tmp_path: Path) -> None:
    request = RiffRequest.from_dict(take.recipe["request"])
    with pytest.raises(ValueError, match="not finished"), wav_stream(tmp_path / "loop.wav", request) as out:
        out.write(take.audio)
    assert list(tmp_path.iterdir()) == []


def test_a_song_has_a_tempo_but_no_loop(take: Take, tmp_path: Path) -> None:
    request = replace(RiffRequest.from_dict(take.recipe["request"]), arrangement=Song(30.0))
    path = tmp_path / "song.wav"
    with wav_stream(path, request) as out:
        for _ in range(3):
            out.write(take.audio)
        out.finish({**take.recipe, "request": request.to_dict()})
    with soundfile.SoundFile(path) as file:
        assert file.frames == 3 * 211_680
        notes = file.extra_info
    assert "Beats     : 24" in notes
    assert "smpl" not in notes


def test_a_stem_tells_which_it_is(take: Take, tmp_path: Path) -> None:
    stem = take.audio * np.float32(0.5)
    path = tmp_path / "drums.wav"
    path.write_bytes(stem_wav(replace(take, stems={"drums": stem}), "drums"))
    recipe, digest = read_recipe(path)
    assert recipe == {**take.recipe, "stem": "drums", "sha256": sha256(stem)}
    assert digest == sha256(stem)


def test_flac_has_the_very_same_samples(take: Take) -> None:
    packed = flac(take)
    with soundfile.SoundFile(io.BytesIO(packed)) as file:
        assert (file.format, file.subtype, file.samplerate) == ("FLAC", "PCM_24", 44_100)
        assert (file.read(dtype="int32") == soundfile.read(io.BytesIO(wav(take)), dtype="int32")[0]).all()
    assert len(packed) < len(wav(take))


@pytest.mark.parametrize(
    ("ending", "rate", "frames"),
    [("ogg", 44_100, 211_680), ("opus", 48_000, 230_400), ("mp3", 44_100, 211_680)],
)
def test_lossy_files_are_gapless_and_sound_alike(take: Take, ending: str, rate: int, frames: int) -> None:
    """No silence is added at either end: players that honour the headers loop them without a gap."""
    with soundfile.SoundFile(io.BytesIO(WRITERS[ending](take))) as file:
        assert (file.samplerate, file.channels, file.frames) == (rate, 2, frames)
        audio = file.read(dtype="float32")
    if rate == 44_100:
        assert similarity(audio, take.audio) > 0.95


@pytest.mark.parametrize("ending", WRITERS)
def test_every_format_is_the_same_bytes_again(take: Take, ending: str) -> None:
    assert WRITERS[ending](take) == WRITERS[ending](take)


@pytest.mark.parametrize("ending", WRITERS)
def test_tags_are_what_others_read(take: Take, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"loop.{ending}"
    path.write_bytes(WRITERS[ending](take))
    said = looked_at(path)
    tempo, key = ("TBPM", "TKEY") if ending == "mp3" else ("BPM", "INITIALKEY")
    for name, value in (("title", "café bells"), ("artist", "Riffmarket"), (tempo, "100"), (key, "F#m")):
        assert re.search(rf"^ *{name} *: {value}$", said, re.MULTILINE), said
    assert json.dumps(take.recipe, sort_keys=True).encode() in path.read_bytes()


def test_mp3_has_the_frames_that_players_look_for(take: Take) -> None:
    """ID3v2.4: every frame has a name of four letters, four bytes of length (seven bits each) and two of flags."""
    content = mp3(take)
    assert content[:4] == b"ID3\x04"
    frames, at = {}, 10
    while content[at : at + 4].isalnum():
        size = sum(
            byte << shift for byte, shift in zip(content[at + 4 : at + 8], (21, 14, 7, 0), strict=True)
        )
        frames[content[at : at + 4].decode()] = content[at + 11 : at + 10 + size].rstrip(b"\0").decode()
        at += 10 + size
    named = {name: frames[name] for name in ("TIT2", "TPE1", "TBPM", "TKEY")}
    assert named == {"TIT2": "café bells", "TPE1": "Riffmarket", "TBPM": "100", "TKEY": "F#m"}


def test_a_lower_bit_rate_makes_a_smaller_mp3(take: Take) -> None:
    assert len(mp3(take, 64)) < 0.5 * len(mp3(take))


@pytest.mark.parametrize("ending", ["wav", *WRITERS])
def test_recipes_come_back_whatever_they_say(take: Take, ending: str, tmp_path: Path) -> None:
    """Quotes, escapes and line breaks, and more of them than fit on a command line."""
    prompt = 'a=b; #1 \\ “é” 🎵 "quoted"\\'
    hostile = {"text": "line\nbreak\\\n;#=\\", "long": ["=;#\\\n" * 100] * 300}
    recipe = {**take.recipe, "request": {**take.recipe["request"], "prompt": prompt}, "origin": hostile}
    short = replace(take, audio=take.audio[:4410], recipe=recipe)
    path = tmp_path / "loop"
    path.write_bytes({"wav": wav, **WRITERS}[ending](short))
    held, digest = read_recipe(path)
    assert held == recipe
    assert digest == (sha256(short.audio) if ending in ("wav", "flac") else None)
    assert f"{prompt}" in looked_at(path)


@pytest.mark.parametrize("ending", ENCODINGS)
def test_files_are_encoded_from_files(take: Take, ending: str, tmp_path: Path, place: Path) -> None:
    source, result = tmp_path / "-loop.wav", tmp_path / f"a loop.{ending}"
    source.write_bytes(wav(take))
    encode_file(source, result, ending, tags_of(take.recipe))
    assert result.read_bytes() == WRITERS[ending](take)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("ending", ENCODINGS)
def test_what_cannot_be_encoded_leaves_nothing(take: Take, ending: str, tmp_path: Path, place: Path) -> None:
    source = tmp_path / "loop.wav"
    source.write_bytes(b"RIFF\0\0\0\0WAVEjunk")
    with pytest.raises(RiffError, match=f"could not be written as {ending.upper()}"):
        encode_file(source, tmp_path / "result", ending, tags_of(take.recipe))
    assert [path.name for path in tmp_path.iterdir() if path != place] == ["loop.wav"]
    assert list(place.iterdir()) == []


def test_peaks_are_the_loudest_samples(take: Take) -> None:
    values = peaks(take, 512)
    assert len(values) == 512
    assert max(values) == pytest.approx(np.abs(take.audio).max(), abs=1e-4)


def test_peaks_as_a_file_are_the_same(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    path.write_bytes(wav(take))
    record = json.loads(peaks_file(pcm_of(path), take.recipe))
    assert record["recipe"] == take.recipe
    assert record["peaks"] == pytest.approx(peaks(take), abs=1e-4)


def test_pcm_is_read_back_to_the_bit() -> None:
    random = np.random.default_rng(1).uniform(-1, 1, (100_000, 2)).astype(np.float32)
    edges = np.array([[1, -1], [0, -0.0], [2**-23, -(2**-23)], [2**-24, 0.5]], np.float32)
    for audio in (random, edges):
        pcm = pcm24(audio)
        assert pcm24(audio_of(pcm)) == pcm
        assert np.abs(audio_of(pcm) - audio).max() <= 2**-23
    assert audio_of(struct.pack("<i", 2**22)[:3] * 2).tolist() == [[0.5000000596046448, 0.5000000596046448]]
