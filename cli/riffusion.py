"""`riff encode`, `decode`, `sample-clips`, `print-exif`: Riffusion's images and clips, under its own names too."""

import io
import wave
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from cli.progress import count_progress, riff_progress
from cli.takes import Model, folder_for, load, write_files
from generation.errors import RiffError, UnreadablePicture
from generation.request import SAMPLE_RATE

if TYPE_CHECKING:
    from generation.riffusion import RiffusionParams

commands = typer.Typer()

# Whole songs are cut into clips; an image holds a minute.
LONGEST_SONG_SECONDS = 15 * 60
CLIP_MS = 5120
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")
SOUND_ENDINGS = {".wav": "wav", ".flac": "flac", ".mp3": "mp3", ".ogg": "ogg"}

Sounds = Annotated[list[Path], typer.Argument(help="Audio files, or folders of them.", show_default=False)]
Pictures = Annotated[list[Path], typer.Argument(help="PNG or JPEG files, or folders.", show_default=False)]
FileOrFolder = Annotated[
    Path | None, typer.Option("--out", help="A file's name or a folder; by default a new file right here.")
]
Stereo = Annotated[bool, typer.Option(help="Keep left and right apart, as green and blue.")]
Mono = Annotated[bool, typer.Option(help="Mix to one channel.")]
StepMs = Annotated[int, typer.Option("--step-ms", "--step-size-ms", help="Milliseconds per column.")]
Bands = Annotated[int, typer.Option("--bands", "--num-frequencies", help="Rows: bands on the mel scale.")]
MinHz = Annotated[int, typer.Option("--min-hz", "--min-frequency", help="Lowest frequency.")]
MaxHz = Annotated[int, typer.Option("--max-hz", "--max-frequency", help="Highest frequency.")]
WindowMs = Annotated[int, typer.Option("--window-ms", "--window-duration-ms", help="Length of a window.")]
PaddedMs = Annotated[int, typer.Option("--padded-ms", "--padded-duration-ms", help="The same, padded.")]
Power = Annotated[
    float, typer.Option("--power", "--power-for-image", help="Contrast: the magnitudes' power.")
]
DurationMs = Annotated[int, typer.Option(help="Length of a clip in milliseconds.")]
Extension = Annotated[str, typer.Option(help="wav, flac, mp3 or ogg.")]
ClipSeed = Annotated[int, typer.Option(help="The same seed cuts the same clips again; -1 draws one.")]
# What Riffusion's scripts may say and nothing here depends on.
Device = Annotated[str, typer.Option(hidden=True)]
Threads = Annotated[int | None, typer.Option(hidden=True)]
_WorkOn = Callable[[Path], dict[Path, bytes]]


@commands.command()
def encode(
    sounds: Sounds,
    out: FileOrFolder = None,
    stereo: Stereo = False,
    ending: Annotated[str, typer.Option("--format", help="png or jpg.")] = "png",
    step_ms: StepMs = 10,
    bands: Bands = 512,
    min_hz: MinHz = 0,
    max_hz: MaxHz = 10_000,
    window_ms: WindowMs = 100,
    padded_ms: PaddedMs = 400,
    power: Power = 0.25,
) -> None:
    """Draw audio as Riffusion's images, which its own code reads: pixels and EXIF tags are the same."""
    from generation.riffusion import RiffusionParams

    params = RiffusionParams(stereo, SAMPLE_RATE, step_ms, window_ms, padded_ms, bands, min_hz, max_hz, power)
    _encode(_targets(_files(sounds), out, PICTURE_ENDINGS, f".{ending.lower()}", "-riffusion"), params)


@commands.command()
def decode(pictures: Pictures, out: FileOrFolder = None, model: Model = None) -> None:
    """Make sound of Riffusion's images; a picture of ours is rendered again from the recipe in it."""
    _decode(_targets(_files(pictures), out, tuple(SOUND_ENDINGS), ".wav", "-decoded"), model)


@commands.command()
def sample_clips(
    sounds: Annotated[
        list[Path] | None, typer.Argument(help="Audio files, or folders.", show_default=False)
    ] = None,
    audio: Annotated[Path | None, typer.Option(hidden=True)] = None,
    out: Annotated[Path, typer.Option("--out", "--output-dir", help="Folder for the clips.")] = Path(),
    num_clips: Annotated[int, typer.Option(help="Clips per file.")] = 1,
    duration_ms: DurationMs = CLIP_MS,
    mono: Mono = False,
    extension: Extension = "wav",
    seed: ClipSeed = -1,
) -> None:
    """Cut clips out of audio at places drawn at random: those that Riffusion cuts with the same seed."""
    given = [*(sounds or []), *([audio] if audio else [])]
    _clips(
        given,
        out,
        num_clips,
        duration_ms,
        mono,
        extension,
        seed,
        "clip_{index}_start_{start}_ms_duration_{duration}_ms",
    )


@commands.command()
def print_exif(
    picture: Annotated[Path | None, typer.Argument(help="A Riffusion image.", show_default=False)] = None,
    image: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Print the settings that a Riffusion image carries."""
    from generation.riffusion.pictures import described, open_picture

    path = picture or image
    if path is None:
        raise typer.BadParameter("Give a picture.")
    tags = described(open_picture(path))
    if not tags:
        raise UnreadablePicture(
            f"{path.name} carries no settings of Riffusion: riff decode takes its defaults."
        )
    for name, value in tags.items():
        typer.echo(f"{name:<20} = {value!s:>15}")


@commands.command(hidden=True)
def audio_to_image(
    audio: Annotated[Path, typer.Option()],
    image: Annotated[Path, typer.Option()],
    step_ms: StepMs = 10,
    bands: Bands = 512,
    min_hz: MinHz = 0,
    max_hz: MaxHz = 10_000,
    window_ms: WindowMs = 100,
    padded_ms: PaddedMs = 400,
    power: Power = 0.25,
    stereo: Stereo = False,
    device: Device = "",  # noqa: ARG001
) -> None:
    """Riffusion's name of `riff encode`."""
    encode([audio], image, stereo, "png", step_ms, bands, min_hz, max_hz, window_ms, padded_ms, power)


@commands.command(hidden=True)
def image_to_audio(
    image: Annotated[Path, typer.Option()],
    audio: Annotated[Path, typer.Option()],
    device: Device = "",  # noqa: ARG001
) -> None:
    """Riffusion's name of `riff decode`."""
    decode([image], audio)


@commands.command(hidden=True)
def audio_to_images_batch(
    audio_dir: Annotated[Path, typer.Option()],
    output_dir: Annotated[Path, typer.Option()],
    image_extension: Annotated[str, typer.Option()] = "jpg",
    step_ms: StepMs = 10,
    bands: Bands = 512,
    min_hz: MinHz = 0,
    max_hz: MaxHz = 10_000,
    power: Power = 0.25,
    mono: Mono = False,
    sample_rate: Annotated[int, typer.Option(hidden=True)] = SAMPLE_RATE,
    device: Device = "",  # noqa: ARG001
    num_threads: Threads = None,  # noqa: ARG001
    limit: Annotated[int, typer.Option()] = -1,
) -> None:
    """Riffusion's name of `riff encode` for a folder."""
    if sample_rate != SAMPLE_RATE:
        raise RiffError(f"Images are drawn at {SAMPLE_RATE} samples a second, not at {sample_rate}.")
    sounds = _files([audio_dir])[: limit if limit > 0 else None]
    encode(sounds, output_dir, not mono, image_extension, step_ms, bands, min_hz, max_hz, 100, 400, power)


@commands.command(hidden=True)
def sample_clips_batch(
    audio_dir: Annotated[Path, typer.Option()],
    output_dir: Annotated[Path, typer.Option()],
    num_clips_per_file: Annotated[int, typer.Option()] = 1,
    duration_ms: DurationMs = CLIP_MS,
    mono: Mono = False,
    extension: Extension = "mp3",
    num_threads: Threads = None,  # noqa: ARG001
    glob: Annotated[str, typer.Option()] = "*",
    limit: Annotated[int, typer.Option()] = -1,
    seed: ClipSeed = -1,
) -> None:
    """Riffusion's name of `riff sample-clips` for a folder."""
    sounds = _files([audio_dir], glob)[: limit if limit > 0 else None]
    name = "{stem}_{index}_start_{start}_ms_dur_{duration}_ms"
    _clips(sounds, output_dir, num_clips_per_file, duration_ms, mono, extension, seed, name)


def _encode(places: Mapping[Path, Path], params: "RiffusionParams") -> None:
    from generation.audio.ingest import read_audio
    from generation.riffusion import RiffusionCodec
    from generation.riffusion.pictures import to_bytes

    codec = RiffusionCodec(params)

    def draw(path: Path) -> dict[Path, bytes]:
        return {places[path]: to_bytes(codec.to_image(read_audio(path)), places[path].suffix)}

    _each("Drawing", list(places), draw)


def _decode(places: Mapping[Path, Path], model: str | None) -> None:
    from generation.riffusion import RiffusionCodec
    from generation.riffusion.pictures import RECIPE, open_picture, params_of

    codec_for = lru_cache(RiffusionCodec)

    def hear(path: Path) -> dict[Path, bytes]:
        place, picture = places[path], open_picture(path)
        if RECIPE in picture.info:
            return {place: _rendered(path, place.suffix, model)}
        codec = codec_for(params_of(picture))
        return {place: _sound_file(codec.to_audio(picture), codec.params.sample_rate, place.suffix)}

    _each("Listening", list(places), hear)


def _rendered(path: Path, ending: str, model: str | None) -> bytes:
    """The sound of a picture of ours, by the recipe in it, which tells what its colours do not."""
    from generation.audio import ffmpeg
    from generation.audio.ingest import read_audio
    from generation.audio.recipes import read_recipe, request_of

    recipe, _ = read_recipe(path)
    with riff_progress(request_of(recipe).prompt) as on_progress, ffmpeg.workplace() as work:
        from generation.verify import make_again

        wav = work / "again.wav"
        make_again(recipe, load(model), wav, on_progress=on_progress, name=path.name)
        if ending == ".wav":
            return wav.read_bytes()
        return _sound_file(read_audio(wav, max_seconds=LONGEST_SONG_SECONDS), SAMPLE_RATE, ending)


def _clips(
    sounds: Sequence[Path],
    out: Path,
    count: int,
    duration_ms: int,
    mono: bool,
    extension: str,
    seed: int,
    name: str,
) -> None:
    from generation.audio.ingest import read_audio

    if not sounds:
        raise typer.BadParameter("Give an audio file or a folder of them.")
    ending = f".{extension.lower().removeprefix('.')}"
    _require_ending(Path(f"clip{ending}"), tuple(SOUND_ENDINGS))
    if count < 1 or duration_ms < 10:
        raise RiffError("Give at least one clip of at least 10 milliseconds.")
    files = _files(sounds)
    pattern = name if len(files) == 1 or "{stem}" in name else "{stem}_" + name
    # NumPy's older generator, with which Riffusion draws: the same seed gives the same clips.
    draw = np.random.RandomState(seed if seed >= 0 else None)

    def cut(path: Path) -> dict[Path, bytes]:
        audio = read_audio(path, max_seconds=LONGEST_SONG_SECONDS)
        spare_ms = int(len(audio) / SAMPLE_RATE * 1000) - duration_ms
        if spare_ms < 0:
            lasts = len(audio) / SAMPLE_RATE
            raise RiffError(
                f"{path.name} lasts {lasts:.2f} s: too short for clips of {duration_ms / 1000:g} s."
            )
        if mono:
            audio = audio.mean(1, keepdims=True)
        clips = {}
        for index in range(count):
            start_ms = int(draw.randint(0, max(spare_ms, 1)))
            first, last = (int(at * SAMPLE_RATE / 1000) for at in (start_ms, start_ms + duration_ms))
            written = pattern.format(stem=path.stem, index=index, start=start_ms, duration=duration_ms)
            clips[out / f"{written}{ending}"] = _sound_file(audio[first:last], SAMPLE_RATE, ending)
        return clips

    _each("Cutting", files, cut)


def _each(label: str, files: Sequence[Path], work: _WorkOn) -> None:
    """Do the work on every file and print what was written; with several, one that is refused does not stop the rest.

    Raises RiffError when nothing was written at all.
    """
    if len(files) == 1:
        _write(work(files[0]))
        return
    written = 0
    with count_progress(label) as on_progress:
        for done, path in enumerate(files, 1):
            try:
                _write(work(path))
                written += 1
            except RiffError as error:
                typer.echo(str(error), err=True)
            on_progress(done, len(files))
    if not written:
        raise RiffError("None of these files could be used.")


def _write(contents: dict[Path, bytes]) -> None:
    folder_for(next(iter(contents)).parent)
    write_files(contents)
    typer.echo("\n".join(str(path) for path in contents))


def _files(given: Sequence[Path], glob: str = "*") -> list[Path]:
    """The files given, and those in the folders given, in order; hidden ones and Riffusion's JSON left out."""
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            found.append(path)
            continue
        inside = [file for file in sorted(path.glob(glob)) if file.is_file()]
        found += [file for file in inside if file.suffix != ".json" and not file.name.startswith(".")]
    if not found:
        raise RiffError(f"There is nothing in {given[0]}." if given else "Give a file or a folder.")
    return found


def _targets(
    files: Sequence[Path], out: Path | None, endings: tuple[str, ...], ending: str, mark: str
) -> dict[Path, Path]:
    """Where the result of each file goes: to the file or folder named, or to a new file right here.

    Raises RiffError for an ending that cannot be written, and where a result would replace what it is made from.
    """
    if out is not None and out.suffix != "" and not out.is_dir():
        _require_ending(out, endings)
        if len(files) > 1:
            raise RiffError(f"{len(files)} results do not go into one file: name a folder.")
        places = {files[0]: out}
    else:
        _require_ending(Path(f"x{ending}"), endings)
        folder = out or Path()
        stems = Counter(path.stem for path in files)
        places = {
            path: folder / f"{path.stem if stems[path.stem] == 1 else path.name}{'' if out else mark}{ending}"
            for path in files
        }
    for path, place in places.items():
        if place.resolve() == path.resolve():
            raise RiffError(f"{path} would be replaced by what is made from it: choose another name.")
    return places


def _require_ending(path: Path, endings: tuple[str, ...]) -> None:
    if path.suffix.lower() not in endings:
        raise RiffError(f"Files that end in “{path.suffix}” cannot be written: choose {', '.join(endings)}.")


def _sound_file(audio: NDArray[np.float32], sample_rate: int, ending: str) -> bytes:
    """(samples, 1 or 2) float32 as a 16-bit file, as Riffusion writes it."""
    from generation.audio import ffmpeg

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(audio.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.round(np.clip(audio, -1, 1) * 32_767).astype("<i2").tobytes())
    if ending.lower() == ".wav":
        return buffer.getvalue()
    with ffmpeg.workplace() as work:
        source, result = work / "sound.wav", work / f"sound{ending}"
        source.write_bytes(buffer.getvalue())
        arguments = [*ffmpeg.read_from(source, "wav"), *ffmpeg.SAME_BYTES]
        arguments += ffmpeg.write_to(result, SOUND_ENDINGS[ending.lower()])
        try:
            ffmpeg.run(arguments, seconds=60, largest=len(buffer.getvalue()) + 2**20, work=work)
        except ffmpeg.FfmpegFailed:
            raise RiffError(f"{ending} cannot hold sound at {sample_rate} Hz: choose .wav.") from None
        return result.read_bytes()
