"""Spectrograms that move: how one came out of the noise, as a GIF or WebP, and how one is heard, as a GIF."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation.audio.picture import THEMES, draw_grid, grid_of, paint, xmp
from generation.request import SAMPLE_RATE, Take

ENDINGS = ("gif", "webp")
_SIZES = {"gif": (384, 120), "webp": (512, 160)}
_GIF_COLOURS = 64
_MOST_STAGES, _FRAMES_PER_STAGE = 8, 5
_FRAME_MS, _LAST_FRAME_MS = 80, 2000
_WEBP_QUALITY = 70
_PLAYED_SIZE = (512, 160)
_PLAYED_FRAME_MS, _MOST_PLAYED_FRAMES, _PLAYHEAD_PIXELS = 60, 300, 3


def denoising(previews: Sequence[bytes], take: Take, ending: str) -> bytes:
    """An animation that loops: out of the dark through the previews of a take's denoising to its picture.

    The recipe is in it: as the comment of a GIF, as XMP in WebP. `previews` are the PNGs of
    `generation.engine.Progress`, in order; `ending` is "gif" or "webp". Each melts into the next, and the last picture
    stands for two seconds.
    """
    size = _SIZES[ending]
    chosen = np.unique(
        np.linspace(0, len(previews) - 1, min(len(previews), _MOST_STAGES)).round().astype(int)
    )
    stages = [np.zeros(size[::-1], np.float32), *(_stage(previews[index], size) for index in chosen)]
    stages.append(np.asarray(paint(take.image, size), np.float32))
    moments = np.linspace(0, len(stages) - 1, (len(stages) - 1) * _FRAMES_PER_STAGE + 1)[1:]
    frames = [_frame(_between(stages, moment), take) for moment in moments]
    durations = [_FRAME_MS] * (len(frames) - 1) + [_LAST_FRAME_MS]
    buffer = io.BytesIO()
    if ending == "gif":
        palette = _gif_palette()
        frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
        comment = json.dumps(take.recipe, sort_keys=True).encode()
        frames[0].save(
            buffer,
            "GIF",
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            loop=0,
            comment=comment,
        )
    else:
        frames[0].save(
            buffer, "WEBP", save_all=True, append_images=frames[1:], duration=durations, loop=0,
            quality=_WEBP_QUALITY, method=4, xmp=xmp(take.recipe),
        )  # fmt: skip
    return buffer.getvalue()


def playhead(level: NDArray[np.uint8], recipe: Mapping[str, Any]) -> bytes:
    """A GIF of a level picture (frames, bands) over which a playhead moves as the sound plays; the recipe is in it.

    It takes as long as the sound, to within the hundredth of a second that GIF counts in, and then starts again.
    """
    width, height = _PLAYED_SIZE
    picture = paint(level, _PLAYED_SIZE).convert("RGB")
    bars, beats = grid_of(recipe)
    draw_grid(picture, bars, beats)
    still = picture.quantize(palette=_gif_palette(), dither=Image.Dither.NONE)
    hundredths = round(100 * recipe["samples"] / SAMPLE_RATE)
    count = max(1, min(hundredths * 10 // _PLAYED_FRAME_MS, _MOST_PLAYED_FRAMES))
    frames = []
    for place in np.arange(count) * (width - _PLAYHEAD_PIXELS) / count:
        frame = still.copy()
        frame.paste(_GIF_COLOURS - 1, (round(place), 0, round(place) + _PLAYHEAD_PIXELS, height))
        frames.append(frame)
    edges = np.linspace(0, hundredths, count + 1).round().astype(int)
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=(10 * np.diff(edges)).tolist(),
        loop=0,
        comment=json.dumps(recipe, sort_keys=True).encode(),
    )
    return buffer.getvalue()


def _stage(preview: bytes, size: tuple[int, int]) -> NDArray[np.float32]:
    """A preview's levels, (height, width): they are the indices of its palette."""
    levels = np.asarray(Image.open(io.BytesIO(preview)))
    return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.BILINEAR), np.float32)


def _between(stages: Sequence[NDArray[np.float32]], moment: float) -> NDArray[np.uint8]:
    before = min(int(moment), len(stages) - 2)
    share = moment - before
    return np.asarray(np.round(stages[before] * (1 - share) + stages[before + 1] * share), np.uint8)


def _frame(levels: NDArray[np.uint8], take: Take) -> Image.Image:
    frame = Image.fromarray(THEMES["dark"].palette[levels])
    bars, _ = grid_of(take.recipe)
    draw_grid(frame, bars, 1, font_size=None)
    return frame


def _gif_palette() -> Image.Image:
    """One palette for all frames: what is the same from frame to frame is then not stored again."""
    palette = Image.new("P", (1, 1))
    colours = THEMES["dark"].palette[np.linspace(0, 255, _GIF_COLOURS).round().astype(int)]
    palette.putpalette(colours.tobytes())
    return palette
