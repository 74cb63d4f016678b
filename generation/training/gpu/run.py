"""What runs on the borrowed machine: render examples, train on them while they come, distil.

    python -m generation.training.gpu.run [--carried DIR] [--local DIR] [--out DIR] check|render|train|distil

Each command keeps to `--seconds`, leaves its state in `--local` for the next one, and what shall come home in `--out`
(the environment's OUT): weights in half precision in parts below 16 MiB, and the log.
"""

import argparse
import gc
import hashlib
import itertools
import json
import logging
import multiprocessing
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generation.training.gpu import machine

if TYPE_CHECKING:
    from generation.training.train import TrainingPlan

log = logging.getLogger(__name__)

PART_BYTES = 15 * 2**20
HELD_OUT_EVERY = 20  # as generation.training.train holds out
SHIPPED = Path(__file__).parents[2] / "models/weights/transformer"
SIZES: dict[str, dict[str, Any]] = {
    "small": {"start": SHIPPED},
    "medium": {"width": 448, "depth": 10, "heads": 7},
    "tiny": {"width": 32, "depth": 1, "heads": 2, "latent_size": 16},
}


@dataclass(frozen=True, slots=True)
class Places:
    """Folders: what was carried here, what stays on this machine, what comes home."""

    carried: Path
    local: Path
    out: Path

    @property
    def examples(self) -> Path:
        return self.local / "examples"


@dataclass(frozen=True, slots=True)
class Rendering:
    """`workers` processes write shards of `loops` scores in up to `mixes` mixes, for `seconds` or `shards` in all."""

    seconds: float
    workers: int
    first_seed: int
    loops: int
    mixes: int
    shards: int | None


def main(arguments: list[str] | None = None) -> None:
    """Run one command."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    places = Places(options.carried.resolve(), options.local.resolve(), options.out.resolve())
    for folder in (places.examples, places.out):
        folder.mkdir(parents=True, exist_ok=True)
    # Compiled kernels outlive the command that made them.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(places.local / "kernels"))
    machine.equip(places.carried)
    log.info("%s", machine.described())
    if options.command == "check":
        machine.load_fluidsynth(places.carried, places.local)
    elif options.command == "render":
        names = Rendering.__dataclass_fields__
        render(places, Rendering(**{name: getattr(options, name) for name in names}))
    else:
        train(places, options)


def render(places: Places, plan: Rendering) -> int:
    """Compose, play and analyse for so long; gives the number of shards there are.

    They are in the format of generation.training.dataset. What is there already is kept. Raises MachineUnfit when a
    process ends with an error.
    """
    started, before = time.monotonic(), len(_shards(places.examples))
    machine.load_fluidsynth(places.carried, places.local)  # unpacked once, and a failure is told here
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_render_shards, args=(places, plan, number, started + plan.seconds))
        for number in range(plan.workers)
    ]
    for process in processes:
        process.start()
    told = started
    while alive := [process for process in processes if process.is_alive()]:
        alive[0].join(1)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            _tell_rendered(places, before, plan.loops, told - started)
    _tell_rendered(places, before, plan.loops, time.monotonic() - started)
    failed = [process.exitcode for process in processes if process.exitcode]
    if failed:
        raise machine.MachineUnfit(
            f"{len(failed)} of {plan.workers} rendering processes ended with an error."
        )
    return len(_shards(places.examples))


def train(places: Places, options: argparse.Namespace) -> None:
    """Train or distil until the plan's minutes or `--seconds` are over; resumes, and takes in new shards as it goes."""
    machine.carry_text(places.carried, options.device)
    import torch

    from generation.training.train import train as moments

    torch.set_float32_matmul_precision("high")
    deadline = time.monotonic() + options.seconds
    name = options.size if options.command == "train" else f"{options.size}-distilled"
    plan, folder = plan_of(options, places), places.local / name
    while len(_shards(places.examples)) < options.wait_for:
        if time.monotonic() > deadline:
            raise machine.MachineUnfit(f"{options.wait_for} shards of examples were not there in time.")
        time.sleep(1)
    for session in range(1, 1000):
        data, shards = gather(places.examples, places.local / f"session-{name}-{session}")
        log.info("session %d: %d of %d shards", session, len(_shards(data)), shards)
        steps = moments(data, folder, plan)
        ended, saved = "its plan's end", time.monotonic()
        for moment in steps:
            log.info(
                "step %d, %.1f min, loss %.4f %s",
                moment.step,
                moment.minutes,
                moment.loss,
                moment.held_out or "",
            )
            if moment.held_out is None:
                continue
            # Only now is everything on disk: whoever stops here loses nothing.
            write_home(folder, places.out, name, distilled=options.command == "distil")
            now = time.monotonic()
            if now + 1.2 * (now - saved) > deadline:
                ended = "the end of its time"
                break
            if len(_shards(places.examples)) >= 1.25 * shards:
                ended = "new shards"
                break
            saved = now
        steps.close()  # type: ignore[attr-defined]
        del steps
        gc.collect()
        shutil.rmtree(data)
        log.info("session %d came to %s", session, ended)
        if ended != "new shards":
            return


def plan_of(options: argparse.Namespace, places: Places) -> "TrainingPlan":
    """The run's plan. The shipped weights go on at a lower rate than a beginner's."""
    from generation.training.train import TrainingPlan

    settings = dict(SIZES[options.size])
    if options.command == "distil":
        settings = {"teacher": places.local / options.size / "transformer"}
    rate = {"small": 4e-4, "medium": 6e-4, "tiny": 8e-4}[options.size]
    return TrainingPlan(
        minutes=options.minutes,
        steps=options.steps,
        tokens=options.tokens,
        learning_rate=options.learning_rate or (rate / 3 if options.command == "distil" else rate),
        ema=options.ema,
        compile=options.compile,
        device=options.device,
        checkpoint_minutes=options.checkpoint_minutes,
        warm_up_steps=options.warm_up_steps,
        **settings,
    )


def gather(examples: Path, folder: Path) -> tuple[Path, int]:
    """Hard links to the shards for one session, so ordered that training holds out the same ones in each.

    It holds out every twentieth file, or the last of fewer; we, every twentieth by its seeds. Gives the folder and
    how many shards there were.
    """
    folder.mkdir(parents=True)
    shards = _shards(examples)
    held = [shard for shard in shards if _is_held_out(shard)] or shards[:1]
    taught = [shard for shard in shards if shard not in held]
    between = HELD_OUT_EVERY - 1
    whole = min(len(held), len(taught) // between)
    ordered = [
        shard
        for number in range(whole)
        for shard in (*taught[number * between : (number + 1) * between], held[number])
    ]
    ordered += taught[whole * between :][:between] if whole else [*taught[: between - 1], held[0]]
    for number, shard in enumerate(ordered):
        os.link(shard, folder / f"loops-{number:06d}-{shard.name}")
    return folder, len(shards)


def write_home(folder: Path, out: Path, name: str, *, distilled: bool) -> None:
    """The averaged weights of a run as `name`.json and `name`-0.part and so on, and its log."""
    from safetensors.torch import load_file, save

    weights = load_file(folder / "transformer/diffusion_pytorch_model.safetensors")
    data = save({key: value.half().contiguous() for key, value in weights.items()})
    config = json.loads((folder / "transformer/config.json").read_text())
    parts = [data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES)]
    for number, part in enumerate(parts):
        (out / f"{name}-{number}.part").write_bytes(part)
    record = {
        # Weights that went on from distilled ones, without a teacher, have forgotten what a scale means.
        "config": {key: value for key, value in config.items() if not key.startswith("_")}
        | {"guided": distilled},
        "sha256": hashlib.sha256(data).hexdigest(),
        "parts": len(parts),
    }
    (out / f"{name}.json").write_text(json.dumps(record))
    shutil.copyfile(folder / "log.jsonl", out / f"{name}.log.jsonl")


def _render_shards(places: Places, plan: Rendering, number: int, deadline: float) -> None:
    """One process of `render`: every `workers`-th shard, until the deadline."""
    os.nice(10)  # the training's own process goes first
    machine.equip(places.carried)
    machine.load_fluidsynth(places.carried, places.local)
    import torch

    from generation.corpus.build import _write_shard
    from generation.training.dataset import _prepare_shard

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=_scratch(places, plan)) as scratch:
        stems = Path(scratch) / "stems.npz"
        for shard in itertools.count(number, plan.workers):
            if time.monotonic() > deadline or (plan.shards is not None and shard >= plan.shards):
                return
            seeds = range(plan.first_seed + shard * plan.loops, plan.first_seed + (shard + 1) * plan.loops)
            target = places.examples / f"loops-{seeds[0]:08d}-{seeds[-1]:08d}.npz"
            if not target.exists():
                _write_shard(stems, seeds, places.carried / machine.SOUNDFONT, solos=False)
                _prepare_shard(stems, target, plan.mixes)


def _scratch(places: Places, plan: Rendering) -> Path:
    """Where stems are written and read once: in memory where there is room for twice 4 MB a loop, else on the disk."""
    memory, room = Path("/dev/shm"), plan.workers * plan.loops * 8 * 2**20  # noqa: S108
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > room else places.local


def _tell_rendered(places: Places, before: int, loops: int, seconds: float) -> None:
    shards = len(_shards(places.examples))
    line = f"{shards} shards, {(shards - before) * loops / seconds:.2f} loops a second over {seconds:.0f} s"
    log.info("%s", line)
    (places.out / "render.txt").write_text(line + "\n")


def _shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("loops-*.npz"))


def _is_held_out(shard: Path) -> bool:
    first, last = (int(part) for part in shard.stem.split("-")[-2:])
    return first // (last - first + 1) % HELD_OUT_EVERY == 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m generation.training.gpu.run")
    parser.add_argument("--carried", type=Path, default=Path("build/gpu"), help="what pack wrote")
    parser.add_argument("--local", type=Path, default=Path.home() / "riff", help="state between commands")
    parser.add_argument(
        "--out", type=Path, default=Path(os.environ.get("OUT", "out")), help="what comes home"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="say what is here, and load the renderer")
    rendering = commands.add_parser("render", help="examples for SECONDS")
    rendering.add_argument("--seconds", type=float, required=True)
    rendering.add_argument("--workers", type=int, default=15)
    rendering.add_argument("--first-seed", type=int, default=10_000_000)
    rendering.add_argument("--loops", type=int, default=32, help="scores per shard")
    rendering.add_argument("--mixes", type=int, default=5, help="of each score, at most")
    rendering.add_argument("--shards", type=int, help="no more than so many")
    for command, minutes, ema in (("train", 14.0, 0.9995), ("distil", 5.0, 0.998)):
        training = commands.add_parser(command)
        training.add_argument("--seconds", type=float, required=True, help="of this command")
        training.add_argument("--size", choices=SIZES, default="medium")
        training.add_argument("--minutes", type=float, default=minutes, help="of the run, over all commands")
        training.add_argument("--steps", type=int, help="of the run, where that is less")
        training.add_argument("--tokens", type=int, default=65_536 if command == "train" else 32_768)
        training.add_argument("--learning-rate", type=float)
        training.add_argument("--ema", type=float, default=ema)
        training.add_argument("--warm-up-steps", type=int, default=200)
        training.add_argument("--checkpoint-minutes", type=float, default=1.0)
        training.add_argument("--wait-for", type=int, default=100, help="shards before it starts")
        training.add_argument("--device", default="cuda")
        training.add_argument("--no-compile", dest="compile", action="store_false")
    return parser


if __name__ == "__main__":
    main()
