"""Further formats of a loop, made when somebody first asks for one and kept beside it.

What a worker keeps, and what is encoded from it, is the same bytes for the same request. What leaves as a download, a
preview or a post is signed besides (content credentials), once for each certificate, and the signed file is kept too.
"""

import asyncio
import hashlib
import hmac
import io
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation import credentials
from generation.audio import animation, export, picture, video
from generation.audio.mark import marked
from generation.audio.pcm import audio_of
from generation.audio.recipes import pcm_of, read_recipe
from generation.credentials import Claim, Signer
from generation.files import write_whole
from generation.request import SAMPLE_RATE, RiffRequest
from market.catalog.models import Loop
from market.errors import NotFound
from market.settings import Settings
from market.storage import Storage

CONTENT_TYPES = {
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "mp4": "video/mp4",
    "gif": "image/gif",
    "light.png": "image/png",
}
_OF_PICTURES = ("mp4", "gif", "light.png")
SIGNED_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "png": "image/png", **CONTENT_TYPES}
MANIFEST_TYPE = "application/c2pa"
PREVIEW_TYPES = {"mp3": "audio/mpeg", "ogg": "audio/ogg"}
PREVIEW_SECONDS, _FADE_SECONDS, _PREVIEW_KBPS = 60, 2, {"mp3": 128, "ogg": None}
T = TypeVar("T")
# Part of a preview's key: another mark makes other previews.
_MARK = "m1"
_MARKED = "An audible mark was laid over it."


@dataclass(frozen=True, slots=True)
class Signed:
    """A file as it leaves: its storage key, and that of the manifest beside it where its container holds none."""

    key: str
    media_type: str
    manifest: str | None = None


class Formats:
    """Makes formats of loops, `at_once` at a time; whoever else asks for the same one meanwhile gets that one."""

    def __init__(self, storage: Storage, settings: Settings, at_once: int = 2) -> None:
        self._storage = storage
        self._settings = settings
        self._makers = ThreadPoolExecutor(at_once, thread_name_prefix="formats")
        self._making: dict[str, asyncio.Task[None]] = {}

    @cached_property
    def signer(self) -> Signer:
        """Whose certificate files are signed with. Raises UnusableCertificate."""
        settings = self._settings
        return Signer.load(settings.c2pa_certificate, settings.c2pa_key, settings.data_dir)

    async def key_of(self, loop: Loop, ending: str, stem: str = "") -> str:
        """The storage key of a loop, or of one `stem` of it, in one of the formats of CONTENT_TYPES.

        Raises NotFound, AssetMissing, StorageFull and RiffError.
        """
        # The WAV's key names its content, and the same sound gives the same file in every format.
        key = f"{_stem(_wav_of(loop, stem))}.{ending}"
        return await self._once(key, lambda: self._make(loop, ending, key, stem))

    async def signed(self, loop: Loop, ending: str, stem: str = "") -> Signed:
        """A loop, or one `stem` of it, in one of the formats of SIGNED_TYPES, with its content credentials.

        Raises NotFound, AssetMissing, StorageFull and RiffError.
        """
        media_type = SIGNED_TYPES[ending]
        if ending in CONTENT_TYPES:
            source = await self.key_of(loop, ending, stem)
        elif stem:
            source = loop.stems[stem]
        else:
            source = {"wav": loop.wav, "mp3": loop.mp3, "png": loop.png}[ending]
        name = RiffRequest.from_dict(loop.recipe["request"]).name
        claim = Claim(_recipe_of(loop, stem), f"{name}-{stem}.{ending}" if stem else f"{name}.{ending}")
        signer = await asyncio.to_thread(lambda: self.signer)
        if media_type in credentials.SIDECAR:
            # Vorbis and Opus of one loop differ only in their endings.
            beside = f"{source}.{signer.id}.c2pa"
            await self._once(beside, lambda: self._sign(source, beside, media_type, claim))
            return Signed(source, media_type, beside)
        key = f"{_stem(source)}.{signer.id}.{ending}"
        await self._once(key, lambda: self._sign(source, key, media_type, claim))
        return Signed(key, media_type)

    async def preview(self, loop: Loop, ending: str) -> Signed:
        """A loop to be judged by, in one of the formats of PREVIEW_TYPES: with the mark, a minute of it at most.

        What it was made from is not in it. Raises AssetMissing, StorageFull and RiffError.
        """
        signer = await asyncio.to_thread(lambda: self.signer)
        key = f"{_stem(loop.wav)}.preview-{_MARK}.{signer.id}.{ending}"
        await self._once(key, lambda: self._preview(loop, ending, key))
        return Signed(key, PREVIEW_TYPES[ending])

    async def signed_bytes(self, data: bytes, media_type: str, loops: Sequence[Loop], title: str) -> bytes:
        """A file that was made of some loops just now, with its content credentials. Raises RiffError."""
        claim = Claim(loops[0].recipe, title, whole=len(loops) == 1)
        return await asyncio.to_thread(lambda: credentials.sign(data, media_type, claim, self.signer))

    async def manifest(self, file: Path, media_type: str, loop: Loop) -> bytes:
        """The credentials of a file made of a loop just now, for a .c2pa file beside it. Raises RiffError."""
        claim = Claim(loop.recipe, file.name)
        return await asyncio.to_thread(lambda: credentials.sidecar(file, media_type, claim, self.signer))

    def close(self) -> None:
        """Begin with no further format."""
        self._makers.shutdown(wait=False, cancel_futures=True)

    async def _once(self, key: str, make: Callable[[], Coroutine[Any, Any, None]]) -> str:
        if not await self._storage.exists(key):
            if key not in self._making:
                self._making[key] = asyncio.create_task(make())
                self._making[key].add_done_callback(lambda _: self._making.pop(key))
            # Whoever goes away does not take it from the others.
            await asyncio.shield(self._making[key])
        return key

    async def _make(self, loop: Loop, ending: str, key: str, stem: str) -> None:
        level = None
        if ending in _OF_PICTURES:
            if "level" not in loop.pictures:
                raise NotFound("such format", f"of loop {loop.id}: it was made before there was one")
            level = await self._storage.get(loop.pictures["level"])
        with tempfile.TemporaryDirectory(prefix="riff-") as folder:
            sound, result = Path(folder) / "sound.wav", Path(folder) / "result"
            if ending not in ("gif", "light.png"):
                await self._storage.get_file(_wav_of(loop, stem), sound)
            # What a stem's file tells of it is in its WAV.
            await self._run(
                lambda: _write(read_recipe(sound)[0] if stem else loop.recipe, ending, sound, level, result)
            )
            await self._storage.put_file(key, result, CONTENT_TYPES[ending])

    async def _sign(self, source: str, key: str, media_type: str, claim: Claim) -> None:
        with tempfile.TemporaryDirectory(prefix="riff-") as folder:
            plain, result = Path(folder) / "plain", Path(folder) / "result"
            await self._storage.get_file(source, plain)
            if media_type in credentials.SIDECAR:
                manifest = await self._run(lambda: credentials.sidecar(plain, media_type, claim, self.signer))
                await self._storage.put(key, manifest, MANIFEST_TYPE)
            else:
                await self._run(lambda: credentials.sign_file(plain, result, media_type, claim, self.signer))
                await self._storage.put_file_once(key, result, media_type)

    async def _preview(self, loop: Loop, ending: str, key: str) -> None:
        seed = mark_seed(self._settings, loop)
        with tempfile.TemporaryDirectory(prefix="riff-") as folder:
            sound, result = Path(folder) / "sound.wav", Path(folder) / "result"
            await self._storage.get_file(loop.wav, sound)
            await self._run(lambda: _write_preview(loop, ending, sound, seed, result, self.signer))
            await self._storage.put_file_once(key, result, PREVIEW_TYPES[ending])

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._makers, work)


def mark_seed(settings: Settings, loop: Loop) -> str:
    """What moves the marks of a loop's preview a little: who does not have the key of this place cannot compute it."""
    return hmac.new(settings.signing_key.encode(), f"mark {loop.sha256}".encode(), hashlib.sha256).hexdigest()


def _stem(key: str) -> str:
    return key.removesuffix(PurePosixPath(key).suffix)


def _wav_of(loop: Loop, stem: str) -> str:
    return loop.stems[stem] if stem else loop.wav


def _recipe_of(loop: Loop, stem: str) -> dict[str, Any]:
    """The recipe as it stands in the loop's file, or in that of a stem but for the digest of its samples."""
    if not stem:
        return loop.recipe
    return {**{name: value for name, value in loop.recipe.items() if name != "sha256"}, "stem": stem}


def _write(recipe: dict[str, Any], ending: str, sound: Path, level: bytes | None, result: Path) -> None:
    if level is None:
        export.encode_file(sound, result, ending, export.tags_of(recipe))
    elif ending == "mp4":
        video.film(sound, result, _level(level), recipe)
    else:
        bars, beats = picture.grid_of(recipe)
        with write_whole(result) as file:
            file.write(
                animation.playhead(_level(level), recipe)
                if ending == "gif"
                else picture.picture_of(_level(level), bars, beats, recipe, "light")
            )


def _write_preview(loop: Loop, ending: str, sound: Path, seed: str, result: Path, signer: Signer) -> None:
    pcm = pcm_of(sound)
    audio = audio_of(pcm[: PREVIEW_SECONDS * SAMPLE_RATE].tobytes())
    if len(audio) < len(pcm):
        fade = np.linspace(1, 0, _FADE_SECONDS * SAMPLE_RATE, dtype=np.float32)
        audio[-len(fade) :] *= fade[:, None]
    repeats = loop.kind != "song" and len(audio) == len(pcm)
    plain, encoded = sound.with_name("marked.wav"), sound.with_name("encoded")
    with export.wav_stream(plain, RiffRequest.from_dict(loop.recipe["request"])) as out:
        out.write(marked(audio, loop.bpm, seed, repeats=repeats))
        out.finish(loop.recipe)
    tags = {**export.tags_of(loop.recipe), "comment": f"Preview of loop {loop.id}"}
    export.encode_file(plain, encoded, ending, tags, _PREVIEW_KBPS[ending])
    if PREVIEW_TYPES[ending] in credentials.EMBEDDED:
        claim = Claim(loop.recipe, f"{loop.id}.{ending}", _MARKED, whole=False)
        credentials.sign_file(encoded, result, PREVIEW_TYPES[ending], claim, signer)
    else:
        encoded.rename(result)


def _level(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))
