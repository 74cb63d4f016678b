"""`riff verify`: whether a file is what its recipe makes."""

from pathlib import Path
from typing import Annotated

import typer

from cli import takes as options
from cli.progress import riff_progress

commands = typer.Typer()


@commands.command()
def verify(
    file: Annotated[Path, typer.Argument(help="Any file that riff made: sound, picture, film or JSON.")],
    source: Annotated[
        Path | None, typer.Option(help="The sound that it starts from, where that is not one of ours.")
    ] = None,
    model: options.Model = None,
) -> None:
    """Make a file's loop again from the recipe in it and compare: sound by sample, pictures by pixel."""
    from generation.audio.recipes import read_recipe, request_of

    recipe, _ = read_recipe(file)
    with riff_progress(request_of(recipe).prompt) as on_progress:
        from generation.verify import verify as run

        verdict = run(file, options.load(model), source, on_progress)
    typer.echo(verdict)
