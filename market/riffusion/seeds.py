"""Loops of ours in the role of Riffusion's five seed images, under its names and as long as those: 5.12 s.

A remix of one keeps its tempo, its key and its length, so that clips follow each other without a gap.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.audio.ingest import read_audio
from generation.request import RiffRequest

FOLDER = Path(__file__).parent / "seeds"
SECONDS = 5.12


@dataclass(frozen=True, slots=True)
class SeedLoop:
    """How a seed was made: `python -m market.riffusion.render` makes all of them again."""

    prompt: str
    key: str
    bars: int
    bpm: float
    seed: int

    @property
    def request(self) -> RiffRequest:
        return RiffRequest.parse(
            prompt=self.prompt,
            key=self.key,
            bars=self.bars,
            bpm=self.bpm,
            metre="4/4",
            seed=self.seed,
            steps=12,
        )


SEEDS = {
    "og_beat": SeedLoop("boom bap hip hop drums and bass", "Am", 2, 93.75, 2),
    "agile": SeedLoop("fast techno synth lead and drums", "Em", 3, 140.625, 1),
    "marim": SeedLoop("marimba with hand drums and bass", "C", 2, 93.75, 2),
    "motorway": SeedLoop("driving synthwave bass and drums", "Dm", 3, 140.625, 1),
    "vibes": SeedLoop("vibraphone and double bass with brushed drums, jazz", "F", 2, 93.75, 4),
}
# Below this frequency Riffusion's one mask that keeps more than it repaints repaints.
_DARK_GRADIENT_HZ = 3900.0
# Its masks by name: from where on, in Hz, a seed stays as it is. What a mask shows in light grey Riffusion repaints at
# a little less than full strength, here it is repainted: None repaints everything.
MASKS = {
    "mask_beat_lines_80": None,
    "mask_gradient_dark": _DARK_GRADIENT_HZ,
    "mask_gradient_top_70": None,
    "mask_gradient_top_fifth_75": None,
    "mask_top_third_75": None,
    "mask_top_third_95": None,
}


@cache
def sound_of(seed_id: str) -> NDArray[np.float32]:
    """A seed's loop: (225792, 2) float32 at 44.1 kHz. The first call takes a moment."""
    audio = read_audio(FOLDER / f"{seed_id}.ogg")
    return np.resize(audio, (SEEDS[seed_id].request.samples, 2))


def repaint_of(mask_id: str, bars: int) -> dict[str, Any] | None:
    """The arrangement that paints where a mask does, of so many bars; None where it paints everything."""
    kept_from = MASKS[mask_id]
    return None if kept_from is None else {"kind": "repaint", "bars": f"1-{bars}", "high_hz": kept_from}
