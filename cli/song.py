"""`riff song` and `riff layers`: a whole piece with an end, and a loop as stems that fit each other."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli import takes as options
from cli.progress import share_progress
from generation import fields
from generation.arrangement import SONG_SECONDS, Song
from generation.errors import RiffError
from generation.form import Section, plan
from generation.request import SAMPLE_RATE, RiffRequest

if TYPE_CHECKING:
    from generation.arrange.song import SongFile
    from generation.engine import Progress

commands = typer.Typer()


@commands.command()
def song(
    prompt: options.Prompt,
    minutes: Annotated[str, typer.Option(help="About how long, half a minute to 6.")] = "2",
    form: Annotated[
        str,
        typer.Option(
            help="Its sections, like “intro A A' B:8 break A outro”; else chosen by length and seed."
        ),
    ] = "",
    bars: Annotated[
        str, typer.Option(help="Length of a phrase in bars, 1 to 16; 4 where nothing else says it.")
    ] = "",
    bpm: options.Bpm = None,
    metre: options.Metre = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Key, like Am or F# major; else the seed chooses one.")
    ] = None,
    seed: options.Seed = None,
    negative: options.Negative = "",
    steps: options.Steps = "",
    guidance: options.Guidance = "",
    preset: options.Preset = "",
    out: options.Out = Path(),
    model: options.Model = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a song: shows its plan, writes NAME.wav while it is made, then NAME.png and NAME.json."""
    lowest, highest = (seconds / 60 for seconds in SONG_SECONDS)
    seconds = 60 * fields.number("minutes", minutes, (lowest, highest), 2.0)
    request = RiffRequest.parse(
        prompt=prompt,
        preset=preset,
        bars=bars,
        bpm=bpm,
        metre=metre,
        key=key,
        seed=seed,
        negative_prompt=negative,
        steps=steps,
        guidance_scale=guidance,
        arrangement={"kind": "song", "seconds": seconds, "form": form},
    )
    assert isinstance(request.arrangement, Song)
    sections = plan(request, request.arrangement.seconds, request.arrangement.form)
    folder = options.folder_for(out)
    _show(request, sections)
    watch = options.Stopwatch()
    with share_progress(request.prompt) as told:

        def on_progress(at: "Progress") -> None:
            told(at.fraction, f"{sections[at.take].name} ({at.take + 1} of {at.takes})")

        from generation.arrange.song import write

        with watch.timed("loading"):
            engine = options.load(model)
        path = folder / f"{request.name}.wav"
        try:
            with watch.timed("making"):
                made = write(engine, request, path, on_progress)
        except OSError as error:
            raise RiffError(f"The song cannot be written to {folder}: {error.strerror}.") from None
    paths = _write_beside(made)
    if as_json:
        typer.echo(json.dumps(_summary(request, made, paths, watch)))
    else:
        typer.echo("\n".join(map(str, paths)))


@commands.command()
def layers(
    prompt: options.Prompt,
    drums: Annotated[
        str | None, typer.Option(help="A prompt for the drums; “” follows the main one.")
    ] = None,
    bass: Annotated[str | None, typer.Option(help="A prompt for the bass.")] = None,
    harmony: Annotated[str | None, typer.Option(help="A prompt for the harmony.")] = None,
    lead: Annotated[str | None, typer.Option(help="A prompt for the lead.")] = None,
    bars: options.Bars = "",
    bpm: options.Bpm = None,
    metre: options.Metre = None,
    key: options.KeyName = None,
    seed: options.Seed = None,
    negative: options.Negative = "",
    steps: options.Steps = "",
    guidance: options.Guidance = "",
    preset: options.Preset = "",
    out: options.Out = Path(),
    model: options.Model = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a loop in layers: NAME.wav is the sum of NAME-drums.wav, NAME-bass.wav and so on.

    Without a prompt for any layer there are all four; with some, just those.
    """
    asked = {"drums": drums, "bass": bass, "harmony": harmony, "lead": lead}
    request = RiffRequest.parse(
        prompt=prompt,
        preset=preset,
        bars=bars,
        bpm=bpm,
        metre=metre,
        key=key,
        seed=seed,
        negative_prompt=negative,
        steps=steps,
        guidance_scale=guidance,
        arrangement={"kind": "layers", **{role: text for role, text in asked.items() if text is not None}},
    )
    options.make_and_write([request], out, model, as_json=as_json)


def _show(request: RiffRequest, sections: tuple[Section, ...]) -> None:
    """The plan as a table on stderr."""
    bar = request.seconds / request.bars
    table = Table("from", "section", "bars", "how", box=None)
    for section in sections:
        seconds = int(section.start * bar)
        table.add_row(
            f"{seconds // 60}:{seconds % 60:02}", section.name, str(section.bars), ", ".join(_how(section))
        )
    Console(stderr=True).print(table)


def _how(section: Section) -> list[str]:
    said = [section.addition] if section.addition else []
    if section.swell_db:
        said.append("grows" if section.swell_db > 0 else "fades")
    if section.ending:
        said.append({"fill": "ends with a fill", "build": "builds up"}[section.ending])
    return said


def _write_beside(made: "SongFile") -> list[Path]:
    """The song's picture and recipe beside its sound; where they cannot be written, that goes as well."""
    from generation.audio.picture import grid_of, picture_of

    png, recipe = (made.path.with_suffix(ending) for ending in (".png", ".json"))
    try:
        options.write_files(
            {
                png: picture_of(made.level, *grid_of(made.recipe), made.recipe),
                recipe: json.dumps(made.recipe, indent=1, sort_keys=True).encode() + b"\n",
            }
        )
    except BaseException:
        made.path.unlink(missing_ok=True)
        raise
    return [made.path, png, recipe]


def _summary(
    request: RiffRequest, made: "SongFile", paths: list[Path], watch: options.Stopwatch
) -> dict[str, Any]:
    return {
        "seed": request.seed,
        "bpm": request.bpm,
        "key": made.recipe["song"]["key"],
        "metre": request.metre,
        "seconds": made.recipe["samples"] / SAMPLE_RATE,
        "model": made.recipe["model"],
        "paths": [str(path) for path in paths],
        "sections": made.recipe["song"]["sections"],
        "timings": watch.all(),
    }
