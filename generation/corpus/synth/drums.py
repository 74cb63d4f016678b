"""Drum machines of our own: struck sines, tuned metal, noise, pulses, and what bad converters make of them.

A machine draws its parameters once for a score and gives the function that plays a stroke: (percussion key,
velocity 0 to 1) to mono samples. The 808's and 909's circuits are followed in outline only.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from generation.corpus.instruments import (
    CLAP,
    CLAVES,
    CLOSED_HAT,
    COWBELL,
    CRASH,
    HIGH_CONGA,
    HIGH_TOM,
    KICK,
    LOW_CONGA,
    LOW_TOM,
    MID_TOM,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    RIM,
    SHAKER,
    SNARE,
    TAMBOURINE,
)
from generation.corpus.synth.signal import Mono, crushed, filtered, phase, ringing, seconds, sine

Stroke = Callable[[int, float], Mono]
Machine = Callable[[Generator], Stroke]

# The six oscillators of the TR-808's cymbals, in Hz.
_METAL = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)
# Keys of General MIDI that no machine has, and what is struck instead.
_STANDS_FOR = {
    35: KICK, 40: SNARE, 41: LOW_TOM, 43: LOW_TOM, 48: MID_TOM, 52: CRASH, 53: RIDE, 55: CRASH, 57: CRASH, 59: RIDE,
    60: HIGH_CONGA, 61: LOW_CONGA, 62: HIGH_CONGA, 69: SHAKER, 76: CLAVES, 77: RIM, 82: SHAKER,
}  # fmt: skip
_TOMS = {LOW_TOM: 0.7, MID_TOM: 1.0, HIGH_TOM: 1.5}
_CONGAS = {LOW_CONGA: 1.0, HIGH_CONGA: 1.42}


def _noise(random: Generator, samples: int) -> Mono:
    return random.standard_normal(samples, dtype=np.float32)


def _drop(random: Generator, low: float, high: float, fall: float, decay: float, drive: float) -> Mono:
    """A sine that falls from `high` to `low` Hz: kicks, toms, congas."""
    shape = ringing(decay, 0.001)
    frequency = low + (high - low) * np.exp(-seconds(len(shape)) / np.float32(fall))
    wave = sine(frequency, len(shape), 0.02 * random.random())
    return np.asarray(np.tanh(drive * shape * wave) / np.tanh(drive), np.float32)


def _burst(random: Generator, decay: float, low: float, high: float = 20_000.0) -> Mono:
    """Noise between two frequencies."""
    shape = ringing(decay, 0.0005)
    return filtered(_noise(random, len(shape)), "bandpass", (low, high)) * shape * np.float32(2)


def _metal(random: Generator, decay: float, tune: float, low: float, noise: float) -> Mono:
    """Six squares out of tune with each other, without their low end: hats and cymbals."""
    shape = ringing(decay, 0.0006)
    squares = np.zeros(len(shape), np.float32)
    for frequency in _METAL:
        wave = sine(frequency * tune, len(shape), float(random.random()))
        squares += np.tanh(np.float32(7) * wave)
    mix = squares / np.float32(6) + np.float32(noise) * _noise(random, len(shape))
    return filtered(mix, "highpass", low, 4) * shape * np.float32(2.5)


def _claps(random: Generator, decay: float, centre: float) -> Mono:
    """Three short bursts and a longer one."""
    tail = _burst(random, decay, centre * 0.7, centre * 2.2)
    clap = np.zeros(len(tail) + 2000, np.float32)
    gap = int(random.uniform(380, 520))
    for index in range(3):
        burst = _burst(random, 0.008, centre * 0.7, centre * 2.5)
        clap[index * gap : index * gap + len(burst)] += burst
    clap[3 * gap : 3 * gap + len(tail)] += tail
    return clap


def _struck(decay: float, *partials: tuple[float, float]) -> Mono:
    """Sines of (Hz, level) that die together: rims, claves."""
    shape = ringing(decay, 0.0004)
    return np.asarray(sum(level * sine(hz, len(shape)) for hz, level in partials) * shape, np.float32)


def _cowbell(decay: float, tune: float) -> Mono:
    shape = ringing(decay, 0.0008)
    squares = sum(np.tanh(5 * sine(hz * tune, len(shape))) for hz in (540.0, 800.0))
    return filtered(np.asarray(squares * shape, np.float32), "bandpass", (450.0, 4500.0))


def _cached(random: Generator, make: Callable[[int], Mono], variants: int = 3) -> Stroke:
    """Two or three takes of each key, made once; soft strokes are darker."""
    takes: dict[tuple[int, int], Mono] = {}

    def stroke(key: int, velocity: float) -> Mono:
        key = _STANDS_FOR.get(key, key)
        slot = (key, int(random.integers(variants)))
        if slot not in takes:
            sound = make(key)
            takes[slot] = sound / max(float(np.abs(sound).max()), 1e-6)
        sound = takes[slot]
        if velocity < 0.55 and key not in (KICK, LOW_TOM, MID_TOM, HIGH_TOM):
            sound = filtered(sound, "lowpass", 3000 + 16_000 * velocity, 1)
        return np.asarray(
            sound * np.float32(_BALANCE.get(key, 0.5) * (0.08 + 0.92 * velocity**1.6)), np.float32
        )

    return stroke


# Peaks of full strokes: a mix that a drummer would call even.
_BALANCE = {
    KICK: 1.0, SNARE: 0.8, CLAP: 0.7, RIM: 0.5, CLOSED_HAT: 0.36, PEDAL_HAT: 0.3, OPEN_HAT: 0.4, LOW_TOM: 0.8,
    MID_TOM: 0.75, HIGH_TOM: 0.7, CRASH: 0.5, RIDE: 0.36, TAMBOURINE: 0.34, COWBELL: 0.42, HIGH_CONGA: 0.6,
    LOW_CONGA: 0.65, SHAKER: 0.3, CLAVES: 0.45,
}  # fmt: skip


def synth_808(random: Generator) -> Stroke:
    """Booming kick, bright snare, ticking hats, bell-like cowbell."""
    boom, tune = float(np.exp(random.uniform(np.log(0.16), np.log(0.7)))), random.uniform(0.94, 1.06)
    snap, hat = random.uniform(0.25, 0.75), random.uniform(0.9, 1.15)
    low, drive = random.uniform(43, 56), random.uniform(0.6, 2.2)
    snare_decay, open_decay = random.uniform(0.07, 0.16), random.uniform(0.12, 0.32)

    def make(key: int) -> Mono:
        if key == KICK:
            kick = _drop(random, low, low * 2.6, 0.02, boom, drive)
            kick[:300] += 0.25 * _struck(0.004, (1100.0, 1.0))[:300]
            return kick
        if key == SNARE:
            noise = _burst(random, snare_decay, 1800.0)
            body = _struck(0.06, (178.0 * tune, 1.0), (331.0 * tune, 0.6))
            snare = np.zeros(max(len(noise), len(body)), np.float32)
            snare[: len(noise)] += snap * noise
            snare[: len(body)] += body
            return snare
        if key == CLAP:
            return _claps(random, random.uniform(0.06, 0.13), 1050.0 * tune)
        if key in (CLOSED_HAT, PEDAL_HAT):
            return _metal(random, 0.022 if key == CLOSED_HAT else 0.035, hat, 6800.0, 0.1)
        if key in (OPEN_HAT, RIDE, CRASH):
            decay = {OPEN_HAT: open_decay, RIDE: 0.35, CRASH: 0.6}[key]
            return _metal(random, decay, hat, 6200.0 if key == OPEN_HAT else 4200.0, 0.25)
        if key in _TOMS:
            return _drop(random, 92 * tune * _TOMS[key], 130 * tune * _TOMS[key], 0.05, 0.16, 0.6)
        if key in _CONGAS:
            return _drop(random, 205 * tune * _CONGAS[key], 245 * tune * _CONGAS[key], 0.02, 0.09, 0.5)
        return _small(random, key, tune)

    return _cached(random, make)


def synth_909(random: Generator) -> Stroke:
    """Punching kick, noisy snare, sizzling hats."""
    punch, drive = random.uniform(0.09, 0.22), random.uniform(1.5, 4.0)
    low, high = random.uniform(46, 58), random.uniform(190, 330)
    tune, hat, click = random.uniform(0.92, 1.1), random.uniform(1.3, 1.8), random.uniform(0.2, 0.7)
    snare_decay, open_decay = random.uniform(0.08, 0.17), random.uniform(0.14, 0.35)

    def make(key: int) -> Mono:
        if key == KICK:
            kick = _drop(random, low, high, 0.016, punch, drive)
            kick[:400] += click * _burst(random, 0.003, 1500.0, 9000.0)[:400]
            return kick
        if key == SNARE:
            noise = _burst(random, snare_decay, 900.0, 14_000.0)
            body = _drop(random, 185 * tune, 290 * tune, 0.012, 0.05, 1.0)[: len(noise)]
            noise[: len(body)] += np.float32(0.9) * body
            return noise
        if key == CLAP:
            return _claps(random, random.uniform(0.08, 0.16), 1250.0 * tune)
        if key in (CLOSED_HAT, PEDAL_HAT):
            return _metal(random, 0.03 if key == CLOSED_HAT else 0.045, hat, 7500.0, 0.6)
        if key in (OPEN_HAT, RIDE, CRASH):
            decay = {OPEN_HAT: open_decay, RIDE: 0.45, CRASH: 0.7}[key]
            return _metal(random, decay, hat, {OPEN_HAT: 7000.0, RIDE: 5200.0, CRASH: 3600.0}[key], 0.7)
        if key in _TOMS:
            return _drop(random, 98 * tune * _TOMS[key], 190 * tune * _TOMS[key], 0.03, 0.14, 1.4)
        if key in _CONGAS:
            return _drop(random, 210 * tune * _CONGAS[key], 280 * tune * _CONGAS[key], 0.015, 0.08, 0.8)
        return _small(random, key, tune)

    return _cached(random, make)


def _small(random: Generator, key: int, tune: float) -> Mono:
    """What drum machines share: rim, cowbell, claves, shaker, tambourine."""
    if key == COWBELL:
        return _cowbell(random.uniform(0.07, 0.14), tune)
    if key == CLAVES:
        return _struck(0.025, (2500.0 * tune, 1.0))
    if key == SHAKER:
        sound = _burst(random, 0.035, 5500.0)
        swell = np.minimum(seconds(len(sound)) / np.float32(0.018), 1)
        return np.asarray(sound * swell, np.float32)
    if key == TAMBOURINE:
        return _metal(random, 0.06, 2.3, 7000.0, 0.5)
    return _struck(0.012, (1720.0 * tune, 1.0), (455.0 * tune, 0.8))


def chip_drums(random: Generator) -> Stroke:
    """A console's noise channel and falling pulses."""
    rate, depth = random.uniform(0.7, 1.4), float(random.choice([4.0, 4.0, 5.0]))

    def rattle(period: int, decay: float) -> Mono:
        shape = ringing(decay, 0.0003)
        bits = np.where(random.random(len(shape) // period + 1) < 0.5, -1.0, 1.0).astype(np.float32)
        return np.repeat(bits, period)[: len(shape)] * shape

    def fall(low: float, high: float, speed: float, decay: float) -> Mono:
        shape = ringing(decay, 0.0005)
        turns = phase(low + (high - low) * np.exp(-seconds(len(shape)) / np.float32(speed)), len(shape))
        triangle = np.abs(turns.astype(np.float32) / np.float32(2**30) - 2) - 1
        return crushed(np.asarray(triangle, np.float32), depth, 1) * shape

    def make(key: int) -> Mono:
        if key == KICK:
            kick = fall(45, 420 * rate, 0.025, 0.08)
            kick[:600] += 0.4 * rattle(8, 0.01)[:600]
            return kick
        if key in _TOMS or key in _CONGAS:
            tune = _TOMS.get(key) or 1.6 * _CONGAS[key]
            return fall(70 * tune, 300 * rate * tune, 0.06, 0.1)
        if key in (SNARE, CLAP):
            return rattle(int(random.integers(4, 8)) if key == SNARE else 3, 0.07 if key == SNARE else 0.045)
        if key in (CLOSED_HAT, PEDAL_HAT, SHAKER, TAMBOURINE):
            return rattle(1, 0.014 if key == CLOSED_HAT else 0.025)
        if key in (OPEN_HAT, RIDE, CRASH):
            return rattle(2 if key != CRASH else 3, {OPEN_HAT: 0.1, RIDE: 0.06, CRASH: 0.3}[key])
        return np.sign(_struck(0.02, ({COWBELL: 830.0, CLAVES: 2100.0}.get(key, 1300.0), 1.0))) * ringing(
            0.02
        )

    # One-bit noise has a mean of its own, which a console's coupling capacitor takes out.
    return _cached(random, lambda key: filtered(make(key), "highpass", 35.0, 1))


def lofi_kit(random: Generator) -> Stroke:
    """Roomy, dusty strokes through few bits and a low sampling rate."""
    bits, hold = random.uniform(6.0, 8.0), int(random.integers(2, 5))
    low, high = random.uniform(48, 64), random.uniform(110, 170)
    dark, tune = random.uniform(3200, 7000), random.uniform(0.8, 1.0)
    kick_decay, snare_decay = random.uniform(0.06, 0.13), random.uniform(0.05, 0.11)
    machine_hats = random.random() < 0.5

    def clean(key: int) -> Mono:
        if key == KICK:
            kick = _drop(random, low, high, 0.022, kick_decay, 2.0)
            kick[:500] += 0.15 * _burst(random, 0.006, 300.0, 2500.0)[:500]
            return kick
        if key in (SNARE, CLAP):
            noise = (
                _burst(random, snare_decay, 500.0, 7500.0) if key == SNARE else _claps(random, 0.07, 900.0)
            )
            body = _drop(random, 165 * tune, 215 * tune, 0.02, 0.05, 1.2)[: len(noise)]
            noise[: len(body)] += (1.1 if key == SNARE else 0.2) * body
            return noise
        if key in (CLOSED_HAT, PEDAL_HAT, OPEN_HAT, RIDE, CRASH):
            decay = {CLOSED_HAT: 0.028, PEDAL_HAT: 0.04, OPEN_HAT: 0.15, RIDE: 0.3, CRASH: 0.45}[key]
            return _metal(random, decay, 1.1 if machine_hats else 1.9, 3600.0, 0.2 if machine_hats else 1.0)
        if key in _TOMS or key in _CONGAS:
            pitch = 100 * _TOMS[key] if key in _TOMS else 200 * _CONGAS[key]
            return _drop(random, pitch * tune, 1.4 * pitch * tune, 0.03, 0.11, 1.0)
        return _small(random, key, tune)

    def make(key: int) -> Mono:
        sound = clean(key)
        sound = sound / max(float(np.abs(sound).max()), 1e-6)
        return filtered(crushed(sound, bits, hold), "lowpass", dark, 2)

    return _cached(random, make)


def glitch_kit(random: Generator) -> Stroke:
    """Clicks, blips, stutters and torn noise."""
    tune = random.uniform(0.8, 1.25)

    def blip(low: float, high: float, decay: float) -> Mono:
        shape = ringing(decay, 0.0003)
        start, ratio = random.uniform(low, high), random.uniform(0.5, 3.0)
        carrier = np.minimum(start * ratio ** (-seconds(len(shape)) / np.float32(decay)), 16_000)
        bend = np.float32(random.uniform(0, 3)) * sine(start * random.uniform(0.2, 1.4), len(shape))
        return (
            np.asarray(
                np.sin(phase(carrier, len(shape)).astype(np.float32) / 2**32 * 2 * np.pi + bend), np.float32
            )
            * shape
        )

    def stutter(sound: Mono, times: int, gap: int) -> Mono:
        repeated = np.zeros(len(sound) + times * gap, np.float32)
        for index in range(times):
            repeated[index * gap : index * gap + len(sound)] += sound * np.float32(0.8**index)
        return repeated

    def make(key: int) -> Mono:
        if key == KICK:
            kick = _drop(random, 48 * tune, random.uniform(120, 500), random.uniform(0.005, 0.02), 0.07, 2.5)
            kick[:300] += 0.6 * _struck(0.001, (2500.0, 1.0))[:300]
            return kick
        if key in (SNARE, CLAP):
            torn = crushed(
                _burst(random, 0.02, 600.0, 12_000.0), random.uniform(2, 4), int(random.integers(1, 7))
            )
            return stutter(torn, int(random.integers(1, 5)), int(random.uniform(300, 1300)))
        if key in (CLOSED_HAT, PEDAL_HAT, SHAKER, TAMBOURINE):
            click = np.zeros(400, np.float32)
            click[: int(random.integers(1, 6))] = 1.0
            return filtered(click, "highpass", 1500.0) if random.random() < 0.5 else blip(4000, 9000, 0.004)
        if key in (OPEN_HAT, RIDE, CRASH):
            return stutter(
                _burst(random, 0.012, 4000.0), int(random.integers(4, 12)), int(random.uniform(200, 900))
            )
        if key in _TOMS or key in _CONGAS:
            return blip(120 * tune, 700, 0.05)
        return blip(500, 4000, 0.02)

    return _cached(random, make, variants=4)


MACHINES: dict[str, Machine] = {
    "synth 808": synth_808,
    "synth 909": synth_909,
    "chip drums": chip_drums,
    "lofi kit": lofi_kit,
    "glitch kit": glitch_kit,
}
