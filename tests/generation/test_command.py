"""What is typed to make a riff again is read by the command line as the same request."""

import shlex
from dataclasses import replace
from typing import Any

import pytest
import typer

from cli.main import app
from generation.command import command_of
from generation.request import RiffRequest

WISHES: list[dict[str, Any]] = [
    {"prompt": "church bells into electronic beats", "seed": 7},
    {"prompt": '-- it\'s "90 bpm" $HOME; rm *', "seed": 0, "bpm": 93.5, "key": "F# minor", "metre": "6/8"},
    {"prompt": "a waltz in E minor", "seed": 2**32 - 1, "negative_prompt": "drums", "steps": 20, "takes": 3},
    {"prompt": "-dry", "seed": 1, "bars": 16, "guidance_scale": 7.25},
]


@pytest.mark.parametrize("wish", WISHES)
def test_a_plain_request_is_made_again(wish: dict[str, Any]) -> None:
    request = RiffRequest.parse(**wish)
    name, *words = shlex.split(command_of(request, "loop.json"))
    assert name == "riff"
    group = typer.main.get_command(app)
    context = group.make_context("riff", words)
    make = group.get_command(context, "make")  # type: ignore[attr-defined]
    given = make.make_context("make", words[1:]).params
    assert words[0] == "make"
    read = RiffRequest.parse(
        prompt=given["prompt"],
        bars=given["bars"],
        bpm=given["bpm"],
        metre=given["metre"],
        key=given["key"],
        seed=given["seed"],
        takes=given["takes"],
        negative_prompt=given["negative"],
        steps=given["steps"],
        guidance_scale=given["guidance"],
    )
    assert read == replace(request, takes=1)


@pytest.mark.parametrize(
    "more",
    [
        {"variation_seed": 3, "variation": 0.35},
        {"arrangement": {"kind": "song"}},
        {"morph_to": "rain", "morph": 0.5},
    ],
)
def test_what_riff_make_has_no_options_for_is_made_from_its_recipe(more: dict[str, Any]) -> None:
    request = RiffRequest.parse(prompt="bells", seed=7, **more)
    assert command_of(request, "my loop.json") == "riff export 'my loop.json' --to flac,png"
