"""The deck of one voice channel: plays a loop round and round without a gap, and crossfades into the next one on a bar.

Sound is 48 kHz stereo, as Discord takes it, in frames of 20 ms. The deck knows no clock: who asks for a frame gets the
next one, so that the same calls give the same samples.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from generation.audio.crossfade import crossfaded
from generation.request import METRES, SAMPLE_RATE

RATE = 48_000
FRAME = 960
# What follows waits for the loop before it: so long, and then until that one is round.
TURN_SECONDS = 30.0
FULL_VOLUME = 100
# A change of volume takes this long, so that it does not click.
_RAMP = FRAME // 2
_LAST_FADE = RATE // 2


@dataclass(frozen=True, slots=True)
class Track:
    """A loop as it is played: (n, 2) float32 at 48 kHz, of so many bars and quarter notes to each.

    `whole` is for what has a beginning: a song starts there wherever the one before it stands.
    """

    loop_id: str
    audio: NDArray[np.float32]
    bars: int
    quarters: float
    whole: bool = False

    @property
    def bar(self) -> float:
        """Samples in a bar."""
        return len(self.audio) / self.bars

    @property
    def beat(self) -> int:
        return round(self.bar / self.quarters)

    def from_here(self, start: int, count: int) -> NDArray[np.float32]:
        """`count` samples from `start` on, round and round."""
        start %= len(self.audio)
        end = start + count
        if end <= len(self.audio):
            return self.audio[start:end]
        return self.audio.take(range(start, end), axis=0, mode="wrap")


def track_of(
    loop_id: str, audio: NDArray[np.float32], *, bars: int, metre: str = "4/4", whole: bool = False
) -> Track:
    """A loop at 44.1 kHz as a track: its end meets its start at 48 kHz as it did before.

    A sound that repeats is resampled as one period of itself by Fourier's series, so there is no edge to treat. A song,
    which is whole, has silence at its ends and is much longer: it is filtered.
    """
    if whole:
        resampled = signal.resample_poly(audio, RATE // 300, SAMPLE_RATE // 300, axis=0)
    else:
        resampled = signal.resample(audio, round(len(audio) * RATE / SAMPLE_RATE), axis=0)
    return Track(loop_id, np.ascontiguousarray(resampled, np.float32), bars, METRES[metre] / 4, whole)


class Deck:
    """Mixes one channel's sound. Frames are asked for in a thread, everything else is told from another one.

    `on_change(track)` is called, in the thread of the frames, as soon as another track is heard than before.
    """

    def __init__(self, volume: int = 50, on_change: Callable[[Track], None] | None = None) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._track: Track | None = None
        self._place = 0  # of the next sample in the track
        self._entry = 0  # where the track was entered
        self._heard = 0  # samples of it since then
        self._cued: Track | None = None
        self._soon = False
        self._fade = np.zeros((0, 2), np.float32)
        self._gain = 0.0
        self._volume = volume / FULL_VOLUME
        self._left: int | None = None  # samples until the end

    @property
    def track(self) -> Track | None:
        """What is heard, or fading in."""
        return self._track

    @property
    def cued(self) -> Track | None:
        """What comes next."""
        return self._cued

    @property
    def volume(self) -> int:
        return round(self._volume * FULL_VOLUME)

    @volume.setter
    def volume(self, percent: int) -> None:
        self._volume = percent / FULL_VOLUME

    def cue(self, track: Track, *, soon: bool = False) -> None:
        """Let a track follow, in place of any that was to: on the next bar if `soon`, else when it is its turn.

        The first one starts at once.
        """
        with self._lock:
            self._cued, self._soon = track, soon or self._soon

    def skip(self) -> None:
        """Let what is cued, or is cued next, come on the next bar."""
        with self._lock:
            self._soon = True

    def end(self) -> None:
        """Fade out; after half a second there are no more frames."""
        with self._lock:
            if self._left is None:
                self._left = _LAST_FADE if self._track is not None else 0

    def frame(self) -> NDArray[np.float32] | None:
        """The next 20 ms, (960, 2) in [-1, 1]; silence before the first track, None after the end."""
        with self._lock:
            before = self._track
            if self._left == 0:
                return None
            mixed = self._mixed(FRAME) * self._gains()
            changed = self._track if self._track is not before else None
        if changed is not None and self._on_change is not None:
            self._on_change(changed)
        return np.asarray(np.clip(mixed, -1, 1), np.float32)

    def _mixed(self, count: int) -> NDArray[np.float32]:
        """The next samples at full volume, across whatever changes within them."""
        pieces = []
        while count:
            if self._track is None:
                if self._cued is None:
                    pieces.append(np.zeros((count, 2), np.float32))
                    break
                self._enter(self._cued, 0)
                continue
            if len(self._fade):
                piece, self._fade = self._fade[:count], self._fade[count:]
            else:
                until = self._until_change()
                if until == 0:
                    self._change()
                    continue
                piece = self._track.from_here(self._place, min(count, until or count))
            self._advance(len(piece))
            pieces.append(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _until_change(self) -> int | None:
        """Samples until the crossfade into what is cued begins; None where nothing is."""
        if self._cued is None:
            return None
        assert self._track is not None
        if self._soon:
            return _until_next(self._place, self._track.bar)
        length = len(self._track.audio)
        soonest = self._entry + max(self._heard, round(TURN_SECONDS * RATE))
        return math.ceil(soonest / length) * length - self._entry - self._heard

    def _change(self) -> None:
        """Begin to fade into what is cued.

        Of bars of equal length the new one takes over where the old one stands and a whole bar fades, which is how
        morphs go on; otherwise it begins at its beginning, within a beat.
        """
        old, new = self._track, self._cued
        assert old is not None
        assert new is not None
        together = abs(old.bar - new.bar) < 1 and not new.whole
        place = round((round(self._place / old.bar) % new.bars) * new.bar) if together else 0
        count = round(old.bar) if together else old.beat
        fading_out = old.from_here(self._place, count)
        self._enter(new, place)
        self._fade = crossfaded(fading_out, new.from_here(place, count))

    def _enter(self, track: Track, place: int) -> None:
        self._track, self._cued, self._soon = track, None, False
        self._place = self._entry = place
        self._heard = 0

    def _advance(self, count: int) -> None:
        assert self._track is not None
        self._place = (self._place + count) % len(self._track.audio)
        self._heard += count

    def _gains(self) -> NDArray[np.float32]:
        """What each sample of a frame is multiplied with, (960, 1): the volume as it changes, and the end."""
        gains = np.full(FRAME, self._volume, np.float32)
        if self._gain != self._volume:
            gains[:_RAMP] = np.linspace(self._gain, self._volume, _RAMP, endpoint=False)
            self._gain = self._volume
        if self._left is not None:
            falling = np.clip(np.arange(self._left, self._left - FRAME, -1) / _LAST_FADE, 0, 1)
            gains *= falling.astype(np.float32)
            self._left = max(self._left - FRAME, 0)
        return gains[:, None]


def _until_next(place: int, step: float) -> int:
    """Samples from a place to the next multiple of a step, 0 when it is one."""
    multiple = math.ceil((place - 0.5) / step)
    return max(round(multiple * step) - place, 0)
