"""Riffusion's spectrogram images, both ways: what its users made opens here, and what we write opens there.

Only numpy, scipy and Pillow: the web process, which may not load torch, answers in this format.
"""

from generation.riffusion.codec import RiffusionCodec
from generation.riffusion.params import RiffusionParams

__all__ = ["RiffusionCodec", "RiffusionParams"]
