"""`riff export` and `riff verify` as a person runs them."""

import json
from pathlib import Path

import pytest

from generation.audio.recipes import ending_of, read_recipe
from tests.cli.test_make import loaded

ALL = "flac,ogg,opus,mp3,png,png-light,gif,webp,mp4,peaks"
NAME = "bells-240bpm-Am-3"


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A loop as riff make leaves it."""
    folder = tmp_path_factory.mktemp("made") / "here"
    folder.mkdir()
    made = loaded(
        *("make", "bells", "--bars", "1", "--bpm", "240", "--key", "Am", "--seed", "3", "--steps", "2"),
        folder=folder, model=tiny_model,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder


def test_every_format_is_written_and_verified(tiny_model: Path, folder: Path, tmp_path: Path) -> None:
    """Beside the loop, under its name, with its recipe, and what was there stays as it is."""
    before = {path: path.read_bytes() for path in folder.iterdir()}
    exported = loaded("export", f"{NAME}.wav", "--to", ALL, folder=folder, model=tiny_model)
    assert (exported.returncode, exported.stderr) == (0, "")
    names = [f"{NAME}.{ending}" for ending in ("flac", "ogg", "opus", "mp3")]
    names += [f"{NAME}-dark.png", f"{NAME}-light.png"]
    names += [f"{NAME}.{ending}" for ending in ("gif", "webp", "mp4", "peaks.json")]
    assert exported.stdout.splitlines() == names
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name for path in folder.iterdir()} == {path.name for path in before} | set(names)
    recipe, _ = read_recipe(folder / f"{NAME}.wav")
    for name in names:
        assert read_recipe(folder / name)[0] == recipe
        assert ending_of(folder / name) == name.rpartition(".")[2]
    verified = loaded("verify", f"{NAME}.gif", folder=folder, model=tiny_model)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert verified.stdout == (
        f"{NAME}.gif is what its recipe makes, its picture too: {recipe['sha256']}\n"
        f"{NAME}.gif carries no content credentials.\n"
    )

    (tmp_path / "loop.json").write_bytes(before[folder / f"{NAME}.json"])
    again = loaded("export", "loop.json", "--to", "flac", "--out", "new", folder=tmp_path, model=tiny_model)
    assert again.stdout == "new/loop.flac\n"
    assert (tmp_path / "new/loop.flac").read_bytes() == (folder / f"{NAME}.flac").read_bytes()


def test_a_changed_loop_is_found_out(tiny_model: Path, folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / f"{NAME}.wav").read_bytes())
    content[1000] ^= 1
    (tmp_path / "loop.wav").write_bytes(content)
    for command in ("verify", "export"):
        refused = loaded(command, "loop.wav", folder=tmp_path, model=tiny_model)
        assert refused.returncode == 1
        assert refused.stderr == (
            "loop.wav was changed after it was made: its sound is not the one in its recipe.\n"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["loop.wav"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("export", "loop.json", "--to", "flac,wma"),
            "“wma” cannot be written: choose from flac, ogg, opus, mp3, png, png-light, gif, webp, mp4, peaks.\n",
        ),
        (("export", "loop.json", "--to", ","), "“,” cannot be written: choose from flac"),
        (("export", "loop.png"), "loop.png is not a WAV or JSON file: those are what can be exported.\n"),
        (("export", "none.wav"), "none.wav cannot be read: No such file or directory.\n"),
        (("export", "loop.json", "--out", "loop.png/sub"), "The folder loop.png/sub cannot be used"),
        (
            ("verify", "empty"),
            "empty holds no recipe of ours: give a file that riff make or riff export wrote.\n",
        ),
        (("verify", "none.wav"), "none.wav cannot be read: No such file or directory.\n"),
        (("verify", "other.json"), "other.json was made by “riff-none@0”; this is tiny@"),
        (("verify", "endless.json"), "The recipe asks for something that cannot be made.\n"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, tiny_model: Path, folder: Path, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for ending in ("json", "png"):
        (here / f"loop.{ending}").write_bytes((folder / f"{NAME}.{ending}").read_bytes())
    recipe = json.loads((here / "loop.json").read_text())
    (here / "other.json").write_text(json.dumps({**recipe, "model": "riff-none@0"}))
    endless = {**recipe["request"], "bars": 10**9}
    (here / "endless.json").write_text(json.dumps({**recipe, "request": endless}))
    (here / "empty").write_bytes(b"")
    before = sorted(here.iterdir())
    refused = loaded(*arguments, folder=here, model=tiny_model)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(sentence)
    assert refused.stderr.count("\n") == 1
    assert sorted(here.iterdir()) == before
