"""Whether a file is what its recipe makes: the recipe is carried out again, and what comes out is compared."""

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from generation.arrange import perform
from generation.arrangement import Song
from generation.audio import ffmpeg
from generation.audio.animation import denoising, playhead
from generation.audio.export import encode_file, peaks_file, tags_of, wav_stream
from generation.audio.ingest import read_audio
from generation.audio.level import level_of
from generation.audio.picture import THEMES, grid_of, picture_of, thumbnail
from generation.audio.recipes import (
    DEMUXERS,
    checked,
    ending_of,
    id3_bytes,
    open_picture,
    pcm_of,
    read_recipe,
    request_of,
)
from generation.audio.video import film
from generation.errors import RiffError, SourceMissing
from generation.fields import quoted
from generation.request import SAMPLE_RATE, RiffRequest, Take

if TYPE_CHECKING:
    from generation.engine import Progress, Renderer

_MOST_DESCENDANTS = 12
# How much more than our own encoding another one may lose: in the loss itself, and in shares of the sound's power.
_MORE_LOSS, _MORE_ERROR = 1.5, 0.01
_SAME_COLOURS = 2.0  # of 255, on average: what another version of a drawing library may change
_MP3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_SECONDS = 120
# A film's pictures are compared twice a second, so small.
_LOOK = "fps=2,scale=64:36,format=gray"
_LOOK_PIXELS = 64 * 36


@dataclass(frozen=True, slots=True)
class Again:
    """A recipe carried out again: its sound in the file `wav`, its level picture, the previews seen on the way.

    `take` is None for a song.
    """

    recipe: dict[str, Any]
    wav: Path
    level: NDArray[np.uint8]
    previews: tuple[bytes, ...]
    take: Take | None

    @property
    def request(self) -> RiffRequest:
        return RiffRequest.from_dict(self.recipe["request"])

    def beside(self, name: str) -> Path:
        """A path in the folder that the sound is in."""
        return self.wav.with_name(name)

    def level_from_sound(self) -> NDArray[np.uint8]:
        """The level picture as a file of the sound shows it."""
        return level_of(pcm_of(self.wav), self.request)


def verify(
    path: Path,
    engine: "Renderer",
    source: Path | None = None,
    on_progress: Callable[["Progress"], None] | None = None,
) -> str:
    """Carry out the recipe in a file again and compare: a sentence that says how well they agree.

    `source` is the sound that it starts from, where its recipe does not tell how to make that. Raises RiffError where
    the file holds no recipe, was changed, or does not come out the same.
    """
    recipe, held = read_recipe(path)
    if held is not None and held != recipe["sha256"]:
        raise _changed(path, "sound")
    with ffmpeg.workplace() as work:
        again = make_again(recipe, engine, work / "again.wav", source, on_progress, name=path.name)
        how = _compared(path, ending_of(path), again)
    return f"{path.name} is what its recipe makes, {how}: {recipe['sha256']}"


def make_again(
    recipe: dict[str, Any],
    engine: "Renderer",
    wav: Path,
    source: Path | None = None,
    on_progress: Callable[["Progress"], None] | None = None,
    *,
    name: str,
    descendants: int = 0,
) -> Again:
    """Carry out a recipe, those of its sources first, and write its sound to the file `wav`.

    `name` is what errors call the file that the recipe is from; `descendants` counts the recipes that this one is the
    source of. Raises RiffError where another model is needed, a source is missing, or another sound comes out.
    """
    request = request_of(recipe)
    if recipe["model"] != engine.model_id:
        raise RiffError(f"{name} was made by {quoted(recipe['model'])}; this is {engine.model_id}.")
    previews: list[bytes] = []

    def watch(progress: "Progress") -> None:
        if progress.preview is not None:
            previews.append(progress.preview)
        if on_progress is not None:
            on_progress(progress)

    if isinstance(request.arrangement, Song):
        from generation.arrange import song

        made = song.write(engine, request, wav, on_progress)
        if _signature(made.recipe) != _signature(recipe):
            raise _different(name)
        return Again(recipe, wav, made.level, (), None)
    sound = None
    if request.source:
        sound = _nested(recipe, engine, wav, name, descendants) if source is None else read_audio(source)
    stem = recipe.get("stem")
    for take in perform(engine, request, sound, watch).takes:
        audio = take.audio if stem is None else take.stems.get(stem, take.audio)
        with wav_stream(wav, request) as out:
            out.write(audio)
            signature = out.samples, out.sha256
            out.finish(recipe)
        if signature == _signature(recipe):
            return Again(recipe, wav, take.image, tuple(previews), take)
        wav.unlink()
    raise _different(name)


def _signature(recipe: dict[str, Any]) -> tuple[int, str]:
    return recipe["samples"], recipe["sha256"]


def _nested(
    recipe: dict[str, Any], engine: "Renderer", wav: Path, name: str, descendants: int
) -> NDArray[np.float32]:
    """The sound that a recipe starts from, made from the recipe in it. Raises SourceMissing where there is none."""
    origin = recipe.get("source")
    if not isinstance(origin, dict) or "recipe" not in origin:
        raise SourceMissing(recipe["request"]["source"])
    if descendants == _MOST_DESCENDANTS:
        raise RiffError(f"{name} goes back to its first sound over too many others: give its source.")
    before = wav.with_name(f"source-{descendants}.wav")
    try:
        nested = checked(origin["recipe"])
    except ValueError:
        raise SourceMissing(recipe["request"]["source"]) from None
    make_again(nested, engine, before, name=f"A source of {name}", descendants=descendants + 1)
    return read_audio(before)


def _compared(path: Path, ending: str, again: Again) -> str:
    """How well a file agrees with what its recipe makes, whose digest does; raises RiffError where it does not."""
    match ending:
        case "json":
            return _compared_peaks(path, again)
        case "ogg" | "opus" | "mp3":
            return _compared_encoding(path, ending, again)
        case "mp4":
            return _compared_film(path, again)
        case "png" | "gif" | "webp":
            return _compared_picture(path, ending, again)
    return "sample for sample"


def _compared_peaks(path: Path, again: Again) -> str:
    peaks = json.loads(path.read_bytes()).get("peaks")
    if peaks is not None and peaks != json.loads(peaks_file(pcm_of(again.wav), again.recipe))["peaks"]:
        raise _changed(path, "line of peaks")
    return "sample for sample"


def _compared_encoding(path: Path, ending: str, again: Again) -> str:
    """Sound that has lost something: encoded again in the same way, it has to lose the same."""
    beside = again.beside("encoded")
    encode_file(again.wav, beside, ending, tags_of(again.recipe))
    if ending == "mp3" and not _same_bytes(path, beside):
        seconds = again.recipe["samples"] / SAMPLE_RATE
        with path.open("rb") as file:
            tag = id3_bytes(file.read(10))
        measured = (path.stat().st_size - tag) * 8 / seconds / 1000
        nearest = min(_MP3_KBPS, key=lambda kbps: abs(kbps - measured))
        encode_file(again.wav, beside, ending, tags_of(again.recipe), nearest)
    return _same_sound(path, beside, ending, again)


def _compared_film(path: Path, again: Again) -> str:
    beside = again.beside("film")
    film(again.wav, beside, again.level_from_sound(), again.recipe)
    how = _same_sound(path, beside, "mp4", again)
    if not _same_bytes(path, beside) and not _same_frames(path, beside, again):
        raise _changed(path, "picture")
    return how


def _compared_picture(path: Path, ending: str, again: Again) -> str:
    try:
        with open_picture(path, ending) as picture:
            for candidate in _pictures(ending, picture.size, again):
                if _same_pictures(picture, Image.open(io.BytesIO(candidate))):
                    return "its picture too"
    except (OSError, SyntaxError, ValueError, EOFError):  # what Pillow raises for a damaged file
        pass
    raise _changed(path, "picture")


def _pictures(ending: str, size: tuple[int, int], again: Again) -> Iterator[bytes]:
    """All that a file of ours may show: the model's own picture or the sound's in either theme, or an animation."""
    if ending == "png":
        bars, beats = grid_of(again.recipe)
        levels = (again.level, again.level_from_sound())
        for level, theme in itertools.product(levels, THEMES):
            yield picture_of(level, bars, beats, again.recipe, theme, *size)
        return
    take = again.take or Take(np.zeros((0, 2), np.float32), again.level, again.recipe)
    if ending == "webp":
        yield from (thumbnail(take, theme) for theme in THEMES)
    else:
        yield from (playhead(level, again.recipe) for level in (again.level, again.level_from_sound()))
    yield denoising(again.previews, take, ending)


def _same_pictures(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures, or animations, look alike in every frame."""
    if one.size != other.size or getattr(one, "n_frames", 1) != getattr(other, "n_frames", 1):
        return False
    return all(
        itertools.starmap(
            _alike, zip(ImageSequence.Iterator(one), ImageSequence.Iterator(other), strict=True)
        )
    )


def _alike(one: Image.Image, other: Image.Image) -> bool:
    difference = np.asarray(one.convert("RGB"), np.float32) - np.asarray(other.convert("RGB"), np.float32)
    return bool(np.abs(difference).mean() <= _SAME_COLOURS)


def _same_bytes(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        return hashlib.file_digest(first, "sha256").digest() == hashlib.file_digest(second, "sha256").digest()


def _same_sound(path: Path, beside: Path, ending: str, again: Again) -> str:
    """How well the sound of a file agrees with that of its like; raises RiffError where it does not.

    Where another version of an encoder wrote it, it may in no second be much farther from the lossless sound than
    ours is: what two encoders lose is as different as two noises, but there is as much of it.
    """
    if _same_bytes(path, beside):
        return "byte for byte"
    seconds = again.recipe["samples"] / SAMPLE_RATE
    files = ((path, DEMUXERS[ending]), (beside, DEMUXERS[ending]), (again.wav, "wav"))
    output = ["-map", "0:a:0", "-ac", "2", "-ar", f"{SAMPLE_RATE}", "-f", "s16le"]
    held, made, lossless = (
        _decoded(file, container, output, again.beside(f"decoded-{which}"), seconds)
        for which, (file, container) in enumerate(files)
    )
    if len(held) != len(made):
        raise _changed(path, "sound")
    if np.array_equal(held, made):
        return "sample for sample once decoded"
    starts = range(0, len(made), 2 * SAMPLE_RATE)
    power, our_loss, loss = np.zeros((3, len(starts)))
    shared = np.zeros(3)
    for second, start in enumerate(starts):
        # A film plays its loop more than once.
        around = np.arange(start, min(start + 2 * SAMPLE_RATE, len(made))) % len(lossless)
        sound, ours = lossless[around].astype(np.float64), made[start:][: len(around)].astype(np.float64)
        theirs = held[start:][: len(around)].astype(np.float64)
        power[second] = sound @ sound
        our_loss[second], loss[second] = np.square(ours - sound).sum(), np.square(theirs - sound).sum()
        shared += (ours @ ours, theirs @ theirs, ours @ theirs)
    if (loss > _MORE_LOSS * our_loss + _MORE_ERROR * power.mean()).any():
        raise _changed(path, "sound")
    correlation = shared[2] / max(1.0, np.sqrt(shared[0] * shared[1]))
    return f"as another version of the encoder writes it (correlation {correlation:.4f})"


def _same_frames(path: Path, beside: Path, again: Again) -> bool:
    seconds = again.recipe["samples"] / SAMPLE_RATE
    output = ["-map", "0:v:0", "-vf", _LOOK, "-f", "rawvideo"]
    held, made = (
        _decoded(file, "mov", output, again.beside(f"seen-{which}"), seconds).view(np.uint8)
        for which, file in enumerate((path, beside))
    )
    if len(held) != len(made):
        return False
    frames = np.abs(held.astype(np.float32) - made).reshape(-1, _LOOK_PIXELS)
    return bool((frames.mean(1) <= 2 * _SAME_COLOURS).all())


def _decoded(path: Path, container: str, output: list[str], raw: Path, seconds: float) -> NDArray[np.int16]:
    """What ffmpeg makes of a file, in the file `raw`, and not much more of it than twice so many seconds."""
    longest = 2 * seconds + 20
    try:
        ffmpeg.run(
            [*ffmpeg.read_from(path, container), "-t", f"{longest:.3f}", *output, f"file:{raw}"],
            seconds=_SECONDS + longest,
            largest=int(longest * SAMPLE_RATE * 4) + (1 << 20),
            work=raw.parent,
        )
    except ffmpeg.FfmpegFailed:
        raise _changed(path, "sound") from None
    return np.memmap(raw, np.int16, "r") if raw.stat().st_size > 1 else np.zeros(0, np.int16)


def _changed(path: Path, part: str) -> RiffError:
    return RiffError(f"{path.name} was changed after it was made: its {part} is not the one in its recipe.")


def _different(name: str) -> RiffError:
    return RiffError(f"{name} does not come out the same here: another machine or library made it.")
