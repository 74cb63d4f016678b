"""Pictures, animations and films, opened by Pillow and ffmpeg."""

import io
import json
import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from generation.audio.animation import denoising, playhead
from generation.audio.export import wav
from generation.audio.level import level_of
from generation.audio.pcm import pcm24
from generation.audio.picture import grid_of, paint, picture_of, preview_png, spectrogram_png, thumbnail
from generation.audio.recipes import read_recipe
from generation.audio.video import film, still
from generation.errors import RiffError
from generation.request import RiffRequest, Take
from generation.spectrogram import Spectrogram, SpectrogramCodec


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def pixels(content: bytes) -> NDArray[np.float32]:
    return np.asarray(opened(content).convert("RGB"), np.float32)


def silent(bars: int, width: int = 1024, theme: str = "dark") -> NDArray[np.bool_]:
    """Where lines and numbers are drawn on the picture of silence: (height, width)."""
    level = np.zeros((bars * 128, 160), np.uint8)
    drawn = pixels(picture_of(level, bars, 4, {"request": {}}, theme, width))
    return np.asarray(np.abs(drawn - drawn[160, 1]).max(2) > 8)


def test_picture_shows_the_loop_and_keeps_the_recipe(take: Take) -> None:
    picture = opened(spectrogram_png(take))
    assert picture.size == (1024, 320)
    assert json.loads(picture.info["riffmarket"]) == take.recipe
    assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50


def test_loud_is_light_on_dark_paper_and_dark_on_light(take: Take) -> None:
    """Both themes tell the same: what is lighter in one is darker in the other."""
    dark, light = (
        np.asarray(opened(spectrogram_png(take, theme=theme)).convert("L"), np.float64)
        for theme in ("dark", "light")
    )
    assert np.corrcoef(dark.ravel(), light.ravel())[0, 1] < -0.8
    empty = np.zeros((256, 160), np.uint8)
    dark, light = (pixels(picture_of(empty, 2, 4, {}, theme)) for theme in ("dark", "light"))
    assert dark[160, 100].max() < 20
    assert light[160, 100].min() == 255


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_bars_have_lines_and_beats_ticks(theme: str) -> None:
    drawn = silent(4, theme=theme)
    assert np.flatnonzero(drawn[160]).tolist() == [256, 512, 768]
    assert np.flatnonzero(drawn[318]).tolist() == [64 * beat for beat in range(1, 16)]


@pytest.mark.parametrize(("bars", "numbers"), [(1, 1), (4, 4), (16, 16), (64, 16), (150, 19)])
def test_numbers_never_touch(bars: int, numbers: int) -> None:
    """There are fewer of them the more bars there are, and at least a digit's width between any two."""
    drawn = silent(bars)
    columns = drawn[3:16].any(0) & ~drawn[200]
    places = np.flatnonzero(columns)
    starts = np.flatnonzero(np.diff(places, prepend=-100) > 7)
    assert len(starts) == numbers
    lines = np.flatnonzero(drawn[200])
    assert len(lines) < 64
    assert np.diff(lines).min(initial=1024) >= 24


def test_the_grid_is_of_what_sounds(take: Take) -> None:
    assert grid_of(take.recipe) == (2, 4)
    waltz = {**take.recipe, "request": {**take.recipe["request"], "metre": "3/4"}, "samples": 211_680 * 3}
    assert grid_of(waltz) == (8, 3)


def test_a_thumbnail_is_small_and_keeps_the_recipe(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "loop.webp"
    path.write_bytes(thumbnail(take))
    assert Image.open(path).size == (480, 150)
    assert path.stat().st_size < 0.4 * len(spectrogram_png(take))
    assert read_recipe(path) == (take.recipe, None)


def test_a_preview_is_made_of_levels(take: Take) -> None:
    spectrogram = Spectrogram(take.image, np.zeros((32, 40, 2), np.uint8))
    preview = opened(preview_png(spectrogram))
    assert (preview.mode, preview.size) == ("P", (256, 80))
    halved = take.image.T[::-1].reshape(80, 2, 256).mean(1)
    assert np.abs(np.asarray(preview) - halved).max() <= 1


@pytest.mark.parametrize("bars", [1, 11])
def test_the_level_of_a_sound_is_the_codecs(take: Take, bars: int) -> None:
    """Piece by piece as in one go, to within a rounding."""
    audio = np.tile(take.audio, (6, 1))[: bars * 105_840]
    request = RiffRequest.from_dict(take.recipe["request"])
    level = level_of(np.frombuffer(pcm24(audio), np.uint8).reshape(-1, 6), request)
    whole = SpectrogramCodec().encode(audio, bars * 16).level
    assert level.shape == (bars * 128, 160)
    assert np.abs(level.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_the_denoising_moves_from_the_dark_to_the_picture(
    made: tuple[Take, list[bytes]], ending: str, tmp_path: Path
) -> None:
    take, previews = made
    assert len(previews) == 2
    content = denoising(previews, take, ending)
    assert content == denoising(previews, take, ending)
    assert len(content) < 1_000_000
    path = tmp_path / f"loop.{ending}"
    path.write_bytes(content)
    assert read_recipe(path) == (take.recipe, None)
    animation = Image.open(path)
    assert (animation.n_frames, animation.info["loop"]) == (15, 0)  # type: ignore[attr-defined]
    frames, durations = [], []
    for index in range(15):
        animation.seek(index)
        frames.append(np.asarray(animation.convert("RGB"), np.float64))
        durations.append(animation.info["duration"])
    assert durations == [80] * 14 + [2000]
    assert frames[0].mean() < 0.5 * frames[-1].mean()
    picture = np.asarray(paint(take.image, animation.size).convert("RGB"))
    likeness = [np.corrcoef(frame.ravel(), picture.ravel())[0, 1] for frame in frames]
    assert likeness[-1] > 0.9
    assert likeness[-1] > max(likeness) - 0.01
    assert likeness[4] < likeness[9] < likeness[-1]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_any_number_of_previews_makes_an_animation(made: tuple[Take, list[bytes]], count: int) -> None:
    take, previews = made
    animation = opened(denoising((previews * 25)[:count], take, "gif"))
    assert animation.n_frames == (min(count, 8) + 1) * 5  # type: ignore[attr-defined]


@pytest.mark.parametrize("samples", [88_200, 1_000, 20 * 44_100 * 60])
def test_the_playhead_goes_through_the_picture_in_the_sounds_own_time(
    take: Take, tmp_path: Path, samples: int
) -> None:
    recipe = {**take.recipe, "samples": samples}
    content = playhead(take.image, recipe)
    assert content == playhead(take.image, recipe)
    assert len(content) < 1_000_000
    path = tmp_path / "loop.gif"
    path.write_bytes(content)
    assert read_recipe(path) == (recipe, None)
    animation = opened(content)
    assert animation.info["loop"] == 0
    places, milliseconds = [], 0
    for index in range(animation.n_frames):  # type: ignore[attr-defined]
        animation.seek(index)
        milliseconds += animation.info["duration"]
        bright = np.asarray(animation.convert("L"), np.float64).min(0)
        places.append(int(bright.argmax()))
    assert milliseconds == 10 * round(samples / 441)
    assert len(places) <= 300
    assert places == sorted(places)
    assert places[0] == 0
    if len(places) > 1:
        assert places[-1] > 480


# Louder from low to high: quickly packed, and as bright everywhere along the way.
SLOPE = np.tile(np.linspace(60, 200, 160).astype(np.uint8), (256, 1))


@pytest.fixture(scope="module")
def filmed(take: Take, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    (folder / "loop.wav").write_bytes(wav(take))
    film(folder / "loop.wav", folder / "loop.mp4", SLOPE, take.recipe)
    return folder / "loop.mp4"


def ffmpeg(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", *arguments]
    return subprocess.run(command, capture_output=True, timeout=60)


def test_a_film_is_what_every_site_takes(filmed: Path) -> None:
    """H.264 in 4:2:0 at 30 frames per second, AAC, two times 4.8 s, and its index before its data."""
    said = ffmpeg("-i", str(filmed)).stderr.decode()
    for words in (
        r"Video: h264 .*yuv420p\(.*bt709.* 1280x720.* 30 fps",
        r"Audio: aac \(LC\).* 44100 Hz, stereo",
        r"Duration: 00:00:09\.6\d",
        r"title +: café bells",
        r"artist +: Riffmarket",
    ):
        assert re.search(words, said), said
    content = filmed.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert content[content.index(b"tmpo") + 20 :][:2] == (100).to_bytes(2, "big")
    assert len(content) < 2_000_000


def test_a_film_keeps_the_recipe_and_is_the_same_bytes_again(
    take: Take, filmed: Path, tmp_path: Path, place: Path
) -> None:
    assert read_recipe(filmed) == (take.recipe, None)
    film(filmed.with_name("loop.wav"), tmp_path / "again.mp4", SLOPE, take.recipe)
    assert (tmp_path / "again.mp4").read_bytes() == filmed.read_bytes()
    assert list(place.iterdir()) == []


def test_the_playhead_is_where_the_sound_is(filmed: Path) -> None:
    """Its left edge after so many frames, and again from the left in the second round (144 frames are 4.8 s)."""
    raw = ffmpeg("-loglevel", "error", "-i", str(filmed), "-f", "rawvideo", "-pix_fmt", "gray", "-").stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, 720, 1280)
    assert len(frames) == 288
    for index in (0, 30, 77, 140, 144, 144 + 30, 284):
        columns = frames[index, 100:700].astype(np.float64)
        head = int(np.argmax(columns.min(0)))
        assert abs(head - (index % 144) / 144 * 1280 - 1.5) < 4
        assert columns[:, head + 8 :].mean() < 0.8 * frames[143, 100:700, head + 8 : 1260].mean()


def test_a_film_plays_the_loop_round_and_round(take: Take, filmed: Path) -> None:
    raw = ffmpeg("-loglevel", "error", "-i", str(filmed), "-f", "f32le", "-").stdout
    audio = np.frombuffer(raw, np.float32).reshape(-1, 2)
    assert len(audio) == 2 * len(take.audio)
    for start in (0, len(take.audio) // 2, len(take.audio)):
        around = np.take(take.audio, np.arange(start, start + 200_000), axis=0, mode="wrap")
        assert np.corrcoef(audio[start : start + 200_000].ravel(), around.ravel())[0, 1] > 0.9


def test_long_and_foreign_words_fit_into_a_film(take: Take) -> None:
    """What the font has no signs for is left out, what there is no room for is cut."""
    asked = {**take.recipe["request"], "prompt": "🎵 鐘の音 " + "church bells and " * 17}
    title = np.asarray(still(take.image, {**take.recipe, "request": asked}).convert("L"))[:80]
    columns = np.flatnonzero((title > 100).any(0))
    assert 20 < columns[0] < 40
    assert columns[-1] < 1260
    assert np.diff(columns).max() > 50  # between the words and the tempo


def test_a_film_of_nothing_is_refused(take: Take, tmp_path: Path, place: Path) -> None:
    (tmp_path / "loop.wav").write_bytes(b"RIFF\0\0\0\0WAVEjunk")
    with pytest.raises(RiffError, match=r"The film could not be made"):
        film(tmp_path / "loop.wav", tmp_path / "loop.mp4", take.image, take.recipe)
    assert not (tmp_path / "loop.mp4").exists()
    assert list(place.iterdir()) == []
