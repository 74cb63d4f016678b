"""What the commands that make loops have in common: their options, the model in memory, the files that they write."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.progress import riff_progress
from generation.errors import RiffError
from generation.files import write_whole
from generation.request import Riff, RiffRequest, Take

if TYPE_CHECKING:
    from cli.sources import Source
    from generation.engine import Progress, Renderer

Prompt = Annotated[str, typer.Argument(help="What to hear: “church bells into electronic beats”.")]
Bars = Annotated[str, typer.Option(help="Length in bars, 1 to 16; 4 where nothing else says it.")]
Bpm = Annotated[str | None, typer.Option(help="Tempo, 40 to 240; else the prompt's, else 120.")]
Metre = Annotated[str | None, typer.Option(help="4/4, 3/4 or 6/8; else the prompt's, else 4/4.")]
KeyName = Annotated[
    str | None, typer.Option("--key", help="Key, like Am or F# major; else the prompt's, if it names one.")
]
Seed = Annotated[str | None, typer.Option(help="The same seed gives the same bytes again.")]
Takes = Annotated[str, typer.Option(help="How many candidates, 1 to 4; 1 where nothing else says it.")]
Negative = Annotated[str, typer.Option(help="What not to hear.")]
Steps = Annotated[str, typer.Option(help="Denoising steps, 1 to 100; 8 where nothing else says it.")]
Guidance = Annotated[str, typer.Option(help="How literally to take the prompt, 1 to 15; else 3.5.")]
Preset = Annotated[
    str, typer.Option(help="Settings under a name, for what is not said: riff presets lists them.")
]
Out = Annotated[Path, typer.Option(help="Folder for the files.")]
Model = Annotated[
    str | None, typer.Option("--model", envvar="RIFF_MODEL", help="Another model: a folder or a hub id.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of paths.")]


def folder_for(out: Path) -> Path:
    """The folder that files go to, made where it is missing. Raises RiffError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RiffError(f"The folder {out} cannot be used: {error.strerror}.") from None
    return out


def load(model: str | None) -> "Renderer":
    """The model in memory, with the styles of this place."""
    from generation.engine import load_engine
    from market.settings import Settings

    return load_engine(model, Settings().styles_dir)


@dataclass
class Stopwatch:
    """Seconds of named stretches of a command."""

    started: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun

    def all(self) -> dict[str, float]:
        spent = {**self.seconds, "all": time.perf_counter() - self.started}
        return {name: round(value, 3) for name, value in spent.items()}


def make_and_write(
    requests: Sequence[RiffRequest],
    out: Path,
    model: str | None,
    *,
    as_json: bool,
    source: "Source | None" = None,
) -> None:
    """Perform requests, those that name a sound from `source`, under one bar; write all their takes and print them."""
    folder = folder_for(out)
    watch = Stopwatch()
    takes: list[Take] = []
    timings: dict[str, float] = {}
    with riff_progress(requests[0].prompt) as on_progress:
        from generation.arrange import perform

        with watch.timed("loading"):
            engine = load(model)
        for index, request in enumerate(requests):

            def relay(at: "Progress", index: int = index) -> None:
                on_progress(replace(at, take=at.take + index, takes=at.takes * len(requests)))

            riff = perform(engine, request, source.audio if source and request.source else None, relay)
            takes += (riff if source is None else source.named_in(riff)).takes
            for phase, seconds in riff.timings.items():
                timings[phase] = timings.get(phase, 0.0) + seconds
    whole = Riff(requests[0], tuple(takes), timings)
    with watch.timed("writing"):
        written = [_write(take, folder) for take in whole.takes]
    if as_json:
        typer.echo(json.dumps(_summary(whole, written, watch, engine.model_id)))
    else:
        for paths in written:
            typer.echo("\n".join(paths.values()))


def write_files(contents: dict[Path, bytes]) -> None:
    """Files, all of them or none. Raises RiffError with the folder's name."""
    try:
        with ExitStack() as stack:
            files = {path: stack.enter_context(write_whole(path)) for path in contents}
            for path, content in contents.items():
                files[path].write(content)
                files[path].flush()
    except OSError as error:
        folder = next(iter(contents)).parent
        raise RiffError(f"The files cannot be written to {folder}: {error.strerror}.") from None


def _write(take: Take, folder: Path) -> dict[str, str]:
    from generation.audio.export import stem_wav, wav
    from generation.audio.picture import spectrogram_png

    name = RiffRequest.from_dict(take.recipe["request"]).name
    contents = {
        "wav": (f"{name}.wav", wav(take)),
        "png": (f"{name}.png", spectrogram_png(take)),
        "json": (f"{name}.json", json.dumps(take.recipe, indent=1, sort_keys=True).encode() + b"\n"),
        **{role: (f"{name}-{role}.wav", stem_wav(take, role)) for role in take.stems},
    }
    write_files({folder / file: content for file, content in contents.values()})
    return {kind: str(folder / file) for kind, (file, _) in contents.items()}


def _summary(
    riff: Riff, written: Sequence[dict[str, str]], watch: Stopwatch, model_id: str
) -> dict[str, Any]:
    request = riff.request
    takes = [
        {"seed": take.recipe["request"]["seed"], **paths}
        for take, paths in zip(riff.takes, written, strict=True)
    ]
    return {
        "seed": request.seed,
        "bpm": request.bpm,
        "key": None if request.key is None else str(request.key),
        "bars": request.bars,
        "metre": request.metre,
        "seconds": request.seconds,
        "model": model_id,
        "paths": [path for paths in written for path in paths.values()],
        "takes": takes,
        "timings": {**{name: round(value, 3) for name, value in riff.timings.items()}, **watch.all()},
    }
