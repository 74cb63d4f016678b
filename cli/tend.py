"""`riff db upgrade` and `riff doctor`: keeping an installation well."""

import shutil
import sys
from collections.abc import Callable

import typer
from rich.console import Console

from generation.errors import RiffError
from market.settings import Settings

commands = typer.Typer()
database = typer.Typer(help="The database.")
commands.add_typer(database, name="db")

_LEAST_FREE_GIB = 1


@database.command()
def upgrade() -> None:
    """Bring the database to this version."""
    from market.db import upgrade as to_head

    settings = Settings()
    to_head(settings)
    typer.echo("The database is up to date.")


@database.callback()
def _group() -> None:
    """The database."""


@commands.command()
def doctor() -> None:
    """Look at everything a riff needs and say what is missing and what it is for; exit status 1 if it is needed."""
    settings = Settings()
    console, well = Console(), True
    for part, check in _CHECKS.items():
        try:
            console.print(f"[green]ok[/]       {part}: {check(settings)}", highlight=False)
        except _Optional as note:
            console.print(f"[yellow]not set[/]  {part}: {note}", highlight=False)
        except RiffError as error:
            well = False
            console.print(f"[red]missing[/]  {part}: {error}", highlight=False)
    if not well:
        raise typer.Exit(1)


class _Optional(Exception):
    """A part that works without, and what it would add."""


def _python(_: Settings) -> str:
    if sys.version_info[:2] != (3, 11):
        raise RiffError(f"Python 3.11 is needed, this is {sys.version.split()[0]}.")
    return sys.version.split()[0]


def _model(settings: Settings) -> str:
    from pathlib import Path

    from generation.models.shipped import SHIPPED, load_model

    return load_model(Path(settings.model) if settings.model else SHIPPED).model_id


def _text_encoder(_: Settings) -> str:
    from generation.models.text import TextEncoder

    return f"all-MiniLM-L6-v2, {TextEncoder()(['church bells']).pooled.shape[1]} values"


def _ffmpeg(_: Settings) -> str:
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_version())
    except (RuntimeError, OSError):
        raise RiffError("No ffmpeg was found: reinstall imageio-ffmpeg.") from None


def _database(settings: Settings) -> str:
    import sqlalchemy as sa

    from market.db import require_current

    require_current(settings)
    return sa.make_url(settings.database_url).render_as_string(hide_password=True)


def _disk(settings: Settings) -> str:
    place = next(folder for folder in [settings.data_dir, *settings.data_dir.parents] if folder.exists())
    free = shutil.disk_usage(place).free / 2**30
    if free < _LEAST_FREE_GIB:
        raise RiffError(f"Only {free:.1f} GiB are free in {place}.")
    return f"{free:.0f} GiB free"


def _discord(settings: Settings) -> str:
    if not settings.discord_token:
        raise _Optional("set DISCORD_TOKEN and the bot joins your server.")
    return "a token is set"


_CHECKS: dict[str, Callable[[Settings], str]] = {
    "Python": _python,
    "model": _model,
    "text encoder": _text_encoder,
    "ffmpeg": _ffmpeg,
    "database": _database,
    "disk": _disk,
    "Discord": _discord,
}
