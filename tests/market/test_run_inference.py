"""Riffusion's endpoint: its web app's calls word for word, answered by a real worker; its errors, its limits."""

import asyncio
import base64
import json
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa

from generation.audio.ingest import read_audio
from generation.audio.pcm import sha256
from generation.errors import InvalidRequest
from generation.request import SAMPLE_RATE, RiffRequest
from generation.riffusion import RiffusionParams
from generation.riffusion.pictures import described, open_picture, params_of
from market.db import Database
from market.models import RiffOrder
from market.riffusion import seeds, service
from market.riffusion.schemas import InferenceIn
from market.studio import service as studio
from market.studio.models import Source
from tests.conftest import StartWorker, until
from tests.market.conftest import count

ADDRESS = "/run_inference/"
# What pages/api/server.js of the web app sends along with the body that its page made.
AS_THE_WEB_APP = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}


def body(**changes: Any) -> dict[str, Any]:
    """What components/ModelInference.tsx of the web app asks for first, with parts of it replaced."""
    end = {"prompt": "church bells", "seed": 51, "denoising": 0.75, "guidance": 7}
    wish = {
        "alpha": 0.25,
        "num_inference_steps": 50,
        "seed_image_id": "og_beat",
        "mask_image_id": None,
        "start": {"prompt": "church bells", "seed": 50, "denoising": 0.75, "guidance": 7},
        "end": end,
    }
    return {**wish, **changes}


async def orders(database: Database) -> list[RiffOrder]:
    async with database.read() as session:
        return list(await session.scalars(sa.select(RiffOrder).order_by(RiffOrder.created_at)))


async def test_the_web_apps_calls_are_answered(
    http: httpx.AsyncClient, worker: StartWorker, database: Database
) -> None:
    worker()
    wish = body()
    plain, again = await asyncio.gather(
        *(http.post(ADDRESS, content=json.dumps(wish), headers=AS_THE_WEB_APP, timeout=240) for _ in range(2))
    )
    assert (plain.status_code, plain.headers["content-type"]) == (200, "application/json")
    assert plain.headers["access-control-allow-origin"] == "*"
    clip = plain.json()
    assert clip == again.json()
    assert set(clip) == {"image", "audio", "duration_s"}
    assert clip["duration_s"] == 5.12

    picture = open_picture(_content(clip["image"], "image/jpeg"))
    assert picture.size == (512, 512)
    assert (params_of(picture), len(described(picture))) == (RiffusionParams(), 10)
    assert described(picture)["MAX_VALUE"] > 1e5
    assert np.asarray(picture).std() > 20
    sound = read_audio(_content(clip["audio"], "audio/mpeg"))
    assert len(sound) == pytest.approx(5.12 * SAMPLE_RATE, abs=2400)

    [order] = await orders(database)
    assert (order.door, order.status) == ("riffusion", "done")
    assert RiffRequest.from_dict(order.request) == service.request_of(
        InferenceIn.model_validate(wish), sha256(seeds.sound_of("og_beat"))
    )
    assert await count(database, Source) == 1

    without = body(start={"prompt": "church bells", "seed": 50}, end={"prompt": "church bells", "seed": 50})
    avoiding = body(
        start={"prompt": "church bells", "seed": 50, "negative_prompt": "drums"},
        end={"prompt": "church bells", "seed": 50},
    )
    answers = [await http.post(ADDRESS, json=wanted, timeout=240) for wanted in (without, avoiding, without)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    audible = [answer.json()["audio"] for answer in answers]
    assert audible[0] == audible[2] != audible[1]
    assert len(await orders(database)) == 3
    assert await count(database, Source) == 1


async def test_a_mask_keeps_what_is_dark(
    http: httpx.AsyncClient, worker: StartWorker, database: Database
) -> None:
    worker()
    answer = await http.post(ADDRESS, json=body(mask_image_id="mask_gradient_dark"), timeout=240)
    assert answer.status_code == 200, answer.text
    [order] = await orders(database)
    assert order.request["arrangement"] == {
        "kind": "repaint", "first": 1, "last": 2, "low_hz": None, "high_hz": 3900.0,
    }  # fmt: skip
    async with database.read() as session:
        [loop] = (await studio.get(session, order.id)).loops
    kept, painted = (_highs(audio) for audio in (seeds.sound_of("og_beat"), await _heard(http, loop.id)))
    assert np.corrcoef(kept, painted)[0, 1] > 0.98


def test_what_is_asked_for_is_said_in_our_words() -> None:
    start = {
        "prompt": "(funk:1.2) bass",
        "seed": -3,
        "denoising": 0.6,
        "guidance": 7,
        "negative_prompt": "flute",
    }
    end = {"prompt": "jazz", "seed": 2**40 + 9, "denoising": 1.0, "guidance": 13, "negative_prompt": "drums"}
    wish = InferenceIn.model_validate(body(start=start, end=end, seed_image_id="agile"))
    request = service.request_of(wish, "0" * 64)
    assert request == RiffRequest.parse(
        prompt="(funk:1.2) bass",
        morph_to="jazz",
        morph=0.25,
        negative_prompt="flute",
        seed=2**32 - 3,
        variation_seed=9,
        variation=0.25,
        bars=3,
        bpm=140.625,
        metre="4/4",
        key="Em",
        steps=8,
        guidance_scale=1 + 7.5 * 2.5 / 6,
        strength=0.530819,
        source="0" * 64,
    )
    assert request.samples == 5.12 * SAMPLE_RATE
    later = service.request_of(wish.model_copy(update={"alpha": 1.0000000000000002}), "0" * 64)
    assert (later.morph, later.variation, later.strength, later.negative_prompt) == (1, 1, 1, "drums")
    same = service.request_of(InferenceIn.model_validate(body(alpha=0, num_inference_steps=3)), "0" * 64)
    assert (same.morph_to, same.variation_seed, same.steps) == ("", None, 3)
    assert (same.guidance_scale, same.strength) == (3.5, 0.6)
    silly = {"prompt": "x", "seed": 1, "denoising": -4, "guidance": 1e9}
    clamped = service.request_of(InferenceIn.model_validate(body(start=silly, end=silly)), "0" * 64)
    assert (clamped.strength, clamped.guidance_scale) == (0.05, 15)
    with pytest.raises(InvalidRequest, match="The prompt is empty"):
        service.request_of(InferenceIn.model_validate(body(start={"prompt": " ", "seed": 1})), "0" * 64)


def test_every_seed_is_a_loop_of_512_columns() -> None:
    assert list(seeds.SEEDS) == ["og_beat", "agile", "marim", "motorway", "vibes"]
    sounds = {name: seeds.sound_of(name) for name in seeds.SEEDS}
    assert {sound.shape for sound in sounds.values()} == {(512 * 441, 2)}
    assert len({sha256(sound) for sound in sounds.values()}) == 5
    assert all(np.sqrt(np.square(sound).mean()) > 0.05 for sound in sounds.values())
    assert sum(path.stat().st_size for path in seeds.FOLDER.iterdir()) < 300_000


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"seed_image_id": "mine"}, "Invalid seed image: mine"),
    ({"seed_image_id": "../../etc/passwd"}, "Invalid seed image: ../../etc/passwd"),
    ({"seed_image_id": "/seeds/og_beat"}, "Invalid seed image: /seeds/og_beat"),
    ({"seed_image_id": "og_beat\0"}, "Invalid seed image: og_beat\0"),
    ({"mask_image_id": "../seeds/og_beat"}, "Invalid mask image: ../seeds/og_beat"),
    ({"start": {"seed": 1}}, 'missing value for field "start.prompt"'),
    ({"start": None}, 'wrong value for field "start": Input should be an object'),
    ({"alpha": "half"}, 'wrong value for field "alpha": Input should be a valid number'),
    ({"alpha": float("nan")}, 'wrong value for field "alpha": Input should be a finite number'),
    ({"start": {"prompt": "", "seed": 1}}, "The prompt is empty: say what you want to hear."),
)


async def test_what_cannot_be_made_is_refused_as_riffusion_does(
    http: httpx.AsyncClient, database: Database
) -> None:
    for wrong, sentence in REFUSED:
        answer = await http.post(ADDRESS, content=json.dumps(body(**wrong)))
        assert (answer.status_code, answer.text) == (400, sentence)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["access-control-allow-origin"] == "*"
    assert [await count(database, table) for table in (RiffOrder, Source)] == [0, 0]


async def test_a_body_that_is_no_json_and_another_sites_question(http: httpx.AsyncClient) -> None:
    broken = await http.post(ADDRESS, content=b"{")
    assert (broken.status_code, broken.text) == (400, "The body is not JSON.")
    asked = {
        "Origin": "https://www.riffusion.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    allowed = await http.options(ADDRESS, headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "*"
    assert allowed.headers["access-control-allow-headers"] == "content-type"
    assert "POST" in allowed.headers["access-control-allow-methods"]


async def test_what_failed_is_told_and_made_anew_when_it_is_asked_for_again(
    http: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.create_task(http.post(ADDRESS, json=body()))
    [order] = await until(lambda: orders(database), bool)
    async with database.write() as session:
        await studio.fail(session, order.id, "The model's weights are missing.")
    answer = await waiting
    assert (answer.status_code, answer.text) == (500, "The model's weights are missing.")

    monkeypatch.setattr(service, "WAIT_SECONDS", 0.5)
    late = await http.post(ADDRESS, json=body())
    assert (late.status_code, late.text) == (
        503,
        "This clip is still being made: ask for it again in a moment.",
    )
    assert [order.status for order in await orders(database)] == ["failed", "queued"]
    await http.post(ADDRESS, json=body())
    assert len(await orders(database)) == 2


def _content(uri: str, media_type: str) -> bytes:
    head, _, encoded = uri.partition(",")
    assert head == f"data:{media_type};base64"
    return base64.b64decode(encoded, validate=True)


async def _heard(http: httpx.AsyncClient, loop_id: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    links = (await http.get(f"/v1/loops/{loop_id}")).json()["links"]
    return read_audio((await http.get(links["wav"])).content)


def _highs(audio: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Magnitudes of a loop's left channel above the mask's edge."""
    return np.abs(np.fft.rfft(audio[:, 0]))[round(4500 * 5.12) : round(9000 * 5.12)]
