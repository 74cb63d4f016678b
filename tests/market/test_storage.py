"""Files that are there as a whole or not at all, in a folder or in a bucket."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from obstore.store import from_url

from market.errors import AssetMissing
from market.settings import Settings
from market.storage import CHUNK, Storage
from tests.conftest import ROOT, environment_of, settings_in
from tests.market import s3

WRITE_TOO_MUCH = """
import asyncio
import sys
from pathlib import Path
from generation.errors import StorageFull
from market.settings import Settings
from market.storage import Storage

async def main():
    storage = Storage.open(Settings())
    await storage.put("a/small.wav", bytes(10_000), "audio/wav")
    try:
        await storage.put("a/large.wav", bytes(1_000_000), "audio/wav")
    except StorageFull as error:
        print(error)
    try:
        await storage.put_file("a/song.wav", Path(sys.argv[1]), "audio/wav")
    except StorageFull as error:
        print(error)

asyncio.run(main())
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "data")


@pytest.fixture(params=["folder", "s3", "s3 folder"])
def anywhere(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Storage]:
    """A storage of each kind."""
    if request.param == "folder":
        yield Storage.open(settings)
        return
    with s3.bucket(monkeypatch) as url:
        place = f"{url}/riffs/here" if "folder" in request.param else url
        yield Storage.open(settings.model_copy(update={"storage_url": place}))


async def test_any_store_keeps_what_it_has(anywhere: Storage) -> None:
    await anywhere.put("a/b.wav", b"hello", "audio/wav")
    await anywhere.put("a/b.wav", b"something else", "audio/wav")
    assert await anywhere.get("a/b.wav") == b"hello"
    assert await anywhere.size("a/b.wav") == 5
    assert await anywhere.get_range("a/b.wav", 1, 3) == b"el"


async def test_any_store_takes_large_files(anywhere: Storage, tmp_path: Path) -> None:
    song, copy = tmp_path / "song.wav", tmp_path / "copy.wav"
    song.write_bytes(bytes(range(256)) * 50_000)
    await anywhere.put_file("a/song.wav", song, "audio/wav")
    await anywhere.put_file_once("a/signed.wav", song, "audio/wav")
    for key in ("a/song.wav", "a/signed.wav"):
        pieces = [piece async for piece in anywhere.chunks(key, 100, 3_000_000)]
        assert max(map(len, pieces)) == CHUNK
        assert b"".join(pieces) == song.read_bytes()[100:3_000_000]
    await anywhere.get_file("a/song.wav", copy)
    assert copy.read_bytes() == song.read_bytes()


async def test_the_first_of_many_that_differ_stays_in_any_store(anywhere: Storage, tmp_path: Path) -> None:
    """As signed files do: each writer's is another one."""
    paths = [tmp_path / str(number) for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 100_000)
    await asyncio.gather(*(anywhere.put_file_once("a.wav", path, "audio/wav") for path in paths))
    first = await anywhere.get("a.wav")
    assert first == first[:1] * 100_000
    await asyncio.gather(*(anywhere.put_file_once("a.wav", path, "audio/wav") for path in paths))
    assert await anywhere.get("a.wav") == first
    assert await anywhere.list("") == ["a.wav"]


async def test_any_store_says_what_is_missing(anywhere: Storage) -> None:
    assert not await anywhere.exists("no")
    for attempt in (anywhere.get("no"), anywhere.size("no"), anywhere.get_range("no", 0, 1)):
        with pytest.raises(AssetMissing, match="The file no is not in the storage"):
            await attempt
    await anywhere.delete("no")


async def test_any_store_is_swept(anywhere: Storage) -> None:
    for name in ("loops/1/a.wav", "loops/1/b.wav", "loops/2/a.wav"):
        await anywhere.put(name, b"x", "audio/wav")
    await anywhere.sweep("loops/1/", {"loops/1/b.wav"})
    assert await anywhere.list("loops") == ["loops/1/b.wav", "loops/2/a.wav"]
    assert await anywhere.folders("loops/") == ["1", "2"]
    await anywhere.delete("loops/2/a.wav")
    assert await anywhere.list("loops") == ["loops/1/b.wav"]


async def test_what_is_kept_in_a_bucket_has_its_type(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3.bucket(monkeypatch) as url:
        storage = Storage.open(settings.model_copy(update={"storage_url": url}))
        await storage.put("a.wav", b"x", "audio/wav")
        kept = await asyncio.to_thread(obstore.get, from_url(url), "a.wav")
        assert kept.attributes["Content-Type"] == "audio/wav"


async def test_a_file_is_kept_and_never_changes(storage: Storage) -> None:
    await storage.put("a/b.wav", b"hello", "audio/wav")
    await storage.put("a/b.wav", b"something else", "audio/wav")
    assert await storage.get("a/b.wav") == b"hello"
    assert await storage.size("a/b.wav") == 5
    assert await storage.get_range("a/b.wav", 1, 3) == b"el"


async def test_a_large_file_goes_in_and_out_by_its_path(storage: Storage, tmp_path: Path) -> None:
    song, copy = tmp_path / "song.wav", tmp_path / "copy.wav"
    song.write_bytes(bytes(range(256)) * 50_000)
    await storage.put_file("a/song.wav", song, "audio/wav")
    await storage.put_file("a/song.wav", song, "audio/wav")
    assert await storage.exists("a/song.wav")
    assert not await storage.exists("a/other.wav")
    pieces = [piece async for piece in storage.chunks("a/song.wav", 100, 3_000_000)]
    assert max(map(len, pieces)) == CHUNK
    assert b"".join(pieces) == song.read_bytes()[100:3_000_000]
    await storage.get_file("a/song.wav", copy)
    assert copy.read_bytes() == song.read_bytes()
    with pytest.raises(AssetMissing):
        await storage.get_file("a/other.wav", tmp_path / "other.wav")
    assert await asyncio.to_thread(names, tmp_path) == [
        "a",
        "assets",
        "copy.wav",
        "data",
        "song.wav",
        "song.wav",
    ]


async def test_one_of_many_writers_wins(storage: Storage) -> None:
    await asyncio.gather(*(storage.put("a", bytes([number]) * 100_000, "audio/wav") for number in range(16)))
    data = await storage.get("a")
    assert data == data[:1] * 100_000


async def test_what_is_not_there_is_missing(storage: Storage) -> None:
    for attempt in (storage.get("no"), storage.size("no"), storage.get_range("no", 0, 1)):
        with pytest.raises(AssetMissing, match="The file no is not in the storage"):
            await attempt
    await storage.delete("no")


async def test_a_folder_is_swept_but_for_what_is_kept(storage: Storage) -> None:
    for name in ("a", "b", "c"):
        await storage.put(f"loops/1/{name}.wav", b"x", "audio/wav")
    await storage.put("loops/2/a.wav", b"x", "audio/wav")
    killed_while_writing = Path(storage.place) / "loops/1/d.wav#1"
    killed_while_writing.write_bytes(b"half")
    await storage.sweep("loops/1/", {"loops/1/b.wav"})
    assert await storage.list("loops/1") == ["loops/1/b.wav"]
    assert not killed_while_writing.exists()
    assert await storage.list("loops") == ["loops/1/b.wav", "loops/2/a.wav"]
    assert await storage.folders("loops/") == ["1", "2"]
    await storage.sweep("loops/1/", set())
    assert await storage.folders("loops/") == ["2"]
    await storage.sweep("loops/3/", set())


async def test_a_key_stays_in_the_storage(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="illegal"):
        await storage.put("../outside", b"x", "audio/wav")
    assert not (tmp_path / "data" / "outside").exists()


def test_no_space_is_said_in_a_sentence_and_nothing_is_left(settings: Settings) -> None:
    """A limit on the size of files stands in for a full disk here; test_worker.py fills a real file system."""
    song = settings.data_dir.with_name("song.wav")
    song.write_bytes(bytes(1_000_000))
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 600 && exec "$@"', "-", sys.executable, "-c", WRITE_TOO_MUCH, song],
        env={"PYTHONPATH": str(ROOT), **environment_of(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    sentence = f"There is no space left to write to {settings.storage_url}: free some and try again.\n"
    assert done.stdout == 2 * sentence, done.stderr
    files = [path.name for path in Path(settings.storage_url).rglob("*") if path.is_file()]
    assert files == ["small.wav"]


async def test_a_url_may_name_the_folder(tmp_path: Path) -> None:
    storage = Storage.open(settings_in(tmp_path, storage_url=f"file://{tmp_path}/with space"))
    await storage.put("a", b"x", "audio/wav")
    assert (tmp_path / "with space" / "a").read_bytes() == b"x"


def names(folder: Path) -> list[str]:
    """What is anywhere in a folder."""
    return sorted(path.name for path in folder.rglob("*"))
