"""`riff finetune` and `riff styles`: styles learnt from audio of one's own."""

import math
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli import takes as options
from cli.progress import count_progress, share_progress
from generation.errors import NotPossible, RiffError
from market.settings import Settings

commands = typer.Typer()

Shelf = Annotated[
    Path | None, typer.Option("--out", help="Folder of styles; else RIFF_STYLES_DIR, else the data folder's.")
]


@commands.command()
def finetune(
    folder: Annotated[
        Path, typer.Argument(help="Folder of your own audio: names, texts or a CSV say what it is.")
    ],
    name: Annotated[str, typer.Option(help="What prompts call the style: style:NAME.")],
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Minutes of learning, over all sessions; 10 if nothing is said."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="A number of updates instead: the same loops give the same style."),
    ] = None,
    rank: Annotated[int, typer.Option(min=1, max=128, help="How much a style can hold.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of what is left to chance.")] = 0,
    out: Shelf = None,
    model: options.Model = None,
) -> None:
    """Learn a style from a folder of audio; run it again to go on after an interruption."""
    # Ahead of all that imports torch: it says how torch's threads wait.
    from generation.engine import Engine

    with count_progress("Listening") as on_progress:
        from generation.corpus.folder import read_folder
        from generation.models.shipped import SHIPPED, load_model
        from generation.models.styles import StyleShelf
        from generation.models.text import TextEncoder
        from generation.training.finetune import FinetunePlan, render_samples
        from generation.training.finetune import finetune as learn

        if model is not None and not (Path(model) / "riff.json").is_file():
            raise NotPossible(
                f"Styles are learnt on a model of ours, and {model} is none: leave out --model."
            )
        plan = FinetunePlan(
            name=name,
            minutes=minutes or (math.inf if steps else 10.0),
            steps=steps or math.inf,
            rank=rank,
            seed=seed,
        )
        loaded = load_model(SHIPPED if model is None else Path(model))
        loops, verdicts = read_folder(folder, loaded.codec, on_progress)
    table = Table("file", "loops", "why not", box=None)
    for verdict in verdicts:
        table.add_row(escape(verdict.file), str(verdict.loops), escape(verdict.reason))
    Console(stderr=True).print(table)
    shelf = StyleShelf(out or Settings().styles_dir)
    with share_progress(f"Learning {name} from {len(loops)} loops") as on_share:
        style = learn(
            loaded, loops, shelf, plan, lambda moment: on_share(moment.done, f"loss {moment.loss:.3f}")
        )
        on_share(1.0, "trying it out")
        render_samples(Engine(loaded, TextEncoder(), shelf.folder), style, loops, shelf.folder / name)
    place = "" if out is None else f"RIFF_STYLES_DIR={shlex.quote(str(out))} "
    typer.echo(shelf.folder / name)
    typer.echo(f'Use it: {place}riff make "style:{name} church bells"')


@commands.command()
def styles(out: Shelf = None) -> None:
    """List the styles that prompts can name."""
    from generation.models.styles import StyleShelf

    shelf = StyleShelf(out or Settings().styles_dir)
    table = Table("style", "learnt from", "what it heard", "model", box=None)
    for name in shelf.names():
        try:
            style = shelf.find(name)
        except RiffError as damage:
            table.add_row(name, "", escape(str(damage)), "")
        else:
            table.add_row(name, f"{style.loops} loops", escape(", ".join(style.captions[:4])), style.model)
    if not table.rows:
        typer.echo(f"There is no style in {shelf.folder} yet: riff finetune learns one.")
    else:
        Console().print(table)
