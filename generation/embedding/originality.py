"""How near a loop comes to what the shipped model learnt from.

Which notes are in a loop is estimated sixteenth by sixteenth, by a small network over semitones. That is compared, in
all keys and from each bar on, with the prints of the training scores: which pitch classes sound and which begin in each
sixteenth. The scores of the dozen nearest prints are composed again, and each is laid over the loop note by note.

Covered are the scores of stages 3 and 4 of `generation/training/runs/riff-small.sh` in which anybody plays notes: 4410
of its 5521 loops. The others are kits, rain and the like alone, which have no tune to take. Stages 1 and 2, which the
model had heard before, used a composer that is no more: their 6400 loops are NOT covered, nor is a training
loop found that was cut, stretched, or laid under something louder. What it looks for is a whole loop of the corpus
played again, in any key and with any sounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from generation.corpus.composer import compose
from generation.corpus.instruments import SOUNDS, Instrument
from generation.corpus.score import Part, Score
from generation.embedding.picture import Audio, check
from generation.errors import InvalidRequest, ModelUnavailable
from generation.request import METRES, samples_of

# Loops of the shipped model stay below, training loops played again are above: benchmarks/embedding.py has the shares.
TOO_NEAR = 0.65

WEIGHTS = Path(__file__).parent / "weights" / "prints.npz"
FRAMES_PER_SIXTEENTH = 2
_LOWEST, _SEMITONES = 33, 75  # MIDI notes that are looked at
_REACH = 64  # semitones upwards from below a pitch class that the network sees
_MOMENTS = (-2, -1, 0, 1, 2, 3)  # frames around a sixteenth's first that it sees
_NEIGHBOURS = 13  # semitones whose mean counts as noise
_LONG, _SHORT, _LONG_BELOW = 8192, 4096, 67
_RANGE_DB = 70.0
_SOUNDING, _BEGINNING = 0.4, 0.6
_FINALISTS = 12
_FEWEST_ONSETS = 3.0
_LENGTH_TOLERANCE = 0.01
# Partials of a note in semitones above it, and how high they stand in a level picture.
_PARTIALS = ((0, 1.0), (12, 0.75), (19, 0.6), (24, 0.5), (28, 0.4), (31, 0.35))
_RINGING = 3  # frames that an instrument which is not held rings on
_DECAY_FRAMES_AT_60_BPM = 9.6

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Originality:
    """`nearest` (0 to 1) is how near the nearest training score comes, `seed` is its seed; None where nothing is near.

    It is the correlation of the loop's semitones with that score's notes, plus how far the score stands out from the
    second nearest: everybody's chords are near to many scores, a tune that was taken is near to one.
    """

    nearest: float
    seed: int | None

    @property
    def is_original(self) -> bool:
        return self.nearest < TOO_NEAR


@dataclass(frozen=True)
class Prints:
    """Of all scores of one metre and length: `seeds` (n,), and what sounds and what begins, (n, sixteenths * 12)."""

    seeds: NDArray[np.int64]
    sounding: Values
    beginning: Values


@dataclass(frozen=True)
class _Candidate:
    """A score as it may be in the loop: `semitones` higher than composed, from its bar `bars` later on."""

    seed: int
    nearness: float
    semitones: int
    bars: int


def originality(audio: Audio, bpm: float, metre: str, bars: int) -> Originality:
    """How near (samples, 2) at 44.1 kHz, so many bars from a downbeat on, comes to a score that the model learnt from.

    Raises UnreadableAudio for silence and what is too short, InvalidRequest when the sound is not as long as its bars.
    """
    check(audio)
    steps = bars * METRES[metre]
    if abs(len(audio) / samples_of(steps, bpm) - 1) > _LENGTH_TOLERANCE:
        raise InvalidRequest("bars", f"This sound does not last {bars} bars of {metre} at {bpm:g} bpm.")
    levels = semitone_levels(audio, steps)
    sounding, beginning = notes(levels)
    if float(beginning.sum()) < _FEWEST_ONSETS:
        return Originality(0.0, None)
    candidates = sorted(
        _candidates(sounding, beginning, metre, bars), key=lambda candidate: -candidate.nearness
    )[:_FINALISTS]
    if not candidates:
        return Originality(0.0, None)
    likeness = [_likeness(levels, candidate, bars) for candidate in candidates]
    total = [one.nearness + other for one, other in zip(candidates, likeness, strict=True)]
    first, second = [*np.argsort(total)[::-1], len(total)][:2]
    lead = total[first] - total[second] if second < len(total) else 0.0
    return Originality(round(float(np.clip(likeness[first] + lead, 0, 1)), 4), candidates[first].seed)


def _candidates(sounding: Values, beginning: Values, metre: str, bars: int) -> Iterator[_Candidate]:
    """Every score whose bars go into the loop's, in its best key and place."""
    bar = METRES[metre]
    places = [(semitones, later) for semitones in range(12) for later in range(bars)]

    def turned(picture: Values) -> Values:
        return _centred(
            np.stack(
                [np.roll(picture, (later * bar, semitones), (0, 1)).ravel() for semitones, later in places]
            )
        )

    heard = turned(sounding), turned(beginning)
    for (print_metre, print_bars), prints in load_prints().items():
        if print_metre != metre or bars % print_bars:
            continue
        turns = bars // print_bars
        near = _SOUNDING * heard[0] @ np.tile(prints.sounding, turns).T / turns**0.5
        near += _BEGINNING * heard[1] @ np.tile(prints.beginning, turns).T / turns**0.5
        best = near.argmax(0)
        for row in np.argsort(near.max(0))[-_FINALISTS:]:
            semitones, later = places[best[row]]
            yield _Candidate(
                seed=int(prints.seeds[row]),
                nearness=float(near[best[row], row]),
                semitones=-semitones if semitones <= 6 else 12 - semitones,
                bars=-later % bars,
            )


def _likeness(levels: Values, candidate: _Candidate, bars: int) -> float:
    """Correlation of what is heard with the notes of a score."""
    score = compose(candidate.seed)
    drawn = np.tile(drawing(score, candidate.semitones), (bars // score.bars, 1))
    frames = candidate.bars * METRES[score.metre] * FRAMES_PER_SIXTEENTH
    heard, played = (_levelled(_above_noise(picture)) for picture in (levels, np.roll(drawn, frames, 0)))
    size = float(np.linalg.norm(heard) * np.linalg.norm(played))
    return float((heard * played).sum()) / max(size, 1e-9)


def drawing(score: Score, semitones: int = 0) -> Values:
    """(frames, 75) a score's notes as `semitone_levels` would show them, so many semitones higher."""
    frames = score.steps * FRAMES_PER_SIXTEENTH
    picture = np.zeros((frames, _SEMITONES), np.float32)
    for part, sound in _pitched(score):
        for note in part.notes:
            start = note.start * FRAMES_PER_SIXTEENTH
            length = max(1.0, note.length * FRAMES_PER_SIXTEENTH) + (0 if sound.sustained else _RINGING)
            times = np.arange(round(start), round(start + length))
            level = np.ones(len(times))
            if not sound.sustained:
                level = np.exp(-np.maximum(0, times - start) * 60 / score.bpm / _DECAY_FRAMES_AT_60_BPM)
            level *= 0.5 + 0.5 * note.velocity / 127
            for above, height in _PARTIALS:
                row = note.pitch + semitones + above - _LOWEST
                if 0 <= row < _SEMITONES:
                    np.maximum.at(picture[:, row], times % frames, (level * height).astype(np.float32))
    return picture


def print_of(score: Score) -> NDArray[np.bool_]:
    """(2, sixteenths, 12) which pitch classes sound, and which begin, in each sixteenth."""
    marks = np.zeros((2, score.steps, 12), np.bool_)
    for part, _ in _pitched(score):
        for note in part.notes:
            first = round(note.start)
            last = max(first + 1, round(note.start + note.length))
            marks[0, np.arange(first, last) % score.steps, note.pitch % 12] = True
            marks[1, first % score.steps, note.pitch % 12] = True
    return marks


def _pitched(score: Score) -> Iterator[tuple[Part, Instrument]]:
    for part in score.parts:
        sound = SOUNDS[part.instrument]
        if isinstance(sound, Instrument):
            yield part, sound


def semitone_levels(audio: Audio, steps: int) -> Values:
    """(frames, 75) level in each semitone from 0 to 1, two frames per sixteenth; `audio` goes round its end."""
    mono = audio.mean(1)
    mono = mono / max(float(np.abs(mono).max()), 1e-9)
    frames = steps * FRAMES_PER_SIXTEENTH
    middles = np.round((np.arange(frames) + 0.5) * len(mono) / frames).astype(np.int64)
    split = _LONG_BELOW - _LOWEST
    low, high = (_semitone_powers(mono, middles, size) for size in (_LONG, _SHORT))
    decibels = 10 * np.log10(np.concatenate([low[:, :split], 2 * high[:, split:]], 1) + np.float32(1e-12))
    return np.asarray(np.maximum(0, (decibels - decibels.max()) / np.float32(_RANGE_DB) + 1), np.float32)


def _semitone_powers(mono: Values, middles: NDArray[np.int64], size: int) -> Values:
    places = (middles[:, None] + np.arange(size) - size // 2) % len(mono)
    window = scipy.signal.windows.hann(size, sym=False).astype(np.float32)
    spectra = scipy.fft.rfft(mono[places] * window)
    return np.asarray((spectra.real**2 + spectra.imag**2) / size @ _semitone_filters(size))


@cache
def _semitone_filters(size: int) -> Values:
    """(bins, 75) triangles, at least a bin wide, each summing to 1."""
    middle = 440 * 2 ** ((np.arange(_LOWEST, _LOWEST + _SEMITONES) - 69) / 12) * size / 44_100
    half = np.maximum(1, middle * (2 ** (0.6 / 12) - 1))
    weights = np.maximum(0, 1 - np.abs(np.arange(size // 2 + 1)[:, None] - middle) / half)
    return np.asarray(weights / weights.sum(0), np.float32)


def notes(levels: Values) -> tuple[Values, Values]:
    """How likely each pitch class sounds, and how likely it begins, in each sixteenth: (sixteenths, 12) both."""
    weights = _network()
    hidden = np.maximum(0, views(levels) @ weights["hidden"] + weights["hidden bias"])
    logits = hidden @ weights["out"] + weights["out bias"]
    likely = np.asarray(1 / (1 + np.exp(-logits)), np.float32)
    return likely[..., 0], likely[..., 1]


def views(levels: Values) -> Values:
    """(sixteenths, 12, 384) what the network sees of each pitch class: the same for the same music in another key."""
    clear = _above_noise(levels)
    around = np.stack([np.roll(clear, -moment, 0)[::FRAMES_PER_SIXTEENTH] for moment in _MOMENTS], -1)
    return np.stack([around[:, pitch : pitch + _REACH].reshape(len(around), -1) for pitch in range(12)], 1)


def _above_noise(levels: Values) -> Values:
    around = (_NEIGHBOURS // 2,) * 2
    padded = np.pad(levels, ((0, 0), around), mode="edge")
    sums = np.cumsum(np.pad(padded, ((0, 0), (1, 0))), 1, dtype=np.float64)
    return np.asarray(levels - (sums[:, _NEIGHBOURS:] - sums[:, :-_NEIGHBOURS]) / _NEIGHBOURS, np.float32)


def _levelled(picture: Values) -> Values:
    """Without half of what does not change: chords that are held count, but not for everything."""
    changing = picture - picture.mean(0) * np.float32(0.5)
    return np.asarray(changing - changing.mean())


def _centred(rows: Values) -> Values:
    centred = rows - rows.mean(-1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-9), np.float32)


@cache
def load_prints() -> dict[tuple[str, int], Prints]:
    """The shipped prints by metre and bars; raises ModelUnavailable."""
    stored = _read()
    prints = {}
    for name in stored:
        if name.startswith("seeds "):
            metre, bars = name.split()[1:]
            cells = int(bars) * METRES[metre] * 12
            packed = stored[f"prints {metre} {bars}"].astype(np.uint8)
            bits = np.unpackbits(packed, axis=-1, count=cells).astype(np.float32)
            prints[metre, int(bars)] = Prints(
                stored[name].astype(np.int64), _centred(bits[:, 0]), _centred(bits[:, 1])
            )
    return prints


@cache
def _network() -> dict[str, Values]:
    stored = _read()
    return {name: stored[name].astype(np.float32) for name in ("hidden", "hidden bias", "out", "out bias")}


@cache
def _read() -> dict[str, NDArray[np.generic]]:
    try:
        with np.load(WEIGHTS) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise ModelUnavailable(f"The prints in {WEIGHTS} cannot be read: {error}.") from None
