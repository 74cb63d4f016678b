"""Sounds of our own: synthesisers, drum machines and textures, computed from a seed and nothing else.

`play` renders one part of a score. What it draws depends on the score's seed, the part's role and its
instrument, so a stem is the same whatever else is rendered, and the patch of a name differs from score to score.
"""

import zlib

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from generation.corpus.instruments import CLOSED_HAT, OPEN_HAT, PEDAL_HAT, SOUNDS, Instrument, Kit
from generation.corpus.score import Note, Part, Score
from generation.corpus.synth.drums import MACHINES
from generation.corpus.synth.patches import PATCHES, Tone
from generation.corpus.synth.room import placed, with_room
from generation.corpus.synth.signal import Stereo, filtered_circle, lay
from generation.corpus.synth.textures import TEXTURES, Bed

__all__ = ["MACHINES", "PATCHES", "TEXTURES", "play"]

# How far from the middle each drum sits.
_SIDES = {42: 0.2, 44: 0.2, 46: 0.2, 45: 0.35, 47: 0.0, 50: -0.3, 49: -0.35, 51: 0.4, 54: -0.4, 56: 0.25,
          63: -0.35, 64: -0.2, 70: -0.45, 75: 0.45}  # fmt: skip
_HATS = (CLOSED_HAT, PEDAL_HAT, OPEN_HAT)
# A stroke on the hi-hat stops an open one within 8 ms.
_CHOKE = 353
_ECHO_SHARE = 0.25


def play(part: Part, score: Score) -> Stereo:
    """A part's stem, (score.samples, 2) float32, whose tails and echoes run over the seam.

    Its loudness is the patch's own. Raises KeyError for an instrument that has no synthesiser.
    """
    sound = SOUNDS[part.instrument]
    if sound.synth is None:
        raise KeyError(part.instrument)
    random = default_rng([score.seed, zlib.crc32(f"{part.role} {part.instrument}".encode())])
    per_step = score.samples / score.steps
    if isinstance(sound, Kit):
        dry = _drums(sound.synth, part, score.samples, per_step, random)
    elif isinstance(sound, Instrument):
        dry = _tones(sound, part, score.samples, per_step, random)
    else:
        spans = tuple(
            (round(note.start * per_step), max(1, round(note.length * per_step)), note.velocity / 127)
            for note in part.notes
        )
        dry = _softened(TEXTURES[sound.synth](random, Bed(score.samples, score.steps, spans)))
    # A mean is no sound, and where the loop is short it would be a step at each of its edges.
    dry = filtered_circle(dry, "highpass", 22.0, 1)
    return with_room(placed(dry, part.pan), part.reverb, random)


def _softened(bed: Stereo) -> Stereo:
    """The rarest clicks brought down to 18 dB above the mean, so that the bed below them is heard in a mix."""
    most = np.float32(8 * np.sqrt(np.square(bed).mean()))
    return np.asarray(most * np.tanh(bed / most), np.float32) if most > 0 else bed


def _tones(
    sound: Instrument, part: Part, samples: int, per_step: float, random: Generator
) -> NDArray[np.float32]:
    voice = PATCHES[str(sound.synth)](random)
    circle = np.zeros((samples, 2), np.float32)
    notes = sorted(part.notes, key=lambda note: (note.start, note.pitch))
    for index, note in enumerate(notes):
        start = round(note.start * per_step)
        hold = max(1, round(note.length * per_step))
        before = None
        if not sound.chordal:
            hold = min(hold, max(1, _gap(note, notes[(index + 1) % len(notes)], samples, per_step)))
            before = _slurred(notes[index - 1], note, samples, per_step) if len(notes) > 1 else None
        heard = voice(Tone(note.pitch, hold, note.velocity / 127, before, start / samples))
        lay(circle, start, heard if heard.ndim == 2 else np.repeat(heard[:, None], 2, axis=1))
    if part.role == "lead" and random.random() < _ECHO_SHARE:
        delay = round(float(random.choice([2, 3, 4])) * per_step)
        level = np.float32(random.uniform(0.15, 0.35))
        echo = np.roll(circle, delay, axis=0)[:, ::-1] * level + np.roll(circle, 2 * delay, axis=0) * level**2
        circle += echo
    return circle


def _gap(note: Note, following: Note, samples: int, per_step: float) -> int:
    """Samples from a note's beginning to the next one's, round the circle."""
    gap = (round(following.start * per_step) - round(note.start * per_step)) % samples
    return gap or samples


def _slurred(earlier: Note, note: Note, samples: int, per_step: float) -> int | None:
    """The pitch that a note is slurred to: the one before it, if that is held until here."""
    silence = _gap(earlier, note, samples, per_step) - earlier.length * per_step
    return earlier.pitch if silence < 0.15 * per_step and earlier.pitch != note.pitch else None


def _drums(name: str, part: Part, samples: int, per_step: float, random: Generator) -> Stereo:
    stroke = MACHINES[name](random)
    circle = np.zeros((samples, 2), np.float32)
    notes = sorted(part.notes, key=lambda note: (note.start, note.pitch))
    hats = [round(note.start * per_step) for note in notes if note.pitch in _HATS]
    for note in notes:
        start = round(note.start * per_step)
        sound = stroke(note.pitch, note.velocity / 127)
        if note.pitch == OPEN_HAT and len(hats) > 1:
            until = min((other - start) % samples or samples for other in hats)
            if until + _CHOKE < len(sound):
                sound = sound[: until + _CHOKE].copy()
                sound[until:] *= np.linspace(1, 0, _CHOKE, dtype=np.float32)
        lay(circle, start, placed(sound, _SIDES.get(note.pitch, 0.0)))
    return circle
