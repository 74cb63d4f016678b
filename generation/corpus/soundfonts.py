"""The soundfonts that the corpus is played with: which, from where, under which licence.

Both are free for any use under the MIT licence; docs/origin.md has their authors and what they are made of.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from random import Random

from generation.errors import RiffError

_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
)


class SynthesizerUnavailable(RiffError):
    """FluidSynth or a soundfont is not on this machine."""


@dataclass(frozen=True, slots=True)
class Soundfont:
    """A published file, recognised by its SHA-256, and the Debian package that brings it."""

    file: str
    version: str
    sha256: str
    licence: str
    package: str


FLUID_R3 = Soundfont(
    file="FluidR3_GM.sf2",
    version="3.1",
    sha256="74594e8f4250680adf590507a306655a299935343583256f3b722c48a1bc1cb0",
    licence="MIT",
    package="fluid-soundfont-gm",
)
MUSESCORE = Soundfont(
    file="MuseScore_General_Full.sf3",
    version="0.2.1",
    sha256="f9a37b36655f23e167c66ec91bef6097c8e99be29286219a54062919eb41aeae",
    licence="MIT, parts public domain or CC0",
    package="musescore-general-soundfont",
)
SOUNDFONTS = (FLUID_R3, MUSESCORE)


def find_soundfont(soundfont: Soundfont) -> Path:
    """Where systems keep it; raises SynthesizerUnavailable."""
    for folder in _FOLDERS:
        place = Path(folder) / soundfont.file
        if place.is_file():
            return place
    raise SynthesizerUnavailable(
        f"There is no {soundfont.file}: install it (Debian: {soundfont.package}) or set RIFF_SOUNDFONT."
    )


def find_soundfonts(wished: str | Path | None = None) -> tuple[Path, ...]:
    """The one that is wished for or that RIFF_SOUNDFONT names, or else all of the corpus's own.

    Any soundfont is taken: the corpus's record has its hash, and says whether it is one of ours. Raises
    SynthesizerUnavailable.
    """
    if wished:
        if not Path(wished).is_file():
            raise SynthesizerUnavailable(f"There is no soundfont at {wished}.")
        return (Path(wished),)
    named = os.environ.get("RIFF_SOUNDFONT")
    if named:
        if not Path(named).is_file():
            raise SynthesizerUnavailable(f"RIFF_SOUNDFONT names {named}, and there is no such file.")
        return (Path(named),)
    return tuple(find_soundfont(soundfont) for soundfont in SOUNDFONTS)


def choose_soundfont(seed: int, soundfonts: tuple[Path, ...]) -> Path:
    """The one that a score is played with: drawn by its seed alone, whatever its instruments are."""
    return soundfonts[Random(f"soundfont of {seed}").randrange(len(soundfonts))]


def origin_of(path: Path) -> dict[str, str]:
    """The record of a soundfont: its file name, SHA-256, version and licence, "unknown" for one that is not ours."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    known = next((soundfont for soundfont in SOUNDFONTS if soundfont.sha256 == sha256), None)
    return {
        "file": path.name,
        "sha256": sha256,
        "version": known.version if known else "unknown",
        "licence": known.licence if known else "unknown",
    }
