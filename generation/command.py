"""A request as a command line that makes it again."""

import shlex
from dataclasses import replace

from generation.request import RiffRequest


def command_of(request: RiffRequest, recipe_file: str) -> str:
    """What to type for the same bytes: `riff make` with everything said.

    What that has no options for (a source, a variation, a song) is made again from its recipe, kept in `recipe_file`.
    """
    plain = RiffRequest(
        prompt=request.prompt,
        seed=request.seed,
        bars=request.bars,
        bpm=request.bpm,
        metre=request.metre,
        key=request.key,
        negative_prompt=request.negative_prompt,
        steps=request.steps,
        guidance_scale=request.guidance_scale,
    )
    if replace(request, takes=1) != plain:
        return shlex.join(["riff", "export", recipe_file, "--to", "flac,png"])
    words = ["riff", "make"]
    for option, value in (
        ("--bars", request.bars),
        ("--bpm", f"{request.bpm!r}".removesuffix(".0")),
        ("--metre", request.metre),
        ("--key", request.key),
        ("--seed", request.seed),
        ("--negative", request.negative_prompt),
        ("--steps", request.steps),
        ("--guidance", f"{request.guidance_scale!r}".removesuffix(".0")),
    ):
        if value not in (None, ""):
            words += [option, str(value)]
    return shlex.join([*words, "--", request.prompt])
