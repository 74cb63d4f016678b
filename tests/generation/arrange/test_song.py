import contextlib
import hashlib
import json
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile

from generation.arrange import song
from generation.audio.loudness import true_peak
from generation.audio.pcm import sha256
from generation.engine import Engine, Progress
from generation.errors import Cancelled, InvalidRequest, NotPossible, StorageFull
from generation.judge import detectors
from generation.request import RiffRequest, samples_of
from tests.forked import ForkedProcess

ROOT = Path(__file__).parents[3]
SHORT = "intro:1 A:3 A':1 B:1 outro:1"


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine.load(tiny_model)


def request(form: str = SHORT, **values: object) -> RiffRequest:
    given = {"prompt": "techno", "bars": 1, "bpm": 173.3, "seed": 3, "steps": 2, **values}
    return RiffRequest.parse(**given, arrangement={"kind": "song", "seconds": 30, "form": form})


@dataclass
class Streamed:
    parts: list[song.SongPart]
    progress: list[Progress]


@pytest.fixture(scope="module")
def streamed(engine: Engine) -> Streamed:
    """The short song, streamed once for all tests that only look at it."""
    seen: list[Progress] = []
    return Streamed(list(song.stream(engine, request(), seen.append)), seen)


def check_grid(parts: list[song.SongPart], asked: RiffRequest) -> None:
    sixteenths = asked.sixteenths // asked.bars
    assert [part.start for part in parts] == [samples_of(part.bar * sixteenths, asked.bpm) for part in parts]
    ends = [samples_of((part.bar + part.bars) * sixteenths, asked.bpm) for part in parts]
    assert [part.start + len(part.audio) for part in parts] == ends
    assert ends[:-1] == [part.start for part in parts[1:]]


def test_every_bar_line_is_where_the_tempo_puts_it(streamed: Streamed) -> None:
    check_grid(streamed.parts, request())
    assert [(part.section, part.bar, part.bars) for part in streamed.parts] == [
        *((0, 0, 1), (1, 1, 1), (1, 2, 1), (1, 3, 1), (2, 4, 1), (3, 5, 1), (4, 6, 1), (5, 7, 2)),
    ]


def test_a_phrase_that_does_not_fit_is_cut_at_a_bar_line(engine: Engine) -> None:
    asked = request("A:3", bars=2, metre="6/8", bpm=211.7)
    parts = list(song.stream(engine, asked))
    check_grid(parts, asked)
    assert [(part.section, part.bar, part.bars) for part in parts] == [(0, 0, 2), (0, 2, 1), (1, 3, 3)]


def test_a_song_on_disk_is_its_parts_and_tells_its_plan(
    engine: Engine, streamed: Streamed, tmp_path: Path
) -> None:
    asked = request()
    made = song.write(engine, asked, tmp_path / "song.wav")
    audio = np.concatenate([part.audio for part in streamed.parts])
    assert made.recipe["sha256"] == sha256(audio)
    assert made.recipe["samples"] == len(audio)
    assert RiffRequest.from_dict(made.recipe["request"]) == asked
    with soundfile.SoundFile(made.path) as file:
        assert (file.frames, file.subtype) == (len(audio), "PCM_24")
    held = made.path.read_bytes()
    start = held.index(b"data") + 8
    assert hashlib.sha256(held[start : start + 6 * len(audio)]).hexdigest() == made.recipe["sha256"]

    told = made.recipe["song"]
    assert [section["name"] for section in told["sections"]] == ["intro", "A", "A'", "B", "outro", "end"]
    assert [section["sample"] for section in told["sections"]] == [
        samples_of(bar * 16, 173.3) for bar in (0, 1, 4, 5, 6, 7)
    ]
    assert told["sections"][2]["seconds"] == round(4 * 240 / 173.3, 3)
    assert told["key"] == str(song.key_of(asked))
    assert made.level.shape[0] <= song.PICTURE_FRAMES
    assert (made.level.dtype, made.level.shape[1], made.level.max()) == (np.uint8, 160, 255)
    assert max(made.peaks) == pytest.approx(float(np.abs(audio).max()), abs=1e-4)
    # It ends, and by itself.
    assert np.abs(audio[-200:]).max() < 1e-3 < np.abs(audio[-samples_of(16, 173.3) :]).max()


def test_the_seed_decides_all_of_a_song(engine: Engine) -> None:
    first, again, other = (
        [sha256(part.audio) for part in song.stream(engine, request("A:1", seed=seed))] for seed in (3, 3, 4)
    )
    assert first == again
    assert not set(first) & set(other)
    assert len({song.key_of(request(seed=seed)) for seed in range(40)}) > 12
    assert str(song.key_of(request(key="F#m"))) == "F#m"


def test_a_section_that_comes_again_is_the_same(engine: Engine) -> None:
    parts = {part.section: part for part in song.stream(engine, request("A:1 B:1 A:1 B:1"))}
    within = slice(samples_of(8, 173.3), -samples_of(4, 173.3))
    first, again = (parts[section].audio[within] for section in (0, 2))
    assert np.abs(first[: len(again)] - again[: len(first)]).max() < 0.02


def test_progress_goes_through_the_sections(streamed: Streamed) -> None:
    fractions = [progress.fraction for progress in streamed.progress]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {(progress.take, progress.takes) for progress in streamed.progress} == {
        (index, 6) for index in range(6)
    }


def test_a_cancelled_song_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(Cancelled):
        song.write(
            engine,
            request(),
            tmp_path / "song.wav",
            lambda progress: seen.append(progress.take),
            lambda: 2 in seen,
        )
    assert max(seen) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, held[1]))
    try:
        with pytest.raises(StorageFull):
            song.write(engine, request("A:1"), tmp_path / "song.wav")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, held)
        signal.signal(signal.SIGXFSZ, before)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_song_leaves_no_file_of_that_name(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    arguments = ("--minutes", "6", "--bpm", "240", "--seed", "3", "--bars", "1", "--steps", "1")
    process = ForkedProcess(
        "cli.main",
        *("song", "rain", *arguments),
        environment={**os.environ, "RIFF_MODEL": str(tiny_model)},
        folder=folder,
        stdout=tmp_path / "out",
        stderr=tmp_path / "err",
    )
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size > 200_000 for path in folder.iterdir()):
        assert process.poll() is None, (tmp_path / "err").read_text()
        assert time.monotonic() < deadline
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    process.kill()
    process.wait()
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == []


def test_memory_does_not_grow_with_the_song(tiny_model: Path, tmp_path: Path) -> None:
    process = ForkedProcess(
        "tests.generation.arrange.song_memory",
        str(tiny_model),
        environment=dict(os.environ),
        folder=ROOT,
        stdout=tmp_path / "out",
        stderr=tmp_path / "err",
    )
    assert process.wait(300) == 0, (tmp_path / "err").read_text()
    (minute, after_a_minute), (six, after_six) = json.loads((tmp_path / "out").read_text())
    assert (round(minute / 44_100), round(six / 44_100)) == (61, 361)
    # The five minutes more are 106 MiB of samples.
    assert after_six - after_a_minute < 16


def test_a_model_that_cannot_vary_makes_no_song(engine: Engine) -> None:
    class Plain:
        model_id, can = "plain@1", frozenset({"remix"})
        render = engine.render

    with pytest.raises(NotPossible) as refused:
        next(song.stream(Plain(), request()))
    assert str(refused.value) == (
        "plain@1 cannot make a song: its sections share material, and the model can do no repaint and no variation."
    )


def test_a_form_that_is_too_long_is_refused_before_anything_is_made(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest):
        song.write(engine, request("A:64 B:64 C:64 D:64", bpm=90), tmp_path / "song.wav")
    assert list(tmp_path.iterdir()) == []


def test_what_is_heard_is_a_song(tmp_path: Path) -> None:
    """With the shipped model: loudness, peaks, tempo, an end, and letters that one can tell apart."""
    asked = request(
        "intro:2 A:2 B:2 A':2 outro:2", prompt="deep house with rhodes", bpm=124, steps=8, key="Am"
    )
    made = song.write(Engine.load(), asked, tmp_path / "song.wav")
    audio, rate = soundfile.read(made.path, dtype="float32")
    assert pyloudnorm.Meter(rate).integrated_loudness(audio) == pytest.approx(-14, abs=1)
    assert 20 * np.log10(true_peak(audio)) <= -1

    sections = {section["name"]: section for section in made.recipe["song"]["sections"]}
    sounds = {
        name: audio[section["sample"] : section["sample"] + section["samples"]]
        for name, section in sections.items()
    }
    for name in ("A", "B", "A'"):
        onsets = detectors.onset_strength(detectors.repeated(sounds[name].mean(1), 12))
        assert detectors.tempo_error(detectors.tempo(onsets), 124) in ("", "octave")
    pictures = {name: _picture(sounds[name]) for name in ("intro", "A", "B", "A'")}

    def alike(one: str, other: str) -> float:
        return float(np.corrcoef(pictures[one].ravel(), pictures[other].ravel())[0, 1])

    assert alike("A", "A'") > alike("A", "B")
    loudness = {name: pyloudnorm.Meter(rate).integrated_loudness(sound) for name, sound in sounds.items()}
    assert loudness["intro"] < loudness["A"] - 1.5
    assert loudness["outro"] < loudness["A"] - 1.5
    assert loudness["B"] > loudness["A"]
    # Bar lines between sections are cut no harder than the strokes around them.
    for name in ("A", "B", "A'", "outro"):
        line = sections[name]["sample"]
        steps = np.abs(np.diff(audio[line - 8820 : line + 8820].mean(1)))
        assert steps[8820 - 600 : 8820].max() <= 1.5 * steps.max()
    assert np.abs(audio[-200:]).max() < 1e-3


def _picture(audio: np.ndarray) -> np.ndarray:
    """(frames, bands) in dB of a section, 64 frames whatever its length."""
    frames = np.abs(detectors.stft(audio.mean(1), 2048, 512))
    bands = np.add.reduceat(frames**2, np.unique(np.geomspace(4, 1000, 33).astype(int)), axis=1)
    edges = np.linspace(0, len(bands), 65).astype(int)[:-1]
    return np.asarray(10 * np.log10(np.add.reduceat(bands, edges) + 1e-3))
