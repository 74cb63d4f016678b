"""`riff evaluate` and `riff listen`: how good a model is, in figures and to the ear."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.progress import count_progress

commands = typer.Typer()

_WORK = Path.home() / ".cache" / "riffmarket" / "judge"


@commands.command()
def evaluate(
    model: Annotated[Path | None, typer.Option(envvar="RIFF_MODEL", help="Another model's folder.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for index.html and figures.json.")] = Path(
        "docs/evaluate"
    ),
    work: Annotated[
        Path, typer.Option(help="Keeps real loops, the classifier and riffs between runs.")
    ] = _WORK,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small numbers, in some minutes: a smoke test.")
    ] = False,
    soundfont: Annotated[
        list[Path] | None, typer.Option(help="A soundfont for the classifier to learn from, again for more.")
    ] = None,
    recordings: Annotated[Path | None, typer.Option(help="Recordings for the codec's loss.")] = None,
    training_seed: Annotated[int, typer.Option(min=0, help="First seed of the model's own corpus.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 2,
) -> None:
    """Measure a model: writes a page and its figures, and prints them as a Markdown table."""
    from generation.judge.evaluation import FULL, QUICK
    from generation.judge.evaluation import evaluate as run
    from generation.judge.figures import markdown
    from generation.judge.page import write_report

    evaluation = run(
        model,
        QUICK if quick else FULL,
        work,
        _stage,
        soundfonts=tuple(soundfont) if soundfont else None,
        recordings=recordings,
        training_seed=training_seed,
        workers=min(workers, len(os.sched_getaffinity(0))),
    )
    paths = write_report(evaluation, out)
    typer.echo(f"{evaluation.model}, {evaluation.plan.name}; {evaluation.machine}\n\n{evaluation.judge}\n")
    typer.echo(markdown(evaluation.figures) + "\n")
    typer.echo("\n".join(map(str, paths)))


@commands.command()
def listen(
    model: Annotated[Path | None, typer.Option(envvar="RIFF_MODEL", help="Another model's folder.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the page, its sounds and pictures.")] = Path(
        "docs/listen"
    ),
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first prompts.")] = None,
) -> None:
    """Make the listening page: 48 prompts nobody tuned on, seeds 0 and 1, nothing picked by hand."""
    with count_progress("Making the listening page") as on_progress:
        from generation.engine import Engine
        from generation.judge.listening import write_listening_page

        path = write_listening_page(Engine.load(model), out, limit, on_progress)
    typer.echo(str(path))


@contextmanager
def _stage(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; elsewhere a line with the time, so that a log tells where an hour went."""
    if not sys.stderr.isatty():
        typer.echo(f"{datetime.now().astimezone():%H:%M:%S} {label}", err=True)
    with count_progress(label) as on_progress:
        yield on_progress
