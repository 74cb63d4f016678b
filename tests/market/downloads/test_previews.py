"""Previews: for everybody, marked, cacheable, and telling nobody how to make the loop again."""

import io
import json
from pathlib import Path

import httpx
import numpy as np
import pytest
import scipy.signal
import soundfile
from numpy.typing import NDArray

from generation import credentials
from generation.audio.mark import Place, bell, places
from generation.credentials.manifest import recipe_digest
from generation.request import SAMPLE_RATE
from market.catalog.formats import PREVIEW_SECONDS, Formats, mark_seed
from market.db import Database
from market.models import Loop
from market.settings import Settings
from market.storage import Storage
from tests.market.conftest import beat, finished
from tests.market.downloads.conftest import Market, Shop


def heard(sound: NDArray[np.float64], place: Place) -> float:
    """How much of a mark is at its place: the correlation, by as many samples later as an encoder shifts it."""
    mark = bell(place.pitch)[:18_000].astype(float)
    stretch = np.take(sound.sum(1), np.arange(place.start, place.start + 20_500), mode="wrap")
    found = scipy.signal.correlate(stretch, mark, "valid", "fft")
    return float(np.abs(found).max() / np.sqrt((stretch @ stretch) * (mark @ mark)))


@pytest.mark.parametrize(("format_", "media_type"), [("mp3", "audio/mpeg"), ("ogg", "audio/ogg")])
async def test_the_mark_is_in_the_preview_and_not_in_the_file(
    shop: Shop, storage: Storage, settings: Settings, format_: str, media_type: str
) -> None:
    loop = shop.market.loop
    answer = await shop.http.get(f"/v1/loops/{loop.id}/preview", params={"format": format_})
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    preview, rate = soundfile.read(io.BytesIO(answer.content))
    full, _ = soundfile.read(io.BytesIO(await storage.get(loop.wav)))
    assert rate == SAMPLE_RATE
    assert abs(len(preview) - len(full)) < 2600
    found = list(places(len(full), loop.bpm, mark_seed(settings, loop)))
    assert len(found) >= 2
    for place in found:
        assert heard(preview, place) > 3 * heard(full, place)
        assert heard(preview, place) > 0.12


async def test_anybody_may_hear_it_again_and_in_parts(shop: Shop) -> None:
    url = f"/v1/loops/{shop.market.loop.id}/preview"
    whole = await shop.http.get(url)
    assert whole.headers["cache-control"] == "public, max-age=3600"
    assert whole.headers["accept-ranges"] == "bytes"
    kept = shop.files()
    part = await shop.http.get(url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    known = await shop.http.get(url, headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert shop.files() == kept
    assert await shop.downloads() == 0


async def test_it_does_not_tell_how_to_make_the_loop_again(shop: Shop, tmp_path: Path) -> None:
    loop = shop.market.loop
    secrets = (loop.sha256, recipe_digest(loop.recipe), '"seed"', '\\"seed\\"', "church-bells-120bpm-3")
    for format_ in ("mp3", "ogg"):
        answer = await shop.http.get(f"/v1/loops/{loop.id}/preview", params={"format": format_})
        for secret in secrets:
            assert secret.encode() not in answer.content
            assert secret not in str(answer.headers)
    path = tmp_path / "preview.mp3"
    path.write_bytes((await shop.http.get(f"/v1/loops/{loop.id}/preview")).content)
    found = credentials.read(path)
    assert found is not None
    assert (found.unchanged, found.generated) == (True, True)
    assert found.told == {"model": "none", "prompt": "church bells"}


@pytest.mark.parametrize("format_", ["wav", "flac", "../mp3", "mp3%00", ""])
async def test_no_other_format(shop: Shop, format_: str) -> None:
    before = shop.files()
    answer = await shop.http.get(f"/v1/loops/{shop.market.loop.id}/preview?format={format_}")
    assert answer.status_code == 422
    assert shop.files() == before


async def test_a_taken_down_loop_is_heard_by_its_creator_only(shop: Shop) -> None:
    url = f"/v1/loops/{shop.market.loop.id}/preview"
    await shop.market.status("removed")
    before = shop.files()
    for headers in ({}, shop.market.eve.headers):
        assert (await shop.http.get(url, headers=headers)).status_code == 410
    assert shop.files() == before
    for person in (shop.market.creator, shop.market.moderator):
        assert (await shop.http.get(url, headers=person.headers)).status_code == 200


async def test_of_a_song_there_is_a_minute(
    http: httpx.AsyncClient, database: Database, storage: Storage, settings: Settings
) -> None:
    made = await finished(database, storage, np.tile(beat(bars=4), (10, 1)))
    async with database.write() as session:
        (await session.get_one(Loop, made.id)).kind = "song"
    answer = await http.get(f"/v1/loops/{made.id}/preview")
    preview, _ = soundfile.read(io.BytesIO(answer.content))
    assert made.seconds == 80
    assert abs(len(preview) / SAMPLE_RATE - PREVIEW_SECONDS) < 0.06
    assert np.abs(preview[-2000:]).max() < 0.05
    assert json.dumps(made.recipe) not in answer.text


async def test_two_places_mark_differently(market: Market, storage: Storage, settings: Settings) -> None:
    """The key of a place is in it: nobody can compute the mark of another one."""
    one = Formats(storage, settings.model_copy(update={"secret_key": "a" * 32}))
    other = Formats(storage, settings.model_copy(update={"secret_key": "b" * 32}))
    try:
        first = await one.preview(market.loop, "ogg")
        kept = await storage.get(first.key)
        await storage.delete(first.key)
        second = await other.preview(market.loop, "ogg")
        assert await storage.get(second.key) != kept
    finally:
        one.close()
        other.close()
