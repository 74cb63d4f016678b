"""`riff remix` as a person runs it."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generation.request import SAMPLE_RATE
from tests.cli.test_make import loaded, riff
from tests.generation.arrange.test_grid import clicks, clip, rendered


def song(folder: Path) -> Path:
    path = folder / "song.flac"
    score, loop = rendered(1_500_174)
    assert score.bpm == 128
    soundfile.write(path, clip(loop, 31_000, 9.0, 0.97), SAMPLE_RATE, subtype="PCM_16")
    return path


def test_a_remix_takes_the_tempo_of_its_source(tiny_model: Path, tmp_path: Path) -> None:
    song(tmp_path)
    made = loaded(
        "remix", "song.flac", "church bells", "--seed", "3", "--json", folder=tmp_path, model=tiny_model
    )
    assert made.returncode == 0
    assert made.stderr.startswith("song.flac: 124.16 bpm in 4/4, downbeat at ")
    assert "whole bars: 4" in made.stderr
    assert made.stderr.count("\n") == 1
    record = json.loads(made.stdout)
    assert (record["bpm"], record["bars"], record["metre"]) == (124.16, 4, "4/4")
    assert soundfile.info(tmp_path / record["paths"][0]).frames == round(16 * 60 * SAMPLE_RATE / 124.16)
    recipe = json.loads((tmp_path / record["takes"][0]["json"]).read_text())
    assert recipe["request"]["strength"] == 0.6
    assert recipe["source"] == {"sha256": recipe["request"]["source"]}


def test_what_is_said_goes_before_what_is_found(tiny_model: Path, tmp_path: Path) -> None:
    song(tmp_path)
    made = loaded(
        "remix", "song.flac", "church bells", "--bars", "1", "--bpm", "90", "--metre", "3/4", "--key", "Am",
        "--takes", "2", "--strength", "0.3", "--out", "made", "--json",
        folder=tmp_path, model=tiny_model,
    )  # fmt: skip
    record = json.loads(made.stdout)
    assert (record["bpm"], record["bars"], record["metre"], record["key"]) == (90, 1, "3/4", "Am")
    assert len(record["paths"]) == 6
    assert all((tmp_path / path).is_file() for path in record["paths"])


def test_a_loop_of_ours_is_known_by_its_recipe(tiny_model: Path, tmp_path: Path) -> None:
    first = loaded(
        "make", "bells", "--bars", "1", "--bpm", "97.5", "--key", "C", "--seed", "1", "--json",
        folder=tmp_path, model=tiny_model,
    )  # fmt: skip
    path = json.loads(first.stdout)["paths"][0]
    made = loaded("remix", path, "rain", "--seed", "2", "--json", folder=tmp_path, model=tiny_model)
    assert made.stderr == f"{path}: 97.5 bpm in 4/4, a loop of ours\n"
    record = json.loads(made.stdout)
    assert (record["bpm"], record["bars"], record["key"]) == (97.5, 1, "C")
    recipe = json.loads((tmp_path / record["takes"][0]["json"]).read_text())
    assert recipe["source"]["sha256"] == recipe["source"]["recipe"]["sha256"] == recipe["request"]["source"]
    assert recipe["source"]["recipe"]["request"]["prompt"] == "bells"


def test_a_sound_without_a_beat_says_so(tiny_model: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(2 * SAMPLE_RATE, 1)) * 0.1
    soundfile.write(tmp_path / "sea.wav", noise, SAMPLE_RATE)
    made = loaded("remix", "sea.wav", "drone", "--bars", "1", "--json", folder=tmp_path, model=tiny_model)
    assert made.stderr == "sea.wav: no steady beat found, so its time is taken as it runs\n"
    assert json.loads(made.stdout)["bpm"] == 72


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere.wav", "bells"), "nowhere.wav cannot be opened: No such file or directory.\n"),
        (
            ("zip.wav", "bells"),
            "zip.wav is not audio that can be read: give a WAV, MP3, OGG, Opus, FLAC or M4A file.\n",
        ),
    ],
)
def test_a_bad_source_is_one_sentence(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "zip.wav").write_bytes(b"PK\3\4" + bytes(100))
    refused = riff("remix", *arguments, "--out", "made", folder=tmp_path)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", sentence)
    assert [path.name for path in tmp_path.iterdir()] == ["zip.wav"]


def test_a_bad_wish_leaves_nothing(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "beat.wav", clicks(120, 4), SAMPLE_RATE)
    refused = riff("remix", "beat.wav", "bells", "--strength", "2", "--out", "made", folder=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.endswith("strength has to be from 0.05 to 1, not “2”.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["beat.wav"]
