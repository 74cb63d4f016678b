"""`riff remix`: a loop out of any sound and a prompt."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from cli import takes as options
from cli.progress import riff_progress
from generation.errors import RiffError
from generation.request import SAMPLE_RATE, Riff, RiffRequest

commands = typer.Typer()


@commands.command()
def remix(
    file: Annotated[Path, typer.Argument(help="A WAV, MP3, OGG, Opus, FLAC or M4A of up to 60 s.")],
    prompt: options.Prompt,
    bars: Annotated[str, typer.Option(help="Length in bars, 1 to 16; else the source's, up to 8.")] = "",
    bpm: Annotated[str | None, typer.Option(help="Tempo, 40 to 240; else the source's.")] = None,
    metre: Annotated[str | None, typer.Option(help="4/4, 3/4 or 6/8; else the source's.")] = None,
    key: options.KeyName = None,
    strength: Annotated[str, typer.Option(help="How little is left of the source, 0.05 to 1.")] = "0.6",
    seed: options.Seed = None,
    takes: options.Takes = "",
    negative: options.Negative = "",
    steps: options.Steps = "",
    guidance: options.Guidance = "",
    preset: options.Preset = "",
    out: options.Out = Path(),
    model: options.Model = None,
    as_json: options.AsJson = False,
) -> None:
    """Imagine a sound anew: finds its tempo and bars, and makes a loop of it that follows a prompt."""
    from generation.audio.ingest import read_audio
    from generation.audio.pcm import sha256

    audio = read_audio(file)
    recipe = _own_recipe(file, audio)
    found = _settings(file, audio, recipe)
    given = {"bars": bars, "bpm": bpm, "metre": metre, "key": key}
    request = RiffRequest.parse(
        prompt=prompt,
        preset=preset,
        **{**found, **{name: value for name, value in given.items() if value not in (None, "")}},
        strength=strength,
        seed=seed,
        takes=takes,
        negative_prompt=negative,
        steps=steps,
        guidance_scale=guidance,
        source=sha256(audio),
    )
    folder = options.folder_for(out)
    watch = options.Stopwatch()
    with riff_progress(request.prompt) as on_progress:
        from generation.arrange import perform

        with watch.timed("loading"):
            engine = options.load(model)
        riff = perform(engine, request, audio, on_progress)
    options.write_takes(_with_origin(riff, recipe), folder, watch, engine.model_id, as_json=as_json)


def _own_recipe(file: Path, audio: NDArray[np.float32]) -> dict[str, Any] | None:
    """The recipe of a loop that is still as it was made here."""
    from generation.audio.pcm import sha256
    from generation.audio.recipes import read_recipe

    try:
        recipe, _ = read_recipe(file)
        is_loop = RiffRequest.from_dict(recipe["request"]).samples == len(audio)
    except RiffError:
        return None
    return recipe if is_loop and recipe["sha256"] == sha256(audio) else None


def _settings(file: Path, audio: NDArray[np.float32], recipe: dict[str, Any] | None) -> dict[str, Any]:
    """What the request takes over from the source; says on stderr what was found."""
    from generation.arrange.grid import find_grid

    if recipe is not None:
        own = {name: recipe["request"][name] for name in ("bars", "bpm", "metre", "key")}
        typer.echo(f"{file.name}: {own['bpm']:g} bpm in {own['metre']}, a loop of ours", err=True)
        return own
    grid = find_grid(audio)
    if grid.is_free:
        typer.echo(f"{file.name}: no steady beat found, so its time is taken as it runs", err=True)
    else:
        start, bars = grid.downbeat_samples / SAMPLE_RATE, grid.bars_in(len(audio))
        typer.echo(
            f"{file.name}: {grid.bpm:.2f} bpm in {grid.metre}, downbeat at {start:.2f} s, whole bars: {bars}"
            f" ({grid.confidence:.0%} sure)",
            err=True,
        )
    return grid.settings(len(audio))


def _with_origin(riff: Riff, recipe: dict[str, Any] | None) -> Riff:
    """The riff whose recipes hold the recipe of what they start from, where there is one."""
    if recipe is None:
        return riff
    takes = [
        replace(take, recipe={**take.recipe, "source": {**take.recipe["source"], "recipe": recipe}})
        for take in riff.takes
    ]
    return replace(riff, takes=tuple(takes))
