"""Pictures of loops without what is written in them: a recipe there would let anybody make the loop again."""

import struct
from typing import Literal

# What a PNG needs to be seen (W3C PNG, section 5.6), and its colours.
_SEEN = (b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"sRGB", b"IDAT", b"IEND")
# WebP's notes (RFC 9649, section 2.7): a picture is whole without them.
_NOTES = (b"XMP ", b"EXIF", b"C2PA")
_XMP_FLAG, _EXIF_FLAG = 0x04, 0x08


def bare(data: bytes, media_type: Literal["image/png", "image/webp"]) -> bytes:
    """The same picture, pixel for pixel, and nothing else."""
    return _bare_png(data) if media_type == "image/png" else _bare_webp(data)


def _bare_png(data: bytes) -> bytes:
    kept, at = [data[:8]], 8
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name in _SEEN:
            kept.append(data[at : at + 12 + size])
        at += 12 + size
    return b"".join(kept)


def _bare_webp(data: bytes) -> bytes:
    kept, at = [], 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        chunk = data[at : at + 8 + size + size % 2]
        if name == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~(_XMP_FLAG | _EXIF_FLAG)]) + chunk[9:]
        if name not in _NOTES:
            kept.append(chunk)
        at += len(chunk)
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
