"""`riff make` and `riff verify`: loops as files, without database or server."""

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.progress import riff_progress
from generation.errors import RiffError
from generation.files import write_whole
from generation.request import RiffRequest, Take

commands = typer.Typer()


@commands.command()
def make(
    prompt: Annotated[str, typer.Argument(help="What to hear: “church bells into electronic beats”.")],
    bars: Annotated[str, typer.Option(help="Length in bars, 1 to 16.")] = "4",
    bpm: Annotated[str | None, typer.Option(help="Tempo, 40 to 240; else the prompt's, else 120.")] = None,
    metre: Annotated[str | None, typer.Option(help="4/4, 3/4 or 6/8; else the prompt's, else 4/4.")] = None,
    key: Annotated[str | None, typer.Option(help="Key, like Am or F# major.")] = None,
    seed: Annotated[str | None, typer.Option(help="The same seed gives the same bytes again.")] = None,
    takes: Annotated[str, typer.Option(help="How many candidates, 1 to 4.")] = "1",
    negative: Annotated[str, typer.Option(help="What not to hear.")] = "",
    steps: Annotated[str, typer.Option(help="Denoising steps, 1 to 100.")] = "8",
    guidance: Annotated[str, typer.Option(help="How literally to take the prompt, 1 to 15.")] = "3.5",
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path(),
    model: Annotated[Path | None, typer.Option(envvar="RIFF_MODEL", help="Another model's folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of paths.")] = False,
) -> None:
    """Make a riff: writes NAME.wav, NAME.png and NAME.json for each take and prints the paths."""
    request = RiffRequest.parse(
        prompt=prompt,
        bars=bars,
        bpm=bpm,
        metre=metre,
        key=key,
        seed=seed,
        takes=takes,
        negative_prompt=negative,
        steps=steps,
        guidance_scale=guidance,
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RiffError(f"The folder {out} cannot be used: {error.strerror}.") from None
    started = time.perf_counter()
    with riff_progress(request.prompt) as on_progress:
        from generation.engine import Engine

        engine = Engine.load(model)
        loaded = time.perf_counter()
        riff = engine.render(request, on_progress)
        rendered = time.perf_counter()
        written = [_write(take, out) for take in riff.takes]
    timings = {
        "loading": loaded - started,
        **riff.timings,
        "writing": time.perf_counter() - rendered,
        "all": time.perf_counter() - started,
    }
    if as_json:
        record: dict[str, Any] = {
            "seed": request.seed,
            "bpm": request.bpm,
            "key": None if request.key is None else str(request.key),
            "bars": request.bars,
            "metre": request.metre,
            "seconds": request.seconds,
            "model": engine.model_id,
            "paths": [path for paths in written for path in paths.values()],
            "takes": [{"seed": request.take(index).seed, **paths} for index, paths in enumerate(written)],
            "timings": {name: round(seconds, 3) for name, seconds in timings.items()},
        }
        typer.echo(json.dumps(record))
    else:
        for paths in written:
            typer.echo("\n".join(paths.values()))


@commands.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A WAV or JSON file that riff make wrote.")],
    model: Annotated[Path | None, typer.Option(envvar="RIFF_MODEL", help="Another model's folder.")] = None,
) -> None:
    """Render a loop again from the recipe in its file and compare, sample by sample."""
    from generation.audio.recipes import read_recipe

    recipe, held = read_recipe(file)
    from generation.engine import Engine

    engine = Engine.load(model)
    if recipe["model"] != engine.model_id:
        raise RiffError(f"{file.name} was made by {recipe['model']}; this is {engine.model_id}.")
    request = RiffRequest.from_dict(recipe["request"])
    with riff_progress(request.prompt) as on_progress:
        again = engine.render(request, on_progress).takes[0].recipe["sha256"]
    if held is not None and held != recipe["sha256"]:
        raise RiffError(f"{file.name} was changed after it was made: its sound is not the one in its recipe.")
    if again != recipe["sha256"]:
        raise RiffError(f"{file.name} does not come out the same here: another machine or library made it.")
    typer.echo(f"{file.name} is what its recipe makes: {recipe['sha256']}")


def _write(take: Take, folder: Path) -> dict[str, str]:
    """The take's three files, all of them or none."""
    from generation.audio.export import wav
    from generation.audio.picture import spectrogram_png

    name = RiffRequest.from_dict(take.recipe["request"]).name
    contents = {
        "wav": wav(take),
        "png": spectrogram_png(take),
        "json": json.dumps(take.recipe, indent=1, sort_keys=True).encode() + b"\n",
    }
    paths = {ending: folder / f"{name}.{ending}" for ending in contents}
    try:
        with ExitStack() as stack:
            files = {ending: stack.enter_context(write_whole(path)) for ending, path in paths.items()}
            for ending, content in contents.items():
                files[ending].write(content)
                files[ending].flush()
    except OSError as error:
        raise RiffError(f"The files cannot be written to {folder}: {error.strerror}.") from None
    return {ending: str(path) for ending, path in paths.items()}
