"""A folder of somebody's own audio: what its names and tables tell, where it is cut, and why a file is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from generation.corpus.folder import (
    NoUsableAudio,
    TaggedLoop,
    Tags,
    Verdict,
    cut,
    read_folder,
    tags_of_name,
)
from generation.request import SAMPLE_RATE, Key
from generation.spectrogram import SpectrogramCodec

CODEC = SpectrogramCodec()
AM, F_SHARP_MINOR, E_FLAT = Key(9, minor=True), Key(6, minor=True), Key(3, minor=False)


def beat(bpm: float, bars: float, *, tone: float = 220.0) -> NDArray[np.float32]:
    """A kick on each quarter, a hat on each eighth, and a tone that is louder in each bar's first half."""
    length = round(bars * 240 / bpm * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    place = time * bpm / 240 % 1
    noise = np.random.default_rng(1).normal(size=length)
    quarter, eighth = (np.exp(-25 * (place * parts % 1) / parts * 240 / bpm) for parts in (4, 8))
    kick = np.sin(2 * np.pi * 55 * time) * quarter
    mono = (
        0.5 * kick
        + 0.1 * noise * eighth
        + np.where(place < 0.5, 0.15, 0.05) * np.sin(2 * np.pi * tone * time)
    )
    return np.stack([mono, mono], 1).astype(np.float32)


def write(path: Path, audio: NDArray[np.float32]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, SAMPLE_RATE)
    return path


@pytest.mark.parametrize(
    ("stem", "tags"),
    [
        ("warm_pad_120bpm_Am", Tags("warm pad", 120, AM)),
        ("02 - Warm-Pad (Am) 92.5 BPM", Tags("Warm Pad", 92.5, AM)),
        ("church-bells-100bpm-Fsm-3", Tags("church bells", 100, F_SHARP_MINOR)),
        ("bpm128 house groove E flat major 3/4", Tags("house groove 3/4", 128, E_FLAT)),
        ("strings_90bpm_C_01", Tags("strings", 90, Key(0, minor=False))),
        ("E piano", Tags("E piano")),
        ("A warm pad in Bb", Tags("A warm pad", None, Key(10, minor=False))),
        ("drums 808", Tags("drums 808")),
        ("dub 999bpm", Tags("dub")),
        ("120bpm", Tags("", 120)),
    ],
)
def test_a_name_tells_caption_tempo_and_key(stem: str, tags: Tags) -> None:
    assert tags_of_name(stem) == tags


def test_captions_come_from_texts_then_the_table_then_names(tmp_path: Path) -> None:
    one_bar = beat(120, 1)
    for name in ("pad_120bpm_Am.wav", "deep/bass_120bpm.wav", "drums_120bpm.wav", "odd.flac"):
        write(tmp_path / name, one_bar)
    (tmp_path / "pad_120bpm_Am.txt").write_text("\ufeffa warm\n  analogue pad \n", encoding="utf-8")
    (tmp_path / "captions.csv").write_text(
        "File_Name,caption,bpm,key\n"
        "pad_120bpm_Am.wav,not this one,,\n"
        "deep\\bass_120bpm.wav,deep bass,,F#m\n"
        "odd.flac,an odd thing,120,\n"
        "gone.wav,nothing,,\n"
    )
    loops, verdicts = read_folder(tmp_path, CODEC)
    heard = {loop.caption: (loop.bpm, loop.key) for loop in loops}
    assert heard == {
        "a warm analogue pad": (120, AM),
        "deep bass": (120, F_SHARP_MINOR),
        "drums": (120, None),
        "an odd thing": (120, None),
    }
    assert verdicts[-1] == Verdict("gone.wav", 0, "gone.wav is in the table, but not in the folder.")
    assert [verdict.loops for verdict in verdicts] == [1, 1, 1, 1, 0]


def test_a_loop_of_seven_bars_is_cut_in_three_on_its_bars() -> None:
    """Each bar has a tone of its own, so that every slice's first and last sixteenths say where it is from."""
    audio = np.concatenate([beat(100, 1, tone=300 * 1.2**bar) for bar in range(7)])
    loops = list(cut(audio, Tags("beat", 100), CODEC))
    assert [loop.spectrogram.sixteenths for loop in loops] == [64, 32, 16]
    heard = [tone for loop in loops for tone in tones(loop)]
    assert np.allclose(heard, [300 * 1.2**bar for bar in range(7)], rtol=0.03)


def tones(loop: TaggedLoop) -> list[float]:
    """In Hz, the loudest band between kick and hat in the first half of each bar."""
    bars = loop.spectrogram.level.reshape(-1, 16 * 8, CODEC.bands)[:, 8:56].astype(float).mean(1)
    between = np.flatnonzero((CODEC.centres_hz > 200) & (CODEC.centres_hz < 1500))
    return [float(CODEC.centres_hz[between[bar[between].argmax()]]) for bar in bars]


def test_a_tempo_that_nobody_tells_is_found(tmp_path: Path) -> None:
    write(tmp_path / "groove.wav", beat(126, 8.3))
    loops, verdicts = read_folder(tmp_path, CODEC)
    assert verdicts == [Verdict("groove.wav", len(loops))]
    assert sum(loop.spectrogram.sixteenths for loop in loops) >= 7 * 16
    assert all(loop.bpm == pytest.approx(126, rel=0.01) for loop in loops)


def test_a_file_of_more_than_a_minute_is_used_to_its_end(tmp_path: Path) -> None:
    write(tmp_path / "long_120bpm.wav", beat(120, 36))
    loops, _ = read_folder(tmp_path, CODEC)
    assert sum(loop.spectrogram.sixteenths for loop in loops) >= 34 * 16


def test_a_sound_without_a_beat_has_no_tempo() -> None:
    time = np.arange(9 * SAMPLE_RATE)[:, None] / SAMPLE_RATE
    drone = (0.2 * np.sin(2 * np.pi * time * [110.0, 110.3])).astype(np.float32)
    loops = list(cut(drone, Tags("drone"), CODEC))
    assert [(loop.bpm, loop.spectrogram.sixteenths) for loop in loops] == [(None, 64)]


def test_silent_bars_are_left_out() -> None:
    audio = beat(120, 6)
    audio[: 4 * 2 * SAMPLE_RATE] *= 1e-4
    assert [loop.spectrogram.sixteenths for loop in cut(audio, Tags("beat", 120), CODEC)] == [32]


def test_every_refused_file_says_why_and_the_rest_is_used(tmp_path: Path) -> None:
    write(tmp_path / "beat_120bpm.wav", beat(120, 2))
    write(tmp_path / "short_60bpm.wav", beat(120, 1))
    write(tmp_path / "7_120bpm.wav", beat(120, 1))
    write(tmp_path / "silent_120bpm.wav", np.zeros((SAMPLE_RATE, 2), np.float32))
    write(tmp_path / "harsh_120bpm.wav", beat(120, 1))
    (tmp_path / "harsh_120bpm.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / ".hidden.wav").write_bytes(b"")
    (tmp_path / "beat_120bpm.png").write_bytes(b"")
    seen: list[tuple[int, int]] = []
    loops, verdicts = read_folder(tmp_path, CODEC, lambda done, total: seen.append((done, total)))
    assert [loop.caption for loop in loops] == ["beat"]
    assert seen == [(count, 6) for count in range(1, 7)]
    reasons = {verdict.file: verdict.reason for verdict in verdicts}
    assert reasons == {
        "7_120bpm.wav": "7_120bpm.wav does not say how it sounds: put it into its name, 7_120bpm.txt or captions.csv.",
        "beat_120bpm.wav": "",
        "harsh_120bpm.wav": "harsh_120bpm.txt is not text that can be read: save it as UTF-8.",
        "notes.pdf": "notes.pdf is not audio that can be read: give a WAV, MP3, OGG, Opus, FLAC or M4A file.",
        "short_60bpm.wav": "short_60bpm.wav lasts 2.0 s: a bar at 60 bpm takes 4.0 s.",
        "silent_120bpm.wav": "silent_120bpm.wav is silent: there is nothing to start from.",
    }


def test_a_tempo_or_key_that_cannot_be_is_said(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name, beat(120, 1))
    (tmp_path / "metadata.csv").write_text("file;caption;bpm;key\na.wav;a;fast;\nb.wav;b;;H\n")
    with pytest.raises(NoUsableAudio) as refusal:
        read_folder(tmp_path, CODEC)
    assert str(refusal.value) == (
        f"There is no usable audio in {tmp_path}. a.wav: bpm has to be a number from 40 to 240, not “fast”. "
        "b.wav: “H” is not a key: write it like Am, F#, Bb minor or C major."
    )


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, r"There is no audio in .*folder\."),
        (
            {"captions.csv": b"name,words\n"},
            r"captions\.csv needs the columns file and caption, and may have bpm and key\.",
        ),
        ({"captions.csv": b"\xff"}, r"captions\.csv is not text that can be read: save it as UTF-8\."),
        (
            {f"{letter}.wav": b"" for letter in "abcdefghijkl"},
            r"There is no usable audio in .* a\.wav is empty\. .* j\.wav is empty\. And so on: 12 files in all\.",
        ),
    ],
)
def test_a_folder_that_gives_nothing_is_refused(
    files: dict[str, bytes], sentence: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with pytest.raises(NoUsableAudio) as refusal:
        read_folder(folder, CODEC)
    assert re.fullmatch(sentence, str(refusal.value))


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoUsableAudio, match="There is no folder"):
        read_folder(tmp_path / "nowhere", CODEC)
