"""A soundfont cut down to the presets that the corpus plays: SoundFont 2.04, and its Ogg Vorbis variant SF3."""

import struct
from collections.abc import Iterator
from itertools import pairwise

from generation.corpus.instruments import BASSES, KITS, MELODIC

# Generators: what a preset's zone names, and an instrument's.
_INSTRUMENT, _SAMPLE_ID = 41, 53
_COMPRESSED = 0x10
# SoundFont 2.04, section 7.10: this many zeros behind each sample.
_SILENCE = 46
_SAMPLE = struct.Struct("<20s5IBbHH")
Preset = tuple[int, int]  # bank and program


def corpus_presets() -> set[Preset]:
    """What the corpus's instruments ask of a soundfont; drum kits are in bank 128."""
    melodic = {(0, sound.program) for sound in (MELODIC | BASSES).values() if sound.program is not None}
    return melodic | {(128, kit.program) for kit in KITS.values() if kit.program is not None}


def trim(soundfont: bytes, wanted: set[Preset]) -> bytes:
    """The soundfont without the samples that only other presets play; those presets play a wrong sample.

    The wanted ones sound as before, to the bit. Raises ValueError for what is no soundfont.
    """
    if soundfont[:4] != b"RIFF" or soundfont[8:12] != b"sfbk":
        raise ValueError("This is no soundfont.")
    chunks = dict(_chunks(soundfont, 12, len(soundfont)))
    samples = list(_SAMPLE.iter_unpack(chunks[b"shdr"]))
    used = _samples_of(chunks, wanted)
    used |= {samples[number][8] for number in used if samples[number][9] & 0xE}
    kept, data, headers = bytearray(), chunks[b"smpl"], {}
    for number in sorted(used):
        name, start, end, loop, loop_end, *rest = samples[number]
        if rest[-1] & _COMPRESSED:  # places are bytes, and loops count from the sample's own start
            moved = len(kept)
            kept += data[start:end]
            headers[number] = (name, moved, len(kept), loop, loop_end, *rest)
        else:
            moved = len(kept) // 2
            kept += data[2 * start : 2 * end] + bytes(2 * _SILENCE)
            back = start - moved
            headers[number] = (name, moved, end - back, loop - back, loop_end - back, *rest)
    stands_for_all = headers[min(headers)]
    last = len(samples) - 1  # the terminal record
    chunks[b"shdr"] = b"".join(
        _SAMPLE.pack(*(samples[number] if number == last else headers.get(number, stands_for_all)))
        for number in range(len(samples))
    )
    chunks[b"smpl"] = bytes(kept) + bytes(len(kept) % 2)
    lists = (
        (b"INFO", [name for name in chunks if name not in _LISTED]),
        (b"sdta", [b"smpl"]),
        (b"pdta", [name for name in chunks if name in _LISTED and name != b"smpl" and name != b"sm24"]),
    )
    body = b"sfbk" + b"".join(
        _chunk(b"LIST", kind + b"".join(_chunk(name, chunks[name]) for name in names))
        for kind, names in lists
    )
    return _chunk(b"RIFF", body)


_LISTED = (b"smpl", b"sm24", b"phdr", b"pbag", b"pmod", b"pgen", b"inst", b"ibag", b"imod", b"igen", b"shdr")


def _samples_of(chunks: dict[bytes, bytes], wanted: set[Preset]) -> set[int]:
    presets = [
        (bank, program, bag) for program, bank, bag in struct.iter_unpack("<20xHHH12x", chunks[b"phdr"])
    ]
    instruments = [bag for (bag,) in struct.iter_unpack("<20xH", chunks[b"inst"])]
    found: set[int] = set()
    for (bank, program, bag), (_, _, end) in pairwise(presets):
        if (bank, program) in wanted:
            for instrument in _named(chunks, b"p", bag, end, _INSTRUMENT):
                found |= set(
                    _named(chunks, b"i", instruments[instrument], instruments[instrument + 1], _SAMPLE_ID)
                )
    return found


def _named(chunks: dict[bytes, bytes], kind: bytes, bag: int, end: int, operator: int) -> Iterator[int]:
    """What the zones from `bag` to `end` name by one generator."""
    bags = [place for place, _ in struct.iter_unpack("<HH", chunks[kind + b"bag"])]
    generators = struct.iter_unpack("<HH", chunks[kind + b"gen"][4 * bags[bag] : 4 * bags[end]])
    return (amount for name, amount in generators if name == operator)


def _chunks(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents, those within lists too."""
    while start + 8 <= end:
        name, size = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        if name == b"LIST":
            yield from _chunks(data, start + 12, start + 8 + size)
        else:
            yield name, data[start + 8 : start + 8 + size]
        start += 8 + size
        start += size % 2 and data[start : start + 1] == b"\0"  # SF3 files leave out RIFF's padding


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)
