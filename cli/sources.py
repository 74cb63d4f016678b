"""The sound that a command starts from: what is in it, on which grid it stands, and where it came from."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation import fields
from generation.errors import RiffError
from generation.request import BPM, METRES, SAMPLE_RATE, Riff, RiffRequest

# How far a file may be from whole bars at the tempo that is said for it: people round tempi.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class Source:
    """A file's sound, (samples, 2) at 44.1 kHz, its digest, and its recipe where it is as we made it."""

    name: str
    audio: NDArray[np.float32]
    sha256: str
    recipe: dict[str, Any] | None

    @property
    def request(self) -> RiffRequest | None:
        """What the sound was asked for with, where it is ours."""
        if self.recipe is None:
            return None
        from generation.audio.recipes import request_of

        return request_of(self.recipe)

    def grid(self, bpm: str | None, metre: str | None) -> dict[str, Any]:
        """Fields of a request on whose grid the sound lies: bars, bpm, metre, and the key where it is known.

        A sound of ours knows them; of another one the tempo has to be said. Raises RiffError unless the sound has
        whole bars, to which the tempo is fitted.
        """
        known = self.request
        if bpm in (None, "") and known is None:
            raise RiffError(f"{self.name} does not say its tempo, as loops of ours do: say it with --bpm.")
        said = fields.number("bpm", bpm, BPM, 120.0 if known is None else known.bpm)
        beat = fields.choice("metre", metre, tuple(METRES), "4/4" if known is None else known.metre)
        bar = METRES[beat] * 15 * SAMPLE_RATE
        bars = max(1, round(len(self.audio) * said / bar))
        fitted = bars * bar / len(self.audio)
        if abs(fitted / said - 1) > _TOLERANCE:
            raise RiffError(
                f"{self.name} has {len(self.audio) * said / bar:.2f} bars of {beat} at {said:g} bpm: whole bars are "
                "needed, so say another tempo, cut it, or use riff remix."
            )
        exact = known is not None and said == known.bpm and beat == known.metre
        key = None if known is None or known.key is None else str(known.key)
        return {"bars": bars, "bpm": said if exact else fitted, "metre": beat, "key": key}

    def named_in(self, riff: Riff) -> Riff:
        """The riff whose recipes hold the recipe of this sound, where there is one and they start from it."""
        if self.recipe is None:
            return riff
        takes = [
            replace(take, recipe={**take.recipe, "source": {**take.recipe["source"], "recipe": self.recipe}})
            if "source" in take.recipe
            else take
            for take in riff.takes
        ]
        return replace(riff, takes=tuple(takes))


def open_source(file: Path) -> Source:
    """Read a sound of up to 60 s from any audio file. Raises UnreadableAudio."""
    from generation.audio.ingest import read_audio
    from generation.audio.pcm import sha256
    from generation.audio.recipes import read_recipe

    audio = read_audio(file)
    digest = sha256(audio)
    try:
        recipe, _ = read_recipe(file)
    except RiffError:
        return Source(file.name, audio, digest, None)
    return Source(file.name, audio, digest, recipe if recipe["sha256"] == digest else None)
