"""One of Riffusion's requests as a durable order of ours, and the finished riff as its answer.

What Riffusion interpolates in its own way is told in a riff's words: `alpha` turns the noise from one seed towards the
other, blends the prompts, and mixes denoising (our strength), guidance and the negative prompts.
"""

import asyncio
import base64
import hashlib
import json
import math

import numpy as np
from numpy.typing import NDArray

from generation.audio.pcm import sha256
from generation.errors import SourceMissing
from generation.fields import MAX_SEED
from generation.request import GUIDANCE_SCALE, STRENGTH, RiffRequest
from generation.riffusion import RiffusionCodec
from generation.riffusion.pictures import to_bytes
from market.db import Database
from market.errors import MarketError
from market.riffusion import seeds
from market.riffusion.schemas import InferenceIn, InferenceOut
from market.storage import Storage
from market.studio import service as studio
from market.studio import sources
from market.studio.feed import EventFeed
from market.studio.models import OPEN, RiffOrder, Status

# Its web app gives up after a minute.
WAIT_SECONDS = 55.0
# More steps than this change little in our loops, which Riffusion's 50 would make wait.
MOST_STEPS = 8
# Riffusion's denoising of 0.75, which it calls "on beat", is our remix's 0.6; 0 and 1 are nothing and all in both.
_DENOISING_POWER = math.log(0.6) / math.log(0.75)
# Riffusion's guidance of 7 is as strict as our 3.5; 1 is none at all in both.
_GUIDANCE_RATIO = (3.5 - 1) / (7 - 1)
_DOOR = "riffusion"
_COLUMNS = 512


class UnknownSeedImage(MarketError):
    """No seed image has this name; in Riffusion's own words, which its users look for."""

    status_code = 400

    def __init__(self, name: str) -> None:
        super().__init__(f"Invalid seed image: {name}")


class UnknownMaskImage(MarketError):
    """No mask image has this name."""

    status_code = 400

    def __init__(self, name: str) -> None:
        super().__init__(f"Invalid mask image: {name}")


class StillBeingMade(MarketError):
    """The clip was not ready in time; it is made all the same."""

    status_code = 503

    def __init__(self) -> None:
        super().__init__("This clip is still being made: ask for it again in a moment.")


class NotMade(MarketError):
    """The order ended with a sentence instead of a clip."""


async def run_inference(
    database: Database, storage: Storage, feed: EventFeed, wish: InferenceIn, owner: str
) -> InferenceOut:
    """Order a clip, or join the order that somebody placed for the same one, and wait for it.

    Raises UnknownSeedImage, UnknownMaskImage, InvalidRequest, TooManyRiffs, StillBeingMade and NotMade.
    """
    if wish.seed_image_id not in seeds.SEEDS:
        raise UnknownSeedImage(wish.seed_image_id)
    if wish.mask_image_id and wish.mask_image_id not in seeds.MASKS:
        raise UnknownMaskImage(wish.mask_image_id)
    sound = await asyncio.to_thread(seeds.sound_of, wish.seed_image_id)
    request = request_of(wish, sha256(sound))
    try:
        order = await _place(database, request, owner)
    except SourceMissing:
        async with database.write() as session:
            await sources.keep(session, storage, sound, owner=_DOOR, name=f"{wish.seed_image_id}.ogg")
        order = await _place(database, request, owner)
    await _wait(feed, order.id)
    async with database.read() as session:
        order = await studio.get(session, order.id)
        if order.status in OPEN:
            raise StillBeingMade
        if order.status != Status.DONE:
            raise NotMade(order.error or "This clip was cancelled.")
        [loop] = order.loops
        audio = (await sources.sound_of(session, storage, loop.sha256)).audio
    mp3 = await storage.get(loop.mp3)
    jpeg = await asyncio.to_thread(_picture, audio)
    return InferenceOut(
        image=_data_uri("image/jpeg", jpeg), audio=_data_uri("audio/mpeg", mp3), duration_s=loop.seconds
    )


def request_of(wish: InferenceIn, source: str) -> RiffRequest:
    """The request that one of Riffusion's stands for; `source` is the SHA-256 of its seed's loop.

    Raises InvalidRequest.
    """
    loop = seeds.SEEDS[wish.seed_image_id]
    start, end = wish.start, wish.end
    # The web app adds up quarters, and sends a hair more than 1.
    alpha = min(max(wish.alpha, 0.0), 1.0)

    def between(first: float, last: float, high: float) -> float:
        return float(np.clip(first + alpha * (last - first), 0, high))

    guidance = 1 + (between(start.guidance, end.guidance, 100) - 1) * _GUIDANCE_RATIO
    strength = round(between(start.denoising, end.denoising, 1) ** _DENOISING_POWER, 6)
    near, far = (start, end) if alpha < 0.5 else (end, start)
    seeds_differ, prompts_differ = start.seed != end.seed and alpha > 0, start.prompt != end.prompt
    return RiffRequest.parse(
        prompt=start.prompt,
        morph_to=end.prompt if prompts_differ else None,
        morph=alpha if prompts_differ else None,
        negative_prompt=near.negative_prompt or far.negative_prompt,
        seed=start.seed % (MAX_SEED + 1),
        variation_seed=end.seed % (MAX_SEED + 1) if seeds_differ else None,
        variation=alpha if seeds_differ else None,
        bars=loop.bars,
        bpm=loop.bpm,
        metre="4/4",
        key=loop.key,
        steps=min(max(wish.num_inference_steps, 1), MOST_STEPS),
        guidance_scale=float(np.clip(guidance, *GUIDANCE_SCALE)),
        strength=max(strength, STRENGTH[0]),
        source=source,
        arrangement=seeds.repaint_of(wish.mask_image_id, loop.bars) if wish.mask_image_id else None,
    )


async def _place(database: Database, request: RiffRequest, owner: str) -> RiffOrder:
    """The order of a request: the one that is there already, unless that went wrong."""
    key = _digest(json.dumps(request.to_dict(), sort_keys=True))
    while True:
        async with database.write() as session:
            order = await studio.place(session, request, owner=owner, door=_DOOR, idempotency_key=key)
        if order.status in (*OPEN, Status.DONE):
            return order
        key = _digest(key + order.id)


async def _wait(feed: EventFeed, riff_id: str) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            async for _ in feed.follow(riff_id):
                pass
    except TimeoutError:
        raise StillBeingMade from None


def _picture(audio: NDArray[np.float32]) -> bytes:
    """A loop as Riffusion's image of 512 x 512 pixels; one more column would be the loop's first again."""
    whole = RiffusionCodec().to_image(audio)
    picture = whole.crop((0, 0, _COLUMNS, whole.height))
    picture.getexif().update(whole.getexif())
    return to_bytes(picture, ".jpg")


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
