"""A film for posting: a spectrogram through which a playhead moves while its sound plays.

H.264 and AAC in an MP4 that starts to play before it is loaded. Only two pictures are drawn: the spectrogram, and a
veil over what has not been heard yet, which ffmpeg pushes to the right.
"""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from generation.audio import ffmpeg
from generation.audio.export import Encoding, tag_arguments, tags_of
from generation.audio.picture import THEMES, draw_grid, grid_of, paint
from generation.errors import RiffError
from generation.files import write_whole
from generation.request import SAMPLE_RATE

SIZE = (1280, 720)
LEAST_SECONDS = 8
_TITLE_HEIGHT, _TITLE_SIZE, _MARGIN = 88, 34, 28
_FRAMES_PER_SECOND = 30
_PLAYHEAD_PIXELS = 4
_MOST_BYTES_PER_SECOND = 1 << 20
_ENCODING = Encoding(
    "mp4",
    (
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
        *("-c:a", "aac", "-b:a", "192k", "-movflags", "+faststart"),
    ),
    bpm="tmpo",
)


def film(wav_path: Path, out_path: Path, level: NDArray[np.uint8], recipe: Mapping[str, Any]) -> None:
    """Write an MP4 of a WAV of ours and its level picture (frames, bands); short loops repeat for some 8 seconds.

    The playhead starts again with every repetition. Raises RiffError, and StorageFull where there is no room.
    """
    seconds = recipe["samples"] / SAMPLE_RATE
    repeats = math.ceil(LEAST_SECONDS / seconds)
    with ffmpeg.workplace() as work:
        still(level, recipe).save(work / "still.png", compress_level=1)
        _veil().save(work / "veil.png", compress_level=1)
        arguments = [
            *_picture(work / "still.png"),
            *_picture(work / "veil.png"),
            *("-stream_loop", str(repeats - 1), *ffmpeg.read_from(wav_path, "wav")),
            *tag_arguments(work, _ENCODING, tags_of(recipe)),
            *("-filter_complex", _moving(seconds), "-map", "[film]", "-map", "2:a", "-map_metadata", "3"),
            *("-t", f"{repeats * seconds:.6f}"),
            *ffmpeg.SAME_BYTES,
            *_ENCODING.codec,
            *ffmpeg.write_to(work / "film", _ENCODING.container),
        ]
        length = repeats * seconds
        try:
            ffmpeg.run(
                arguments,
                seconds=60 + 5 * length,
                largest=(1 << 20) + int(length * _MOST_BYTES_PER_SECOND),
                work=work,
            )
        except ffmpeg.FfmpegFailed as failure:
            raise RiffError(f"The film could not be made: {failure}.") from failure
        with (work / "film").open("rb") as result, write_whole(out_path) as out:
            shutil.copyfileobj(result, out)


def still(level: NDArray[np.uint8], recipe: Mapping[str, Any]) -> Image.Image:
    """What does not move: the spectrogram with its bars under a line with the prompt, its tempo and its key."""
    width, height = SIZE
    bars, beats = grid_of(recipe)
    spectrogram = paint(level, (width, height - _TITLE_HEIGHT)).convert("RGB")
    draw_grid(spectrogram, bars, beats, font_size=22)
    theme, request = THEMES["dark"], recipe["request"]
    still = Image.new("RGB", SIZE, tuple(int(part) for part in theme.palette[0]))
    still.paste(spectrogram, (0, _TITLE_HEIGHT))
    draw, font = ImageDraw.Draw(still), ImageFont.load_default(_TITLE_SIZE)
    facts = " · ".join(filter(None, (f"{request['bpm']:g} BPM", request["key"])))
    middle, right = _TITLE_HEIGHT / 2, width - _MARGIN
    draw.text((right, middle), facts, fill=(178, 170, 200), font=font, anchor="rm")
    room = right - font.getlength(facts) - 3 * _MARGIN
    draw.text(
        (_MARGIN, middle), _fitting(request["prompt"], font, room), fill=theme.ink, font=font, anchor="lm"
    )
    return still


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    """As much of a text as fits, of the characters that the font has."""
    missing = font.getmask("\uffff")
    known = "".join(
        sign for sign in text if sign == " " or bytes(font.getmask(sign)) != bytes(missing)
    ).strip()
    if font.getlength(known) <= room:
        return known
    while known and font.getlength(known + "…") > room:
        known = known[:-1]
    return known.rstrip() + "…"


def _veil() -> Image.Image:
    """The playhead, and the shade over what follows it."""
    veil = Image.new("RGBA", (SIZE[0], SIZE[1] - _TITLE_HEIGHT), (8, 6, 18, 120))
    veil.paste((255, 255, 255, 235), (0, 0, _PLAYHEAD_PIXELS, veil.height))
    return veil


def _picture(path: Path) -> list[str]:
    return ["-framerate", str(_FRAMES_PER_SECOND), *ffmpeg.read_from(path, "png_pipe")]


def _moving(seconds: float) -> str:
    """The filters: both pictures turned to YUV once and held, one laid over the other at the playhead's place."""
    held = "loop=loop=-1:size=1"
    colours = "scale=out_color_matrix=bt709:out_range=tv"
    # A tenth of a millisecond later, so that a rounded time at the loop's end is already the next start.
    place = f"W*mod(t+0.0001\\,{seconds:.9f})/{seconds:.9f}"
    return (
        f"[0:v]{colours},format=yuv420p,{held}[still];[1:v]{colours},format=yuva420p,{held}[veil];"
        f"[still][veil]overlay=x='{place}':y={_TITLE_HEIGHT}:format=yuv420[film]"
    )
