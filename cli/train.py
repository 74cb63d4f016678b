"""`riff corpus` and `riff train`: the shipped weights from nothing."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from cli.progress import count_progress

commands = typer.Typer()


@commands.command()
def corpus(
    folder: Annotated[Path, typer.Argument(help="Where the rendered loops go; what is there is kept.")],
    count: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 3200,
    first_seed: Annotated[int, typer.Option(min=0, help="Seed of the first one.")] = 1,
    soundfont: Annotated[
        Path | None, typer.Option(help="Play with this one alone, not with one of ours drawn for each loop.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    solos: Annotated[
        bool, typer.Option("--solos", help="Only those of the seeds that are for a soloist.")
    ] = False,
) -> None:
    """Compose and render a training corpus: the same seeds give the same loops."""
    from generation.corpus.build import build, origin

    with count_progress("Rendering loops") as on_progress:
        build(folder, count, first_seed, soundfont, workers, on_progress, solos=solos)
    for font in origin(folder):
        typer.echo(f"{font['sha256']}  {font['file']} (version {font['version']}, licence {font['licence']})")


@commands.command()
def train(
    corpus: Annotated[Path, typer.Argument(help="A folder that riff corpus filled.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, log and the finished model.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="Minutes of training, over all sessions.")] = 60,
    name: Annotated[str, typer.Option(help="The model's name.")] = "riff-small",
    workers: Annotated[int, typer.Option(min=1, help="Processes that prepare examples.")] = 2,
    compile_model: Annotated[bool, typer.Option("--compile/--no-compile", help="Use torch.compile.")] = True,
) -> None:
    """Train a model on a corpus. Run it again to go on after an interruption."""
    from generation.models.shipped import save_model
    from generation.models.transformer import RiffTransformer
    from generation.training.dataset import prepare
    from generation.training.train import TrainingPlan
    from generation.training.train import train as run

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with count_progress("Preparing examples") as on_progress:
        for done, total in prepare(corpus, out / "examples", workers=workers):
            on_progress(done, total)
    for moment in run(out / "examples", out, TrainingPlan(minutes=minutes, compile=compile_model)):
        held_out = f", held out {json.dumps(moment.held_out)}" if moment.held_out else ""
        typer.echo(
            f"{moment.minutes:6.1f} min, step {moment.step}, {moment.samples} loops, loss {moment.loss:.4f}{held_out}"
        )
    save_model(
        RiffTransformer.from_pretrained(out / "transformer", low_cpu_mem_usage=False),
        out / "model",
        name=name,
    )
    typer.echo(f"The model is in {out / 'model'}.")
