"""Level pictures of finished sound of any length, for those that were not made as one picture: songs, other files."""

import numpy as np
import torch
from numpy.typing import NDArray

from generation.audio.pcm import audio_of
from generation.request import SAMPLE_RATE, RiffRequest
from generation.spectrogram.codec import DYNAMIC_RANGE_DB, SpectrogramCodec

_PIECE = 64  # sixteenth notes that are looked at in one go


def level_of(pcm: NDArray[np.uint8], request: RiffRequest) -> NDArray[np.uint8]:
    """The level picture (frames, 160) uint8 of 24-bit stereo PCM (samples, 6), on the request's grid.

    It is what SpectrogramCodec.encode gives, but for the stretch in memory at a time: a piece after the other.
    """
    codec, samples = SpectrogramCodec(), len(pcm)
    sixteenths = max(1, round(samples * request.bpm / (15 * SAMPLE_RATE)))
    step = samples / sixteenths
    power = []
    for first in range(0, sixteenths, _PIECE):
        last = min(first + _PIECE, sixteenths)
        # One more on either side: the codec takes what it is given for a circle.
        around = np.arange(round((first - 1) * step), round((last + 1) * step)) % samples
        sides = torch.from_numpy(audio_of(pcm[around].tobytes()).T.copy())
        spectra = (codec.analyse(side, last - first + 2) for side in sides)
        both = sum(((spectrum.abs().square()) @ codec.filters.T for spectrum in spectra), torch.zeros(())) / 2
        power.append(both[codec.frames_per_sixteenth : -codec.frames_per_sixteenth])
    decibels = 10 * torch.log10(torch.cat(power) + 1e-20)
    level = (decibels - decibels.max()) / DYNAMIC_RANGE_DB + 1
    return np.asarray(torch.round(level.clamp(0, 1) * 255).to(torch.uint8).numpy())
