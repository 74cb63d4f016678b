"""`riff export`: a loop that is there already in other formats."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import takes as options
from cli.progress import riff_progress
from generation import fields
from generation.errors import RiffError
from generation.files import write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from generation.verify import Again

commands = typer.Typer()

_SOUNDS = ("flac", "ogg", "opus", "mp3")
_THEMES = {"png": "dark", "png-light": "light"}
_ANIMATIONS = ("gif", "webp")
_NAMES = {"png": "-dark.png", "png-light": "-light.png", "peaks": ".peaks.json"}
FORMATS = (*_SOUNDS, *_THEMES, *_ANIMATIONS, "mp4", "peaks")


@commands.command()
def export(
    file: Annotated[Path, typer.Argument(help="A WAV or JSON file that riff made.")],
    to: Annotated[str, typer.Option(help=f"What to write, with commas: {', '.join(FORMATS)}.")] = (
        "flac,mp3,png,mp4"
    ),
    out: Annotated[Path | None, typer.Option(help="Folder for the files; else the file's own.")] = None,
    source: Annotated[
        Path | None, typer.Option(help="The sound that it starts from, where that is not one of ours.")
    ] = None,
    model: options.Model = None,
) -> None:
    """Write a loop or song in other formats, with its recipe in each, and print the paths.

    The WAV's own samples are encoded and drawn. GIF and WebP show how its picture came out of the noise, for which it
    is made again, as it is where only the JSON is given.
    """
    from generation.audio import ffmpeg
    from generation.audio.recipes import ending_of, pcm_of, read_recipe, request_of

    wanted = _formats(to)
    recipe, held = read_recipe(file)
    ending, request = ending_of(file), request_of(recipe)
    if ending not in ("wav", "json"):
        raise RiffError(f"{file.name} is not a WAV or JSON file: those are what can be exported.")
    if ending == "wav" and (held != recipe["sha256"] or len(pcm_of(file)) != recipe["samples"]):
        raise RiffError(f"{file.name} was changed after it was made: its sound is not the one in its recipe.")
    folder = file.parent if out is None else options.folder_for(out)
    with ffmpeg.workplace() as work, riff_progress(request.prompt) as on_progress:
        wav, again = file, None
        if ending == "json" or not set(wanted).isdisjoint(_ANIMATIONS):
            from generation.verify import make_again

            engine = options.load(model)
            again = make_again(recipe, engine, work / "again.wav", source, on_progress, name=file.name)
            wav = again.wav
        paths = [_write(kind, folder / file.stem, wav, recipe, again) for kind in wanted]
    typer.echo("\n".join(map(str, paths)))


def _formats(to: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(part.strip().lower() for part in to.split(",") if part.strip()))
    unknown = [part for part in wanted if part not in FORMATS]
    if unknown or not wanted:
        raise RiffError(
            f"{fields.quoted(unknown[0] if unknown else to)} cannot be written: choose from {', '.join(FORMATS)}."
        )
    return wanted


def _write(kind: str, base: Path, wav: Path, recipe: dict[str, Any], again: "Again | None") -> Path:
    """Write one format beside `base`, a path without ending, whole or not at all; gives the file's path."""
    from generation.audio.animation import denoising
    from generation.audio.export import encode_file, peaks_file, tags_of
    from generation.audio.picture import grid_of, picture_of
    from generation.audio.recipes import pcm_of
    from generation.audio.video import film

    path = base.with_name(f"{base.name}{_NAMES.get(kind, f'.{kind}')}")
    try:
        if kind in _SOUNDS:
            encode_file(wav, path, kind, tags_of(recipe))
        elif kind == "mp4":
            film(wav, path, _level(wav, recipe), recipe)
        else:
            if kind == "peaks":
                content = peaks_file(pcm_of(wav), recipe)
            elif kind in _THEMES:
                content = picture_of(_level(wav, recipe), *grid_of(recipe), recipe, _THEMES[kind])
            elif again is None or again.take is None:
                raise RiffError(
                    "A song is made of many loops: GIF and WebP show how one came out of the noise."
                )
            else:
                content = denoising(again.previews, again.take, kind)
            with write_whole(path) as file:
                file.write(content)
    except OSError as error:
        raise RiffError(f"{path} cannot be written: {error.strerror}.") from None
    return path


def _level(wav: Path, recipe: dict[str, Any]) -> "NDArray[np.uint8]":
    from generation.audio.level import level_of
    from generation.audio.recipes import pcm_of, request_of

    return level_of(pcm_of(wav), request_of(recipe))
