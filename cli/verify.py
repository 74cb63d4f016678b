"""`riff verify`: whether a file is what its recipe makes, and whether it is still what was signed."""

from pathlib import Path
from typing import Annotated

import typer

from cli import takes as options
from cli.progress import riff_progress
from generation.errors import RiffError

commands = typer.Typer()


@commands.command()
def verify(
    file: Annotated[Path, typer.Argument(help="Any file that riff made: sound, picture, film or JSON.")],
    source: Annotated[
        Path | None, typer.Option(help="The sound that it starts from, where that is not one of ours.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="The .c2pa file that belongs to it, where it is OGG or Opus.")
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(help="PEM certificates that you trust: a market's is at /v1/credentials.pem."),
    ] = None,
    model: options.Model = None,
) -> None:
    """Check a file's content credentials, then make its loop again from the recipe in it and compare.

    Credentials tell who signed it and whether anything was changed since. Sound is compared by sample, pictures by
    pixel.
    """
    from generation import credentials
    from generation.audio.recipes import read_recipe, request_of

    signed = credentials.require_unchanged(file, _trusted(certificate), manifest)
    try:
        recipe, _ = read_recipe(file)
    except RiffError:
        # A preview keeps its recipe back; who signed it is told all the same.
        if credentials.read(file) is not None:
            typer.echo(signed)
        raise
    with riff_progress(request_of(recipe).prompt) as on_progress:
        from generation.verify import verify as run

        verdict = run(file, options.load(model), source, on_progress)
    typer.echo(f"{verdict}\n{signed}")


def _trusted(certificate: Path | None) -> str:
    """The certificates that were given, else those that this place signs with, if it ever did."""
    from generation import credentials
    from market.settings import Settings

    settings = Settings()
    own = settings.c2pa_certificate or settings.data_dir / "c2pa.pem"
    if certificate is None and not own.is_file():
        return ""
    return credentials.certificates_in(certificate or own)
