"""`riff remix`: a loop out of any sound and a prompt."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import takes as options
from cli.sources import Source, open_source
from generation.request import SAMPLE_RATE, RiffRequest

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
    source = open_source(file)
    found = _settings(source)
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
        source=source.sha256,
    )
    options.make_and_write([request], out, model, as_json=as_json, source=source)


def _settings(source: Source) -> dict[str, Any]:
    """What the request takes over from the source; says on stderr what was found."""
    from generation.arrange.grid import find_grid

    own = source.request
    if own is not None and own.samples == len(source.audio):
        typer.echo(f"{source.name}: {own.bpm:g} bpm in {own.metre}, a loop of ours", err=True)
        return {name: own.to_dict()[name] for name in ("bars", "bpm", "metre", "key")}
    grid = find_grid(source.audio)
    if grid.is_free:
        typer.echo(f"{source.name}: no steady beat found, so its time is taken as it runs", err=True)
    else:
        start, bars = grid.downbeat_samples / SAMPLE_RATE, grid.bars_in(len(source.audio))
        typer.echo(
            f"{source.name}: {grid.bpm:.2f} bpm in {grid.metre}, downbeat at {start:.2f} s, whole bars: {bars}"
            f" ({grid.confidence:.0%} sure)",
            err=True,
        )
    return grid.settings(len(source.audio))
