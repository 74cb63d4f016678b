"""`riff encode`, `decode`, `sample-clips` and `print-exif`, under our names and under Riffusion's."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from generation.errors import RiffError
from tests.cli.test_make import loaded, riff

SAMPLE_RATE = 44_100
SOUNDS = ".wav, .flac, .mp3, .ogg."


def sound(path: Path, seconds: float = 1.0, hertz: float = 440.0) -> Path:
    """A tone that fades, a little lower on the right."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sides = [0.5 * np.exp(-time) * np.sin(math.tau * hertz * factor * time) for factor in (1, 0.75)]
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, np.stack(sides, 1), SAMPLE_RATE, subtype="PCM_16")
    return path


def loudest_hertz(side: NDArray[np.float64]) -> float:
    return float(np.abs(np.fft.rfft(side)).argmax() * SAMPLE_RATE / len(side))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in. An interpreter for each command would take a second."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line: str) -> Result:
    """A command in this process; what it raised is in `exception`."""
    return CliRunner().invoke(app, line.split())


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_audio_becomes_an_image_and_sound_again(here: Path) -> None:
    sound(here / "tone.wav")
    drawn = riff("encode", "tone.wav", "--stereo", folder=here)
    assert (drawn.returncode, drawn.stdout, drawn.stderr) == (0, "tone-riffusion.png\n", "")
    with Image.open(here / "tone-riffusion.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (101, 512))
        assert not np.asarray(image)[..., 0].any()

    told = run("print-exif tone-riffusion.png")
    assert told.stdout.splitlines()[:9] == [
        "SAMPLE_RATE          =           44100",
        "STEREO               =               1",
        "STEP_SIZE_MS         =              10",
        "WINDOW_DURATION_MS   =             100",
        "PADDED_DURATION_MS   =             400",
        "NUM_FREQUENCIES      =             512",
        "MIN_FREQUENCY        =               0",
        "MAX_FREQUENCY        =           10000",
        "POWER_FOR_IMAGE      =            0.25",
    ]
    assert told.stdout.splitlines()[9].startswith("MAX_VALUE            = ")

    heard = run("decode tone-riffusion.png --out back/again.flac")
    assert (heard.exit_code, heard.stdout) == (0, "back/again.flac\n")
    audio, rate = soundfile.read(here / "back" / "again.flac")
    assert (rate, audio.shape) == (SAMPLE_RATE, (44_100, 2))
    assert loudest_hertz(audio[:, 0]) == pytest.approx(440, abs=3)
    assert loudest_hertz(audio[:, 1]) == pytest.approx(330, abs=3)

    held = {name: (here / name).read_bytes() for name in names(here)}
    run("encode tone.wav --stereo")
    run("decode tone-riffusion.png --out back/again.flac")
    assert {name: (here / name).read_bytes() for name in names(here)} == held


def test_riffusions_own_commands_run(here: Path) -> None:
    sound(here / "clips" / "a.wav")
    for arguments in (
        "audio-to-image --audio clips/a.wav --image a.png --step-size-ms 20 --num-frequencies 256 --device cpu",
        "image-to-audio --image a.png --audio a.wav --device cpu",
        "audio-to-images-batch --audio-dir clips --output-dir images --mono --num-threads 2",
        "sample-clips --audio clips/a.wav --output-dir cut --num-clips 2 --duration-ms 250 --mono --seed 7",
        "sample-clips-batch --audio-dir clips --output-dir cut --duration-ms 250 --extension wav --seed 7",
    ):
        done = run(arguments)
        assert (done.exit_code, done.stderr) == (0, ""), arguments
    # As numpy.random.seed(7) and randint(0, 750) draw, one after the other.
    first, second = np.random.RandomState(7).randint(0, 750, 2)
    assert names(here) == sorted(
        [
            "a.png",
            "a.wav",
            "clips/a.wav",
            f"cut/a_0_start_{first}_ms_dur_250_ms.wav",
            f"cut/clip_0_start_{first}_ms_duration_250_ms.wav",
            f"cut/clip_1_start_{second}_ms_duration_250_ms.wav",
            "images/a.jpg",
        ]
    )
    with Image.open(here / "a.png") as image:
        assert image.size == (51, 256)
    assert soundfile.info(here / "a.wav").frames == 50 * 882
    clip, _ = soundfile.read(here / "cut" / f"clip_0_start_{first}_ms_duration_250_ms.wav")
    whole, _ = soundfile.read(here / "clips" / "a.wav")
    start = int(first * SAMPLE_RATE / 1000)
    assert clip.shape == (11_025,)
    np.testing.assert_allclose(clip, whole[start : start + 11_025].mean(1), atol=1e-4)


def test_a_folder_is_done_file_by_file(here: Path) -> None:
    for name in ("one.wav", "two.wav"):
        sound(here / "sounds" / name, 0.6)
    (here / "sounds" / "broken.wav").write_bytes(b"PK\3\4 not a sound")
    (here / "sounds" / "notes.json").write_text("{}")
    drawn = run("encode sounds --out images --format jpg")
    assert (drawn.exit_code, drawn.stdout) == (0, "images/one.jpg\nimages/two.jpg\n")
    assert drawn.stderr.startswith("broken.wav is not audio that can be read")
    assert drawn.stderr.count("\n") == 1

    heard = run("decode images/one.jpg images/two.jpg --out again")
    assert heard.stdout == "again/one.wav\nagain/two.wav\n"
    assert soundfile.info(here / "again" / "two.wav").frames == 60 * 441


def test_a_picture_of_ours_is_rendered_from_its_recipe(tiny_model: Path, tmp_path: Path) -> None:
    made = loaded("make", "bells", "--bars", "1", "--seed", "3", folder=tmp_path, model=tiny_model)
    wav, png, _ = made.stdout.splitlines()
    heard = loaded("decode", png, "--out", "again.wav", folder=tmp_path, model=tiny_model)
    assert (heard.returncode, heard.stdout) == (0, "again.wav\n")
    assert (tmp_path / "again.wav").read_bytes() == (tmp_path / wav).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("encode nowhere.wav", "nowhere.wav cannot be opened: No such file or directory."),
        ("encode small.png", "small.png is not audio that can be read: give a WAV, MP3, OGG, Opus, FLAC or M4A file."),
        ("encode tone.wav --out tone.gif", "Files that end in “.gif” cannot be written: choose .png, .jpg, .jpeg."),
        ("encode tone.wav --step-ms 0", "STEP_SIZE_MS is 0: a Riffusion image has 1 to 100 there."),
        ("encode tone.wav tone.wav --out a.png", "2 results do not go into one file: name a folder."),
        ("decode tone.wav", "tone.wav is not a picture that can be read: give a PNG or JPEG file."),
        ("decode small.png", "The image has 8 rows: with its settings it has to have 512."),
        ("decode folder", "There is nothing in folder."),
        ("print-exif small.png", "small.png carries no settings of Riffusion: riff decode takes its defaults."),
        ("sample-clips tone.wav --out new", "tone.wav lasts 1.00 s: too short for clips of 5.12 s."),
        ("sample-clips tone.wav --extension exe", "Files that end in “.exe” cannot be written: choose " + SOUNDS),
        ("sample-clips tone.wav --num-clips 0", "Give at least one clip of at least 10 milliseconds."),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(arguments: str, sentence: str, here: Path) -> None:
    sound(here / "tone.wav")
    Image.new("RGB", (8, 8)).save(here / "small.png")
    (here / "folder").mkdir()
    refused = run(arguments)
    assert isinstance(refused.exception, RiffError)
    assert (str(refused.exception), refused.output) == (sentence, "")
    assert sorted(path.name for path in here.iterdir()) == ["folder", "small.png", "tone.wav"]


def test_a_result_never_replaces_what_it_is_made_from(here: Path) -> None:
    content = sound(here / "tone.wav").read_bytes()
    (here / "tone.png").write_bytes(content)
    refused = run("encode tone.png --out .")
    assert (
        str(refused.exception) == "tone.png would be replaced by what is made from it: choose another name."
    )
    assert (here / "tone.png").read_bytes() == content
