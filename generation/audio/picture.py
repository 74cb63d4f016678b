"""Spectrograms as pictures for people: time to the right in bars, pitch upwards, loudness as light."""

import io
import json

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from generation.request import Take
from generation.spectrogram import Spectrogram

_ANCHORS = np.array(
    [
        (8, 6, 18),
        (44, 17, 84),
        (118, 26, 118),
        (198, 48, 104),
        (248, 112, 72),
        (254, 190, 96),
        (255, 244, 208),
    ]
)
_COLOURS = np.stack(
    [np.interp(np.arange(256), np.linspace(0, 255, len(_ANCHORS)), channel) for channel in _ANCHORS.T], axis=1
).astype(np.uint8)
_PREVIEW_SIZE = (256, 80)


def spectrogram_png(take: Take, width: int = 1024, height: int = 320) -> bytes:
    """The picture of a take with a grid of bars; the recipe stands in the text chunk "riffmarket"."""
    picture = _paint(take.image, (width, height)).convert("RGB")
    draw = ImageDraw.Draw(picture, "RGBA")
    request = take.recipe["request"]
    bars, beats = request["bars"], int(request["metre"].split("/")[0])
    font = ImageFont.load_default(12)
    for bar in range(bars):
        x = bar * width / bars
        if bar:
            draw.line([(x, 0), (x, height)], fill=(255, 255, 255, 70))
        for beat in range(1, beats):
            place = x + beat * width / bars / beats
            draw.line([(place, height - 6), (place, height)], fill=(255, 255, 255, 70))
        draw.text((x + 5, 3), str(bar + 1), fill=(255, 255, 255, 150), font=font)
    note = PngInfo()
    note.add_text("riffmarket", json.dumps(take.recipe, sort_keys=True))
    return _png(picture, note)


def preview_png(spectrogram: Spectrogram) -> bytes:
    """A small picture, 256 x 80, of what is being made."""
    return _png(_paint(spectrogram.level, _PREVIEW_SIZE))


def _paint(level: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(level.T[::-1])).resize(size, Image.Resampling.BOX)
    picture.putpalette(_COLOURS.tobytes())
    return picture


def _png(picture: Image.Image, note: PngInfo | None = None) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=note, compress_level=6)
    return buffer.getvalue()
