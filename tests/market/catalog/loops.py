"""Loops that are fit for sale, as a worker keeps them."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.audio.pcm import sha256
from generation.request import METRES, SAMPLE_RATE, RiffRequest, Take
from market.db import Database
from market.licensing import tiers
from market.models import Loop
from market.storage import Storage
from market.studio import service as studio
from market.studio.assets import Assets, loop_of
from tests.market.conftest import order

[KNOWN_MODEL, *_] = sorted(tiers.known_models())
_CHORDS = ((0, 3, 7), (5, 8, 12), (7, 10, 14), (3, 7, 10))


async def make(
    database: Database,
    storage: Storage,
    owner: str,
    sound: NDArray[np.float32],
    *,
    key: str,
    model: str = KNOWN_MODEL,
    recipe: dict[str, Any] | None = None,
    layers: bool = False,
    musical_key: str | None = None,
    **request: Any,
) -> Loop:
    """A finished loop with all its files: by default of two bars at 120. `key` is a number that no other has."""
    given = {"prompt": "church bells, warm pad", "bars": 2, "bpm": 120, "seed": 3_141_590_000 + int(key)}
    wish = RiffRequest.parse(**{**given, **request}, key=musical_key)
    riff_id = await order(database, wish, owner, key=f"key {key}")
    asked = {"request": wish.to_dict(), "model": model, "codec": "none"}
    known = {**asked, "samples": len(sound), "sha256": sha256(sound), **(recipe or {})}
    image = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (wish.bars * METRES[wish.metre] * 8, 1))
    half = sound * np.float32(0.5)
    stems = {"drums": half, "lead": half} if layers else {}
    record = await Assets.make(0, Take(sound, image, known, stems)).keep(storage, riff_id)
    loop = loop_of(riff_id, record, datetime.now(UTC))
    async with database.write() as session:
        await studio.finish(session, riff_id, [loop])
    return loop


def tune(seed: int = 1, bpm: float = 120, bars: int = 2, tonic: int = 57) -> NDArray[np.float32]:
    """A loop in four of a minor key: a chord to each half bar, a melody of its scale by chance, a kick on each beat."""
    random = np.random.default_rng(seed)
    samples = round(bars * 240 * SAMPLE_RATE / bpm)
    sound = np.zeros((samples, 2))
    beat = 60 * SAMPLE_RATE / bpm
    scale = (0, 2, 3, 5, 7, 8, 10, 12)

    def add(at: float, pitch: float, seconds: float, level: float, side: float) -> None:
        place = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        wave = sum(np.sin(2 * np.pi * hertz * n * place) / n**1.5 for n in range(1, 5)) * np.exp(-place * 4)
        where = (round(at) + np.arange(len(wave))) % samples
        np.add.at(sound, where, level * wave[:, None] * np.array([1 - side, side]))

    for half in range(bars * 2):
        for note in _CHORDS[random.integers(4)]:
            add(half * 2 * beat, tonic + note, 1.5, 0.25, 0.4)
    for eighth in range(bars * 8):
        if random.random() < 0.7:
            add(eighth * beat / 2, tonic + 12 + scale[random.integers(8)], 0.5, 0.4, 0.6)
    place = np.arange(9_000) / SAMPLE_RATE
    kick = np.sin(2 * np.pi * (50 * place + 6 * np.exp(-place * 30))) * np.exp(-place * 18)
    for quarter in range(bars * 4):
        where = (round(quarter * beat) + np.arange(len(kick))) % samples
        np.add.at(sound, where, 0.9 * kick[:, None] * np.ones(2))
    return np.asarray(0.7 * sound / np.abs(sound).max(), np.float32)
