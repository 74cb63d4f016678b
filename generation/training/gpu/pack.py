"""What travels to the borrowed machine besides the tracked tree: soundfont, renderer, text encoder, two packages.

python -m generation.training.gpu.pack [OUT] [--soundfont FILE] [--captions N]
"""

import argparse
import logging
import random
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from generation.corpus.captions import caption
from generation.corpus.composer import compose
from generation.corpus.soundfonts import SynthesizerUnavailable
from generation.errors import RiffError
from generation.training.gpu.machine import LIBRARIES, SITE, SOUNDFONT, TEXT
from generation.training.gpu.soundfont import corpus_presets, trim

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[3]
LIMIT_BYTES = 64 * 2**20
# Debian's fluidr3mono-gm-soundfont: FluidR3 in mono and Ogg Vorbis, MIT.
MONO_SOUNDFONT = Path("/usr/share/sounds/sf3/FluidR3Mono_GM.sf3")
# Every Linux with torch has these, and torch may be loaded with its own of the last two.
_EVERYWHERE = ("ld-linux", "libc.so", "libm.so", "libpthread", "libdl", "librt", "libstdc++", "libgcc_s")
# What FluidSynth plays to a sound card with; nothing is played to one there.
_DRIVERS = (
    "libpulse-simple.so.0",
    "libpulse.so.0",
    "libasound.so.2",
    "libjack.so.0",
    "libdbus-1.so.3",
    "libSDL2-2.0.so.0",
    "libreadline.so.8",
)


class TooLarge(RiffError):
    """The tree and what was packed are more than may travel."""


def pack(out: Path, soundfont: Path, count: int) -> dict[str, int]:
    """Fill `out`, a folder that git ignores; gives the bytes of each thing in it.

    Raises SynthesizerUnavailable without the soundfont or FluidSynth, and TooLarge when, with the tracked tree, it
    is more than 64 MiB.
    """
    if not soundfont.is_file():
        raise SynthesizerUnavailable(
            f"There is no soundfont at {soundfont} (Debian: fluidr3mono-gm-soundfont)."
        )
    shutil.rmtree(out, ignore_errors=True)
    (out / SITE).mkdir(parents=True)
    (out / ".gitignore").write_text("*\n")
    (out / SOUNDFONT).write_bytes(trim(soundfont.read_bytes(), corpus_presets()))
    pack_libraries(out / LIBRARIES)
    pack_packages(out / SITE)
    pack_text(out / TEXT, count)
    sizes = {path.name: _size(path) for path in sorted(out.iterdir())}
    check_size(sizes, tracked_bytes(out))
    return sizes


def pack_libraries(archive: Path) -> None:
    """FluidSynth and the libraries that it loads, with empty ones for its sound card drivers where gcc is here."""
    with tempfile.TemporaryDirectory() as name:
        stubs = Path(name)
        whole = _libraries(stubs)
        if shutil.which("gcc") and shutil.which("nm"):
            for driver in _DRIVERS:
                if driver in whole:
                    _write_stub(whole["libfluidsynth.so.3"], whole[driver], stubs / driver)
        # With the stubs in front, the loader itself says what is still needed.
        with tarfile.open(archive, "w:xz", preset=1) as tar:
            for soname, place in sorted(_libraries(stubs).items()):
                tar.add(place.resolve(), soname)


def pack_packages(folder: Path) -> None:
    """The binding of FluidSynth and safetensors as they are installed here: any Python 3 takes them."""
    for name in ("fluidsynth", "safetensors"):
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise SynthesizerUnavailable(f"{name} is missing: install the project with its corpus extra.")
        origin = Path(spec.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(origin, folder / origin.name)


def pack_text(file: Path, count: int) -> int:
    """The text encoder with the word pieces of so many composed captions; gives the number of pieces."""
    from safetensors.torch import load_file

    from generation.minilm import model_folder
    from generation.models.text import TextEncoder
    from generation.training.gpu.text import write_carried

    folder, encoder = model_folder(), TextEncoder()
    pieces = {piece for text in captions(count) for piece in encoder._tokenizer.tokenize(text)}
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return write_carried(load_file(folder / "model.safetensors"), vocabulary, pieces, file)


def captions(count: int) -> Iterator[str]:
    """Composed captions: five for each score, the first with all of its parts."""
    chance = random.Random(0)
    for number in range(count):
        if number % 5 == 0:
            score = compose(20_000_000 + number)
            present = [part.role for part in score.parts]
        roles = [role for role in present if number % 5 == 0 or chance.random() < 0.62]
        yield caption(score, frozenset(roles or present[:1]), chance)


def tracked_bytes(out: Path) -> int:
    """Bytes of the tree that travels by itself: what git tracks or does not ignore, without `out`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    files = {ROOT / name for name in listed.split("\0") if name}
    return sum(file.stat().st_size for file in files if file.is_file() and out.resolve() not in file.parents)


def check_size(sizes: dict[str, int], tracked: int) -> None:
    """Raises TooLarge when the packed things and the tracked tree are too much together."""
    total = sum(sizes.values()) + tracked
    if total > LIMIT_BYTES:
        raise TooLarge(f"{total:,} bytes would travel, {LIMIT_BYTES:,} may: take a smaller soundfont.")


def main() -> None:
    """Read the command line, print the sizes."""
    parser = argparse.ArgumentParser(prog="python -m generation.training.gpu.pack")
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "build/gpu")
    parser.add_argument("--soundfont", type=Path, default=MONO_SOUNDFONT)
    parser.add_argument("--captions", type=int, default=60_000, help="whose word pieces are carried")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sizes = pack(options.out, options.soundfont, options.captions)
    tracked = tracked_bytes(options.out)
    for name, size in {**sizes, "the tree": tracked, "together": sum(sizes.values()) + tracked}.items():
        log.info("%-18s %12s bytes", name, f"{size:,}")
    log.info("%-18s %12s bytes", "may travel", f"{LIMIT_BYTES:,}")


def _libraries(first: Path) -> dict[str, Path]:
    """Names and places of FluidSynth and what the loader takes for it, where it looks in `first` first."""
    found = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    lines = [line.split() for line in found.splitlines() if "libfluidsynth.so.3 " in line]
    if not lines:
        raise SynthesizerUnavailable("FluidSynth is missing (Debian: libfluidsynth3).")
    fluidsynth = lines[0][-1]
    needed = subprocess.run(
        ["ldd", fluidsynth],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        env={"LD_LIBRARY_PATH": str(first), "PATH": "/usr/bin:/bin"},
    ).stdout
    pairs = [line.split()[:3:2] for line in needed.splitlines() if "=>" in line]
    places = {soname: Path(place) for soname, place in pairs if not soname.startswith(_EVERYWHERE)}
    return places | {"libfluidsynth.so.3": Path(fluidsynth)}


def _write_stub(user: Path, library: Path, target: Path) -> None:
    """A library in the place of another: every function of it that `user` names is there and does nothing."""
    defined = {line.split()[-1].partition("@")[0] for line in _symbols(library, "--defined-only")}
    versions: dict[str, list[str]] = {}
    for line in _symbols(user, "--undefined-only"):
        name, _, version = line.split()[-1].partition("@")
        if name in defined:
            versions.setdefault(version, []).append(name)
    source = "".join(f"void {name}(void) {{}}\n" for names in versions.values() for name in names)
    script = "".join(
        f"{version} {{ global: {'; '.join(names)}; }};\n" for version, names in versions.items() if version
    )
    map_file = target.with_suffix(".map")
    map_file.write_text(script)
    command = [
        "gcc",
        "-shared",
        "-fPIC",
        "-s",
        f"-Wl,-soname,{target.name}",
        "-o",
        str(target),
        "-x",
        "c",
        "-",
    ]
    subprocess.run(
        [*command, *([f"-Wl,--version-script={map_file}"] if script else [])],
        input=source.encode(),
        check=True,
        stderr=subprocess.DEVNULL,  # it warns of functions that it knows with other parameters
    )


def _symbols(library: Path, which: str) -> list[str]:
    return subprocess.run(
        ["nm", "-D", which, str(library)],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    main()
