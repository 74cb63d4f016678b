"""`riff morph`: from prompt to prompt, as a series of loops or as one piece."""

from pathlib import Path
from typing import Annotated

import typer

from cli import takes as options
from generation.request import RiffRequest

commands = typer.Typer()


@commands.command()
def morph(
    prompts: Annotated[
        list[str], typer.Argument(help="Where the morph starts, what it passes, where it ends.")
    ],
    loops: Annotated[
        str, typer.Option(help="How many loops, 2 to 16; the first and last are the ends.")
    ] = "5",
    over: Annotated[
        str, typer.Option(help="“loops”: a file for each loop; “time”: one piece of all.")
    ] = "loops",
    curve: Annotated[str, typer.Option(help="How the way is gone: linear, ease or step.")] = "linear",
    to_seed: Annotated[str | None, typer.Option(help="Another seed, to which the noise is turned.")] = None,
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
    """Morph from prompt to prompt: loops on one grid that each loop by themselves, or one piece over time."""
    first, *further = prompts
    request = RiffRequest.parse(
        prompt=first,
        preset=preset,
        bars=bars,
        bpm=bpm,
        metre=metre,
        key=key,
        seed=seed,
        negative_prompt=negative,
        steps=steps,
        guidance_scale=guidance,
        arrangement={
            "kind": "morph",
            "prompts": further,
            "loops": loops,
            "over": over,
            "curve": curve,
            "to_seed": to_seed,
        },
    )
    options.make_and_write([request], out, model, as_json=as_json)
