"""Sound to picture and back; everything on the time axis is a circle, so that a loop has no seam."""

from generation.spectrogram.codec import Spectrogram, SpectrogramCodec

__all__ = ["Spectrogram", "SpectrogramCodec"]
