"""The tiers and their texts: what was shipped once never changes."""

import hashlib
import json
from pathlib import Path
from typing import get_args

import httpx
import pytest

import generation
from market.errors import NotFound
from market.licensing import tiers
from market.licensing.channels import PLATFORMS
from market.licensing.schemas import Platform, TierName

# A version that was shipped is never edited: a new text is a new file and a new line here.
SHIPPED = {
    "free-1": "8b03d7758a07e54a0009685521586b6a4982d73d3dc315152d364e9eb91bd0ed",
    "creator-1": "ef3d8148f2ff66246e8403871b6fa6ce4bf9482e70cb76599ced09352d6a6e53",
    "business-1": "22d022be7cb5c934f3b1150a986469a42ad545e087b7d31eedea1585940851b7",
    "broadcast-1": "9331a93d34eebc4f610219bd77fa980a87745ceddd12ff49ac7a6cfaf718231d",
    "exclusive-1": "26d0b4f82304013a1c3ca603f50b4603c28edfab7f35759f9b16dec2b28b4d12",
}


def test_a_shipped_text_never_changes() -> None:
    for name, digest in SHIPPED.items():
        tier, version = name.split("-")
        text = tiers.terms(tier, version)
        assert (text.sha256, hashlib.sha256(text.text.encode()).hexdigest()) == (digest, digest)
    assert {f"{tier}-{version}" for tier in tiers.every() for version in tiers.versions(tier)} == set(SHIPPED)


def test_every_tier_is_whole() -> None:
    assert list(tiers.every()) == ["free", "creator", "business", "broadcast", "exclusive"]
    assert set(tiers.every()) == set(get_args(TierName))
    assert set(get_args(Platform)) == set(PLATFORMS)
    for tier in tiers.every().values():
        text = tiers.terms(tier.name, tier.terms)
        assert text.text.startswith(f"# {tier.title} licence, version {tier.terms}\n")
        assert all(tiers.spoken(use) != use for use in tier.uses)
        assert tier.exclusive == ("delist" in tier.uses) == (tier.name == "exclusive")
        assert tier.limits["monetised"] == (tier.name != "free") == (tier.price_cents > 0)
        # What everybody has to be told.
        for said in ("US Copyright Office", "docs/origin.md", "revoke", "14 days", "Content ID"):
            assert said in text.text
    assert tiers.every()["business"].limits["audience"] == 1_000_000
    prices = [tier.price_cents for tier in tiers.every().values()]
    assert prices == sorted(prices)


def test_the_shipped_model_is_of_known_origin() -> None:
    record = json.loads((Path(generation.__path__[0]) / "models/weights/riff.json").read_text())
    together = hashlib.sha256("".join(record["sha256"].values()).encode()).hexdigest()
    assert f"{record['name']}@{together[:12]}" in tiers.known_models()


@pytest.mark.parametrize(
    ("tier", "version"),
    [
        ("free", "2"),
        ("royal", "1"),
        ("../terms/free", "1"),
        ("free", "../../tiers"),
        ("", ""),
        ("free", "1\x00"),
    ],
)
def test_no_other_file_is_a_text(tier: str, version: str) -> None:
    with pytest.raises(NotFound):
        tiers.terms(tier, version)


async def test_tiers_and_texts_over_http(http: httpx.AsyncClient) -> None:
    told = (await http.get("/v1/licences/tiers")).json()["tiers"]
    assert [tier["name"] for tier in told] == list(tiers.every())
    for tier in told:
        raw = await http.get(tier["terms"]["text"])
        assert raw.headers["content-type"] == "text/markdown; charset=utf-8"
        assert (
            hashlib.sha256(raw.content).hexdigest() == tier["terms"]["sha256"] == SHIPPED[f"{tier['name']}-1"]
        )
        again = await http.get(tier["terms"]["text"], headers={"if-none-match": raw.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        page = await http.get(tier["terms"]["page"])
        assert page.status_code == 200
        assert "<h2>When a licence is revoked</h2>" in page.text
        assert tier["terms"]["sha256"] in page.text
    for path in ("free/2", "free/..%2f..%2ftiers.toml", "%2e%2e/1", "free/1%00", "x" * 40 + "/1"):
        for start in ("/v1/licences/terms", "/licences/terms"):
            answer = await http.get(f"{start}/{path}")
            assert answer.status_code == 404, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
