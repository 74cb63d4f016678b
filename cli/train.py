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
    corpora: Annotated[list[Path], typer.Argument(help="Folders that riff corpus filled.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, log and the finished model.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="Minutes of training, over all sessions.")] = 60,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates after which to end, if sooner.")] = None,
    name: Annotated[str, typer.Option(help="The model's name.")] = "riff-small",
    start: Annotated[Path | None, typer.Option(help="A model's folder: go on from its weights.")] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="A model's folder: learn to do in one pass what it does in two.")
    ] = None,
    learning_rate: Annotated[float, typer.Option(min=0, help="The highest learning rate.")] = 8e-4,
    plateau: Annotated[float, typer.Option(min=0, max=1, help="Share of the run before it sinks.")] = 0.3,
    mixes: Annotated[int, typer.Option(min=1, help="Examples made of each loop's stems.")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Processes that prepare examples.")] = 2,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    compile_model: Annotated[bool, typer.Option("--compile/--no-compile", help="Use torch.compile.")] = True,
) -> None:
    """Train a model on corpora, or distil one. Run it again to go on after an interruption."""
    from generation.models.shipped import save_model
    from generation.models.transformer import RiffTransformer
    from generation.training.dataset import prepare
    from generation.training.train import TrainingPlan
    from generation.training.train import train as run

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for corpus in corpora:
        with count_progress(f"Preparing examples of {corpus}") as on_progress:
            for done, total in prepare(corpus, out / "examples", mixes=mixes, workers=workers):
                on_progress(done, total)
    plan = TrainingPlan(
        minutes=minutes,
        steps=steps,
        start=start and start / "transformer",
        teacher=teacher and teacher / "transformer",
        learning_rate=learning_rate,
        plateau=plateau,
        device=device,
        compile=compile_model,
    )
    for moment in run(out / "examples", out, plan):
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
