"""Scores played stem by stem as seamless loops: by FluidSynth through a soundfont, or by our own synthesisers."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.corpus import synth
from generation.corpus.instruments import CLOSED_HAT, OPEN_HAT, PEDAL_HAT, SOUNDS, Texture
from generation.corpus.score import Part, Role, Score
from generation.corpus.soundfonts import SynthesizerUnavailable, choose_soundfont, find_soundfonts
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
# Where the loudest half second of each stem is mixed to, in dB RMS below full scale.
_LEVEL: dict[Role, float] = {
    "drums": -17.0,
    "bass": -18.0,
    "chords": -21.0,
    "lead": -19.0,
    "counter": -21.0,
    "texture": -27.0,
}


class Renderer:
    """The corpus's soundfonts, each in memory from its first use on; not for several threads at once."""

    def __init__(self, soundfont: str | Path | None = None) -> None:
        """Play everything with one soundfont, or each score with one of `find_soundfonts`, drawn by its seed.

        FluidR3 takes half a second and 150 MB, MuseScore General 7 s and 480 MB. Raises
        SynthesizerUnavailable.
        """
        self._soundfonts = find_soundfonts(soundfont)
        self._players: dict[Path, _Player] = {}

    def render(self, score: Score) -> dict[Role, Stereo]:
        """Each role's stem, (samples, 2) float32, balanced so that their sum peaks at 0.89 or below.

        Every stem has exactly `score.samples` samples, and what rings on behind its end is heard at its
        beginning, as in a loop that has been going for a while. The same score gives the same bytes whatever
        was rendered before. Raises SynthesizerUnavailable for a file that is no soundfont.
        """
        played = [part for part in score.parts if SOUNDS[part.instrument].synth is None]
        stems = self._player(self.soundfont(score)).play(score, played) if played else {}
        stems = {
            part.role: stems[part.role] if part.role in stems else synth.play(part, score)
            for part in score.parts
        }
        for role, stem in stems.items():
            loudest = _loudest_rms(stem)
            if loudest > 0:
                # Clicks are quiet for their peaks: they must not push the whole mix down.
                gain = min(10 ** (_LEVEL[role] / 20) / loudest, _PEAK / float(np.abs(stem).max()))
                stem *= np.float32(gain)
        if stems:
            peak = float(np.abs(np.sum(list(stems.values()), axis=0)).max())
            alone = max(float(np.abs(stem).max()) for stem in stems.values())
            if max(peak, alone) > _PEAK:
                for stem in stems.values():
                    stem *= np.float32(_PEAK / max(peak, alone))
        return stems

    def soundfont(self, score: Score) -> Path:
        """The soundfont that a score's sampled parts are played with."""
        return choose_soundfont(score.seed, self._soundfonts)

    def _player(self, soundfont: Path) -> "_Player":
        if soundfont not in self._players:
            self._players[soundfont] = _Player(soundfont)
        return self._players[soundfont]


class _Player:
    """A soundfont in memory and a fresh synthesizer for each score.

    FluidSynth's own reset keeps the phase of its reverb and more, so that a stem would depend on what was
    played before it. A new one takes two milliseconds while it borrows the soundfont of one that stays.
    """

    def __init__(self, path: Path) -> None:
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

    def play(self, score: Score, parts: list[Part]) -> dict[Role, Stereo]:
        """The stems of some of a score's parts, as loud as the soundfont has them."""
        synthesizer = self._synthesizer()
        number = self._lend(synthesizer.synth, self._soundfont)
        try:
            return {part.role: self._stem(synthesizer, number, part, score) for part in parts}
        finally:
            synthesizer.system_reset()
            self._take_back(synthesizer.synth, self._soundfont)
            synthesizer.delete()

    def _synthesizer(self) -> Any:
        settings = {"synth.chorus.active": 0, "synth.polyphony": 256}
        synthesizer = self._fluidsynth.Synth(gain=0.4, samplerate=SAMPLE_RATE, channels=16, **settings)
        synthesizer.set_reverb(roomsize=0.4, damping=0.4, width=0.6, level=0.35)
        return synthesizer

    def _stem(self, synthesizer: Any, soundfont: int, part: Part, score: Score) -> Stereo:
        sound = SOUNDS[part.instrument]
        assert not isinstance(sound, Texture)  # no soundfont has rain
        channel, bank = (_DRUM_CHANNEL, _DRUM_BANK) if part.is_drums else (0, 0)
        synthesizer.system_reset()
        synthesizer.program_select(channel, soundfont, bank, sound.program)
        synthesizer.cc(channel, _VOLUME, 100)
        synthesizer.cc(channel, _PAN, round(64 + 63 * part.pan))
        synthesizer.cc(channel, _REVERB_SEND, round(127 * part.reverb))

        played: list[Stereo] = []
        now = 0
        for block, is_on, pitch, velocity in _events(part, score):
            if block > now:
                played.append(self._play(synthesizer, block - now))
                now = block
            if is_on:
                synthesizer.noteon(channel, pitch, velocity)
            else:
                synthesizer.noteoff(channel, pitch)
        if now * _BLOCK < score.samples:
            played.append(self._play(synthesizer, -(-score.samples // _BLOCK) - now))
        loudest = max(float(np.abs(chunk).max()) for chunk in played)
        for _ in range(_MAX_TAIL_CHUNKS):
            tail = self._play(synthesizer, _TAIL_CHUNK)
            played.append(tail)
            if float(np.abs(tail).max()) <= loudest * _SILENCE:
                break
        return _wrapped(np.concatenate(played), score.samples)

    def _play(self, synthesizer: Any, blocks: int) -> Stereo:
        audio: Stereo = np.empty((blocks * _BLOCK, 2), np.float32)
        address = audio.ctypes.data
        self._write_float(synthesizer.synth, len(audio), address, 0, 2, address, 1, 2)
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
