"""`riff repaint`, `riff extend` and `riff vary` as a person runs them."""

import json
from pathlib import Path

import pytest
import soundfile

from generation.audio.recipes import pcm_of
from tests.cli.test_make import loaded, riff
from tests.generation.arrange.sounds import noise

BAR = 52_920  # samples, 4/4 at 200 bpm


@pytest.fixture(scope="module")
def own(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop of ours, two bars."""
    folder = tmp_path_factory.mktemp("own")
    made = loaded(
        "make", "church bells", "--bars", "2", "--bpm", "200", "--key", "Am", "--seed", "3",
        folder=folder, model=tiny_model,
    )  # fmt: skip
    return folder / made.stdout.splitlines()[0]


def wav_of(*arguments: str, folder: Path, model: Path) -> Path:
    """The one WAV that a command writes, which verifies."""
    made = loaded(*arguments, folder=folder, model=model)
    assert (made.returncode, made.stderr) == (0, "")
    wav = folder / made.stdout.splitlines()[0]
    verified = loaded("verify", str(wav), folder=folder, model=model)
    assert (verified.returncode, verified.stderr) == (0, "")
    return wav


def test_a_repainted_bar_leaves_the_other(own: Path, tiny_model: Path, tmp_path: Path) -> None:
    held = own.read_bytes()
    wav = wav_of("repaint", str(own), "rain", "--bars", "2", "--seed", "8", folder=tmp_path, model=tiny_model)
    before, after = pcm_of(own), pcm_of(wav)
    assert (after[:BAR] == before[:BAR]).all()
    assert (after[BAR:] != before[BAR:]).any()
    assert own.read_bytes() == held
    request = json.loads(wav.with_suffix(".json").read_text())["request"]
    assert (request["prompt"], request["key"], request["bpm"], request["bars"]) == ("rain", "Am", 200, 2)


def test_an_extended_loop_begins_with_the_old_one(own: Path, tiny_model: Path, tmp_path: Path) -> None:
    wav = wav_of("extend", str(own), "--bars", "1", "--seed", "8", folder=tmp_path, model=tiny_model)
    assert len(pcm_of(wav)) == 3 * BAR
    assert (pcm_of(wav)[: 2 * BAR] == pcm_of(own)).all()
    assert json.loads(wav.with_suffix(".json").read_text())["request"]["prompt"] == "church bells"


def test_variations_are_as_many_as_asked_and_differ(own: Path, tiny_model: Path, tmp_path: Path) -> None:
    made = loaded(
        "vary", str(own), "--amount", "far", "--takes", "2", "--seed", "2", "--json", folder=tmp_path, model=tiny_model
    )  # fmt: skip
    takes = json.loads(made.stdout)["takes"]
    requests = [json.loads((tmp_path / take["json"]).read_text())["request"] for take in takes]
    # Not the seed that the loop has itself.
    assert [(request["seed"], request["variation_seed"], request["variation"]) for request in requests] == [
        (3, 2, 0.7),
        (3, 4, 0.7),
    ]
    assert len({(tmp_path / take["wav"]).read_bytes() for take in takes}) == 2
    wav_of("vary", str(own), "rain", "--keep", "groove", "--seed", "4", folder=tmp_path, model=tiny_model)


def test_other_audio_needs_its_tempo(tiny_model: Path, tmp_path: Path) -> None:
    brought = tmp_path / "brought.flac"
    soundfile.write(brought, noise(2 * BAR - 30), 44_100, subtype="PCM_24")
    refused = loaded("repaint", "brought.flac", "rain", "--bars", "1", folder=tmp_path, model=tiny_model)
    assert refused.returncode == 1
    assert refused.stderr == (
        "brought.flac does not say its tempo, as loops of ours do: say it with --bpm.\n"
    )
    refused = loaded("repaint", "brought.flac", "rain", "--bpm", "170", folder=tmp_path, model=tiny_model)
    assert refused.stderr.startswith("brought.flac has 1.70 bars of 4/4 at 170 bpm: whole bars are needed")
    refused = loaded("vary", "brought.flac", folder=tmp_path, model=tiny_model)
    assert refused.stderr.startswith("brought.flac is not a loop of ours: say what to --keep of it")
    assert [path.name for path in tmp_path.iterdir()] == ["brought.flac"]
    made = loaded(
        "repaint", "brought.flac", "rain", "--bpm", "200", "--bars", "1", "--seed", "1",
        folder=tmp_path, model=tiny_model,
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    after, _ = soundfile.read(tmp_path / made.stdout.splitlines()[0], dtype="int32")
    before, _ = soundfile.read(brought, dtype="int32")
    assert (after[BAR:] == before[BAR:]).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("repaint", "none.wav"), "none.wav cannot be opened: No such file or directory.\n"),
        (("vary", "text", "--keep", "rhythm"), "text is not audio that can be read"),
        (("extend", "text", "--bars", "2"), "text is not audio that can be read"),
    ],
)
def test_bad_files_are_one_sentence(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no sound")
    refused = riff(*arguments, folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(sentence)
    assert [path.name for path in tmp_path.iterdir()] == ["text"]
