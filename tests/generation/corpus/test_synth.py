"""Our own sounds: repeatable to the byte, without a seam, without aliases, and heard where the notes are."""

from dataclasses import replace

import numpy as np
import pytest

from generation.corpus import synth
from generation.corpus.composer import compose
from generation.corpus.instruments import (
    BASSES,
    CLOSED_HAT,
    KICK,
    KITS,
    MELODIC,
    OPEN_HAT,
    RIM,
    SNARE,
    SOUNDS,
    TEXTURES,
    Instrument,
    Texture,
)
from generation.corpus.score import Note, Part, Score
from generation.corpus.synth.signal import Wavetable, filtered_circle, hertz, lay, phase
from generation.request import SAMPLE_RATE

OURS = [name for name, sound in SOUNDS.items() if sound.synth]


def lone(name: str, *notes: Note, seed: int = 1, bpm: int = 120, bars: int = 1, reverb: float = 0.2) -> Score:
    role = (
        "drums" if name in KITS else "texture" if name in TEXTURES else "bass" if name in BASSES else "lead"
    )
    return replace(
        compose(1), seed=seed, bpm=bpm, bars=bars, parts=(Part(role, name, "melody", notes, 0.0, reverb),)
    )


def example(name: str, seed: int = 1) -> Score:
    """A bar of what the sound is made for."""
    sound = SOUNDS[name]
    if isinstance(sound, Texture):
        return lone(name, Note(0.0, 16.0, 60, 100), seed=seed)
    if isinstance(sound, Instrument):
        steps = np.linspace(sound.low, sound.high, 8).astype(int)
        notes = [Note(2.0 * index, 2.0, int(pitch), 90) for index, pitch in enumerate(steps)]
    else:
        keys = (KICK, CLOSED_HAT, SNARE, OPEN_HAT, KICK, 39, 56, 75)
        notes = [Note(2.0 * index, 1.0, key, 100) for index, key in enumerate(keys)]
    return lone(name, *notes, seed=seed)


def play(score: Score) -> np.ndarray:
    return synth.play(score.parts[0], score)


def test_every_name_of_the_catalogue_has_its_sound() -> None:
    assert {sound.synth for sound in (*MELODIC.values(), *BASSES.values()) if sound.synth} == set(
        synth.PATCHES
    )
    assert {kit.synth for kit in KITS.values() if kit.synth} == set(synth.MACHINES)
    assert {texture.synth for texture in TEXTURES.values()} == set(synth.TEXTURES)
    for sound in SOUNDS.values():
        assert sound.spanish, sound.name
        if not isinstance(sound, Texture):
            assert (sound.program is None) != (sound.synth is None), sound.name


@pytest.mark.parametrize("name", OURS)
def test_a_sound_is_heard_without_seam_and_without_a_mean(name: str) -> None:
    score = example(name)
    stem = play(score)
    assert stem.shape == (score.samples, 2)
    assert stem.dtype == np.float32
    assert np.isfinite(stem).all()
    assert 0.002 < np.sqrt(np.square(stem).mean(axis=0)).min() < 2
    assert np.abs(stem.mean(axis=0)).max() < 1e-3 * np.abs(stem).max()
    mono = stem.mean(axis=1)
    rough = np.abs(np.diff(np.concatenate([mono, mono[:2]]), 2))
    assert rough[-2:].max() <= max(np.quantile(rough, 0.999), 1e-4)


@pytest.mark.parametrize("name", OURS)
def test_a_seed_gives_the_same_bytes_and_another_seed_another_sound(name: str) -> None:
    first = play(example(name, seed=5))
    play(example(name, seed=6))
    assert play(example(name, seed=5)).tobytes() == first.tobytes()
    assert play(example(name, seed=6)).tobytes() != first.tobytes()


@pytest.mark.parametrize("name", [name for name in OURS if name not in TEXTURES])
def test_a_stronger_touch_is_louder(name: str) -> None:
    pitch = KICK if name in KITS else SOUNDS[name].low + 12
    soft, strong = (play(lone(name, Note(2.0, 4.0, pitch, velocity))) for velocity in (50, 120))
    assert np.abs(strong).max() > 1.5 * np.abs(soft).max()


@pytest.mark.parametrize(
    "name", ["supersaw", "theremin", "reese bass", "808 bass", "chip pulse", "fm electric piano"]
)
def test_a_note_has_its_pitch(name: str) -> None:
    pitch = 45 if name in BASSES else 69
    mono = play(lone(name, Note(0.0, 16.0, pitch, 100), reverb=0.0)).mean(axis=1)
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono))))
    frequencies = np.fft.rfftfreq(len(mono), 1 / SAMPLE_RATE)
    near = (frequencies > 0.6 * hertz(pitch)) & (frequencies < 1.6 * hertz(pitch))
    heard = frequencies[near][spectrum[near].argmax()]
    assert abs(12 * np.log2(heard / hertz(pitch))) < 0.4


def test_a_texture_is_heard_where_its_notes_are() -> None:
    for name in ("rain", "wind", "vinyl crackle", "typing", "crickets", "fire crackle"):
        stem = play(lone(name, Note(16.0, 16.0, 60, 110), bars=2, reverb=0.0))
        half = len(stem) // 2
        edge = SAMPLE_RATE // 5
        assert (
            np.square(stem[edge : half - edge]).mean() < 0.02 * np.square(stem[half + edge : -edge]).mean()
        ), name


def test_a_stroke_stops_the_open_hat() -> None:
    for name in ("synth 808", "synth 909"):
        opened = Note(0.0, 1.0, OPEN_HAT, 110)
        alone = play(lone(name, opened, Note(8.0, 1.0, RIM, 90), reverb=0.0))
        choked = play(lone(name, opened, Note(1.0, 1.0, CLOSED_HAT, 1), Note(8.0, 1.0, RIM, 90), reverb=0.0))
        window = slice(round(0.17 * SAMPLE_RATE), round(0.3 * SAMPLE_RATE))
        assert np.square(choked[window]).mean() < 0.2 * np.square(alone[window]).mean()


def test_slurred_basses_slide() -> None:
    slurred = play(lone("808 bass", Note(0.0, 8.0, 28, 100), Note(8.0, 8.0, 40, 100), reverb=0.0))
    apart = play(lone("808 bass", Note(0.0, 4.0, 28, 100), Note(8.0, 8.0, 40, 100), reverb=0.0))
    after = slice(SAMPLE_RATE, SAMPLE_RATE + 1500)
    crossings = [int((np.diff(np.sign(stem[after, 0])) != 0).sum()) for stem in (slurred, apart)]
    assert crossings[0] < crossings[1]


def test_wave_tables_have_no_aliases() -> None:
    table = Wavetable(hertz(96), resonance=0.7)
    spectrum = np.abs(np.fft.rfft(table.raw(phase(hertz(96), SAMPLE_RATE)) * np.hanning(SAMPLE_RATE)))
    harmonics = np.rint(hertz(96) * np.arange(1, int(19_500 / hertz(96)) + 1)).astype(int)
    between = spectrum.copy()
    for harmonic in harmonics:
        between[harmonic - 5 : harmonic + 6] = 0
    assert 20 * np.log10(between.max() / spectrum.max()) < -60


def test_a_swept_filter_takes_the_harmonics_away() -> None:
    table = Wavetable(hertz(45), resonance=0.8)
    turns = phase(hertz(45), SAMPLE_RATE)
    closed, opened = (
        np.abs(np.fft.rfft(table.swept(turns, np.full(SAMPLE_RATE, cutoff)))) for cutoff in (200.0, 12_000.0)
    )
    assert closed[110] > 0.5 * opened[110]
    assert closed[2200] < 0.01 * opened[2200]


def test_the_circle_goes_on_at_its_beginning() -> None:
    circle = np.zeros((100, 2), np.float32)
    lay(circle, 90, np.ones((215, 2), np.float32))
    assert circle[:5].tolist() == [[3, 3]] * 5
    assert circle[5:90].tolist() == [[2, 2]] * 85
    turned = np.random.default_rng(1).standard_normal(5_000)
    straight = filtered_circle(turned, "lowpass", 800.0)
    assert np.allclose(
        np.roll(straight, 777), filtered_circle(np.roll(turned, 777), "lowpass", 800.0), atol=1e-5
    )
