"""A ZIP that is never built: its parts lie in the storage, and every byte of it can be computed from where they are.

Parts are stored, not compressed (sound and pictures hardly shrink), under one fixed date, so the same parts give the
same bytes and a range of it is a range of a part. After PKWARE's APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16.
"""

import hashlib
import struct
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from market.downloads.errors import TooLarge
from market.storage import Storage

_VERSION, _UTF8, _STORED = 20, 1 << 11, 0
_DATE = (1 << 5) | 1  # 1 January 1980, the first day that the format knows
_UNIX, _MODE = 3 << 8, 0o100644 << 16
_LARGEST = 2**32 - 1
_REMEMBERED = 4096


class Checksums:
    """Sizes and CRC-32 of stored files, which never change; each is read through once, in pieces."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: OrderedDict[str, tuple[int, int]] = OrderedDict()

    async def of(self, key: str) -> tuple[int, int]:
        """Size and CRC-32 of a file. Raises AssetMissing."""
        if key not in self._known:
            size, crc = await self._storage.size(key), 0
            async for piece in self._storage.chunks(key, 0, size):
                crc = zlib.crc32(piece, crc)
            self._known[key] = size, crc
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Bytes of the archive: in memory, or a whole stored file."""

    start: int
    size: int
    data: bytes | None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """A ZIP to be sent in whole or in part. `tag` changes with anything in it."""

    size: int
    tag: str
    _storage: Storage
    _stretches: Sequence[_Stretch]

    @classmethod
    async def of(cls, storage: Storage, checksums: Checksums, parts: Mapping[str, str | bytes]) -> Self:
        """An archive of parts by their paths in it: storage keys, or the bytes themselves.

        Raises AssetMissing and TooLarge.
        """
        stretches: list[_Stretch] = []
        directory, at = b"", 0
        for path, part in parts.items():
            size, crc = (len(part), zlib.crc32(part)) if isinstance(part, bytes) else await checksums.of(part)
            if at + size > _LARGEST - 2**20:
                raise TooLarge
            name = path.encode()
            facts = struct.pack("<HHHHIIIHH", _UTF8, _STORED, 0, _DATE, crc, size, size, len(name), 0)
            head = b"PK\x03\x04" + struct.pack("<H", _VERSION) + facts + name
            directory += b"PK\x01\x02" + struct.pack("<HH", _UNIX | _VERSION, _VERSION) + facts
            directory += struct.pack("<HHHII", 0, 0, 0, _MODE, at) + name
            stretches.append(_Stretch(at, len(head), head))
            at += len(head)
            whole = part if isinstance(part, bytes) else None
            stretches.append(_Stretch(at, size, whole, "" if isinstance(part, bytes) else part))
            at += size
        count = len(parts)
        end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), at, 0)
        stretches.append(_Stretch(at, len(directory) + len(end), directory + end))
        told = [stretch.data if stretch.data is not None else stretch.key.encode() for stretch in stretches]
        digest = hashlib.sha256(b"\0".join(told)).hexdigest()
        return cls(at + len(directory) + len(end), digest[:32], storage, stretches)

    async def chunks(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes `start` to `end` (exclusive), piece by piece. Raises AssetMissing."""
        for stretch in self._stretches:
            first, last = max(start - stretch.start, 0), min(end - stretch.start, stretch.size)
            if first >= last:
                continue
            if stretch.data is not None:
                yield stretch.data[first:last]
            else:
                async for piece in self._storage.chunks(stretch.key, first, last):
                    yield piece
