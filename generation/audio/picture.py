"""Spectrograms as pictures for people: time to the right in bars, pitch upwards, loudness as ink or light."""

import html
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from generation.request import METRES, SAMPLE_RATE, Take

PREVIEW_SIZE = (256, 80)
THUMBNAIL_SIZE = (480, 150)
_FONT_SIZE = 12
# The narrowest that bars and beats may be for their lines to help rather than to cover the picture.
_BAR_PIXELS, _BEAT_PIXELS = 24, 8


@dataclass(frozen=True, eq=False)
class Theme:
    """Colours: `palette` is (256, 3) uint8 from silence to the loudest, `ink` what lines and words are drawn in."""

    palette: NDArray[np.uint8]
    ink: tuple[int, int, int]


def _palette(*anchors: tuple[int, int, int]) -> NDArray[np.uint8]:
    place = np.linspace(0, 255, len(anchors))
    channels = [np.interp(np.arange(256), place, channel) for channel in np.array(anchors).T]
    return np.stack(channels, axis=1).astype(np.uint8)


THEMES = {
    "dark": Theme(
        _palette(
            (8, 6, 18),
            (44, 17, 84),
            (118, 26, 118),
            (198, 48, 104),
            (248, 112, 72),
            (254, 190, 96),
            (255, 244, 208),
        ),
        (255, 255, 255),
    ),
    "light": Theme(
        _palette(
            (255, 255, 255),
            (253, 240, 222),
            (253, 209, 154),
            (246, 148, 98),
            (209, 76, 98),
            (122, 34, 110),
            (28, 10, 58),
        ),
        (24, 16, 40),
    ),
}


class Pictured(Protocol):
    """What has a level picture: (frames, bands) uint8, as a Spectrogram does."""

    @property
    def level(self) -> NDArray[np.uint8]: ...


def spectrogram_png(take: Take, width: int = 1024, height: int = 320, theme: str = "dark") -> bytes:
    """The picture of a take with a grid of bars; the recipe stands in the text chunk "riffmarket"."""
    bars, beats = grid_of(take.recipe)
    return picture_of(take.image, bars, beats, take.recipe, theme, width, height)


def thumbnail(take: Take, theme: str = "dark") -> bytes:
    """A small picture for lists, 480 x 150, as WebP: bar lines without numbers, and the recipe as XMP."""
    bars, _ = grid_of(take.recipe)
    picture = paint(take.image, THUMBNAIL_SIZE, theme).convert("RGB")
    draw_grid(picture, bars, 1, theme, font_size=None)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=80, method=6, xmp=xmp(take.recipe))
    return buffer.getvalue()


def picture_of(
    level: NDArray[np.uint8],
    bars: int,
    beats: int,
    recipe: Mapping[str, Any],
    theme: str = "dark",
    width: int = 1024,
    height: int = 320,
) -> bytes:
    """A PNG of a level picture (frames, bands) uint8 of any length, with a grid of bars of so many beats."""
    picture = paint(level, (width, height), theme).convert("RGB")
    draw_grid(picture, bars, beats, theme)
    return _png(picture, recipe)


def preview_png(spectrogram: Pictured) -> bytes:
    """A small picture, 256 x 80, of what is being made; its palette's indices are the levels."""
    return _png(paint(spectrogram.level, PREVIEW_SIZE))


def paint(level: NDArray[np.uint8], size: tuple[int, int], theme: str = "dark") -> Image.Image:
    """A level picture (frames, bands) uint8 as an image of `size` pixels with the theme's palette."""
    picture = Image.fromarray(np.ascontiguousarray(level.T[::-1])).resize(size, Image.Resampling.BOX)
    picture.putpalette(THEMES[theme].palette.tobytes())
    return picture


def draw_grid(
    picture: Image.Image, bars: int, beats: int, theme: str = "dark", font_size: int | None = _FONT_SIZE
) -> None:
    """Draw bar lines, ticks for the beats and, with a font, the bars' numbers: as many of each as there is room for."""
    draw, (width, height) = ImageDraw.Draw(picture, "RGBA"), picture.size
    bar_width, ink = width / bars, THEMES[theme].ink
    step = _step(bar_width, _BAR_PIXELS)
    for bar in range(step, bars, step):
        draw.line([(bar * bar_width, 0), (bar * bar_width, height)], fill=(*ink, 70))
    for beat in range(bars * beats if bar_width / beats >= _BEAT_PIXELS else 0):
        if beat % beats:
            place = beat * bar_width / beats
            draw.line([(place, height - 6), (place, height)], fill=(*ink, 70))
    if font_size is None:
        return
    font = ImageFont.load_default(font_size)
    for bar in range(0, bars, _step(bar_width, font.getlength(f"{bars}") + 2 * font_size)):
        draw.text((bar * bar_width + 5, 3), f"{bar + 1}", fill=(*ink, 150), font=font)


def grid_of(recipe: Mapping[str, Any]) -> tuple[int, int]:
    """Bars of a recipe's audio, which may be more than its request's, and the beats in each."""
    request = recipe["request"]
    sixteenths = recipe["samples"] * request["bpm"] / (15 * SAMPLE_RATE)
    return max(1, round(sixteenths / METRES[request["metre"]])), int(request["metre"].split("/")[0])


def _step(bar_width: float, pixels: float) -> int:
    """The least power of two of bars that is so wide."""
    step = 1
    while step * bar_width < pixels:
        step *= 2
    return step


def xmp(recipe: Mapping[str, Any]) -> bytes:
    """An XMP packet (ISO 16684-1) with the recipe, for WebP."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:riff="urn:riffmarket:"'
        f' riff:recipe="{html.escape(json.dumps(recipe, sort_keys=True))}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def _png(picture: Image.Image, recipe: Mapping[str, Any] | None = None) -> bytes:
    note = PngInfo()
    if recipe is not None:
        note.add_text("riffmarket", json.dumps(recipe, sort_keys=True))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=note, compress_level=6)
    return buffer.getvalue()
