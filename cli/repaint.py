"""`riff repaint`, `riff extend` and `riff vary`: a loop that is there already, in part made anew."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import takes as options
from cli.sources import Source, open_source
from generation import fields
from generation.errors import RiffError
from generation.request import KEEPS, TAKES, RiffRequest

commands = typer.Typer()

File = Annotated[Path, typer.Argument(help="A loop: a WAV or FLAC of ours, or other audio and --bpm.")]
OwnPrompt = Annotated[str, typer.Argument(help="What to hear; else what the loop was made from.")]
OwnBpm = Annotated[str | None, typer.Option(help="The tempo of a loop that is not ours.")]
OwnMetre = Annotated[str | None, typer.Option(help="The metre of a loop that is not ours; else 4/4.")]
_AMOUNTS = {"near": 0.35, "far": 0.7}


@commands.command()
def repaint(
    file: File,
    prompt: OwnPrompt = "",
    bars: Annotated[str, typer.Option(help="Which bars, like 2-3 or 4; all where nothing is said.")] = "",
    low_hz: Annotated[str | None, typer.Option(help="Only what is higher than this is made anew.")] = None,
    high_hz: Annotated[str | None, typer.Option(help="Only what is lower than this is made anew.")] = None,
    strength: Annotated[str, typer.Option(help="How little is left of what is there, 0.05 to 1.")] = "1",
    bpm: OwnBpm = None,
    metre: OwnMetre = None,
    seed: options.Seed = None,
    takes: options.Takes = "",
    negative: options.Negative = "",
    steps: options.Steps = "",
    guidance: options.Guidance = "",
    out: options.Out = Path(),
    model: options.Model = None,
    as_json: options.AsJson = False,
) -> None:
    """Make some bars of a loop anew, or a band of them; every other sample stays as it is."""
    source = open_source(file)
    arrangement = {"kind": "repaint", "bars": bars, "low_hz": low_hz, "high_hz": high_hz}
    request = RiffRequest.parse(
        prompt=_prompt(source, prompt),
        **source.grid(bpm, metre),
        seed=seed,
        takes=takes,
        negative_prompt=negative,
        steps=steps,
        guidance_scale=guidance,
        strength=strength,
        source=source.sha256,
        arrangement=arrangement,
    )
    options.make_and_write([request], out, model, as_json=as_json, source=source)


@commands.command()
def extend(
    file: File,
    prompt: OwnPrompt = "",
    bars: Annotated[str, typer.Option(help="How many bars to add; else as many as there are.")] = "",
    before: Annotated[bool, typer.Option("--before", help="Add them before the loop, not after.")] = False,
    strength: Annotated[str, typer.Option(help="How far the new bars may leave the old ones, to 1.")] = "0.9",
    bpm: OwnBpm = None,
    metre: OwnMetre = None,
    seed: options.Seed = None,
    takes: options.Takes = "",
    negative: options.Negative = "",
    steps: options.Steps = "",
    guidance: options.Guidance = "",
    out: options.Out = Path(),
    model: options.Model = None,
    as_json: options.AsJson = False,
) -> None:
    """Continue a loop by more bars, after it or before it; what comes out is a loop again."""
    source = open_source(file)
    grid = source.grid(bpm, metre)
    added = fields.whole("bars", bars, (1, 15), grid["bars"])
    request = RiffRequest.parse(
        prompt=_prompt(source, prompt),
        **{**grid, "bars": grid["bars"] + added},
        seed=seed,
        takes=takes,
        negative_prompt=negative,
        steps=steps,
        guidance_scale=guidance,
        strength=strength,
        source=source.sha256,
        arrangement={"kind": "extend", "bars": added, "side": "before" if before else "after"},
    )
    options.make_and_write([request], out, model, as_json=as_json, source=source)


@commands.command()
def vary(
    file: File,
    prompt: OwnPrompt = "",
    amount: Annotated[
        str, typer.Option(help="near, far, or a number from 0 to 1; near, and 1 with --keep.")
    ] = "",
    keep: Annotated[str, typer.Option(help="What stays for certain: groove or harmony.")] = "",
    bpm: OwnBpm = None,
    metre: OwnMetre = None,
    seed: options.Seed = None,
    takes: options.Takes = "",
    out: options.Out = Path(),
    model: options.Model = None,
    as_json: options.AsJson = False,
) -> None:
    """Make variations of a loop, near or far, that may keep its groove or its harmony."""
    source = open_source(file)
    kept = fields.choice("keep", keep, KEEPS, "")
    share = fields.number(
        "amount", _AMOUNTS.get(amount, amount), (0.0, 1.0), 1.0 if kept else _AMOUNTS["near"]
    )
    count = fields.whole("takes", takes, TAKES, 1)
    first = fields.whole("seed", seed, (0, fields.MAX_SEED), secrets.randbelow(fields.MAX_SEED + 1))
    own = source.request
    following = ((first + index) % (fields.MAX_SEED + 1) for index in range(count + 1))
    seeds = [seed for seed in following if own is None or seed != own.seed][:count]
    if own is not None and not own.source and own.arrangement is None:
        start = replace(own, prompt=prompt or own.prompt, source=source.sha256 if kept else "", keep=kept)
        requests = [replace(start, variation_seed=other, variation=share) for other in seeds]
    elif own is None and not kept:
        raise RiffError(f"{file.name} is not a loop of ours: say what to --keep of it, or use riff remix.")
    else:
        said: dict[str, Any] = {"keep": kept} if kept else {"strength": max(share, 0.05)}
        grid = source.grid(bpm, metre)
        requests = [
            RiffRequest.parse(
                prompt=_prompt(source, prompt), **grid, **said, seed=other, source=source.sha256
            )
            for other in seeds
        ]
    options.make_and_write(requests, out, model, as_json=as_json, source=source)


def _prompt(source: Source, prompt: str) -> str:
    if prompt or source.request is None:
        return prompt
    return source.request.prompt
