"""The requests of the developers' page are sent as they stand there."""

import re
from typing import Any

from market.web.developers import TEXT
from tests.market.catalog.conftest import Shop, shop

__all__ = ["shop"]
REQUEST = re.compile(r"```http\n(GET|POST|PUT) (\S+)\n((?:[A-Z][\w-]+: .+\n)*)(?:\n(.+)\n)?```")


async def test_every_request_of_the_page_does_what_it_says(shop: Shop) -> None:
    text = TEXT.read_text()
    requests = REQUEST.findall(text)
    assert len(requests) == text.count("```http") == 19
    seller, buyer = (
        person.headers["Authorization"].removeprefix("Bearer ") for person in (shop.ada, shop.eve)
    )
    names, answers = {"LOOP": shop.loop.id, "TOKEN": seller}, dict[str, Any]()
    for method, path, headers, body in requests:
        for name, value in names.items():
            path, headers, body = (part.replace(name, value) for part in (path, headers, body))
        given = dict(line.split(": ", 1) for line in headers.splitlines())
        if body:
            given["content-type"] = "application/json"
        answer = await shop.http.request(method, path, content=body, headers=given)
        assert answer.status_code in (200, 201, 202, 204), f"{method} {path}: {answer.text}"
        route = f"{method} {path.partition('?')[0].replace(shop.loop.id, 'LOOP')}"
        answers[route] = answer
        if route == "POST /v1/loops/LOOP/publish":
            names["TOKEN"] = buyer
        if route == "POST /v1/licences":
            names["CODE"] = answer.json()["code"]
    assert [loop["id"] for loop in answers["GET /v1/loops"].json()["loops"]] == [shop.loop.id]
    assert answers["GET /v1/loops/LOOP/preview"].headers["content-type"] == "audio/mpeg"
    assert answers[f"GET /v1/licences/{names['CODE']}/certificate.pdf"].content.startswith(b"%PDF")
    assert answers["PUT /v1/me/favourites/LOOP"].status_code == 204
    link = answers["POST /v1/loops/LOOP/downloads"].json()["url"]
    shop.http.cookies.clear()
    assert (await shop.http.get(link)).content.startswith(b"RIFF")
    page = await shop.http.get("/developers")
    assert page.status_code == 200
    assert "<h2>License it</h2>" in page.text


async def test_the_page_shows_no_markup_of_its_text(shop: Shop) -> None:
    assert "<script" not in (await shop.http.get("/developers")).text.partition("<article")[2]
