"""`riff finetune` and `riff styles` as a person runs them: killed in the middle, run again, and refused."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generation.corpus.folder import read_folder
from generation.models.shipped import load_model
from generation.models.styles import StyleShelf
from generation.training.finetune import FinetunePlan, finetune
from tests.cli.test_make import loaded
from tests.forked import ForkedProcess

SECONDS_PER_BAR = 2.0


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bar of bass, a bar of bells, and a file that is no audio."""
    folder = tmp_path_factory.mktemp("audio")
    time = np.arange(round(SECONDS_PER_BAR * 44_100))[:, None] / 44_100
    for name, hertz in (("deep_bass_120bpm_Am", 55.0), ("bells_120bpm", 880.0)):
        tone = 0.4 * np.sin(2 * np.pi * hertz * time) * np.exp(-4 * (time * 2 % 1))
        soundfile.write(folder / f"{name}.wav", np.repeat(tone, 2, 1), 44_100)
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0 no sound")
    return folder


def test_a_killed_run_goes_on_and_the_style_can_be_used(
    audio: Path, tiny_model: Path, tmp_path: Path
) -> None:
    arguments = ("finetune", str(audio), "--name", "mine", "--steps", "60", "--rank", "2")
    environment = {**os.environ, "RIFF_MODEL": str(tiny_model)}
    checkpoint = tmp_path / "data/styles/mine/learning/checkpoint.pt"
    process = ForkedProcess(
        "cli.main", *arguments, environment=environment, folder=tmp_path, stderr=tmp_path.parent / "killed"
    )
    while not checkpoint.exists():
        assert process.poll() is None
        try:
            process.wait(0.005)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    assert process.wait(30) == -9
    assert StyleShelf(tmp_path / "data/styles").names() == []

    finished = loaded(*arguments, folder=tmp_path, model=tiny_model)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == [
        str(tmp_path / "data/styles/mine"),
        'Use it: riff make "style:mine church bells"',
    ]
    verdicts = [line.split(maxsplit=2) for line in finished.stderr.splitlines()]
    assert ["bells_120bpm.wav", "1"] in verdicts
    assert any(
        row[:2] == ["cover.jpg", "0"] and row[2].startswith("cover.jpg is not audio") for row in verdicts
    )

    model = load_model(tiny_model)
    loops, _ = read_folder(audio, model.codec)
    plan = FinetunePlan(name="mine", steps=60, rank=2)
    style = StyleShelf(tmp_path / "data/styles").find("mine")
    assert style == finetune(model, loops, StyleShelf(tmp_path / "straight"), plan)

    listed = loaded("styles", folder=tmp_path, model=tiny_model)
    assert "mine   2 loops" in listed.stdout
    assert "bells, deep bass" in listed.stdout
    made = loaded("make", "style:mine:0.5 bells", "--bars", "1", "--json", folder=tmp_path, model=tiny_model)
    recipe = json.loads((tmp_path / json.loads(made.stdout)["paths"][2]).read_text())
    assert recipe["styles"] == {"mine": style.sha256}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("finetune", "nowhere", "--name", "x"), "There is no folder nowhere.\n"),
        (("finetune", "empty", "--name", "x"), "There is no audio in empty.\n"),
        (
            ("finetune", "empty", "--name", "../x"),
            "The name of a style has 1 to 32 characters: small letters, digits, - and _.\n",
        ),
        (
            ("finetune", "empty", "--name", "x", "--model", "someone/else"),
            "Styles are learnt on a model of ours, and someone/else is none: leave out --model.\n",
        ),
        (
            ("make", "style:x bells"),
            "There is no style “x”: none has been learnt yet; riff finetune learns one.\n",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    refused = loaded(*arguments, folder=tmp_path, model=tiny_model)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", sentence)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_an_empty_shelf_says_how_to_fill_it(tiny_model: Path, tmp_path: Path) -> None:
    listed = loaded("styles", folder=tmp_path, model=tiny_model)
    assert (
        listed.stdout == f"There is no style in {tmp_path / 'data/styles'} yet: riff finetune learns one.\n"
    )
    assert list(tmp_path.iterdir()) == []
