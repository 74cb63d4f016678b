"""The search over HTTP."""

from typing import Any

import httpx
import pytest

from market.accounts.models import Account
from market.db import Database
from market.models import SearchEntry
from market.search import cells
from tests.market.conftest import beat, count, wav
from tests.market.search.conftest import document, publish, put

PROBLEM = "application/problem+json"


async def test_a_search_with_facets_and_stretches(
    http: httpx.AsyncClient, database: Database, creator: Account
) -> None:
    made = [
        await publish(database, creator, number, title="Church bells", genres=("ambient",))
        for number in range(3)
    ]
    first = (await http.get("/v1/loops", params={"q": "chruch bells", "limit": 2, "sort": "new"})).json()
    assert [one["id"] for one in first["loops"]] == [made[2].loop_id, made[1].loop_id]
    assert (first["corrected"], first["ignored"]) == ("church bells", [])
    assert (first["counts"]["total"], first["counts"]["exact"]) == (3, True)
    assert first["counts"]["facets"]["genre"] == {
        "exact": True,
        "values": [{"value": "ambient", "label": "ambient", "count": 3}],
    }
    assert first["counts"]["facets"]["key"]["values"] == [{"value": "Am", "label": "Am (8A)", "count": 3}]
    assert first["counts"]["facets"]["creator"]["values"] == [
        {"value": creator.id, "label": creator.handle, "count": 3}
    ]
    more = {"q": "chruch bells", "limit": 2, "sort": "new", "cursor": first["next_cursor"]}
    second = (await http.get("/v1/loops", params=more)).json()
    assert [one["id"] for one in second["loops"]] == [made[0].loop_id]
    assert (second["next_cursor"], second["counts"]) == (None, None)
    assert (await http.get("/v1/loops", params=more | {"q": "bells"})).status_code == 422


async def test_every_filter(http: httpx.AsyncClient, database: Database, creator: Account) -> None:
    made = await publish(
        database, creator, 1, title="Rain", genres=("Drum and Bass",), moods=("dark",), instruments=("piano",),
        tags=("night",), key="F#m", bpm=87.0, bars=8, metre="3/4", tiers=("free", "business"), free=True,
        has_stems=True, kind="piece",
    )  # fmt: skip
    for asked in (
        {"genre": "drum-and-bass"}, {"genre": ["techno", "drum and bass"]}, {"mood": "DARK"}, {"instrument": "piano"},
        {"tags": "night"}, {"key": "F#m"}, {"key": "A", "key_match": "relative"},
        {"key": "Bm", "key_match": "compatible"},
        {"bpm_min": 80, "bpm_max": 90}, {"bpm_min": 174, "bpm_max": 174, "bpm_related": True}, {"bars": 8},
        {"metre": "3/4"}, {"licence": "business"}, {"creator": creator.id}, {"stems": True}, {"kind": "piece"},
        {"price_max": 0},
    ):  # fmt: skip
        answer = (await http.get("/v1/loops", params=asked)).json()
        assert [one["id"] for one in answer["loops"]] == [made.loop_id], asked
    for asked in (
        {"genre": "drum"}, {"mood": "light"}, {"key": "A"}, {"key": "none"}, {"bpm_min": 100}, {"bars": [4, 16]},
        {"metre": "4/4"}, {"licence": "exclusive"}, {"creator": "0" * 24}, {"stems": False}, {"kind": "loop"},
        {"price_min": 1},
    ):  # fmt: skip
        answer = (await http.get("/v1/loops", params=asked)).json()
        assert (answer["loops"], answer["counts"]["total"]) == ([], 0), asked


async def test_a_list_that_the_client_has_is_not_sent_again(
    http: httpx.AsyncClient, database: Database, creator: Account
) -> None:
    made = await publish(database, creator, embedding=cells.embedding_of(cells.shipped()[0]))
    for path in (
        "/v1/loops",
        "/v1/loops/suggest?q=lo",
        f"/v1/loops/{made.loop_id}/similar",
        f"/v1/loops/{made.loop_id}/goes-with",
    ):
        answer = await http.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"].endswith(("max-age=30", "max-age=60"))
        again = await http.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    before = (await http.get("/v1/loops")).headers["etag"]
    await publish(database, creator, 1)
    assert (await http.get("/v1/loops", headers={"if-none-match": before})).status_code == 200


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 0}, {"limit": 101}, {"cursor": "nonsense"}, {"cursor": "x" * 201}, {"key": "H"}, {"key": "'"},
        {"bpm_min": 0}, {"bpm_max": "nan"}, {"bpm_min": "inf"}, {"bars": 0}, {"bars": "4; DROP TABLE loop"},
        {"sort": "random()"}, {"price_min": -1}, {"genre": ["x"] * 21}, {"genre": "x" * 81}, {"q": "x" * 10_001},
        {"stems": "perhaps"}, {"key_match": "any"},
    ],
)  # fmt: skip
async def test_what_is_asked_wrongly_is_refused(http: httpx.AsyncClient, asked: dict[str, Any]) -> None:
    refusal = await http.get("/v1/loops", params=asked)
    assert (refusal.status_code, refusal.headers["content-type"]) == (422, PROBLEM), refusal.text
    assert refusal.json()["detail"].endswith(".")


async def test_hostile_text_finds_nothing_and_changes_nothing(
    http: httpx.AsyncClient, database: Database
) -> None:
    await put(database, document(0, title="Bells"))
    before = await count(database, SearchEntry)
    for text in (
        "'; DROP TABLE search_entry; --",
        '" OR ""="',
        "<img src=x onerror=alert(1)>",
        "%00",
        "*",
        "a" * 10_000,
        "\x00",
    ):
        for asked in ({"q": text}, {"genre": text[:80]}, {"creator": text[:80]}, {"tags": text[:80]}):
            answer = await http.get("/v1/loops", params=asked)
            assert (answer.status_code, answer.json()["loops"]) == (200, []), (asked, answer.text)
        assert (await http.get("/v1/loops/suggest", params={"q": text})).status_code == 200
    assert await count(database, SearchEntry) == before == 1


async def test_loops_like_a_sound_or_a_sentence(
    http: httpx.AsyncClient, database: Database, creator: Account
) -> None:
    from generation.embedding import embed_audio, embed_text

    drums = await publish(database, creator, 0, embedding=cells.embedding_of(embed_audio(beat(), None)))
    rain = await publish(database, creator, 1, embedding=cells.embedding_of(embed_text("warm rainy night")))
    sound = wav(beat())
    for answer in (
        await http.post("/v1/loops/similar", content=sound, headers={"content-type": "audio/wav"}),
        await http.post(
            "/v1/loops/similar", content=sound, headers={"content-type": "application/octet-stream"}
        ),
        await http.post("/v1/loops/similar", files={"file": ("beat.wav", sound)}),
    ):
        assert answer.status_code == 200, answer.text
        [first, *_] = answer.json()["loops"]
        assert (first["loop"]["id"], first["similarity"]) == (drums.loop_id, pytest.approx(1, abs=0.01))
    [first, second] = (await http.post("/v1/loops/similar", json={"sentence": "warm rainy night"})).json()[
        "loops"
    ]
    assert (first["loop"]["id"], second["loop"]["id"]) == (rain.loop_id, drums.loop_id)
    assert first["similarity"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "audio/wav", 422), (b"no sound at all", "audio/wav", 422), (b"{", "application/json", 422),
        (b'{"sentence": ""}', "application/json", 422), (b'{"sentence": "  "}', "application/json", 422),
        (b'{"sentence": "\\u0000"}', "application/json", 200), (b'{"sentence": "\\ud800"}', "application/json", 422),
        (b'{"sentence": ["x"]}', "application/json", 422), (b"[]", "application/json", 422),
        (b"x", "multipart/form-data", 400), (b"x", "multipart/form-data; boundary=y", 400),
        (b"\0" * (32 * 2**20 + 2**17), "audio/wav", 413),
    ],
)  # fmt: skip
async def test_what_is_no_sound_and_no_sentence(
    http: httpx.AsyncClient, content: bytes, kind: str, status: int
) -> None:
    answer = await http.post("/v1/loops/similar", content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == PROBLEM


async def test_loops_that_are_not_for_sale_are_not_found(
    http: httpx.AsyncClient, database: Database, creator: Account
) -> None:
    made = await publish(database, creator)
    for path in ("similar", "goes-with"):
        assert (await http.get(f"/v1/loops/{'0' * 24}-0/{path}")).status_code == 404
        assert (await http.get(f"/v1/loops/%00/{path}")).status_code == 404
    refusal = await http.get(f"/v1/loops/{made.loop_id}/similar")
    assert (refusal.status_code, refusal.headers["content-type"]) == (409, PROBLEM)
    assert (await http.get("/v1/loops/suggest")).status_code == 422
