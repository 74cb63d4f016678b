"""What the voice client sends: the deck's frames as Opus packets, encoded with the libopus that PyAV brings along."""

from fractions import Fraction

import av
import discord
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from bot.voice.deck import FRAME, RATE, Deck

# A voice channel of a server without boosts has 64 kbit/s; above this nobody hears more.
BITRATES = (48_000, 160_000)


class DeckSource(discord.AudioSource):
    """One packet for each frame of a deck, until that ends."""

    def __init__(self, deck: Deck, bitrate: int) -> None:
        self._deck = deck
        self._encoder = encoder(min(max(bitrate, BITRATES[0]), BITRATES[1]))
        self._sent = 0

    def is_opus(self) -> bool:
        """Yes: discord.py would look for a libopus on the system otherwise."""
        return True

    def read(self) -> bytes:
        """The next packet of 20 ms; nothing at the end."""
        samples = self._deck.frame()
        if samples is None:
            return b""
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32).reshape(1, -1), format="flt", layout="stereo"
        )
        frame.sample_rate, frame.pts = RATE, self._sent
        self._sent += FRAME
        [packet] = self._encoder.encode(frame)
        return bytes(packet)


def encoder(bitrate: int) -> AudioCodecContext:
    """An Opus encoder for music that gives a packet for each frame it takes."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = RATE, "stereo", "flt"
    context.time_base = Fraction(1, RATE)
    context.bit_rate = bitrate
    context.options = {"application": "audio", "frame_duration": "20", "vbr": "constrained"}
    context.open()
    return context
