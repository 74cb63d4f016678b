"""The REST door: what it takes, what it refuses, and in which words."""

import inspect
from typing import Any

import httpx
import pytest

from generation.arrangement import PARTS
from generation.models.styles import RECORD, StyleShelf
from generation.presets import PRESETS
from generation.request import RiffRequest
from market.db import Database
from market.models import RiffEvent, RiffOrder, WorkerBeat
from market.settings import Settings
from market.storage import Storage
from market.studio import service as studio
from market.studio.repository import ClockSeconds
from market.studio.service import MAX_OPEN_RIFFS
from tests.market.conftest import count, look, loop, messages, order, queued_workflows, wish

PROBLEM = "application/problem+json"
BELLS = {"prompt": "church bells", "bars": 2, "bpm": 100, "key": "Am", "seed": 3}


async def test_a_riff_is_ordered(http: httpx.AsyncClient, database: Database) -> None:
    answer = await http.post("/v1/riffs", json=BELLS)
    assert answer.status_code == 202
    placed = answer.json()
    request = wish(bars=2, bpm=100, key="Am").to_dict()
    assert placed == {
        "id": placed["id"],
        "status": "queued",
        "position": 1,
        "eta_seconds": None,
        "request": request,
        "links": {
            "self": f"/v1/riffs/{placed['id']}",
            "events": f"/v1/riffs/{placed['id']}/events",
            "page": f"/riffs/{placed['id']}",
        },
    }
    assert answer.headers["location"] == placed["links"]["self"]

    seen = (await http.get(answer.headers["location"])).json()
    assert seen == placed | {
        "fraction": 0.0,
        "error": None,
        "preview": None,
        "loops": [],
        "created_at": seen["created_at"],
    }
    assert await queued_workflows(database) == 1


async def test_only_the_prompt_is_needed(http: httpx.AsyncClient) -> None:
    request = (await http.post("/v1/riffs", json={"prompt": "a lofi beat"})).json()["request"]
    assert (request["bars"], request["bpm"], request["metre"], request["takes"]) == (4, 78.0, "4/4", 1)


async def test_the_metre_is_what_is_given_or_what_the_prompt_says(http: httpx.AsyncClient) -> None:
    for given, metre in (({}, "3/4"), ({"metre": None}, "3/4"), ({"metre": "6/8"}, "6/8")):
        placed = (await http.post("/v1/riffs", json={"prompt": "a slow waltz", **given})).json()
        assert placed["request"]["metre"] == metre


async def test_a_riff_from_before_metres_is_in_four(http: httpx.AsyncClient, database: Database) -> None:
    wanted = wish("a slow waltz", metre="4/4", steps=16)
    riff_id = await order(database, wanted)
    later = ("metre", "morph_to", "morph", "strength", "source", "keep", "arrangement")
    async with database.write() as session:
        riff = await studio.get(session, riff_id)
        riff.request = {field: value for field, value in riff.request.items() if field not in later}
    assert (await http.get(f"/v1/riffs/{riff_id}")).json()["request"] == wanted.to_dict()
    assert (await http.get(f"/riffs/{riff_id}")).status_code == 200
    assert await order(database, wanted) == riff_id
    async with database.write() as session:
        assert await studio.start(session, riff_id) == wanted


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"prompt": ""}, "prompt", "The prompt is empty: say what you want to hear."),
        ({"prompt": "   "}, "prompt", "The prompt is empty: say what you want to hear."),
        ({"prompt": None}, "prompt", "The prompt is empty: say what you want to hear."),
        ({"prompt": 7}, "prompt", "The prompt has to be text."),
        ({"prompt": "a" * 301}, "prompt", "The prompt has 301 characters: at most 300 are possible."),
        (
            {"prompt": "bells\x07"},
            "prompt",
            "The prompt contains control characters: use plain text on one line.",
        ),
        (
            {"prompt": "bells\nbells"},
            "prompt",
            "The prompt contains control characters: use plain text on one line.",
        ),
        ({"prompt": "\0"}, "prompt", "The prompt contains control characters: use plain text on one line."),
        ({"bars": 0}, "bars", "bars has to be from 1 to 16, not “0”."),
        ({"bars": 17}, "bars", "bars has to be from 1 to 16, not “17”."),
        ({"bars": 2.5}, "bars", "bars has to be a whole number, not “2.5”."),
        ({"bars": "many"}, "bars", "bars has to be a number from 1 to 16, not “many”."),
        ({"bars": True}, "bars", "bars has to be a number from 1 to 16, not “True”."),
        ({"bars": [4]}, "bars", "bars has to be a number from 1 to 16, not “[4]”."),
        ({"bpm": 39.9}, "bpm", "bpm has to be from 40 to 240, not “39.9”."),
        ({"bpm": 240.1}, "bpm", "bpm has to be from 40 to 240, not “240.1”."),
        ({"metre": "5/4"}, "metre", "“5/4” is not a metre that can be played: choose 4/4, 3/4 or 6/8."),
        ({"metre": ["3/4"]}, "metre", "“['3/4']” is not a metre that can be played: choose 4/4, 3/4 or 6/8."),
        ({"key": "H"}, "key", "“H” is not a key: write it like Am, F#, Bb minor or C major."),
        ({"seed": -1}, "seed", "seed has to be from 0 to 4294967295, not “-1”."),
        ({"takes": 5}, "takes", "takes has to be from 1 to 4, not “5”."),
        ({"steps": 0}, "steps", "steps has to be from 1 to 100, not “0”."),
        ({"colour": "red"}, "colour", "colour is not a part of this request."),
    ],
)
async def test_bad_input_is_refused_in_a_sentence(
    http: httpx.AsyncClient, database: Database, wrong: dict[str, Any], field: str, sentence: str
) -> None:
    answer = await http.post("/v1/riffs", json=BELLS | wrong)
    assert answer.headers["content-type"] == PROBLEM
    assert answer.status_code == 422
    assert answer.json() == {
        "type": "about:blank",
        "title": answer.json()["title"],
        "status": 422,
        "detail": sentence,
        "field": field,
    }
    assert [await count(database, table) for table in (RiffOrder, RiffEvent)] == [0, 0]
    assert await queued_workflows(database) == 0


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 422, "The body is missing: send the request as JSON."),
        (b"{", 422, "The body is not JSON."),
        (b"[]", 422, "The body has to be a JSON object, sent as application/json."),
        (b"{}", 422, "The prompt is empty: say what you want to hear."),
        (b'{"prompt": "x", "bpm": NaN}', 422, "bpm has to be from 40 to 240, not “nan”."),
        (b'{"prompt": "x", "bpm": 1e999}', 422, "bpm has to be from 40 to 240, not “inf”."),
        (b'{"prompt": "' + b"x" * 70_000 + b'"}', 413, "This request is too large."),
    ],
)
async def test_bodies_that_are_no_request(
    http: httpx.AsyncClient, database: Database, body: bytes, status: int, sentence: str
) -> None:
    answer = await http.post("/v1/riffs", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (status, sentence)
    assert answer.headers["content-type"] == PROBLEM
    assert await count(database, RiffOrder) == 0


async def test_a_form_is_no_request(http: httpx.AsyncClient, database: Database) -> None:
    answer = await http.post("/v1/riffs", data={"prompt": "church bells"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "The body has to be a JSON object, sent as application/json."
    assert await count(database, RiffOrder) == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/riffs/000000000000000000000000", 404),
        ("GET", "/v1/riffs/nonsense", 404),
        ("GET", "/v1/riffs/%00", 404),
        ("GET", "/v1/riffs/000000000000000000000000/events", 404),
        ("GET", "/v1/riffs/000000000000000000000000/previews/0-2.png", 404),
        ("GET", "/v1/riffs/000000000000000000000000/previews/..%2f..%2friff.db", 404),
        ("DELETE", "/v1/riffs/000000000000000000000000", 404),
        ("GET", "/v1/loops/000000000000000000000000-0", 404),
        ("GET", "/v1/loops/%00/audio.wav", 404),
        ("GET", "/v1/loops?cursor=nonsense", 422),
        ("GET", "/v1/loops?limit=0", 422),
        ("GET", "/v1/loops?limit=101", 422),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/riffs", 405),
    ],
)
async def test_every_refusal_is_a_problem(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert problem["detail"].endswith(".")
    if status == 405:
        assert answer.headers["allow"] == "POST"


async def test_a_browser_gets_a_page_outside_the_api(http: httpx.AsyncClient) -> None:
    as_browser = {"accept": "text/html,application/xhtml+xml"}
    page = await http.get("/loops/nonsense", headers=as_browser)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    problem = await http.get("/v1/loops/nonsense", headers=as_browser)
    assert (problem.status_code, problem.headers["content-type"]) == (404, PROBLEM)


async def test_the_same_key_is_the_same_riff(http: httpx.AsyncClient, database: Database) -> None:
    wishes = {"prompt": "church bells"}
    first = await http.post("/v1/riffs", json=wishes, headers={"Idempotency-Key": "one"})
    again = await http.post("/v1/riffs", json=wishes, headers={"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()

    other = await http.post("/v1/riffs", json=wishes | {"bars": 8}, headers={"Idempotency-Key": "one"})
    assert other.status_code == 422
    assert other.json()["detail"] == (
        "This Idempotency-Key was used for another request: take a new key for a new riff."
    )
    assert await count(database, RiffOrder) == 1

    without = [(await http.post("/v1/riffs", json=wishes)).json() for _ in range(2)]
    assert without[0]["id"] != without[1]["id"]
    assert without[0]["request"]["seed"] != without[1]["request"]["seed"]


async def test_too_many_unfinished_riffs(http: httpx.AsyncClient, database: Database) -> None:
    for _ in range(MAX_OPEN_RIFFS):
        assert (await http.post("/v1/riffs", json=BELLS)).status_code == 202
    refusal = await http.post("/v1/riffs", json=BELLS)
    assert (refusal.status_code, refusal.headers["content-type"]) == (429, PROBLEM)
    assert await count(database, RiffOrder) == MAX_OPEN_RIFFS


async def test_a_visitor_is_known_by_a_signed_cookie(
    http: httpx.AsyncClient, server: str, database: Database
) -> None:
    answer = await http.post("/v1/riffs", json=BELLS)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("riff_visitor=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    path = answer.json()["links"]["self"]

    assert "set-cookie" not in (await http.post("/v1/riffs", json=BELLS)).headers
    owner, signature = http.cookies["riff_visitor"].rsplit(".", 1)
    forged = f"{owner}.{signature[::-1]}"
    async with httpx.AsyncClient(base_url=server, cookies={"riff_visitor": forged}) as stranger:
        refusal = await stranger.delete(path)
        assert (refusal.status_code, refusal.headers["content-type"]) == (403, PROBLEM)
        assert "riff_visitor" in refusal.headers["set-cookie"]
    assert (await look(database, answer.json()["id"])).status == "queued"

    cancelled = await http.delete(path)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (await http.delete(path)).status_code == 200


async def test_what_is_finished_cannot_be_cancelled(http: httpx.AsyncClient, database: Database) -> None:
    placed = (await http.post("/v1/riffs", json=BELLS)).json()
    async with database.write() as session:
        await studio.fail(session, placed["id"], "The disk is full.")
    refusal = await http.delete(placed["links"]["self"])
    assert (refusal.status_code, refusal.headers["content-type"]) == (409, PROBLEM)
    riff = (await http.get(placed["links"]["self"])).json()
    assert (riff["status"], riff["error"]) == ("failed", "The disk is full.")


async def test_files_come_whole_in_parts_or_not_again(
    http: httpx.AsyncClient, database: Database, storage: Storage
) -> None:
    riff_id = await order(database, wish())
    data = bytes(range(100))
    finished = loop(riff_id, 0)
    finished.wav = f"loops/{riff_id}/0-0123456789abcdef.wav"
    await storage.put(finished.wav, data, "audio/wav")
    async with database.write() as session:
        await studio.finish(session, riff_id, [finished])
    path = f"/v1/loops/{riff_id}-0/audio.wav"

    whole = await http.get(path)
    assert (whole.status_code, whole.content) == (200, data)
    headers = {
        name: whole.headers[name] for name in ("content-type", "etag", "cache-control", "accept-ranges")
    }
    assert headers == {
        "content-type": "audio/wav",
        "etag": '"0-0123456789abcdef"',
        # The same address refuses who has no licence, once the loop is for sale.
        "cache-control": "private, max-age=31536000, immutable",
        "accept-ranges": "bytes",
    }
    assert whole.headers["content-disposition"] == 'inline; filename="church-bells-120bpm-3.wav"'

    for asked, start, end in [
        ("bytes=0-9", 0, 10),
        ("bytes=90-", 90, 100),
        ("bytes=-5", 95, 100),
        ("bytes=50-1000", 50, 100),
        ("bytes=-1000", 0, 100),
    ]:
        part = await http.get(path, headers={"range": asked})
        assert (part.status_code, part.content) == (206, data[start:end]), asked
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/100"
    for asked in ("bytes=100-", "bytes=500-600", "bytes=-0"):
        beyond = await http.get(path, headers={"range": asked})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */100"), asked
    for asked in ("bytes=0-1,5-6", "bytes=9-3", "lines=0-1", "bytes=-", "bytes=a-b"):
        assert (await http.get(path, headers={"range": asked})).status_code == 200, asked
    assert (await http.get(path, headers={"range": "bytes=0-9", "if-range": '"old"'})).status_code == 200

    again = await http.get(path, headers={"if-none-match": f'"old", {headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == headers["etag"]
    missing = await http.get(f"/v1/loops/{riff_id}-0/audio.mp3")
    assert (missing.status_code, missing.headers["content-type"]) == (404, PROBLEM)


async def test_a_song_is_sent_piece_by_piece(
    http: httpx.AsyncClient, database: Database, storage: Storage
) -> None:
    riff_id = await order(database, wish())
    data = bytes(range(256)) * 40_000
    song = loop(riff_id, 0)
    song.wav = f"loops/{riff_id}/0-0123456789abcdef.wav"
    await storage.put(song.wav, data, "audio/wav")
    async with database.write() as session:
        await studio.finish(session, riff_id, [song])
    path = f"/v1/loops/{riff_id}-0/audio.wav"
    whole = await http.get(path)
    assert whole.content == data
    assert whole.headers["content-length"] == str(len(data))
    part = await http.get(path, headers={"range": "bytes=1000-"})
    assert (part.status_code, part.content) == (206, data[1000:])
    assert part.headers["content-range"] == f"bytes 1000-{len(data) - 1}/{len(data)}"


async def test_a_loop_from_before_has_the_files_that_it_has(
    http: httpx.AsyncClient, database: Database, storage: Storage
) -> None:
    riff_id = await order(database, wish())
    async with database.write() as session:
        await studio.finish(session, riff_id, [loop(riff_id, 0)])
    seen = (await http.get(f"/v1/loops/{riff_id}-0")).json()
    assert (seen["kind"], seen["links"]["stems"]) == ("loop", {})
    assert seen["links"]["thumbnail"] == seen["links"]["png"]
    assert (await http.get(seen["links"]["recipe"])).json() == seen["recipe"]
    for kind, sentence in [
        ("light", f"There is no such format of loop {riff_id}-0: it was made before there was one."),
        ("video", f"There is no such format of loop {riff_id}-0: it was made before there was one."),
        ("flac", "The file w is not in the storage."),
    ]:
        refusal = await http.get(seen["links"][kind])
        assert (refusal.status_code, refusal.json()["detail"]) == (404, sentence)
    assert await storage.list("") == []


async def test_events_are_sent_in_order_and_resumed(http: httpx.AsyncClient, database: Database) -> None:
    riff_id = await order(database, wish())
    progress = [
        {"type": "progress", "fraction": part / 10, "preview": f"previews/{riff_id}/0-{part}.png"}
        for part in range(5)
    ]
    path = f"/v1/riffs/{riff_id}/events"
    async with http.stream("GET", path) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        coming = messages(stream)
        first_seq, first = await anext(coming)
        assert (first["type"], first["position"]) == ("queued", 1)
        async with database.write() as session:
            await studio.start(session, riff_id)
            session.add_all(RiffEvent(riff_id=riff_id, body=body) for body in progress[:3])
        received = [await anext(coming) for _ in range(3)]
    assert [data["preview"] for _, data in received] == [
        f"/v1/riffs/{riff_id}/previews/0-{part}.png" for part in range(3)
    ]
    seqs = [int(seq or 0) for seq in (first_seq, *(seq for seq, _ in received))]
    assert seqs == sorted(set(seqs))

    async with database.write() as session:
        session.add_all(RiffEvent(riff_id=riff_id, body=body) for body in progress[3:])
        await session.flush()
        await studio.finish(session, riff_id, [])
    async with http.stream("GET", path, headers={"Last-Event-ID": str(seqs[2])}) as stream:
        rest = [(seq, data["type"], data["fraction"]) async for seq, data in messages(stream)]
    assert [(kind, fraction) for _, kind, fraction in rest] == [
        ("progress", 0.2),
        ("progress", 0.3),
        ("progress", 0.4),
        ("done", 1.0),
    ]
    over = await http.get(path, headers={"Last-Event-ID": str(rest[-1][0])})
    assert (over.status_code, over.content) == (204, b"")
    async with http.stream("GET", path, headers={"Last-Event-ID": "nonsense"}) as stream:
        assert len([message async for message in messages(stream)]) == 7


async def test_a_waiting_riff_is_told_when_it_moves_up(http: httpx.AsyncClient, database: Database) -> None:
    first = await order(database, wish(), key="a")
    second = await order(database, wish(), key="b")
    async with http.stream("GET", f"/v1/riffs/{second}/events") as stream:
        coming = messages(stream)
        assert (await anext(coming))[1]["position"] == 2
        async with database.write() as session:
            await studio.cancel(session, first, "somebody")
        positions = [2]
        while positions[-1] != 1:
            seq, data = await anext(coming)
            assert (seq, data["type"]) == (None, "queued")
            positions.append(data["position"])
    assert len(positions) <= 3


async def test_health_and_readiness(http: httpx.AsyncClient, database: Database) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok"}
    ready = await http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"ready": True, "database": True, "migrations": True, "workers": 0}

    async with database.write() as session:
        await session.execute(
            WorkerBeat.__table__.insert().values(executor_id="a", expires_at=ClockSeconds() + 9)
        )
        await session.execute(
            WorkerBeat.__table__.insert().values(executor_id="b", expires_at=ClockSeconds() - 9)
        )
    assert (await http.get("/readyz")).json()["workers"] == 1

    async with database.write() as session:
        await (await session.connection()).exec_driver_sql("UPDATE alembic_version SET version_num = 'old'")
    behind = await http.get("/readyz")
    assert behind.status_code == 503
    assert behind.json() == {"ready": False, "database": True, "migrations": False, "workers": 0}


async def test_the_document_names_every_answer(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    answers = {
        f"{method.upper()} {path}": sorted(set(operation["responses"]) - {"default"})
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    file = ["200", "206", "304", "404", "416"]
    picture = ["200", "206", "304", "404", "410", "416"]
    sound = ["200", "206", "304", "403", "404", "410", "416"]
    expected = {
        "POST /v1/riffs": ["202", "403", "404", "410", "413", "422", "429"],
        "GET /v1/riffs/{riff_id}": ["200", "404"],
        "DELETE /v1/riffs/{riff_id}": ["200", "403", "404", "409"],
        "GET /v1/riffs/{riff_id}/events": ["200", "204", "404"],
        "GET /v1/riffs/{riff_id}/previews/{name}": file,
        "GET /v1/tags": ["200"],
        "GET /v1/me/loops": ["200", "401", "403", "422"],
        "GET /v1/loops/{loop_id}": ["200", "404", "410"],
        "GET /v1/loops/{loop_id}/listing": ["200", "404", "410"],
        "PUT /v1/loops/{loop_id}/listing": ["200", "401", "403", "404", "410", "412", "413", "422"],
        "PATCH /v1/loops/{loop_id}/listing": ["200", "401", "403", "404", "410", "412", "413", "422"],
        "GET /v1/loops/{loop_id}/checks": ["200", "401", "403", "404", "410"],
        "POST /v1/loops/{loop_id}/publish": ["200", "401", "403", "404", "409", "410", "412", "413", "422"],
        "POST /v1/loops/{loop_id}/delist": ["200", "401", "403", "404", "412"],
        "GET /v1/loops/{loop_id}/audio.wav": sound,
        "GET /v1/loops/{loop_id}/audio.flac": sound,
        "GET /v1/loops/{loop_id}/audio.ogg": sound,
        "GET /v1/loops/{loop_id}/audio.opus": sound,
        "GET /v1/loops/{loop_id}/audio.mp3": sound,
        "GET /v1/loops/{loop_id}/stems/{role}.wav": sound,
        "GET /v1/loops/{loop_id}/video.mp4": sound,
        "GET /v1/loops/{loop_id}/spectrogram.png": picture,
        "GET /v1/loops/{loop_id}/spectrogram-light.png": picture,
        "GET /v1/loops/{loop_id}/thumbnail.webp": picture,
        "GET /v1/loops/{loop_id}/recipe.json": ["200", "403", "404", "410"],
        "GET /v1/loops/{loop_id}/peaks.json": picture,
        "POST /v1/uploads": ["200", "201", "413", "422", "429", "507"],
        "GET /v1/uploads/{upload_id}": ["200", "404"],
        "GET /v1/presets": ["200"],
        "GET /v1/styles": ["200"],
        "GET /healthz": ["200"],
        "GET /readyz": ["200", "503"],
    }
    # The other nouns' documents are theirs to test.
    assert {name: answers.get(name) for name in expected} == expected


async def test_the_schema_says_what_is_checked(http: httpx.AsyncClient) -> None:
    schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
    fields = schemas["RiffIn"]["properties"]
    assert set(fields) == set(inspect.signature(RiffRequest.parse).parameters)
    assert fields["metre"]["enum"] == ["4/4", "3/4", "6/8"]
    assert fields["keep"]["enum"] == ["groove", "harmony"]
    kinds = fields["arrangement"]["anyOf"][0]["discriminator"]["mapping"]
    documented = {
        kind: set(schemas[place.rpartition("/")[2]]["properties"]) - {"kind"} for kind, place in kinds.items()
    }
    assert documented == {kind: set(parts) for kind, parts in PARTS.items()}


async def test_presets_and_styles_are_listed(http: httpx.AsyncClient, settings: Settings) -> None:
    presets = (await http.get("/v1/presets")).json()["presets"]
    assert presets == {name: dict(fields) for name, fields in PRESETS.items()}
    placed = (await http.post("/v1/riffs", json={"prompt": "a lofi beat", "preset": "sketch"})).json()
    assert (placed["request"]["steps"], placed["request"]["bars"]) == (4, 2)

    assert (await http.get("/v1/styles")).json() == {"styles": []}
    for name in ("lofi-tape", "no style!", "half-learnt"):
        (settings.styles_dir / name).mkdir(parents=True)
        if name != "half-learnt":
            (settings.styles_dir / name / RECORD).write_text("{}")
    assert (await http.get("/v1/styles")).json() == {"styles": StyleShelf(settings.styles_dir).names()}
    assert StyleShelf(settings.styles_dir).names() == ["lofi-tape"]
