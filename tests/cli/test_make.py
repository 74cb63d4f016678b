"""`riff make` as a person runs them: a process, its files, its exit status."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tests.forked import ForkedProcess


def riff(
    *arguments: str, folder: Path, limit: int | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in `folder`; `limit` is the largest file that it may write."""

    def narrow() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONSAFEPATH": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=narrow,
    )


def loaded(*arguments: str, folder: Path, model: Path) -> subprocess.CompletedProcess[str]:
    """The same, from an interpreter that has imported torch already."""
    out, err = folder.parent / f"{folder.name}.out", folder.parent / f"{folder.name}.err"
    process = ForkedProcess(
        "cli.main",
        *arguments,
        environment={**os.environ, "RIFF_MODEL": str(model)},
        folder=folder,
        stdout=out,
        stderr=err,
    )
    code = process.wait(300)
    return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


def test_make_writes_three_files_and_prints_their_paths(tiny_model: Path, tmp_path: Path) -> None:
    arguments = ("make", "church bells", "--bars", "2", "--bpm", "100", "--seed", "3")
    first = riff(*arguments, folder=tmp_path, RIFF_MODEL=str(tiny_model))
    assert (first.returncode, first.stderr) == (0, "")
    paths = [Path(line) for line in first.stdout.splitlines()]
    assert [path.name for path in paths] == [
        f"church-bells-100bpm-3.{ending}" for ending in ("wav", "png", "json")
    ]
    assert soundfile.info(tmp_path / paths[0]).frames == 2 * 4 * 60 * 44_100 // 100
    assert soundfile.info(tmp_path / paths[0]).channels == 2

    held = {path: (tmp_path / path).read_bytes() for path in paths}
    loaded(*arguments, folder=tmp_path, model=tiny_model)
    assert {path: (tmp_path / path).read_bytes() for path in paths} == held

    verified = loaded("verify", str(paths[0]), folder=tmp_path, model=tiny_model)
    assert verified.returncode == 0
    assert "is what its recipe makes" in verified.stdout


def test_json_is_one_object(tiny_model: Path, tmp_path: Path) -> None:
    made = loaded(
        "make", "lofi piano", "--key", "Am", "--bars", "1", "--metre", "3/4", "--takes", "2", "--out", "made", "--json",
        folder=tmp_path, model=tiny_model,
    )  # fmt: skip
    record = json.loads(made.stdout)
    assert (record["bpm"], record["key"], record["bars"]) == (78, "Am", 1)
    assert len(record["paths"]) == 6
    assert soundfile.info(tmp_path / record["paths"][0]).frames == round(3 * 60 * 44_100 / 78)
    assert all((tmp_path / path).is_file() for path in record["paths"])
    assert [take["seed"] for take in record["takes"]] == [record["seed"], record["seed"] + 1]
    assert set(record["timings"]) == {"loading", "denoising", "decoding", "writing", "all"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("make", ""), "The prompt is empty: say what you want to hear.\n"),
        (("make", "x" * 301), "The prompt has 301 characters: at most 300 are possible.\n"),
        (("make", "a\tb"), "The prompt contains control characters: use plain text on one line.\n"),
        (("make", "bells", "--bars", "17"), "bars has to be from 1 to 16, not “17”.\n"),
        (("make", "bells", "--bpm", "30"), "bpm has to be from 40 to 240, not “30”.\n"),
        (
            ("make", "bells", "--metre", "5/4"),
            "“5/4” is not a metre that can be played: choose 4/4, 3/4 or 6/8.\n",
        ),
        (("make", "bells", "--key", "H"), "“H” is not a key: write it like Am, F#, Bb minor or C major.\n"),
        (("make", "bells", "--out", "file/sub"), "The folder file/sub cannot be used: Not a directory.\n"),
        (
            ("verify", "file"),
            "file holds no recipe of ours: give a file that riff make or riff export wrote.\n",
        ),
        (("verify", "nowhere.wav"), "nowhere.wav cannot be read: No such file or directory.\n"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    refused = riff(*arguments, folder=tmp_path)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", sentence)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_wrong_usage_has_status_2(tmp_path: Path) -> None:
    assert riff("make", folder=tmp_path).returncode == 2
    assert riff("make", "bells", "--loud", folder=tmp_path).returncode == 2


def test_missing_weights_are_one_sentence(tmp_path: Path) -> None:
    refused = loaded("make", "bells", folder=tmp_path, model=tmp_path / "none")
    assert refused.returncode == 1
    assert refused.stderr.startswith("The model's weights are missing")
    assert refused.stderr.count("\n") == 1


def test_a_full_disk_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: the WAV does not fit, so no file of the take stays."""
    refused = riff(
        "make",
        "bells",
        "--bars",
        "1",
        "--out",
        "made",
        folder=tmp_path,
        limit=100_000,
        RIFF_MODEL=str(tiny_model),
    )
    assert refused.returncode == 1
    assert refused.stderr == "There is no space left to write to made: free some and try again.\n"
    assert list((tmp_path / "made").iterdir()) == []


def test_a_changed_loop_is_found_out(tiny_model: Path, tmp_path: Path) -> None:
    made = loaded("make", "bells", "--bars", "1", "--json", folder=tmp_path, model=tiny_model)
    path = tmp_path / json.loads(made.stdout)["paths"][0]
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    refused = loaded("verify", str(path), folder=tmp_path, model=tiny_model)
    assert refused.returncode == 1
    assert "was changed after it was made" in refused.stderr
