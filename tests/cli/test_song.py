"""`riff song` and `riff layers` as a person runs them."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generation.audio.pcm import FULL_SCALE
from generation.audio.recipes import read_recipe
from tests.cli.test_make import loaded


def test_a_song_is_three_files_and_its_plan_on_stderr(tiny_model: Path, tmp_path: Path) -> None:
    made = loaded(
        *("song", "techno", "--minutes", "0.5", "--form", "intro:1 A:2 B:1", "--bpm", "240", "--bars", "1"),
        *("--seed", "3", "--steps", "2", "--out", "made"),
        folder=tmp_path,
        model=tiny_model,
    )
    assert made.returncode == 0, made.stderr
    paths = [Path(line) for line in made.stdout.splitlines()]
    name = "techno-240bpm-3-song-30s-intro-1-a-2-b-1"
    assert paths == [Path("made") / f"{name}.{ending}" for ending in ("wav", "png", "json")]
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == sorted(path.name for path in paths)
    plan = [line.split() for line in made.stderr.splitlines()]
    assert plan[0] == ["from", "section", "bars", "how"]
    assert [line[:3] for line in plan[1:]] == [
        *(["0:00", "intro", "1"], ["0:01", "A", "2"], ["0:03", "B", "1"], ["0:04", "end", "3"]),
    ]
    assert soundfile.info(tmp_path / paths[0]).frames == 7 * 44_100
    recipes = [read_recipe(tmp_path / path)[0] for path in paths]
    assert recipes[0] == recipes[1] == recipes[2]
    assert read_recipe(tmp_path / paths[0])[1] == recipes[0]["sha256"]


def test_a_song_in_json(tiny_model: Path, tmp_path: Path) -> None:
    made = loaded(
        *(
            "song",
            "rain",
            "--form",
            "A:1",
            "--bpm",
            "240",
            "--bars",
            "1",
            "--key",
            "Dm",
            "--steps",
            "1",
            "--json",
        ),
        folder=tmp_path,
        model=tiny_model,
    )
    record = json.loads(made.stdout)
    assert (record["bpm"], record["key"], record["metre"], record["seconds"]) == (240, "Dm", "4/4", 4)
    assert [section["name"] for section in record["sections"]] == ["A", "end"]
    assert all((tmp_path / path).is_file() for path in record["paths"])
    assert set(record["timings"]) == {"loading", "making", "all"}


def test_layers_are_files_that_add_up(tiny_model: Path, tmp_path: Path) -> None:
    made = loaded(
        *(
            "layers",
            "techno",
            "--drums",
            "rock drums",
            "--bass",
            "",
            "--bars",
            "1",
            "--seed",
            "3",
            "--steps",
            "2",
        ),
        folder=tmp_path,
        model=tiny_model,
    )
    assert made.returncode == 0, made.stderr
    name = "techno-132bpm-3-layers-rock-drums"
    wanted = [f"{name}{rest}" for rest in (".wav", ".png", ".json", "-drums.wav", "-bass.wav")]
    assert made.stdout.splitlines() == wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(wanted)
    mix, drums, bass = (
        np.round(soundfile.read(tmp_path / f"{name}{rest}.wav")[0] * (FULL_SCALE + 1)).astype(int)
        for rest in ("", "-drums", "-bass")
    )
    assert (mix == drums + bass).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("song", "rain", "--minutes", "7"), "minutes has to be from 0.5 to 6, not “7”.\n"),
        (("song", "rain", "--minutes", "long"), "minutes has to be a number from 0.5 to 6, not “long”.\n"),
        (("song", "rain", "--form", "A:99"), "“A:99”: a section has from 1 to 64 bars.\n"),
        (
            ("song", "rain", "--form", "A:64 x4", "--bpm", "120"),
            "This form lasts 8 min 36 s at 120 bpm: a song is at most 6 minutes long, so take fewer bars or "
            "sections.\n",
        ),
        (("layers", "rain", "--drums", "rock"), "Layers are two or more of drums, bass, harmony and lead.\n"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    refused = loaded(*arguments, folder=folder, model=tiny_model)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", sentence)
    assert list(folder.iterdir()) == []
