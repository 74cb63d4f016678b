"""`riff`: every command, and the one place where errors become a sentence and an exit status.

A command imports what it needs when it runs: `riff --help` should not wait for torch.
"""

import sys

import typer

from cli import (
    accounts,
    evaluate,
    export,
    finetune,
    licences,
    make,
    morph,
    remix,
    repaint,
    riffusion,
    serve,
    song,
    tend,
    train,
    verify,
)
from generation.errors import RiffError

app = typer.Typer(
    help="Riffmarket: type a prompt, get a seamless, beat-exact loop.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
serve.market.registered_commands += (
    accounts.commands.registered_commands + licences.commands.registered_commands
)
for commands in (
    make.commands,
    remix.commands,
    morph.commands,
    repaint.commands,
    serve.commands,
    tend.commands,
    train.commands,
    finetune.commands,
    evaluate.commands,
    song.commands,
    riffusion.commands,
    export.commands,
    verify.commands,
):
    app.registered_commands += commands.registered_commands
    app.registered_groups += commands.registered_groups


def main() -> None:
    """Run the command line; exit status 1 after an error, 2 after wrong usage, 130 after Ctrl-C."""
    try:
        app(standalone_mode=True)
    except RiffError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
