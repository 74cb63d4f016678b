"""`riff make` and `riff presets`: loops as files, without database or server."""

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from cli import takes as options
from generation.presets import PRESETS
from generation.request import RiffRequest

commands = typer.Typer()


@commands.command()
def make(
    prompt: options.Prompt,
    bars: options.Bars = "",
    bpm: options.Bpm = None,
    metre: options.Metre = None,
    key: options.KeyName = None,
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
    """Make a riff: writes NAME.wav, NAME.png and NAME.json for each take and prints the paths."""
    request = RiffRequest.parse(
        prompt=prompt,
        preset=preset,
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
    options.make_and_write([request], out, model, as_json=as_json)


@commands.command()
def presets() -> None:
    """List the presets: what each fills in where a request does not say it."""
    table = Table("preset", "what it sets", box=None)
    for name, settings in PRESETS.items():
        table.add_row(name, ", ".join(f"{field} {value}" for field, value in settings.items()) or "nothing")
    Console().print(table)
