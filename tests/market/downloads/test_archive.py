"""A ZIP that is only computed is the ZIP that any program expects."""

import io
import random
import zipfile
from pathlib import Path

import pytest

from market.downloads import archive
from market.downloads.archive import Archive, Checksums
from market.downloads.errors import TooLarge
from market.errors import AssetMissing
from market.settings import Settings
from market.storage import CHUNK, Storage
from tests.conftest import settings_in


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "data")


async def read(made: Archive, start: int, end: int) -> bytes:
    return b"".join([piece async for piece in made.chunks(start, end)])


async def test_every_range_of_it_is_a_range_of_the_whole(storage: Storage) -> None:
    sounds = {"a": random.Random(1).randbytes(3 * CHUNK + 7), "b": b"", "c": b"x"}
    for key, data in sounds.items():
        await storage.put(f"loops/{key}", data, "audio/wav")
    parts: dict[str, str | bytes] = {
        "music/a.wav": "loops/a",
        "music/empty": "loops/b",
        "music/Läufe.txt": "Größe".encode(),
        "music/c": "loops/c",
    }
    made = await Archive.of(storage, Checksums(storage), parts)
    pieces = [piece async for piece in made.chunks(0, made.size)]
    whole = b"".join(pieces)
    assert len(whole) == made.size
    assert max(map(len, pieces)) <= CHUNK
    zipped = zipfile.ZipFile(io.BytesIO(whole))
    assert zipped.testzip() is None
    assert zipped.namelist() == list(parts)
    assert zipped.read("music/a.wav") == sounds["a"]
    assert zipped.read("music/Läufe.txt").decode() == "Größe"
    assert {entry.external_attr >> 16 for entry in zipped.infolist()} == {0o100644}
    chance = random.Random(2)
    for _ in range(60):
        start, end = sorted(chance.randrange(made.size + 1) for _ in range(2))
        assert await read(made, start, end) == whole[start:end]
    for at in range(made.size - 400, made.size):
        assert await read(made, at, at + 1) == whole[at : at + 1]


async def test_its_tag_tells_any_change(storage: Storage) -> None:
    await storage.put("a", b"one", "audio/wav")
    await storage.put("b", b"one", "audio/wav")
    checksums = Checksums(storage)
    contents: list[dict[str, str | bytes]] = [
        {"x": "a"}, {"x": "b"}, {"y": "a"}, {"x": "a", "y": "a"}, {"x": b"one"}, {"x": b"two"}
    ]  # fmt: skip
    tags = [(await Archive.of(storage, checksums, parts)).tag for parts in contents]
    assert len(set(tags)) == len(tags)
    assert (await Archive.of(storage, checksums, contents[0])).tag == tags[0]


async def test_what_does_not_fit_or_is_not_there_is_said_before_a_byte_leaves(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.put("a", bytes(2**20), "audio/wav")
    with pytest.raises(AssetMissing):
        await Archive.of(storage, Checksums(storage), {"x": "none"})
    monkeypatch.setattr(archive, "_LARGEST", 3 * 2**20)
    with pytest.raises(TooLarge, match="too much for one ZIP"):
        await Archive.of(storage, Checksums(storage), {"x": "a", "y": "a", "z": "a"})
