"""A file is what its recipe makes, or is found out: every format, with sources, stems, morphs and songs."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from generation.arrange import perform, song
from generation.audio import video
from generation.audio.animation import denoising, playhead
from generation.audio.export import encode_file, flac, mp3, ogg, opus, peaks_file, stem_wav, tags_of, wav
from generation.audio.ingest import read_audio
from generation.audio.level import level_of
from generation.audio.pcm import pcm24, sha256
from generation.audio.picture import picture_of, spectrogram_png, thumbnail
from generation.audio.video import film
from generation.engine import Engine, Progress
from generation.errors import RiffError
from generation.request import RiffRequest, Take
from generation.verify import verify

Made = tuple[Take, list[bytes]]


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine.load(tiny_model)


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def make(engine: Engine, **change: object) -> Made:
    previews: list[bytes] = []

    def on_progress(progress: Progress) -> None:
        if progress.preview is not None:
            previews.append(progress.preview)

    asked = RiffRequest.parse(**{"prompt": "bells", "bars": 1, "bpm": 240, "seed": 3, "steps": 2, **change})
    return engine.render(asked, on_progress).takes[0], previews


@pytest.fixture(scope="module")
def made(engine: Engine) -> Made:
    return make(engine)


@pytest.fixture(scope="module")
def other(engine: Engine) -> Made:
    """Another sound, which says that it is the first one's."""
    return make(engine, seed=4)


def _level(take: Take) -> Any:
    request = RiffRequest.from_dict(take.recipe["request"])
    return level_of(np.frombuffer(pcm24(take.audio), np.uint8).reshape(-1, 6), request)


def peaks(take: Take) -> bytes:
    return peaks_file(np.frombuffer(pcm24(take.audio), np.uint8).reshape(-1, 6), take.recipe)


FORMATS: dict[str, tuple[Callable[[Take, list[bytes]], bytes], str]] = {
    "wav": (lambda take, _: wav(take), "sample for sample"),
    "flac": (lambda take, _: flac(take), "sample for sample"),
    "ogg": (lambda take, _: ogg(take), "byte for byte"),
    "opus": (lambda take, _: opus(take), "byte for byte"),
    "mp3": (lambda take, _: mp3(take), "byte for byte"),
    "mp3 for chats": (lambda take, _: mp3(take, 64), "byte for byte"),
    "png": (lambda take, _: spectrogram_png(take), "its picture too"),
    "light png": (
        lambda take, _: picture_of(_level(take), 1, 4, take.recipe, "light", 400, 100), "its picture too",
    ),
    "thumbnail": (lambda take, _: thumbnail(take), "its picture too"),
    "gif": (lambda take, previews: denoising(previews, take, "gif"), "its picture too"),
    "played gif": (lambda take, _: playhead(take.image, take.recipe), "its picture too"),
    "webp": (lambda take, previews: denoising(previews, take, "webp"), "its picture too"),
    "json": (lambda take, _: json.dumps(take.recipe).encode(), "sample for sample"),
    "peaks": (lambda take, _: peaks(take), "sample for sample"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_what_its_recipe_makes(
    engine: Engine, made: Made, other: Made, kind: str, tmp_path: Path
) -> None:
    """And it is found out when it shows or plays something else under the same recipe."""
    write, how = FORMATS[kind]
    path = tmp_path / "loop"
    path.write_bytes(write(*made))
    digest = made[0].recipe["sha256"]
    assert verify(path, engine) == f"loop is what its recipe makes, {how}: {digest}"
    if kind == "json":
        return
    path.write_bytes(write(replace(other[0], recipe=made[0].recipe), other[1]))
    with pytest.raises(
        RiffError, match=r"^loop was changed after it was made: its .* is not the one in its recipe\.$"
    ):
        verify(path, engine)


@pytest.mark.parametrize("kind", ["ogg", "opus", "mp3"])
def test_another_encoder_is_told_from_another_sound(
    engine: Engine, made: Made, kind: str, tmp_path: Path
) -> None:
    """A gain of a hundredth of a decibel stands for a version that rounds differently; half a second is missing."""
    take, path = made[0], tmp_path / "loop"
    path.write_bytes(FORMATS[kind][0](replace(take, audio=take.audio * np.float32(0.999)), []))
    assert "as another version of the encoder writes it (correlation 0." in verify(path, engine)
    shortened = take.audio.copy()
    shortened[20_000:30_000] = 0
    path.write_bytes(FORMATS[kind][0](replace(take, audio=shortened), []))
    with pytest.raises(RiffError, match=r"^loop was changed after it was made: its sound"):
        verify(path, engine)


def test_a_film_is_what_its_recipe_makes(
    engine: Engine, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless its picture is another one, here of silence."""
    monkeypatch.setattr(video, "LEAST_SECONDS", 1)
    take, path = made[0], tmp_path / "loop.mp4"
    (tmp_path / "loop.wav").write_bytes(wav(take))
    film(tmp_path / "loop.wav", path, _level(take), take.recipe)
    assert "is what its recipe makes, byte for byte" in verify(path, engine)
    film(tmp_path / "loop.wav", path, np.zeros((128, 160), np.uint8), take.recipe)
    with pytest.raises(RiffError, match=r"^loop\.mp4 was changed after it was made: its picture"):
        verify(path, engine)


def test_a_damaged_picture_is_found_out(engine: Engine, made: Made, tmp_path: Path) -> None:
    for ending in ("png", "gif"):
        content = FORMATS[ending][0](*made)
        (tmp_path / "loop").write_bytes(content[: len(content) * 2 // 3])
        with pytest.raises(RiffError, match=r"^loop was changed after it was made: its picture"):
            verify(tmp_path / "loop", engine)


def test_a_recipe_for_another_sound_is_found_out(engine: Engine, made: Made, tmp_path: Path) -> None:
    path = tmp_path / "loop.json"
    for lie in ({"sha256": "0" * 64}, {"samples": 10**15}):
        path.write_text(json.dumps({**made[0].recipe, **lie}))
        with pytest.raises(RiffError, match=r"^loop\.json does not come out the same here: another machine"):
            verify(path, engine)


def test_another_model_is_named(engine: Engine, made: Made, tmp_path: Path) -> None:
    path = tmp_path / "loop.json"
    path.write_text(json.dumps({**made[0].recipe, "model": "riff-large@0"}))
    with pytest.raises(RiffError, match=r"^loop\.json was made by “riff-large@0”; this is tiny@\w+\.$"):
        verify(path, engine)


def remixed(engine: Engine, source: Path, **change: object) -> Take:
    audio = read_audio(source)
    asked = {"prompt": "rain", "bars": 1, "bpm": 240, "seed": 5, "steps": 2, "strength": 0.7, **change}
    return perform(engine, RiffRequest.parse(**asked, source=sha256(audio)), audio).takes[0]


def with_origin(take: Take, recipe: dict[str, Any]) -> Take:
    return replace(take, recipe={**take.recipe, "source": {**take.recipe["source"], "recipe": recipe}})


def test_a_remix_of_a_strangers_sound_needs_it(engine: Engine, tmp_path: Path) -> None:
    time = np.arange(88_200) / 44_100
    theirs, path = tmp_path / "theirs.ogg", tmp_path / "loop.wav"
    soundfile.write(theirs, np.sin(2 * np.pi * 220 * time) * np.exp(-5 * (time % 0.5)), 44_100)
    path.write_bytes(wav(remixed(engine, theirs)))
    with pytest.raises(
        RiffError, match=r"^The sound that this starts from .* is not here: give the same file again\.$"
    ):
        verify(path, engine)
    assert "sample for sample" in verify(path, engine, theirs)
    soundfile.write(tmp_path / "else.wav", np.sin(2 * np.pi * 330 * time), 44_100)
    with pytest.raises(RiffError, match=r"^The sound that this starts from"):
        verify(path, engine, tmp_path / "else.wav")


def test_a_remix_of_a_remix_of_ours_is_made_from_the_start(
    engine: Engine, made: Made, tmp_path: Path
) -> None:
    first, second, third = (tmp_path / f"{number}.wav" for number in (1, 2, 3))
    first.write_bytes(wav(made[0]))
    child = with_origin(remixed(engine, first), made[0].recipe)
    second.write_bytes(wav(child))
    third.write_bytes(wav(with_origin(remixed(engine, second, seed=6), child.recipe)))
    first.unlink()
    second.unlink()
    assert "sample for sample" in verify(third, engine)


def test_a_chain_of_sources_has_an_end(engine: Engine, made: Made, tmp_path: Path) -> None:
    first, path = tmp_path / "first.wav", tmp_path / "loop.json"
    first.write_bytes(wav(made[0]))
    recipe = remixed(engine, first).recipe
    for _ in range(40):
        recipe = {**recipe, "source": {**recipe["source"], "recipe": recipe}}
    path.write_text(json.dumps(recipe))
    with pytest.raises(
        RiffError, match=r"goes back to its first sound over too many others: give its source\.$"
    ):
        verify(path, engine)
    path.write_text(json.dumps({**recipe, "source": {"recipe": {"request": 7}}}))
    with pytest.raises(RiffError, match=r"^The sound that this starts from"):
        verify(path, engine)


def test_the_loops_of_a_morph_and_stems_are_found(engine: Engine, tmp_path: Path) -> None:
    asked = {"prompt": "bells", "bars": 1, "bpm": 240, "seed": 3, "steps": 2}
    morph = RiffRequest.parse(**asked, arrangement={"kind": "morph", "prompts": ["rain"], "loops": 2})
    path = tmp_path / "loop.wav"
    path.write_bytes(wav(perform(engine, morph).takes[1]))
    assert "sample for sample" in verify(path, engine)
    layers = RiffRequest.parse(**asked, arrangement={"kind": "layers", "drums": "", "bass": ""})
    path.write_bytes(stem_wav(perform(engine, layers).takes[0], "bass"))
    assert "sample for sample" in verify(path, engine)


def test_a_song_is_made_again(engine: Engine, tmp_path: Path) -> None:
    request = RiffRequest.parse(
        prompt="techno",
        bars=1,
        bpm=240,
        seed=3,
        steps=1,
        arrangement={"kind": "song", "seconds": 30, "form": "A outro"},
    )
    made = song.write(engine, request, tmp_path / "song.wav")
    encode_file(made.path, tmp_path / "song.mp3", "mp3", tags_of(made.recipe))
    assert "byte for byte" in verify(tmp_path / "song.mp3", engine)
