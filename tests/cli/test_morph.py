"""`riff morph` as a person runs it."""

import json
from pathlib import Path

import pytest
import soundfile

from tests.cli.test_make import loaded, riff


def test_loops_are_files_that_can_be_verified(tiny_model: Path, tmp_path: Path) -> None:
    made = loaded(
        "morph", "bells", "rain", "--loops", "3", "--curve", "ease", "--bars", "1", "--bpm", "200",
        "--seed", "3", "--json",
        folder=tmp_path, model=tiny_model,
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    takes = json.loads(made.stdout)["takes"]
    assert [Path(take["wav"]).name for take in takes] == [
        "bells-200bpm-3.wav",
        "bells-200bpm-3-to-rain-50.wav",
        "rain-200bpm-3.wav",
    ]
    for take in takes:
        assert soundfile.info(tmp_path / take["wav"]).frames == 52_920
    verified = loaded("verify", takes[1]["wav"], folder=tmp_path, model=tiny_model)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_over_time_it_is_one_piece(tiny_model: Path, tmp_path: Path) -> None:
    made = loaded(
        "morph", "bells", "rain", "drums", "--over", "time", "--loops", "3", "--bars", "1", "--bpm", "200",
        "--seed", "3",
        folder=tmp_path, model=tiny_model,
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    wav, png, record = (tmp_path / line for line in made.stdout.splitlines())
    assert soundfile.info(wav).frames == 3 * 52_920
    assert json.loads(record.read_text())["request"]["arrangement"]["prompts"] == ["rain", "drums"]
    assert png.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("bells",), "The prompt to morph to is empty: say where the morph goes.\n"),
        (("bells", "rain", "--loops", "1"), "loops has to be from 2 to 16, not “1”.\n"),
        (("bells", "rain", "--curve", "wild"), "curve has to be linear, ease or step, not “wild”.\n"),
        (("bells", "rain", "--over", "space"), "over has to be loops or time, not “space”.\n"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    refused = riff("morph", *arguments, folder=tmp_path)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", sentence)
    assert list(tmp_path.iterdir()) == []
