"""Layers: drums, bass, harmony and lead as stems that fit each other, and their mix.

A sketch of everybody together is rendered first, from the request's own prompt and seed. Each stem is then painted over
its part of that sketch (what strikes, or what rings in the role's band), from the same noise and in the same key, with
a prompt of its own: what the sketch has agreed on, chords and places, stays in all of them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from generation.arrangement import Layers
from generation.audio.limiter import limit_loop
from generation.audio.loudness import TARGET_LUFS, gain_to_target, loudness
from generation.audio.pcm import FULL_SCALE, audio_of, pcm24, sha256
from generation.engine import Progress, Renderer
from generation.errors import NotPossible
from generation.request import GENRE_BPM, SAMPLE_RATE, Riff, RiffRequest, Take
from generation.spectrogram import SpectrogramCodec

Audio = NDArray[np.float32]

_CEILING = 10 ** (-1.2 / 20)
# More than this would be heard as pumping.
_MOST_LIMITING_DB = 6.0
_WINDOW, _HOP = 4096, 1024
_MEDIAN_FRAMES, _MEDIAN_BINS = 17, 31
_BEATLESS = frozenset(
    {
        *(
            "ambient",
            "drone",
            "orchestral",
            "cinematic",
            "film score",
            "classical",
            "baroque",
            "waltz",
            "lullaby",
        ),
        *("celtic", "irish", "jig", "sea shanty", "shanty", "flamenco", "folk", "tango", "doo-wop"),
    }
)
_DRUM_WORDS = re.compile(r"\b(drums?|beats?|percussion|breakbeats?|808|909)\b", re.IGNORECASE)
_NO_DRUMS = re.compile(
    r"\b(no|without) (drums?|beats?|percussion)\b|\b(solo|alone|a cappella)\b", re.IGNORECASE
)
_RHYTHM_SECTION = re.compile(r"\b(drums?|beats?|percussion|bass|808|909)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Role:
    """How a stem is made: its prompt after a genre's name, its band in Hz, and how it is laid into the mix.

    `strength` is how far it may leave its part of the sketch; `lufs` its loudness before the mix is brought to its own.
    """

    words: str
    alone: str
    low_hz: float
    high_hz: float
    strength: float
    lufs: float


_ROLES = {
    "drums": _Role("drums", "drums", 0.0, 20_000.0, 0.6, -16.0),
    "bass": _Role("bass", "bass", 28.0, 300.0, 0.7, -18.0),
    "harmony": _Role("chords", "", 140.0, 12_000.0, 0.7, -20.0),
    "lead": _Role("lead melody", "with a lead melody", 240.0, 16_000.0, 0.75, -19.0),
}


def perform(
    engine: Renderer,
    request: RiffRequest,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Riff:
    """One take whose audio is, in 24-bit PCM exactly, the sum of its stems.

    Raises NotPossible for a model that cannot start from a sound.
    """
    layers = request.arrangement
    assert isinstance(layers, Layers)
    if "remix" not in engine.can:
        raise NotPossible(
            f"{engine.model_id} cannot make layers: each stem starts from a sketch of all of them."
        )
    timings: dict[str, float] = {}

    def rendered(index: int, asked: RiffRequest, source: Audio | None = None) -> Take:
        def report(progress: Progress) -> None:
            if on_progress is not None:
                on_progress(replace(progress, take=index, takes=1 + len(layers.prompts)))

        riff = engine.render(asked, report, cancelled, source)
        for phase, seconds in riff.timings.items():
            timings[phase] = timings.get(phase, 0.0) + seconds
        return riff.takes[0]

    plain = replace(request, arrangement=None)
    sketch = rendered(0, replace(plain, prompt=_sketch_prompt(request.prompt, layers)))
    parts = _parts(sketch.audio, [role for role, _ in layers.prompts])
    stems = {}
    for index, (role, prompt) in enumerate(layers.prompts, 1):
        how = _ROLES[role]
        asked = replace(plain, prompt=prompt or stem_prompt(request.prompt, role), strength=how.strength)
        stems[role] = _laid(rendered(index, asked, parts[role]).audio, how)
    stems = _mastered(stems)
    # Added up as the integers that the files hold: sums of floats come out a bit beside them.
    total = sum(np.rint(stem * np.float64(FULL_SCALE)) for stem in stems.values())
    mix = np.asarray(total / FULL_SCALE, np.float32)
    recipe = {
        "request": request.to_dict(),
        "model": engine.model_id,
        "codec": sketch.recipe["codec"],
        "samples": len(mix),
        "sha256": sha256(mix),
        "stems": {role: sha256(stem) for role, stem in stems.items()},
    }
    image = SpectrogramCodec().encode(mix, request.sixteenths).level
    return Riff(request, (Take(mix, image, recipe, stems),), timings)


def stem_prompt(prompt: str, role: str) -> str:
    """What a stem is asked for where nothing else is said: the prompt's genre, or its other players, in that role."""
    how, genre = _ROLES[role], genre_of(prompt)
    if role in ("drums", "bass"):
        return f"{genre} {how.words}".strip()
    players = [part for part in re.split(r",| and | with ", prompt)[1:] if not _RHYTHM_SECTION.search(part)]
    if genre:
        return f"{genre} {players[0].strip() if players and role == 'harmony' else how.words}"
    return ", ".join(filter(None, (prompt, how.alone, "no drums, no bass")))


def genre_of(prompt: str) -> str:
    """What a prompt names of genres, in its order ("lofi hip hop"); "" where it names none."""
    return " ".join(_genres(prompt))


def has_drums(prompt: str) -> bool:
    """Whether a prompt makes one expect drums: it names them, or a genre that has them."""
    if _NO_DRUMS.search(prompt):
        return False
    if _DRUM_WORDS.search(prompt):
        return True
    genres = _genres(prompt)
    return bool(genres) and _BEATLESS.isdisjoint(genres)


def ringing(loop: Audio) -> Audio:
    """What rings in a loop, (samples, 2), without what strikes; on the circle.

    Median filters along time and along frequency (Fitzgerald, 2010, "Harmonic/percussive separation using median
    filtering") make soft masks, one for both channels.
    """
    count = -(-len(loop) // _HOP)
    place = np.arange(-_WINDOW // 2, (count - 1) * _HOP + _WINDOW // 2)
    turned = np.take(loop, place, axis=0, mode="wrap")
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(turned, _WINDOW, axis=0)[::_HOP]
    spectra = scipy.fft.rfft(frames * window, axis=2)
    size = np.abs(spectra).sum(1)
    lasting = scipy.ndimage.median_filter(size, (_MEDIAN_FRAMES, 1), mode="wrap") ** 2
    broad = scipy.ndimage.median_filter(size, (1, _MEDIAN_BINS), mode="nearest") ** 2
    spectra *= (lasting / np.maximum(lasting + broad, 1e-12))[:, None].astype(np.float32)
    pieces = scipy.fft.irfft(spectra, n=_WINDOW, axis=2) * window
    total, weight = np.zeros((len(place), 2), np.float32), np.zeros(len(place), np.float32)
    for index, piece in enumerate(pieces):
        at = slice(index * _HOP, index * _HOP + _WINDOW)
        total[at] += piece.T
        weight[at] += window**2
    rung = _circle(total, len(loop)) / np.maximum(_circle(weight[:, None], len(loop)), 1e-3)
    return np.asarray(rung, np.float32)


def _circle(sound: Audio, samples: int) -> Audio:
    """Sound that begins half a window before a loop and goes beyond its end, folded into the loop."""
    folded = np.zeros((samples, sound.shape[1]), np.float32)
    np.add.at(folded, (np.arange(len(sound)) - _WINDOW // 2) % samples, sound)
    return folded


def _genres(prompt: str) -> list[str]:
    """The genres that a prompt names, longest names first where one is within another, in the prompt's order."""
    words, found = prompt.lower(), dict[int, str]()
    for name in sorted(GENRE_BPM, key=len, reverse=True):
        for match in re.finditer(rf"\b{re.escape(name)}\b", words):
            found[match.start()] = name
            words = words[: match.start()] + " " * len(name) + words[match.end() :]
    return [found[place] for place in sorted(found)]


def _sketch_prompt(prompt: str, layers: Layers) -> str:
    """The prompt, with the rhythm section named where it is to be heard: a model may leave out what is not."""
    roles = {role for role, _ in layers.prompts}
    unsaid = [role for role in ("drums", "bass") if role in roles and not re.search(rf"\b{role}\b", prompt)]
    return f"{prompt}, with {' and '.join(unsaid)}" if unsaid else prompt


def _parts(sketch: Audio, roles: list[str]) -> dict[str, Audio]:
    """What each stem starts from: what strikes for the drums, what rings in their bands for the others."""
    rung = ringing(sketch)
    return {
        role: sketch - rung if role == "drums" else _banded(rung, _ROLES[role].low_hz, _ROLES[role].high_hz)
        for role in roles
    }


def _laid(stem: Audio, how: _Role) -> Audio:
    """A stem at its place in the mix: without what lies below its band, and at its loudness."""
    if how.low_hz > 100:
        stem = _banded(stem, how.low_hz / 2, SAMPLE_RATE)
    measured = loudness(stem)
    return stem if np.isinf(measured) else stem * np.float32(10 ** ((how.lufs - measured) / 20))


def _mastered(stems: dict[str, Audio]) -> dict[str, Audio]:
    """All stems times the gains, the same for all, that bring their sum to the usual loudness below the ceiling.

    They come out on the grid of 24-bit PCM, so that whoever adds the files up gets the mix.
    """
    together = np.concatenate([sum(stems.values(), np.zeros(())), *stems.values()], axis=1).astype(np.float32)
    mix = together[:, :2]
    gain = gain_to_target(mix)
    missing = TARGET_LUFS - loudness(mix * np.float32(gain))
    if 0 < missing < np.inf:
        gain *= 10 ** (min(missing, _MOST_LIMITING_DB) / 20)
    together = limit_loop(together * np.float32(gain), _CEILING)
    # A stem may be louder than all of them together.
    together /= max(1.0, float(np.abs(together).max()))
    return {
        role: audio_of(pcm24(together[:, 2 * index : 2 * index + 2])) for index, role in enumerate(stems, 1)
    }


def _banded(loop: Audio, low_hz: float, high_hz: float) -> Audio:
    """A loop between two frequencies, 24 dB per octave outside them, without any change of phase."""
    spectrum = scipy.fft.rfft(loop, axis=0)
    hertz = np.maximum(np.fft.rfftfreq(len(loop), 1 / SAMPLE_RATE), 1e-3)
    weight = 1 / ((1 + (low_hz / hertz) ** 4) * (1 + (hertz / high_hz) ** 4))
    return np.asarray(scipy.fft.irfft(spectrum * weight[:, None], n=len(loop), axis=0), np.float32)
