"""Licences over HTTP: taking one, reading one, and who may not."""

import html
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from market.licensing import codes
from market.licensing import service as licensing
from market.licensing.models import Channel, Grant, Revocation
from market.models import AuditEntry
from tests.market.conftest import count
from tests.market.licensing.conftest import YOUTUBE, Market
from tests.market.licensing.test_grants import rows

NASTY = "<script>alert(1)</script>'\"; DROP TABLE licence_grant; --"


async def test_a_free_licence_is_granted_at_once(market: Market, http: httpx.AsyncClient) -> None:
    wish = market.wish(channels=[{"url": YOUTUBE}])
    answer = await http.post("/v1/licences", json=wish, headers=market.ada.headers)
    assert answer.status_code == 201
    made = answer.json()
    assert codes.read(made["code"]) == made["code"]
    assert answer.headers["location"] == f"/v1/licences/{made['code']}"
    assert (made["status"], made["tier"], made["licensee"], made["price_cents"]) == (
        "valid",
        "free",
        "Ada Lovelace",
        0,
    )
    again = await http.post("/v1/licences", json=wish, headers=market.ada.headers)
    assert (again.status_code, again.json()["code"]) == (200, made["code"])
    mine = (await http.get("/v1/me/licences", headers=market.ada.headers)).json()
    assert [each["code"] for each in mine["licences"]] == [made["code"]]
    assert mine["next_cursor"] is None
    assert (await http.get("/v1/me/licences", headers=market.eve.headers)).json()["licences"] == []
    assert await rows(market.database) == [1, 0, 1, 1]


async def test_the_same_key_with_another_wish_is_refused(market: Market, http: httpx.AsyncClient) -> None:
    headers = {**market.ada.headers, "Idempotency-Key": "one"}
    first = await http.post("/v1/licences", json=market.wish(), headers=headers)
    again = await http.post("/v1/licences", json=market.wish(), headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = await http.post("/v1/licences", json=market.wish(licensee="Eve"), headers=headers)
    assert other.status_code == 422
    # Somebody else's key is their own.
    eve = {**market.eve.headers, "Idempotency-Key": "one"}
    assert (await http.post("/v1/licences", json=market.wish(), headers=eve)).json()["code"] != first.json()[
        "code"
    ]
    assert (await rows(market.database))[0] == 2


async def test_what_costs_money_is_not_given_away(market: Market, http: httpx.AsyncClient) -> None:
    for tier, price in (
        ("creator", "9.00"),
        ("business", "49.00"),
        ("broadcast", "199.00"),
        ("exclusive", "499.00"),
    ):
        wish = market.wish(tier=tier, channels=[{"url": YOUTUBE}])
        answer = await http.post("/v1/licences", json=wish, headers=market.ada.headers)
        assert answer.status_code == 402
        assert answer.headers["content-type"] == "application/problem+json"
        assert f"costs {price} USD" in answer.json()["detail"]
    assert await rows(market.database) == [0, 0, 0, 0]


WRONG: list[tuple[dict[str, Any], int]] = [
    ({"tier": "royal"}, 422),
    ({"tier": "../../etc"}, 422),
    ({"loop_id": "0" * 24 + "-0"}, 404),
    ({"loop_id": "' OR 1=1 --"}, 404),
    ({"loop_id": "x" * 33}, 422),
    ({"licensee": ""}, 422),
    ({"licensee": "   "}, 422),
    ({"licensee": "a\x00b"}, 422),
    ({"licensee": "a" * 121}, 422),
    ({"project": "p" * 161}, 422),
    ({"project": "a\u202eb"}, 422),
    ({"project": None}, 422),
    ({"channels": [{"url": "https://user:word@youtube.com/@a"}]}, 422),
    ({"channels": [{"url": f"twitch.tv/a{at}"} for at in range(2)]}, 422),
    ({"channels": [{"url": f"twitch.tv/a{at}"} for at in range(51)]}, 422),
    ({"price_cents": 0}, 422),
    ({"account_id": "x"}, 422),
]


async def test_a_wrong_wish_is_refused(market: Market, http: httpx.AsyncClient) -> None:
    for wrong, status in WRONG:
        answer = await http.post("/v1/licences", json=market.wish(**wrong), headers=market.ada.headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert await rows(market.database) == [0, 0, 0, 0]


async def test_who_may_take_and_give(market: Market, http: httpx.AsyncClient) -> None:
    gift = {
        "loop_id": market.loop.id,
        "tier": "business",
        "handle": market.ada.account.handle,
        "licensee": "Ada Lovelace",
        "project": "A film about bells",
        "reason": "The winner of the contest.",
    }
    for headers, status in (({}, 401), (market.ada.headers, 403), (market.moderator.headers, 403)):
        answer = await http.post("/v1/licences/complimentary", json=gift, headers=headers)
        assert answer.status_code == status
    assert (await http.post("/v1/licences", json=market.wish())).status_code == 401
    assert (
        await http.post("/v1/licences", json=market.wish(), headers=market.creator.headers)
    ).status_code == 409
    forged = {"Authorization": "Bearer riff_" + "A" * 43}
    assert (await http.post("/v1/licences", json=market.wish(), headers=forged)).status_code == 401
    nobody = {**gift, "handle": "nobody-here"}
    assert (
        await http.post("/v1/licences/complimentary", json=nobody, headers=market.admin.headers)
    ).status_code == 404
    assert await rows(market.database) == [0, 0, 0, 0]
    answer = await http.post("/v1/licences/complimentary", json=gift, headers=market.admin.headers)
    assert answer.status_code == 201
    assert (answer.json()["tier"], answer.json()["price_cents"]) == ("business", 0)
    assert (
        await http.post("/v1/licences/complimentary", json=gift, headers=market.admin.headers)
    ).status_code == 200
    mine = (await http.get("/v1/me/licences", headers=market.ada.headers)).json()["licences"]
    assert [each["code"] for each in mine] == [answer.json()["code"]]
    async with market.database.read() as session:
        entry = (
            await session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "licence.give"))
        ).one()
    assert (entry.actor, entry.details["reason"]) == (
        market.admin.account.owner,
        "The winner of the contest.",
    )


@pytest.mark.parametrize(("status", "answer"), [("draft", 409), ("delisted", 409), ("removed", 404)])
async def test_no_licence_for_what_is_not_on_the_market(
    market: Market, http: httpx.AsyncClient, status: str, answer: int
) -> None:
    await market.status(status)
    got = await http.post("/v1/licences", json=market.wish(), headers=market.ada.headers)
    assert got.status_code == answer, got.text
    assert await rows(market.database) == [0, 0, 0, 0]


async def test_free_licences_have_a_limit(
    market: Market, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(licensing, "MAX_FREE_A_DAY", 2)
    for at, status in enumerate((201, 201, 429)):
        wish = market.wish(project=f"Film {at}")
        assert (await http.post("/v1/licences", json=wish, headers=market.ada.headers)).status_code == status
    assert (await rows(market.database))[0] == 2


async def test_revoking_is_for_moderators(market: Market, http: httpx.AsyncClient) -> None:
    grant = await market.grant()
    place = f"/v1/licences/{grant.code}/revocation"
    reason = {"reason": "The payment was taken back."}
    for headers, status in (({}, 401), (market.ada.headers, 403), (market.creator.headers, 403)):
        assert (await http.post(place, json=reason, headers=headers)).status_code == status
    for wrong in ({}, {"reason": ""}, {"reason": " "}, {"reason": "a\x00"}, {"reason": "r" * 501}):
        assert (await http.post(place, json=wrong, headers=market.moderator.headers)).status_code == 422
    assert (await rows(market.database))[1] == 0
    answer = await http.post(place, json=reason, headers=market.moderator.headers)
    assert answer.status_code == 201
    assert answer.json()["status"] == "revoked"
    assert (await http.post(place, json=reason, headers=market.moderator.headers)).status_code == 409
    nowhere = "/v1/licences/RM-00000-00000-00000/revocation"
    assert (await http.post(nowhere, json=reason, headers=market.moderator.headers)).status_code == 404
    assert (await rows(market.database))[1] == 1
    public = (await http.get(f"/v1/licences/{grant.code}")).json()
    assert (public["status"], public["revocation"]["reason"]) == ("revoked", None)
    own = (await http.get(f"/v1/licences/{grant.code}", headers=market.ada.headers)).json()
    assert own["revocation"]["reason"] == "The payment was taken back."
    # The same free wish is no way round it.
    free = (await http.post("/v1/licences", json=market.wish(), headers=market.ada.headers)).json()["code"]
    place = f"/v1/licences/{free}/revocation"
    assert (await http.post(place, json=reason, headers=market.moderator.headers)).status_code == 201
    assert (
        await http.post("/v1/licences", json=market.wish(), headers=market.ada.headers)
    ).status_code == 409


async def test_a_code_is_read_as_people_type_it(market: Market, http: httpx.AsyncClient) -> None:
    grant = await market.grant()
    typed = grant.code.lower().replace("0", "o").replace("1", "l")
    for code in (typed, typed.replace("-", ""), typed.removeprefix("rm-"), f" {grant.code} "):
        answer = await http.get(f"/v1/licences/{code}")
        assert (answer.status_code, answer.json()["code"]) == (200, grant.code)
    for code in (
        "RM-00000-00000-00000",
        grant.code[:-1],
        f"{grant.code}0",
        "RM",
        "%00",
        "' OR 1=1 --",
        "U" * 15,
        "☃",
    ):
        answer = await http.get(f"/v1/licences/{code}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await http.get(f"/licences/{code}")).status_code == 404
    assert (await http.get(f"/v1/licences/{'A' * 4000}")).status_code == 404


async def test_names_are_kept_unless_the_licensee_shows_them(market: Market, http: httpx.AsyncClient) -> None:
    kept = await market.grant()
    shown = await market.grant("free", intent="order:2", show_licensee=True, channels=())
    may = [market.ada.headers, market.moderator.headers]
    for headers in [{}, market.eve.headers, market.creator.headers, *may]:
        names = headers in may
        told = (await http.get(f"/v1/licences/{kept.code}", headers=headers)).json()
        wanted = ("Ada Lovelace", "A film about bells") if names else ("A… L…", None)
        assert (told["licensee"], told["project"]) == wanted
        assert (told["price_cents"] is not None) == names
        signed = await http.get(f"/v1/licences/{kept.code}/licence.json", headers=headers)
        assert signed.status_code == (200 if names else 403)
        page = await http.get(f"/licences/{kept.code}", headers=headers)
        assert page.status_code == 200
    assert "Ada Lovelace" not in (await http.get(f"/licences/{kept.code}")).text
    told = (await http.get(f"/v1/licences/{shown.code}")).json()
    assert (told["licensee"], told["project"], told["price_cents"]) == (
        "Ada Lovelace",
        "A film about bells",
        None,
    )
    assert (await http.get(f"/v1/licences/{shown.code}/licence.json")).json()["licence"][
        "licensee"
    ] == "Ada Lovelace"


async def test_what_people_typed_never_runs(market: Market, http: httpx.AsyncClient) -> None:
    wish = market.wish(licensee=NASTY, project=NASTY, show_licensee=True)
    made = (await http.post("/v1/licences", json=wish, headers=market.ada.headers)).json()
    assert (made["licensee"], made["project"]) == (NASTY, NASTY)
    page = await http.get(f"/licences/{made['code']}")
    assert NASTY not in page.text
    assert page.text.count("<script") == page.text.count('<script type="module" src=')
    assert html.escape(NASTY, quote=False).replace('"', "&#34;").replace("'", "&#39;") in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert (await http.get(f"/v1/licences/{made['code']}/certificate.pdf")).status_code == 200
    assert await rows(market.database) == [1, 0, 0, 1]
    lines = (await http.get(f"/v1/licences/{made['code']}/attribution")).json()
    assert lines["required"] is True
    assert "Church bells" in lines["plain"]
    assert made["code"] in lines["markdown"]


async def test_attribution_cannot_be_broken_out_of(market: Market) -> None:
    grant = await market.grant("free", channels=())
    grant.loop_title, grant.creator_name = '</a><img src=x onerror="1">', "[a](javascript:1)*"
    async with market.database.read() as session:
        session.expunge_all()
    lines = licensing.attribution(grant, "https://riffmarket.example")
    assert lines["html"].count("<") == 2
    assert lines["html"].startswith("Music: “&lt;/a&gt;&lt;img src=x onerror=&quot;1&quot;&gt;” by ")
    assert "\\[a\\]\\(javascript:1\\)\\*" in lines["markdown"]
    assert lines["plain"].endswith(f"licence {grant.code} (https://riffmarket.example/licences/{grant.code})")


async def test_the_pages(market: Market, http: httpx.AsyncClient) -> None:
    grant = await market.grant()
    accept = {"accept": "text/html"}
    page = (await http.get(f"/licences/{grant.code}", headers=accept)).text
    assert "This licence holds" in page
    assert f'href="/loops/{market.loop.id}"' in page
    assert YOUTUBE in page
    assert "Put it on the list" not in page
    own = (await http.get(f"/licences/{grant.code}", headers=market.ada.headers | accept)).text
    assert own.count("<form") == page.count(
        "<form"
    )  # Tokens are for programs: only a session is signed in on pages.
    found = await http.get("/licences", params={"code": grant.code.lower()})
    assert (found.status_code, found.headers["location"]) == (303, f"/licences/{grant.code}")
    missing = await http.get("/licences", params={"code": "<b>nope"})
    assert missing.status_code == 404
    assert "&lt;b&gt;nope" in missing.text
    form = await http.get("/licences/new", params={"loop": market.loop.id})
    assert form.status_code == 200
    assert f'href="/sign-in?next=/licences/new%3Floop%3D{market.loop.id}"' in form.text
    for title in ("Free, for nothing", "Creator, 9.00 USD", "Exclusive, 499.00 USD"):
        assert title in form.text
    assert (await http.get("/licences/new", params={"loop": "../x"})).status_code == 404
    async with market.database.write() as session:
        await licensing.revoke(session, grant.code, "A claim <b>.", "system")
    page = (await http.get(f"/licences/{grant.code}", headers=accept)).text
    assert "This licence was revoked" in page
    assert "A claim" not in page
    # A form from nobody, or from another site's page, does nothing.
    before = await rows(market.database)
    data = {key: str(value) for key, value in market.wish().items()}
    assert (await http.post("/licences", data=data)).status_code == 401
    assert (
        await http.post("/licences", data=data, headers={"sec-fetch-site": "cross-site"})
    ).status_code == 403
    assert (await http.post(f"/licences/{grant.code}/channels", data={"url": YOUTUBE})).status_code == 401
    assert await rows(market.database) == before


async def test_nothing_is_left_of_an_oversized_wish(market: Market, http: httpx.AsyncClient) -> None:
    wish = market.wish(project="p" * 70_000)
    assert (await http.post("/v1/licences", json=wish, headers=market.ada.headers)).status_code == 413
    file = {"licence": {"code": "x" * 70_000}, "signature": "x"}
    assert (await http.post("/v1/licences/verify", json=file)).status_code == 413
    assert [await count(market.database, table) for table in (Grant, Revocation, Channel)] == [0, 0, 0]


async def test_a_person_takes_a_licence_on_the_pages(market: Market, http: httpx.AsyncClient) -> None:
    assert (await http.post("/sign-in/local", data={"name": "Mary"})).status_code == 303
    form = await http.get("/licences/new", params={"loop": market.loop.id})
    assert 'value="Mary"' in form.text
    assert f'name="loop_id" value="{market.loop.id}"' in form.text
    data = {"loop_id": market.loop.id, "tier": "free", "licensee": "Mary", "project": "", "channels": NASTY}
    refused = await http.post("/licences", data=data)
    assert refused.status_code == 422
    assert "aria-invalid" in refused.text
    assert NASTY not in refused.text
    paid = await http.post("/licences", data=data | {"tier": "business", "project": "A game", "channels": ""})
    assert paid.status_code == 402
    assert (await http.post("/licences", data=data | {"loop_id": "x"})).status_code == 404
    assert await rows(market.database) == [0, 0, 0, 0]
    taken = await http.post("/licences", data=data | {"project": "A film", "channels": "youtube.com/@mary"})
    assert taken.status_code == 303
    place = taken.headers["location"]
    page = (await http.get(place)).text
    assert "https://www.youtube.com/@mary" in page
    assert "Put it on the list" in page
    wrong = await http.post(f"{place}/channels", data={"url": "youtube.com/watch?v=1"})
    assert wrong.status_code == 422
    assert "is not the address of a channel" in wrong.text
    full = await http.post(
        f"{place}/channels", data={"url": "twitch.tv/mary"}, headers={"accept": "text/html"}
    )
    assert full.status_code == 409
    own = (await http.get(f"/v1{place}/channels")).json()["channels"]
    assert (await http.post(f"{place}/channels", data={"remove": own[0]["id"]})).status_code == 303
    assert (await http.post(f"{place}/channels", data={"url": "twitch.tv/mary"})).status_code == 303
    page = (await http.get(place)).text
    assert "https://www.twitch.tv/mary" in page
    assert "https://www.youtube.com/@mary" not in page.partition("Say where the music is from")[0]
    assert place.removeprefix("/licences/") in (await http.get("/licences")).text
    assert await rows(market.database) == [1, 0, 2, 1]
