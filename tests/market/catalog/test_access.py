"""Who sees and hears what of a loop, at every address that its files have."""

import io
import json

import pytest
from PIL import Image

from generation.request import RiffRequest
from market.catalog import service as catalog
from market.catalog.pictures import bare
from market.licensing import service as licensing
from market.models import RiffOrder
from tests.market.catalog.conftest import Shop
from tests.market.catalog.loops import tune
from tests.market.conftest import count

SOUNDS = ("audio.wav", "audio.mp3", "audio.flac", "audio.ogg", "audio.opus", "video.mp4", "recipe.json")
PICTURES = ("spectrogram.png", "spectrogram-light.png", "thumbnail.webp", "peaks.json")


async def answers(shop: Shop, names: tuple[str, ...], headers: dict[str, str] | None = None) -> set[int]:
    return {
        (await shop.http.get(f"/v1/loops/{shop.loop.id}/{name}", headers=headers)).status_code
        for name in names
    }


async def test_a_draft_is_open_to_whoever_has_its_link(shop: Shop) -> None:
    assert await answers(shop, (*SOUNDS, *PICTURES)) == {200}
    seen = (await shop.http.get(f"/v1/loops/{shop.loop.id}")).json()
    assert (seen["full"], seen["seed"], seen["recipe"]) == (True, shop.loop.seed, shop.loop.recipe)
    assert seen["links"]["listen"] == f"/v1/loops/{shop.loop.id}/audio.wav"


async def test_what_is_for_sale_is_for_its_creator_licensees_and_moderators(shop: Shop) -> None:
    shop.loop = await shop.make(sound=tune(5), layers=True)
    assert (await shop.publish()).status_code == 200
    files = (*SOUNDS, "stems/drums.wav")
    refused = await shop.http.get(f"/v1/loops/{shop.loop.id}/audio.wav")
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        f"This loop is for sale: hear it at /v1/loops/{shop.loop.id}/preview, and license it at /loops/{shop.loop.id}.",
    )
    for headers in (None, shop.eve.headers, {"Cookie": "riff_visitor=forged"}):
        assert await answers(shop, files, headers) == {403}
        assert await answers(shop, PICTURES, headers) == {200}
        seen = (await shop.http.get(f"/v1/loops/{shop.loop.id}", headers=headers)).json()
        assert (seen["full"], seen["seed"], set(seen["recipe"])) == (
            False,
            None,
            {"prompt", "model"},
        )
        assert seen["links"]["listen"] == f"/v1/loops/{shop.loop.id}/preview"
    for person in (shop.ada, shop.moderator):
        assert await answers(shop, (*files, *PICTURES), person.headers) == {200}

    async with shop.database.write() as session:
        grant = await licensing.grant(
            session, loop=shop.loop, tier="creator", licensee="Eve", account=shop.eve.account, project="A film",
            channels=[{"url": "https://www.youtube.com/@eve"}], price_cents=900, currency="usd", intent="order:1",
        )  # fmt: skip
    assert await answers(shop, files, shop.eve.headers) == {200}
    assert (await shop.http.get(f"/v1/loops/{shop.loop.id}", headers=shop.eve.headers)).json()["full"] is True
    assert await answers(shop, ("audio.wav",)) == {403}
    async with shop.database.write() as session:
        await licensing.revoke(session, grant.code, "Refunded.", "system")
    assert await answers(shop, files, shop.eve.headers) == {403}


async def test_nothing_that_everybody_gets_tells_how_to_make_it_again(shop: Shop) -> None:
    assert (await shop.publish()).status_code == 200
    seed = str(shop.loop.seed)
    for name in PICTURES:
        answer = await shop.http.get(f"/v1/loops/{shop.loop.id}/{name}")
        assert seed.encode() not in answer.content
        assert f"-{seed}" not in answer.headers["content-disposition"]
        assert answer.headers["cache-control"].startswith("private")
    own = (await shop.http.get(f"/v1/loops/{shop.loop.id}/spectrogram.png", headers=shop.ada.headers)).content
    others = (await shop.http.get(f"/v1/loops/{shop.loop.id}/spectrogram.png")).content
    assert "riffmarket" in Image.open(io.BytesIO(own)).info
    assert Image.open(io.BytesIO(others)).info == {}
    assert Image.open(io.BytesIO(others)).tobytes() == Image.open(io.BytesIO(own)).tobytes()
    riff = (await shop.http.get(f"/v1/riffs/{shop.loop.riff_id}")).json()
    assert (riff["request"]["seed"], riff["loops"][0]["seed"]) == (None, None)
    for path in (f"/loops/{shop.loop.id}", f"/riffs/{shop.loop.riff_id}", "/loops", "/"):
        page = (await shop.http.get(path)).text
        assert f'"seed":{seed}' not in page.replace("&#34;", '"')
        assert f">{seed}<" not in page
    own_riff = (await shop.http.get(f"/v1/riffs/{shop.loop.riff_id}", headers=shop.ada.headers)).json()
    assert own_riff["request"]["seed"] == shop.loop.seed


async def test_other_takes_of_a_riff_that_is_on_sale_are_their_makers(shop: Shop) -> None:
    """Their ids can be guessed, and their seeds are neighbours."""
    from datetime import UTC, datetime

    from market.studio.assets import loop_of

    async with shop.database.write() as session:
        record = {
            "take": 1,
            "keys": {
                "wav": shop.loop.wav,
                "mp3": shop.loop.mp3,
                "png": shop.loop.png,
                "json": shop.loop.peaks,
            },
            "recipe": shop.loop.recipe | {"sha256": "1" * 64},
        }
        session.add(loop_of(shop.loop.riff_id, record, datetime.now(UTC)))
    other = f"/v1/loops/{shop.loop.riff_id}-1"
    assert (await shop.http.get(other)).status_code == 200
    assert (await shop.publish()).status_code == 200
    for path in (other, f"{other}/audio.wav", f"{other}/spectrogram.png", f"/loops/{shop.loop.riff_id}-1"):
        assert (await shop.http.get(path)).status_code == 404
        assert (await shop.http.get(path, headers=shop.eve.headers)).status_code == 404
    for path in (other, f"{other}/audio.wav"):
        assert (await shop.http.get(path, headers=shop.ada.headers)).status_code == 200
    riff = (await shop.http.get(f"/v1/riffs/{shop.loop.riff_id}")).json()
    assert [loop["id"] for loop in riff["loops"]] == [shop.loop.id]


@pytest.mark.parametrize("listed", [True, False])
async def test_what_was_taken_down_is_gone_for_everybody_else(shop: Shop, listed: bool) -> None:
    if listed:
        assert (await shop.publish()).status_code == 200
    async with shop.database.write() as session:
        await catalog.set_status(session, shop.loop.id, "removed")
    gone = 410 if listed else 404
    for headers in (None, shop.eve.headers):
        assert await answers(shop, (*SOUNDS, *PICTURES, "listing"), headers) == {gone}
        assert (await shop.http.get(f"/v1/loops/{shop.loop.id}", headers=headers)).status_code == gone
        assert (await shop.http.get(f"/loops/{shop.loop.id}", headers=headers)).status_code == gone
    for person in (shop.ada, shop.moderator):
        assert await answers(shop, ("audio.wav", "spectrogram.png"), person.headers) == {200}
    before = await shop.state()
    assert (await shop.publish()).status_code == 410
    patched = await shop.http.patch(
        f"/v1/loops/{shop.loop.id}/listing", json={"title": "Back"}, headers=shop.ada.headers
    )
    assert patched.status_code == 410
    copy = await shop.make(shop.eve.account.owner, tune())
    before = await shop.state()
    refused = await shop.publish(copy, shop.eve)
    assert (refused.status_code, "same samples" in refused.text) == (422, True)
    assert await shop.state() == before

    async with shop.database.write() as session:
        await catalog.set_status(session, shop.loop.id, "published" if listed else "draft")
    assert (await shop.http.get(f"/v1/loops/{shop.loop.id}")).status_code == 200


async def test_nothing_is_made_from_somebody_elses_loop_without_a_licence(shop: Shop) -> None:
    assert (await shop.publish()).status_code == 200
    before = await count(shop.database, RiffOrder)
    for source in (shop.loop.id, shop.loop.sha256):
        wish = {"source": source, "prompt": "strings"}
        for headers in ({}, shop.eve.headers):
            refused = await shop.http.post("/v1/riffs", json=wish, headers=headers)
            assert refused.status_code == 403
    for headers in ({}, shop.eve.headers):
        assert (await shop.http.post(f"/loops/{shop.loop.id}/vary", headers=headers)).status_code == 403
    assert await count(shop.database, RiffOrder) == before
    # A fresh seed tells nothing; and the creator may do all of it.
    assert (await shop.http.post(f"/loops/{shop.loop.id}/again")).status_code == 303
    own = {"source": shop.loop.sha256, "prompt": "strings"}
    assert (await shop.http.post("/v1/riffs", json=own, headers=shop.ada.headers)).status_code == 202


def test_a_bare_picture_has_the_same_pixels_and_no_words() -> None:
    from generation.audio.picture import picture_of, thumbnail
    from generation.request import Take

    sound = tune(bars=1)
    request = RiffRequest.parse(prompt="church bells", bars=1, seed=987654321)
    recipe = {"request": request.to_dict(), "samples": len(sound)}
    level = (sound[:: len(sound) // 128, :1] ** 2 * 255).astype("uint8").repeat(160, 1)[:128]
    take = Take(sound, level, recipe)
    for data, kind in ((picture_of(level, 1, 4, recipe), "image/png"), (thumbnail(take), "image/webp")):
        plain = bare(data, kind)  # type: ignore[arg-type]
        assert b"987654321" in data
        assert b"987654321" not in plain
        assert Image.open(io.BytesIO(plain)).tobytes() == Image.open(io.BytesIO(data)).tobytes()
        assert json.dumps(recipe["request"]).encode() not in plain
