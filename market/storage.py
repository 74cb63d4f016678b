"""Where the files are: a folder by default, any object store that obstore knows by its URL (s3://, gs://, az://)."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from generation.errors import StorageFull
from generation.files import write_whole
from market.errors import AssetMissing
from market.settings import Settings

# Quota and file size limits say to a person what a full disk says.
_NO_SPACE = re.compile(r"\(os error (28|122|27)\)")
# What is read from a large file at once.
CHUNK = 2**20
_STAGED = re.compile(r"#\d+$")
T = TypeVar("T")


class Storage:
    """Files under keys (posix paths). A file appears whole or not at all and never changes.

    The blocking calls of obstore are run in threads: its own coroutines now and then abort the interpreter
    when it exits.
    """

    def __init__(self, store: ObjectStore, place: str) -> None:
        self.place = place
        self._store = store
        self._folder = Path(place) if isinstance(store, LocalStore) else None

    @classmethod
    def open(cls, settings: Settings) -> Self:
        url = settings.storage_url
        if "://" in url and not url.startswith("file://"):
            return cls(from_url(url), url)
        folder = Path(url.removeprefix("file://")).expanduser().resolve()
        return cls(LocalStore(folder, mkdir=True), str(folder))

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Keep a file. What is under the key already stays as it is: keys name their content.

        Raises StorageFull, with nothing left behind.
        """
        attributes = None if self._folder else {"Content-Type": content_type}
        try:
            await self._run(
                lambda: obstore.put(
                    self._store, key, data, mode="create", attributes=attributes, use_multipart=False
                )
            )
        except AlreadyExistsError:
            return

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Keep a file of any size without having it in memory; otherwise like `put`."""
        attributes = None if self._folder else {"Content-Type": content_type}
        await self._run(
            lambda: obstore.put(
                self._store, key, path, attributes=attributes, use_multipart=True, max_concurrency=2
            )
        )

    async def put_file_once(self, key: str, path: Path, content_type: str) -> None:
        """Keep a file that is not the same each time it is made: the first one stays, as with `put`.

        It is in memory for as long as it is sent: no store creates in parts only what is not there yet.
        """
        attributes = None if self._folder else {"Content-Type": content_type}
        try:
            await self._run(
                lambda: obstore.put(
                    self._store, key, path, mode="create", attributes=attributes, use_multipart=False
                )
            )
        except AlreadyExistsError:
            return

    async def get(self, key: str) -> bytes:
        """The whole file. Raises AssetMissing."""
        return await self._run(lambda: bytes(obstore.get(self._store, key).bytes()), key)

    async def get_range(self, key: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end` (exclusive) of a file. Raises AssetMissing."""
        return await self._run(lambda: bytes(obstore.get_range(self._store, key, start=start, end=end)), key)

    async def chunks(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes `start` to `end` (exclusive) of a file, piece by piece. Raises AssetMissing."""
        for first in range(start, end, CHUNK):
            yield await self.get_range(key, first, min(first + CHUNK, end))

    async def get_file(self, key: str, path: Path) -> None:
        """Copy a file to a path without having it in memory. Raises AssetMissing and StorageFull."""
        size = await self.size(key)
        with write_whole(path) as file:
            async for chunk in self.chunks(key, 0, size):
                await asyncio.to_thread(file.write, chunk)

    async def exists(self, key: str) -> bool:
        try:
            await self.size(key)
        except AssetMissing:
            return False
        return True

    async def size(self, key: str) -> int:
        """Length of a file in bytes. Raises AssetMissing."""
        return await self._run(lambda: obstore.head(self._store, key)["size"], key)

    async def list(self, prefix: str) -> Sequence[str]:
        """The keys under a folder, sorted."""

        def keys() -> Sequence[str]:
            return sorted(meta["path"] for page in obstore.list(self._store, prefix) for meta in page)

        return await self._run(keys)

    async def folders(self, prefix: str) -> Sequence[str]:
        """The names of the folders directly under a folder."""

        def names() -> Sequence[str]:
            found = obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
            return sorted(name.removesuffix("/").rpartition("/")[2] for name in found)

        return await self._run(names)

    async def delete(self, key: str) -> None:
        """Remove a file; one that is not there is no error."""

        def remove() -> None:
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                return

        await self._run(remove)

    async def sweep(self, prefix: str, keep: set[str]) -> None:
        """Remove everything under a folder but the keys to keep; what a killed process left, too."""
        for key in await self.list(prefix):
            if key not in keep:
                await self.delete(key)
        if self._folder is not None:
            await asyncio.to_thread(_remove_staged, self._folder / prefix)

    async def _run(self, call: Callable[[], T], key: str = "") -> T:
        try:
            return await asyncio.to_thread(call)
        except FileNotFoundError:
            raise AssetMissing(key) from None
        except BaseError as error:
            if _NO_SPACE.search(str(error)):
                raise StorageFull(self.place) from None
            raise


def _remove_staged(folder: Path) -> None:
    """Remove what obstore had not finished writing, and the folder when nothing is in it."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _STAGED.search(path.name):
            path.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        return
