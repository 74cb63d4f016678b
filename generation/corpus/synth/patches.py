"""Pitched sounds of our own: subtractive, FM and plain sines.

A patch draws its parameters once for a score, so that a name is a family of sounds and not one recording, and
gives the function that plays its tones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from generation.corpus.synth.signal import (
    Mono,
    Wavetable,
    envelope,
    filtered,
    hertz,
    phase,
    ringing,
    seconds,
    sine,
)


@dataclass(frozen=True, slots=True)
class Tone:
    """One note: MIDI `pitch`, `hold` in samples, `velocity` 0 to 1, `before` the pitch of the note that it is
    slurred to, and its `place` on the loop's circle from 0 to 1."""

    pitch: int
    hold: int
    velocity: float
    before: int | None
    place: float


Voice = Callable[[Tone], NDArray[np.float32]]
Patch = Callable[[Generator], Voice]


def _octaves(random: Generator, low: float, high: float) -> float:
    """Drawn evenly on a scale of octaves."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def _loudness(tone: Tone) -> np.float32:
    return np.float32(0.12 + 0.88 * tone.velocity**1.5)


def _glide(tone: Tone, length: int, duration: float) -> Mono:
    """The tone's frequency in Hz for each sample, coming from the note before within `duration` seconds."""
    start = tone.pitch if tone.before is None else tone.before
    bend = (start - tone.pitch) * np.exp(-4 * seconds(length) / duration)
    return np.asarray(hertz(tone.pitch) * 2 ** (bend / 12), np.float32)


def _tables(
    width: float | None, resonance: float, poles: Literal[2, 4] = 4, above: float = 0.5
) -> Callable[[int], Wavetable]:
    """A wave table for each pitch, computed once; it is played up to `above` semitones higher."""
    return lru_cache(maxsize=None)(
        lambda pitch: Wavetable(hertz(pitch + above), width, resonance=resonance, poles=poles)
    )


# Detuned oscillators ----------------------------------------------------------------------------------------


def _unison(
    random: Generator,
    tone: Tone,
    table: Wavetable,
    shape: Mono,
    cutoffs: tuple[float, float],
    opening: Mono,
    detune: NDArray[np.float64],
    width: float,
) -> NDArray[np.float32]:
    """Detuned oscillators between the loudspeakers; `opening` goes from the low cutoff (0) to the high one (1).

    (samples, 2), or (samples,) where `width` is 0. `detune` has semitones.
    """
    wide = width > 0
    dark, bright = (np.zeros((2 if wide else 1, len(shape)), np.float32) for _ in range(2))
    for index, offset in enumerate(detune):
        turns = phase(hertz(tone.pitch + offset), len(shape), float(random.random()))
        side = width * (-1) ** index * (1 - 0.5 * (index // 2) / max(1, len(detune) // 2))
        for cutoff, sums in zip(cutoffs, (dark, bright), strict=True):
            wave = table.at(turns, cutoff)
            if wide:
                sums[0] += np.float32(np.cos((side + 1) * np.pi / 4)) * wave
                sums[1] += np.float32(np.sin((side + 1) * np.pi / 4)) * wave
            else:
                sums[0] += wave
    mixed = (dark + opening * (bright - dark)) * shape * (_loudness(tone) / np.float32(len(detune) ** 0.5))
    return np.ascontiguousarray(mixed.T) if wide else np.asarray(mixed[0], np.float32)


def supersaw(random: Generator) -> Voice:
    """Seven saws a few cents apart, wide (after Szabo, How to Emulate the Super Saw, 2010)."""
    spread = random.uniform(0.08, 0.32)
    detune = spread * np.array([0.0, -1.0, 1.0, -0.57, 0.59, -0.17, 0.18])
    tables = _tables(None, random.uniform(0.7, 1.4))
    cutoff, sweep = _octaves(random, 1500, 7000), _octaves(random, 0.02, 0.9)
    attack, release, sustain = (
        _octaves(random, 0.004, 0.05),
        random.uniform(0.12, 0.7),
        random.uniform(0.6, 1),
    )

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, attack, 0.4, sustain, release)
        bright = cutoff * 2 ** (1.5 * (tone.velocity - 0.7))
        opening = np.exp(-seconds(len(shape)) / np.float32(sweep))
        return _unison(
            random, tone, tables(tone.pitch), shape, (bright / 3, bright * 2), opening, detune, 0.9
        )

    return play


def analog_brass(random: Generator) -> Voice:
    """Two or three saws whose filter opens after the attack."""
    detune = random.uniform(0.03, 0.12) * np.array([-1.0, 1.0, 0.2][: random.integers(2, 4)])
    tables = _tables(None, random.uniform(0.8, 1.8))
    cutoff, rise = _octaves(random, 1800, 4500), random.uniform(0.03, 0.11)
    sustain, release, width = random.uniform(0.45, 0.8), random.uniform(0.1, 0.3), random.uniform(0.2, 0.6)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, 0.3 * rise + 0.005, 0.5, 0.85, release)
        time = seconds(len(shape))
        opening = np.minimum(time / rise, 1) * (sustain + (1 - sustain) * np.exp(-time / 0.35))
        bright = cutoff * 2 ** (2 * (tone.velocity - 0.7))
        return _unison(random, tone, tables(tone.pitch), shape, (350, bright), opening, detune, width)

    return play


def synth_pluck(random: Generator) -> Voice:
    """A filter that closes at once on two oscillators."""
    pulse = random.random() < 0.4
    tables = _tables(random.uniform(0.2, 0.5) if pulse else None, random.uniform(0.9, 3.0))
    detune = random.uniform(0.02, 0.14) * np.array([-1.0, 1.0])
    decay, closing = _octaves(random, 0.14, 0.6), _octaves(random, 0.03, 0.16)
    low, high, width = _octaves(random, 350, 1100), _octaves(random, 3500, 11_000), random.uniform(0.2, 0.8)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = ringing(decay, 0.002)
        opening = np.exp(-seconds(len(shape)) / np.float32(closing))
        bright = high * 2 ** (2 * (tone.velocity - 0.8))
        return _unison(random, tone, tables(tone.pitch), shape, (low, bright), opening, detune, width)

    return play


def pluck_bass(random: Generator) -> Voice:
    """A short, round, filtered bass."""
    pulse = random.random() < 0.5
    tables = _tables(random.uniform(0.25, 0.5) if pulse else None, random.uniform(0.9, 2.5))
    decay, closing = _octaves(random, 0.18, 0.5), _octaves(random, 0.04, 0.14)
    low, high = _octaves(random, 160, 350), _octaves(random, 1200, 4500)
    detune = random.uniform(0.0, 0.06) * np.array([-1.0, 1.0])

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = ringing(decay, 0.003)
        opening = np.exp(-seconds(len(shape)) / np.float32(closing))
        bright = high * 2 ** (2 * (tone.velocity - 0.8))
        return _unison(random, tone, tables(tone.pitch), shape, (low, bright), opening, detune, 0.0)

    return play


def reese_bass(random: Generator) -> Voice:
    """Two or three saws beating against each other over a sine an octave below the growl."""
    detune = random.uniform(0.1, 0.35) * np.array([-1.0, 1.0, 0.13][: random.integers(2, 4)])
    tables = _tables(None, random.uniform(1.0, 2.5))
    low, high = _octaves(random, 150, 280), _octaves(random, 500, 1600)
    turns, start = int(random.integers(1, 5)), random.random()
    depth, sub = random.uniform(0.2, 0.5), random.uniform(0.2, 0.5)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, 0.008, 0.5, 0.9, 0.08)
        moving = np.float32(1 - depth + depth * np.sin(2 * np.pi * (turns * tone.place + start)))
        opening = np.full(len(shape), moving, np.float32)
        growl = _unison(random, tone, tables(tone.pitch), shape, (low, high), opening, detune, 0.0)
        return growl + np.float32(sub) * _loudness(tone) * shape * sine(hertz(tone.pitch), len(shape))

    return play


def _acid(random: Generator, low: float, high: float) -> Voice:
    """One resonant saw or square with accents, slides and a cutoff that wanders once round the loop."""
    square = random.random() < 0.35
    tables = _tables(0.5 if square else None, _octaves(random, 4.5, 13.0), 4, above=0.1)
    base, octaves = _octaves(random, low, high), random.uniform(1.6, 3.4)
    closing, drive = _octaves(random, 0.07, 0.28), _octaves(random, 0.8, 3.5)
    wander, start = random.uniform(0.2, 1.1), random.random()

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, 0.003, 0.6, 0.45, 0.04)
        accent = max(0.0, tone.velocity - 0.75) * 3
        frequency = _glide(tone, len(shape), 0.09)
        moving = base * 2 ** (wander * np.sin(2 * np.pi * (tone.place + start)))
        falling = np.exp(-seconds(len(shape)) / np.float32(closing))
        cutoff = moving * 2 ** ((octaves + accent) * (0.35 if tone.before is not None else 1.0) * falling)
        highest = max(tone.pitch, tone.pitch if tone.before is None else tone.before)
        wave = tables(highest).swept(phase(frequency, len(shape)), cutoff)
        return np.asarray(np.tanh(np.float32(drive) * shape * wave) * _loudness(tone), np.float32)

    return play


# Sines and FM -----------------------------------------------------------------------------------------------


def bass_808(random: Generator) -> Voice:
    """A long sine that falls onto its note, slides to the next one, and saturates a little."""
    decay, drive = _octaves(random, 0.45, 1.6), _octaves(random, 0.7, 3.0)
    fall, drop, slide = random.uniform(4, 16), random.uniform(0.012, 0.035), random.uniform(0.06, 0.2)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, 0.003, decay, 0.0, 0.06)
        frequency = _glide(tone, len(shape), slide)
        if tone.before is None:
            frequency = frequency * 2 ** (
                np.float32(fall / 12) * np.exp(-seconds(len(shape)) / np.float32(drop))
            )
        wave = np.tanh(np.float32(drive) * shape * sine(frequency, len(shape))) / np.float32(np.tanh(drive))
        return np.asarray(wave * _loudness(tone), np.float32)

    return play


def _fm(carrier: float, ratio: float, index: Mono, samples: int) -> Mono:
    """One operator on another (Chowning, The Synthesis of Complex Audio Spectra by FM, 1973), free of aliases."""
    most = max(0.0, (20_000 - carrier) / (carrier * ratio) - 1.5)
    bent = np.minimum(index, np.float32(most)) * sine(carrier * ratio, samples)
    turns = phase(carrier, samples).astype(np.float32) * np.float32(2 * np.pi / 2**32)
    return np.asarray(np.sin(turns + bent), np.float32)


def _near(sides: list[Mono]) -> NDArray[np.float32]:
    """Two sides that each have some of the other, so that they beat less against each other in mono."""
    left, right = sides
    return np.stack([left + np.float32(0.5) * right, right + np.float32(0.5) * left], axis=1)


def fm_bass(random: Generator) -> Voice:
    """Two operators whose index falls fast."""
    ratio, index = float(random.choice([1.0, 1.0, 2.0, 0.5, 3.0])), random.uniform(1.5, 4.5)
    closing, decay, sustain = (
        _octaves(random, 0.05, 0.3),
        _octaves(random, 0.3, 1.2),
        random.uniform(0.0, 0.5),
    )

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, 0.002, decay, sustain, 0.07)
        bend = (
            index * (0.3 + tone.velocity) * (0.15 + 0.85 * np.exp(-seconds(len(shape)) / np.float32(closing)))
        )
        return _fm(hertz(tone.pitch), ratio, bend.astype(np.float32), len(shape)) * shape * _loudness(tone)

    return play


def fm_bell(random: Generator) -> Voice:
    """Inharmonic modulators, a long ring, the two sides a little apart."""
    ratio = float(random.choice([1.4, 2.756, 3.5, 3.53, 5.4, 7.0]))
    index, decay = random.uniform(1.2, 3.2), _octaves(random, 0.6, 2.2)
    apart, strike = random.uniform(0.01, 0.05), random.uniform(0.1, 0.4)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = ringing(decay, 0.0025, 5.0)
        time = seconds(len(shape))
        bend = index * (0.35 + tone.velocity) * np.exp(-time / np.float32(0.45 * decay))
        hit = np.float32(strike) * shape * np.exp(-time / np.float32(0.06))
        sides = [
            _fm(hertz(tone.pitch + offset), ratio, bend.astype(np.float32), len(shape)) * shape
            + hit * sine(min(hertz(tone.pitch) * 6.24, 18_000.0), len(shape))
            for offset in (-apart, apart)
        ]
        return _near(sides) * _loudness(tone)

    return play


def fm_electric_piano(random: Generator) -> Voice:
    """A body at 1:1 and a tine at 1:14, with a slow stereo tremolo at times."""
    tine, body = random.uniform(0.15, 0.7), random.uniform(0.4, 1.5)
    decay, ping = _octaves(random, 0.7, 1.8), random.uniform(0.06, 0.25)
    tremolo, rate = float(random.choice([0.0, random.uniform(0.15, 0.5)])), random.uniform(3.5, 6.5)
    apart = random.uniform(0.005, 0.04)

    def play(tone: Tone) -> NDArray[np.float32]:
        ring = ringing(decay * 2 ** ((60 - tone.pitch) / 36), 0.0015, 5.0)
        held = envelope(tone.hold, 0.0001, 60.0, 1.0, 0.25)
        shape = ring[: len(held)] * held[: len(ring)]
        time = seconds(len(shape))
        warm = (body * (0.25 + tone.velocity) * np.exp(-time / np.float32(0.8 * decay))).astype(np.float32)
        bright = (tine * 1.2 * tone.velocity**2 * np.exp(-time / np.float32(ping))).astype(np.float32)
        swing = np.float32(tremolo) * np.sin(np.float32(2 * np.pi * rate) * time)
        sides = []
        for sign in (-1, 1):
            frequency = hertz(tone.pitch + sign * apart)
            mix = _fm(frequency, 1.0, warm, len(shape)) + np.float32(0.35) * _fm(
                frequency, 14.0, bright, len(shape)
            )
            sides.append(mix * shape * (1 + sign * swing))
        return np.stack(sides, axis=1).astype(np.float32) * _loudness(tone)

    return play


def glass_pad(random: Generator) -> Voice:
    """Slow FM with a shimmering index, wide."""
    ratio, index = float(random.choice([2.0, 3.0, 4.0, 5.0])), random.uniform(0.4, 1.3)
    attack, release = _octaves(random, 0.08, 0.5), _octaves(random, 0.4, 1.2)
    apart, air, rate = random.uniform(0.03, 0.1), random.uniform(0.05, 0.2), random.uniform(0.2, 1.2)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, attack, 2.0, 0.8, release)
        time = seconds(len(shape))
        start = random.random()
        sides = []
        for sign in (-1, 1):
            shimmer = (
                0.6
                + 0.4 * np.sin(np.float32(2 * np.pi) * (np.float32(rate) * time + np.float32(start))) * sign
            )
            bend = (index * (0.4 + tone.velocity) * shimmer).astype(np.float32)
            frequency = hertz(tone.pitch + sign * apart)
            octave = sine(min(4 * frequency, 16_000.0), len(shape), float(random.random()))
            sides.append((_fm(frequency, ratio, bend, len(shape)) + np.float32(air) * octave) * shape)
        return _near(sides) * _loudness(tone)

    return play


# One voice --------------------------------------------------------------------------------------------------


def chip_pulse(random: Generator) -> Voice:
    """A pulse of a quarter, an eighth or a half, on or off, with late vibrato at times."""
    width = float(random.choice([0.25, 0.25, 0.125, 0.5]))
    tables = _tables(width, 0.7, above=1.0)
    vibrato, sustain = float(random.choice([0.0, random.uniform(0.1, 0.4)])), random.uniform(0.5, 1.0)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, 0.002, 0.12, sustain, 0.02)
        time = seconds(len(shape))
        late = np.clip((time - 0.18) / 0.15, 0, 1) * np.sin(np.float32(2 * np.pi * 6.0) * time)
        frequency = hertz(tone.pitch) * 2 ** (np.float32(vibrato / 12) * late)
        return tables(tone.pitch).raw(phase(frequency, len(shape))) * shape * _loudness(tone)

    return play


def chip_arp(random: Generator) -> Voice:
    """A short pulse that flicks through its octave, as consoles fake chords."""
    tables = _tables(float(random.choice([0.125, 0.25, 0.5])), 0.7, above=12.5)
    frame, decay = float(random.choice([1 / 60, 1 / 50, 1 / 30])), _octaves(random, 0.1, 0.35)
    figure = np.array([(0, 12), (0, 12, 0, 0), (12, 0, 0, 0, 0, 0), (0, 7, 12)][random.integers(0, 4)])
    repeats = bool(random.random() < 0.5)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = ringing(decay, 0.0015)
        frames = (seconds(len(shape)) / np.float32(frame)).astype(int)
        step = frames % len(figure) if repeats else np.minimum(frames, len(figure) - 1)
        bend = figure[step] if repeats else np.where(frames < len(figure), figure[step], 0)
        frequency = hertz(tone.pitch) * 2 ** (bend / 12)
        return tables(tone.pitch).raw(phase(frequency, len(shape))) * shape * _loudness(tone)

    return play


def theremin(random: Generator) -> Voice:
    """A sine with a little of its octave that slides between its notes and never stops trembling."""
    rate, depth = random.uniform(4.8, 6.8), random.uniform(0.2, 0.6)
    second, third, slide = random.uniform(0.05, 0.3), random.uniform(0.0, 0.12), random.uniform(0.15, 0.4)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, 0.06, 1.0, 0.9, 0.12)
        time = seconds(len(shape))
        deeper = np.minimum(time / 0.25 + 0.3, 1) * np.sin(np.float32(2 * np.pi * rate) * time)
        frequency = _glide(tone, len(shape), slide) * 2 ** (np.float32(depth / 12) * deeper)
        wave = sine(frequency, len(shape)) + np.float32(second) * sine(2 * frequency, len(shape))
        wave += np.float32(third) * sine(3 * frequency, len(shape))
        return np.asarray(wave * shape * _loudness(tone), np.float32)

    return play


def whistle(random: Generator) -> Voice:
    """A sine scooped up to its note, with the breath around it."""
    rate, depth, breath = random.uniform(4.5, 6.0), random.uniform(0.05, 0.25), random.uniform(0.05, 0.25)
    scoop = random.uniform(0.5, 2.5)

    def play(tone: Tone) -> NDArray[np.float32]:
        shape = envelope(tone.hold, 0.03, 1.0, 0.9, 0.09)
        time = seconds(len(shape))
        bend = depth * np.sin(np.float32(2 * np.pi * rate) * time) - scoop * np.exp(-time / np.float32(0.03))
        frequency = hertz(tone.pitch) * 2 ** (bend / 12)
        centre = hertz(tone.pitch)
        air = filtered(
            random.standard_normal(len(shape), dtype=np.float32), "bandpass", (0.8 * centre, 1.3 * centre), 1
        )
        return (sine(frequency, len(shape)) + np.float32(breath) * air) * shape * _loudness(tone)

    return play


PATCHES: dict[str, Patch] = {
    "acid bass": partial(_acid, low=140.0, high=420.0),
    "808 bass": bass_808,
    "reese bass": reese_bass,
    "fm bass": fm_bass,
    "pluck bass": pluck_bass,
    "supersaw": supersaw,
    "acid lead": partial(_acid, low=350.0, high=1000.0),
    "fm bell": fm_bell,
    "fm electric piano": fm_electric_piano,
    "chip pulse": chip_pulse,
    "chip arp": chip_arp,
    "synth pluck": synth_pluck,
    "analog brass": analog_brass,
    "glass pad": glass_pad,
    "theremin": theremin,
    "whistle": whistle,
}
