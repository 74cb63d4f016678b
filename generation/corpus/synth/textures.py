"""Beds of noise and small sounds of the world, made on the loop's circle so that they have no seam.

Noise goes round and its filters with it; whatever is struck rings on over the end into the beginning.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from generation.corpus.synth.signal import (
    Mono,
    Stereo,
    filtered,
    filtered_circle,
    lay,
    ringing,
    seconds,
    sine,
)
from generation.request import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Bed:
    """A loop to fill: `samples` and `steps` (sixteenths) long; `spans` are (start, length) in samples and the
    strength (0 to 1) of the notes that say when it sounds."""

    samples: int
    steps: int
    spans: tuple[tuple[int, int, float], ...]

    @property
    def duration(self) -> float:
        return self.samples / SAMPLE_RATE

    def strength(self) -> Mono:
        """How strongly it sounds at each sample, with edges 40 ms soft."""
        level = np.zeros(self.samples, np.float32)
        for start, length, strength in self.spans:
            if length >= self.samples - SAMPLE_RATE // 50:
                np.maximum(level, np.float32(strength), out=level)
                continue
            piece = np.zeros(self.samples, np.float32)
            lay(piece, start, np.full(length, strength, np.float32))
            np.maximum(level, piece, out=level)
        if np.ptp(level) == 0:
            return level
        edge = SAMPLE_RATE // 25
        sums = np.cumsum(np.concatenate([level[-edge:], level]), dtype=np.float64)
        return np.asarray(np.maximum(sums[edge:] - sums[:-edge], 0) / edge, np.float32)


Texture = Callable[[Generator, Bed], Stereo]


def _noise(random: Generator, bed: Bed) -> Stereo:
    return random.standard_normal((bed.samples, 2), dtype=np.float32)


def _drift(random: Generator, bed: Bed, rate: float) -> Mono:
    """A wandering value from 0 to 1 whose end meets its beginning; about `rate` turns a second."""
    turns = max(1, round(bed.duration * rate))
    spectrum = np.zeros(turns + 1, np.complex128)
    spectrum[1:] = random.standard_normal(turns) + 1j * random.standard_normal(turns)
    points = np.fft.irfft(spectrum, max(256, 8 * turns))
    points = (points - points.min()) / max(float(np.ptp(points)), 1e-9)
    place = np.arange(bed.samples) * (len(points) / bed.samples)
    turned = np.interp(place, np.arange(len(points) + 1), np.append(points, points[0]))
    return np.asarray(turned, np.float32)


def _moments(random: Generator, bed: Bed, rate: float) -> Iterator[tuple[int, float]]:
    """(sample, strength) of events at random, `rate` a second, where the notes are."""
    strength = bed.strength()
    for place in np.sort(random.integers(0, bed.samples, max(1, random.poisson(rate * bed.duration)))):
        if strength[place] > 0.01:
            yield int(place), float(strength[place])


def _specks(random: Generator, bed: Bed, rate: float, tail: float) -> Stereo:
    """Single samples at random places and sides; `tail` is how much louder the rare ones are."""
    circle = np.zeros((bed.samples, 2), np.float32)
    count = max(1, random.poisson(rate * bed.duration))
    places = random.integers(0, bed.samples, count)
    size = random.exponential(1.0, count) ** tail * random.choice([-1.0, 1.0], count)
    side = random.uniform(0.1, 0.9, count)
    np.add.at(circle[:, 0], places, (size * np.sqrt(side)).astype(np.float32))
    np.add.at(circle[:, 1], places, (size * np.sqrt(1 - side)).astype(np.float32))
    return circle * bed.strength()[:, None]


def _at_side(sound: Mono, side: float) -> Stereo:
    gains = np.array([np.cos(side * np.pi / 2), np.sin(side * np.pi / 2)], np.float32)
    return np.asarray(sound[:, None] * gains, np.float32)


def _bands(
    noise: NDArray[np.float32], centres: NDArray[np.float64], weights: Callable[[int], Mono]
) -> Stereo:
    """Noise whose colour moves: bands around fixed frequencies, each with its own moving level."""
    total = np.zeros_like(noise)
    for index, centre in enumerate(centres):
        width = 2**0.25
        total += (
            filtered_circle(noise, "bandpass", (centre / width, centre * width), 1) * weights(index)[:, None]
        )
    return total


def rain(random: Generator, bed: Bed) -> Stereo:
    """A hiss of many drops, nearer drops on top of it, at times the dull drumming of a roof."""
    hiss = filtered_circle(
        _noise(random, bed), "bandpass", (random.uniform(700, 1800), random.uniform(6500, 13_000)), 1
    )
    hiss *= (0.8 + 0.2 * _drift(random, bed, 0.7))[:, None]
    drops = filtered_circle(
        _specks(random, bed, random.uniform(60, 500), 1.6),
        "bandpass",
        (1500.0, random.uniform(4500, 9000)),
        1,
    )
    roof = filtered_circle(
        _specks(random, bed, random.uniform(20, 120), 1.3), "bandpass", (180.0, random.uniform(500, 900)), 1
    )
    hiss *= bed.strength()[:, None]
    near = np.float32(random.uniform(0.5, 1.6))
    drumming = np.float32(random.choice([0.0, random.uniform(0.5, 2.0)]))
    return np.asarray(np.float32(0.25) * hiss + near * drops + drumming * roof, np.float32)


def typing(random: Generator, bed: Bed) -> Stereo:
    """Keys pressed and let go in runs, with a dull space bar, leaning on the sixteenth notes."""
    low, bright = random.uniform(220, 700), random.uniform(1800, 4200)
    clack, room = random.uniform(1.0, 2.0), random.uniform(0.002, 0.006)

    def click(frequency: float, body: float, thump: float) -> Mono:
        shape = ringing(0.012 * body, 0.0003)
        time = len(shape)
        noise = filtered(
            random.standard_normal(time, dtype=np.float32), "bandpass", (frequency, 2.6 * frequency), 1
        )
        tick = noise * np.exp(-seconds(time) / np.float32(room)) * np.float32(clack)
        return np.asarray(
            (tick + np.float32(thump) * sine(low * random.uniform(0.8, 1.3), time)) * shape, np.float32
        )

    keys = [click(bright * random.uniform(0.8, 1.25), random.uniform(0.5, 0.9), 0.22) for _ in range(8)]
    backs = [0.35 * click(1.5 * bright * random.uniform(0.85, 1.2), 0.5, 0.05) for _ in range(4)]
    bar = click(0.5 * bright, 1.3, 0.7)
    strength, circle = bed.strength(), np.zeros((bed.samples, 2), np.float32)
    sixteenth = bed.samples / bed.steps
    lean, pace = random.uniform(0.0, 0.9), random.uniform(0.09, 0.19) * SAMPLE_RATE
    # The runs' whole pattern is as long as the loop, so the next turn goes on as this one ended.
    place, left = 0.0, int(random.integers(4, 14))
    while place < bed.samples:
        moment = place
        if random.random() < lean:
            grid = round(place / sixteenth) * sixteenth
            moment = grid + random.normal(0, 0.004) * SAMPLE_RATE
        level = float(strength[int(moment) % bed.samples])
        if level > 0.01:
            space = left == 0
            press = (bar if space else keys[random.integers(len(keys))]) * np.float32(
                level * random.uniform(0.55, 1)
            )
            side = 0.5 if space else random.uniform(0.3, 0.7)
            lay(circle, int(moment), _at_side(press, side))
            away = int(random.uniform(0.055, 0.11) * SAMPLE_RATE)
            lay(
                circle,
                int(moment) + away,
                _at_side(backs[random.integers(len(backs))] * np.float32(level), side),
            )
        left -= 1
        place += pace * random.lognormal(0, 0.3)
        if left < 0:
            left = int(random.integers(3, 12))
            place += pace * (random.uniform(0.2, 1.0) if random.random() < 0.7 else random.uniform(2, 5))
    return circle


def vinyl_crackle(random: Generator, bed: Bed) -> Stereo:
    """Ticks of dust, a pop now and then, surface noise and the motor's rumble."""
    strength = bed.strength()[:, None]
    ticks = filtered_circle(
        _specks(random, bed, random.uniform(12, 70), 1.8), "bandpass", (random.uniform(700, 1500), 9000.0), 1
    )
    pops = filtered_circle(
        _specks(random, bed, random.uniform(0.4, 2.5), 1.2), "bandpass", (250.0, 2200.0), 1
    )
    surface = filtered_circle(_noise(random, bed), "bandpass", (900.0, random.uniform(5000, 9000)), 1)
    rumble = filtered_circle(_noise(random, bed), "bandpass", (28.0, 110.0), 1)
    bedding = (
        np.float32(random.uniform(0.004, 0.02)) * surface + np.float32(random.uniform(0.01, 0.06)) * rumble
    )
    return ticks + np.float32(3) * pops + bedding * strength


def ocean_waves(random: Generator, bed: Bed) -> Stereo:
    """Swells that gather, break and draw back: a whole number of them in the loop."""
    count = max(1, round(bed.duration / random.uniform(3.5, 7.0)))
    start, wobble = random.random(), 0.12 * (_drift(random, bed, 0.3) - 0.5)
    place = (np.arange(bed.samples, dtype=np.float32) / bed.samples * count + start + wobble) % 1
    swell = (0.5 - 0.5 * np.cos(2 * np.pi * place)) ** 1.5
    breaking = np.clip(place - 0.42, 0, 1) / 0.1
    foam = (breaking * np.exp(1 - breaking) * (1 - place)).astype(np.float32)
    noise = _noise(random, bed)
    body = filtered_circle(noise, "bandpass", (60.0, random.uniform(350, 800)), 1)
    hiss = filtered_circle(_noise(random, bed), "bandpass", (random.uniform(900, 1600), 7500.0), 1)
    sound = body * (0.25 + swell)[:, None] + hiss * (0.06 + random.uniform(0.5, 1.0) * foam)[:, None]
    return np.asarray(sound * bed.strength()[:, None], np.float32)


def wind(random: Generator, bed: Bed) -> Stereo:
    """Noise around a frequency that wanders with the gusts, whistling a little."""
    gust = _drift(random, bed, random.uniform(0.25, 0.6))
    flutter = _drift(random, bed, 2.5)
    centres = 160 * 2 ** np.arange(0, 3.6, 0.5)
    focus = np.log2(random.uniform(240, 420)) + random.uniform(0.8, 1.7) * gust + 0.25 * flutter
    narrow = random.uniform(0.35, 0.7)

    def weight(index: int) -> Mono:
        away = (np.log2(centres[index]) - focus) / narrow
        return np.asarray(np.exp(-0.5 * away**2), np.float32)

    howl = _bands(_noise(random, bed), centres, weight)
    air = filtered_circle(_noise(random, bed), "lowpass", 400.0, 1)
    level = (0.15 + 0.85 * gust**1.3) * bed.strength()
    return np.asarray((howl + np.float32(0.25) * air) * level[:, None], np.float32)


def fire_crackle(random: Generator, bed: Bed) -> Stereo:
    """A fluttering low roar, snaps of dry wood, and fine sparks."""
    flame = filtered_circle(_noise(random, bed), "bandpass", (50.0, random.uniform(250, 600)), 1)
    flame *= ((0.4 + 0.6 * _drift(random, bed, 3.0)) * bed.strength())[:, None]
    sparks = filtered_circle(
        _specks(random, bed, random.uniform(25, 90), 2.0), "bandpass", (1800.0, 9000.0), 1
    )
    circle = np.asarray(np.float32(0.12) * flame + np.float32(0.7) * sparks, np.float32)
    snaps = []
    for _ in range(8):
        shape = ringing(random.uniform(0.002, 0.012), 0.0002)
        centre = random.uniform(700, 3500)
        noise = random.standard_normal(len(shape), dtype=np.float32)
        snaps.append(filtered(noise, "bandpass", (centre, 2.5 * centre), 1) * shape)
    for place, strength in _moments(random, bed, random.uniform(3, 10)):
        size = np.float32(strength * min(float(random.exponential(0.5)), 2.0))
        snap = snaps[random.integers(len(snaps))]
        lay(circle, place, _at_side(size * snap, random.uniform(0.2, 0.8)))
        # Wood seldom snaps once.
        for _ in range(int(random.integers(0, 4))):
            place += int(random.exponential(0.02) * SAMPLE_RATE)
            lay(circle, place, _at_side(np.float32(0.5) * size * snap, random.uniform(0.2, 0.8)))
    return circle


def crickets(random: Generator, bed: Bed) -> Stereo:
    """A few crickets, each with its pitch, place and pace, over a faint night."""
    strength = bed.strength()
    circle = filtered_circle(_noise(random, bed), "bandpass", (2500.0, 6500.0), 1) * np.float32(0.012)
    circle *= strength[:, None]
    for _ in range(int(random.integers(2, 6))):
        pitch, pulses = random.uniform(3600, 5400), int(random.integers(2, 6))
        gap, side, near = random.uniform(0.018, 0.032), random.uniform(0.1, 0.9), random.uniform(0.25, 1.0)
        pulse = np.sin(np.pi * np.linspace(0, 1, int(0.75 * gap * SAMPLE_RATE), dtype=np.float32)) ** 2
        chirp = np.zeros(int(pulses * gap * SAMPLE_RATE) + len(pulse), np.float32)
        for index in range(pulses):
            start = int(index * gap * SAMPLE_RATE)
            tone = sine(
                pitch * (1 - 0.02 * np.linspace(0, 1, len(pulse))), len(pulse), float(random.random())
            )
            chirp[start : start + len(pulse)] += pulse * tone * np.float32(0.7 + 0.3 * index / pulses)
        every = bed.samples / max(1, round(bed.duration / random.uniform(0.3, 0.9)))
        first = random.uniform(0, every)
        for index in range(round(bed.samples / every)):
            place = int(first + index * every + random.normal(0, 0.01) * SAMPLE_RATE) % bed.samples
            lay(circle, place, _at_side(chirp * np.float32(near * strength[place]), side))
    return circle


def clock_ticking(random: Generator, bed: Bed) -> Stereo:
    """Tick and tock on the beat, an eighth, a quarter or a half apart: what comes nearest to its pace."""
    pace = random.uniform(0.25, 0.8)
    every = min((2, 4, 8), key=lambda steps: abs(np.log(steps * bed.duration / bed.steps / pace)))
    count = max(1, bed.steps // every)

    def strike(tune: float) -> Mono:
        shape = ringing(random.uniform(0.012, 0.03), 0.0002)
        partials = [(1.0, 1.0), (1.52, 0.6), (2.37, 0.4), (0.31, 0.5)]
        wave = sum(level * sine(base * tune * ratio, len(shape)) for ratio, level in partials)
        noise = random.standard_normal(len(shape), dtype=np.float32) * np.exp(
            -seconds(len(shape)) / np.float32(0.002)
        )
        return np.asarray((wave + 1.5 * filtered(noise, "highpass", 2500.0)) * shape, np.float32)

    base = random.uniform(1700, 3200)
    tick, tock = strike(1.0), strike(random.uniform(0.72, 0.9))
    strength, circle = bed.strength(), np.zeros((bed.samples, 2), np.float32)
    for index in range(count):
        place = round(index * every * bed.samples / bed.steps)
        # An odd number of strokes would tock twice at the seam.
        sound = tock if index % 2 and count % 2 == 0 else tick
        lay(circle, place, _at_side(sound * np.float32(strength[(place + 2000) % bed.samples]), 0.5))
    return circle


def riser(random: Generator, bed: Bed) -> Stereo:
    """Noise that climbs and grows to the end of each note, at times with a tone inside."""
    circle = np.zeros((bed.samples, 2), np.float32)
    low, high = random.uniform(180, 500), random.uniform(5000, 11_000)
    growth, tonal = random.uniform(1.0, 2.6), float(random.choice([0.0, random.uniform(0.2, 0.7)]))
    narrow = random.uniform(0.45, 0.9)
    for start, length, strength in bed.spans:
        length = min(length, bed.samples)
        progress = np.linspace(0, 1, max(length, 64), dtype=np.float32)
        centre = low * (high / low) ** progress
        noise = random.standard_normal((len(progress), 2), dtype=np.float32)
        swept = np.zeros_like(noise)
        for band in low * 2 ** np.arange(0, np.log2(high / low) + 0.5, 0.5):
            weight = np.exp(-0.5 * (np.log2(band / centre) / narrow) ** 2).astype(np.float32)
            swept += (
                filtered(noise, "bandpass", (band / 1.27, min(band * 1.27, 19_000.0)), 2) * weight[:, None]
            )
        tone = np.float32(tonal) * np.tanh(2 * sine(0.25 * centre, len(progress)))
        swell = progress**growth * np.minimum(
            1, (len(progress) - np.arange(len(progress))) / (0.012 * SAMPLE_RATE)
        )
        lay(circle, start, np.asarray((swept + tone[:, None]) * (strength * swell)[:, None], np.float32))
    return circle


def birdsong(random: Generator, bed: Bed) -> Stereo:
    """Two or three birds, each with a phrase of whistles and trills that it repeats, never quite alike."""
    circle = np.zeros((bed.samples, 2), np.float32)
    strength = bed.strength()
    for _ in range(int(random.integers(2, 5))):
        base, side, near = random.uniform(2200, 5200), random.uniform(0.1, 0.9), random.uniform(0.35, 1.0)
        phrase = []
        for _ in range(int(random.integers(2, 7))):
            length = int(random.uniform(0.04, 0.2) * SAMPLE_RATE)
            time = seconds(length)
            trill = random.uniform(0.02, 0.1) * np.sin(2 * np.pi * random.uniform(18, 55) * time)
            bend = np.linspace(random.uniform(-0.4, 0.4), random.uniform(-0.5, 0.5), length) + (
                trill if random.random() < 0.45 else 0
            )
            frequency = np.clip(base * random.uniform(0.8, 1.3) * 2**bend, 1200, 9000)
            shape = np.sin(np.pi * np.linspace(0, 1, length)) ** random.uniform(0.6, 1.5)
            wave = sine(frequency, length) + 0.12 * sine(2 * frequency, length)
            phrase.append(
                (np.asarray(wave * shape, np.float32), int(random.uniform(0.01, 0.09) * SAMPLE_RATE))
            )
        repeats = max(1, round(bed.duration / random.uniform(1.2, 3.0)))
        first = random.uniform(0, bed.samples)
        for index in range(repeats):
            place = int(first + (index + random.uniform(-0.15, 0.15)) * bed.samples / repeats)
            heard = float(strength[place % bed.samples]) * near
            for syllable, pause in phrase[: int(random.integers(1, len(phrase) + 1))]:
                lay(circle, place, _at_side(syllable * np.float32(heard * random.uniform(0.7, 1)), side))
                place += len(syllable) + pause
    if not circle.any() and bed.spans:
        # The notes were too short for anyone's turn: the last bird calls at the first of them.
        lay(circle, bed.spans[0][0], _at_side(phrase[0][0] * np.float32(bed.spans[0][2]), side))
    return circle


def thunder(random: Generator, bed: Bed) -> Stereo:
    """A distant roll all along, and claps that tumble down from a crack at each note and every few seconds."""
    roll = filtered_circle(_noise(random, bed), "bandpass", (25.0, random.uniform(90, 160)), 2)
    roll *= ((0.2 + 0.8 * _drift(random, bed, 0.8) ** 2) * bed.strength())[:, None]
    circle = np.asarray(np.float32(0.5) * roll, np.float32)
    apart = random.uniform(3.5, 6.5)
    for start, length, strength in bed.spans:
        for index in range(max(1, round(min(length, bed.samples) / SAMPLE_RATE / apart))):
            duration = random.uniform(1.8, 4.5)
            time = seconds(int(duration * SAMPLE_RATE))
            level = np.zeros_like(time)
            for _ in range(int(random.integers(3, 8))):
                since = np.maximum(time - random.uniform(0, 0.45 * duration), 0)
                peak, rise = random.uniform(0.4, 1.0), random.uniform(0.02, 0.12)
                level += np.float32(peak) * since / rise * np.exp(1 - since / rise) * 0.4
                level += (
                    np.float32(peak)
                    * (since > 0)
                    * (1 - np.exp(-since / 0.05))
                    * np.exp(-since / (0.2 * duration))
                )
            noise = random.standard_normal((len(time), 2), dtype=np.float32)
            crack = (
                filtered(noise, "bandpass", (150.0, random.uniform(700, 2500)), 1)
                * np.exp(-time / 0.25)[:, None]
            )
            body = filtered(noise, "bandpass", (30.0, random.uniform(140, 320)), 2)
            fade = np.minimum(1, (duration - time) / (0.3 * duration))
            clap = (body + np.float32(random.uniform(0.0, 0.4)) * crack) * (level * fade * strength)[:, None]
            delay = index * apart + (random.uniform(0, 0.3) if index else 0.0)
            lay(circle, start + int(delay * SAMPLE_RATE), np.asarray(clap, np.float32))
    return circle


TEXTURES: dict[str, Texture] = {
    "rain": rain,
    "typing": typing,
    "vinyl crackle": vinyl_crackle,
    "ocean waves": ocean_waves,
    "wind": wind,
    "fire crackle": fire_crackle,
    "crickets": crickets,
    "clock ticking": clock_ticking,
    "riser": riser,
    "birdsong": birdsong,
    "thunder": thunder,
}
