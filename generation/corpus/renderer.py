"""Scores played by FluidSynth through a General MIDI soundfont, stem by stem, as seamless loops."""

import ctypes
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.corpus.instruments import CLOSED_HAT, OPEN_HAT, PEDAL_HAT
from generation.corpus.score import Part, Role, Score
from generation.errors import RiffError
from generation.request import SAMPLE_RATE

Stereo = NDArray[np.float32]

# FluidSynth starts notes on its own blocks of samples only.
_BLOCK = 64
# Tails are played in quarter seconds until they are 80 dB below the loudest sample, for 30 s at most.
_TAIL_CHUNK = 172
_MAX_TAIL_CHUNKS = 120
_SILENCE = 1e-4
_PEAK = 0.89
_WARNING = 2
_DRUM_CHANNEL = 9
_DRUM_BANK = 128
_VOLUME, _PAN, _REVERB_SEND = 7, 10, 91
_SOUNDFONT_PLACES = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/usr/local/share/soundfonts/FluidR3_GM.sf2",
    "/opt/homebrew/share/soundfonts/FluidR3_GM.sf2",
)
# Where the loudest half second of each stem is mixed to, in dB RMS below full scale.
_LEVEL: dict[Role, float] = {"drums": -17.0, "bass": -18.0, "chords": -21.0, "lead": -19.0}


class SynthesizerUnavailable(RiffError):
    """FluidSynth or its soundfont is not on this machine."""


def find_soundfont() -> Path:
    """The soundfont of RIFF_SOUNDFONT, or FluidR3_GM.sf2 from where systems keep it.

    Raises SynthesizerUnavailable.
    """
    wished = os.environ.get("RIFF_SOUNDFONT")
    if wished and not Path(wished).is_file():
        raise SynthesizerUnavailable(f"RIFF_SOUNDFONT names {wished}, and there is no such file.")
    for place in (wished,) if wished else _SOUNDFONT_PLACES:
        if place and Path(place).is_file():
            return Path(place)
    raise SynthesizerUnavailable(
        "There is no soundfont: install FluidR3_GM.sf2 (Debian: fluid-soundfont-gm) or set RIFF_SOUNDFONT."
    )


class Renderer:
    """A soundfont in memory and a fresh synthesizer for each score; not for several threads at once.

    FluidSynth's own reset keeps the phase of its reverb and more, so that a stem would depend on what was
    played before it. A new one takes two milliseconds while it borrows the soundfont of one that stays.
    """

    def __init__(self, soundfont: str | Path | None = None) -> None:
        """Load a soundfont, `find_soundfont`'s if none is given; raises SynthesizerUnavailable."""
        path = Path(soundfont) if soundfont else find_soundfont()
        if not path.is_file():
            raise SynthesizerUnavailable(f"There is no soundfont at {path}.")
        try:
            import fluidsynth
        except (ImportError, OSError) as error:
            raise SynthesizerUnavailable(
                "FluidSynth is missing: install pyfluidsynth and libfluidsynth (Debian: libfluidsynth3)."
            ) from error
        self._fluidsynth: Any = fluidsynth
        handle, whole = ("synth", ctypes.c_void_p, 1), ctypes.c_int
        # The binding gives 16 bit output only, whose dither and clipping depend on what was played before.
        outputs = [
            (f"{side}{name}", kind, 1)
            for side in "lr"
            for name, kind in (("out", ctypes.c_void_p), ("off", whole), ("incr", whole))
        ]
        self._write_float: Any = fluidsynth.cfunc(
            "fluid_synth_write_float", whole, handle, ("len", whole, 1), *outputs
        )
        borrowed = ("sfont", ctypes.c_void_p, 1)
        self._lend: Any = fluidsynth.cfunc("fluid_synth_add_sfont", whole, handle, borrowed)
        self._take_back: Any = fluidsynth.cfunc("fluid_synth_remove_sfont", whole, handle, borrowed)
        # An empty channel is worth a warning to FluidSynth, and each fresh synthesizer has sixteen.
        fluidsynth.cfunc(
            "fluid_set_log_function",
            ctypes.c_void_p,
            ("level", whole, 1),
            ("function", ctypes.c_void_p, 1),
            ("data", ctypes.c_void_p, 1),
        )(_WARNING, None, None)
        self._keeper: Any = self._synthesizer()
        number = self._keeper.sfload(str(path))
        if number < 0:
            raise SynthesizerUnavailable(f"{path} is not a soundfont that FluidSynth can read.")
        self._soundfont: Any = fluidsynth.fluid_synth_get_sfont_by_id(self._keeper.synth, number)

    def render(self, score: Score) -> dict[Role, Stereo]:
        """Each role's stem, (samples, 2) float32, balanced so that their sum peaks at 0.89 or below.

        Every stem has exactly `score.samples` samples, and what rings on behind its end is heard at its
        beginning, as in a loop that has been going for a while. The same score gives the same bytes whatever
        was rendered before.
        """
        synth = self._synthesizer()
        number = self._lend(synth.synth, self._soundfont)
        try:
            stems = {part.role: self._stem(synth, number, part, score) for part in score.parts}
        finally:
            synth.system_reset()
            self._take_back(synth.synth, self._soundfont)
            synth.delete()
        for role, stem in stems.items():
            loudest = _loudest_rms(stem)
            if loudest > 0:
                stem *= np.float32(10 ** (_LEVEL[role] / 20) / loudest)
        if stems:
            peak = float(np.abs(np.sum(list(stems.values()), axis=0)).max())
            alone = max(float(np.abs(stem).max()) for stem in stems.values())
            if max(peak, alone) > _PEAK:
                for stem in stems.values():
                    stem *= np.float32(_PEAK / max(peak, alone))
        return stems

    def _synthesizer(self) -> Any:
        settings = {"synth.chorus.active": 0, "synth.polyphony": 256}
        synth = self._fluidsynth.Synth(gain=0.4, samplerate=SAMPLE_RATE, channels=16, **settings)
        synth.set_reverb(roomsize=0.4, damping=0.4, width=0.6, level=0.35)
        return synth

    def _stem(self, synth: Any, soundfont: int, part: Part, score: Score) -> Stereo:
        channel, bank = (_DRUM_CHANNEL, _DRUM_BANK) if part.is_drums else (0, 0)
        synth.system_reset()
        synth.program_select(channel, soundfont, bank, part.program)
        synth.cc(channel, _VOLUME, 100)
        synth.cc(channel, _PAN, round(64 + 63 * part.pan))
        synth.cc(channel, _REVERB_SEND, round(127 * part.reverb))

        played: list[Stereo] = []
        now = 0
        for block, is_on, pitch, velocity in _events(part, score):
            if block > now:
                played.append(self._play(synth, block - now))
                now = block
            if is_on:
                synth.noteon(channel, pitch, velocity)
            else:
                synth.noteoff(channel, pitch)
        if now * _BLOCK < score.samples:
            played.append(self._play(synth, -(-score.samples // _BLOCK) - now))
        loudest = max(float(np.abs(chunk).max()) for chunk in played)
        for _ in range(_MAX_TAIL_CHUNKS):
            tail = self._play(synth, _TAIL_CHUNK)
            played.append(tail)
            if float(np.abs(tail).max()) <= loudest * _SILENCE:
                break
        return _wrapped(np.concatenate(played), score.samples)

    def _play(self, synth: Any, blocks: int) -> Stereo:
        audio: Stereo = np.empty((blocks * _BLOCK, 2), np.float32)
        address = audio.ctypes.data
        self._write_float(synth.synth, len(audio), address, 0, 2, address, 1, 2)
        return audio


def _events(part: Part, score: Score) -> list[tuple[int, bool, int, int]]:
    """(block, is it a note on, pitch, velocity) in the order of playing."""
    per_block = score.samples / score.steps / _BLOCK
    events = []
    for note in part.notes:
        on = int(note.start * per_block)
        off = max(on + 1, int((note.start + note.length) * per_block) - 1)
        events += [(on, True, note.pitch, note.velocity), (off, False, note.pitch, 0)]
    hats = [note for note in part.notes if part.is_drums and note.pitch in (CLOSED_HAT, PEDAL_HAT, OPEN_HAT)]
    if hats:
        # An open hi-hat that rings over the seam is choked by the next turn's first stroke, played unheard.
        events.append((int((score.steps + hats[0].start) * per_block), True, hats[0].pitch, 1))
    return sorted(events)


def _wrapped(audio: Stereo, samples: int) -> Stereo:
    """The loop with what rang on behind its end laid over its beginning."""
    turns = -(-len(audio) // samples)
    padded = np.zeros((turns * samples, 2), np.float32)
    padded[: len(audio)] = audio
    return np.asarray(padded.reshape(turns, samples, 2).sum(axis=0), dtype=np.float32)


def _loudest_rms(stem: Stereo) -> float:
    """The RMS of the loudest half second."""
    window = SAMPLE_RATE // 2
    energy = np.concatenate([[0.0], np.cumsum(np.square(stem, dtype=np.float64).sum(axis=1))])
    window = min(window, len(stem))
    return float(np.sqrt(np.max(energy[window:] - energy[:-window]) / (2 * window)))
