"""The signed file, the certificate and the keys: what anybody can check, and nobody can forge."""

import asyncio
import base64
import copy
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from market.db import Database
from market.licensing import certificate, document, keys, tiers
from market.licensing import service as licensing
from market.licensing.errors import KeyUnusable
from market.licensing.models import Key
from market.settings import Settings
from tests.conftest import ROOT, environment_of
from tests.market.conftest import count
from tests.market.licensing.conftest import Market
from tests.market.licensing.test_grants import rows

VERIFIER = ROOT / "docs/verify_licence.py"
SEED = base64.b64encode(bytes(range(32))).decode()


async def test_a_program_that_shares_no_code_verifies_a_licence(
    market: Market, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    grant = await market.grant(licensee="Zoë 夜明け Łukasz")
    file = (await http.get(f"/v1/licences/{grant.code}/licence.json", headers=market.ada.headers)).json()
    published = (await http.get("/v1/licences/keys")).json()
    lines = [
        line
        for line in VERIFIER.read_text().splitlines()
        if line and not line.startswith(('"""', "import", "from"))
    ]
    assert len(lines) <= 10
    assert "market" not in VERIFIER.read_text().partition('"""\n')[2].replace("licences", "")

    def check(
        file: dict[str, Any], published: dict[str, Any] = published
    ) -> "subprocess.CompletedProcess[str]":
        for name, value in (("licence.json", file), ("keys.json", published)):
            (tmp_path / name).write_text(json.dumps(value, indent=2))
        return subprocess.run(
            [sys.executable, "-I", str(VERIFIER), "licence.json", "keys.json"],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    good = check(file)
    assert good.returncode == 0, good.stderr
    assert good.stdout == f"{grant.code}: genuine, creator, for Zoë 夜明け Łukasz\n"
    for forge in FORGERIES.values():
        forged = copy.deepcopy(file)
        forge(forged)
        assert check(forged).returncode != 0
    other = Ed25519PrivateKey.generate()
    resigned = copy.deepcopy(file)
    resigned["licence"]["price_cents"] = 1
    resigned["signature"] = document.encode(other.sign(document.canonical(resigned["licence"]).encode()))
    assert "InvalidSignature" in check(resigned).stderr
    # With a key of one's own beside the published ones the id gives it away.
    public = other.public_key().public_bytes_raw()
    own = copy.deepcopy(published)
    own["keys"][0]["x"] = document.encode(public)
    assert own["keys"][0]["kid"] != document.thumbprint(public)
    ended = copy.deepcopy(published)
    ended["keys"][0]["valid_until"] = "2020-01-01T00:00:00Z"
    assert "retired" in check(file, ended).stderr


FORGERIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another licensee": lambda file: file["licence"].update(licensee="Eve"),
    "another price": lambda file: file["licence"].update(price_cents=0),
    "another price as text": lambda file: file["licence"].update(price_cents="900"),
    "another tier": lambda file: file["licence"].update(tier="exclusive"),
    "another loop": lambda file: file["licence"]["loop"].update(sha256="0" * 64),
    "another day": lambda file: file["licence"].update(granted_at="2020-01-01T00:00:00Z"),
    "one channel more": lambda file: file["licence"]["channels"].append(
        {"platform": "x", "url": "https://x.com/eve"}
    ),
    "one word more": lambda file: file["licence"].update(note="also for Eve"),
    "one word less": lambda file: file["licence"].pop("project"),
    "no such key": lambda file: file["licence"].update(key="0" * 43),
    "no key": lambda file: file["licence"].pop("key"),
    "a key of another kind": lambda file: file["licence"].update(key=["a"]),
    "a key with NUL": lambda file: file["licence"].update(key="\x00"),
    "half a signature": lambda file: file.update(signature=file["signature"][:43]),
    "no signature": lambda file: file.update(signature=""),
    "a letter of another world": lambda file: file["licence"].update(licensee="\ud800"),
    "a number too large": lambda file: file["licence"].update(price_cents=10**400),
}


async def test_a_forged_file_is_refused(market: Market, http: httpx.AsyncClient) -> None:
    genuine = document.signed(await market.grant())
    verdict = (await http.post("/v1/licences/verify", json=genuine)).json()
    assert (verdict["authentic"], verdict["valid"]) == (True, True)
    assert verdict["licence"]["licensee"] == "Ada Lovelace"
    for name, forge in FORGERIES.items():
        file = copy.deepcopy(genuine)
        forge(file)
        body = json.dumps(file)
        answer = await http.post(
            "/v1/licences/verify", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 200, (name, answer.text)
        verdict = answer.json()
        assert (verdict["authentic"], verdict["valid"], verdict["licence"]) == (False, False, None), name
    assert await rows(market.database) == [1, 0, 1, 1]


async def test_what_is_no_file_is_refused(market: Market, http: httpx.AsyncClient) -> None:
    file = document.signed(await market.grant())
    deep = b'{"signature": "x", "licence": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_001
    bodies = [
        b"", b"[]", b"{}", b"null", b'{"licence": 1, "signature": "x"}', b'{"licence": {"a": NaN}, "signature": ',
        json.dumps({**file, "more": 1}).encode(), deep,
    ]  # fmt: skip
    for body in bodies:
        answer = await http.post(
            "/v1/licences/verify", content=body, headers={"content-type": "application/json"}
        )
        assert 400 <= answer.status_code < 500 or not answer.json()["authentic"], answer.text


async def test_a_genuine_file_of_what_is_over(market: Market, http: httpx.AsyncClient) -> None:
    grant = await market.grant()
    file = document.signed(grant)
    async with market.database.write() as session:
        await licensing.revoke(session, grant.code, "A claim.", "system")
    verdict = (await http.post("/v1/licences/verify", json=file)).json()
    assert (verdict["authentic"], verdict["valid"]) == (True, False)
    assert verdict["verdict"].startswith("This licence is genuine, but was revoked on 20")
    assert verdict["licence"]["status"] == "revoked"


async def test_a_file_that_our_key_signed_and_nobody_granted(
    market: Market, http: httpx.AsyncClient, settings: Settings
) -> None:
    """Whoever steals the key still has no licence on record."""
    file = document.signed(await market.grant())
    file["licence"]["licensee"] = "Eve"
    file["signature"] = document.encode(
        keys.signer(settings).sign(document.canonical(file["licence"]).encode())
    )
    verdict = (await http.post("/v1/licences/verify", json=file)).json()
    assert (verdict["authentic"], verdict["valid"], verdict["licence"]) == (True, False, None)


async def test_keys_turn_and_old_licences_stay(
    market: Market, http: httpx.AsyncClient, settings: Settings
) -> None:
    old = await market.grant()
    place = settings.data_dir / keys.FILE
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    before = place.read_text()
    async with market.database.write() as session:
        fresh = await keys.rotate(session, settings, "system")
    assert fresh != old.key_id
    assert place.read_text() != before
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [path.name for path in settings.data_dir.iterdir() if path.name.startswith(keys.FILE)] == [
        keys.FILE
    ]
    new = await market.grant(intent="order:2")
    assert new.key_id == fresh
    published = {key["kid"]: key for key in (await http.get("/v1/licences/keys")).json()["keys"]}
    assert set(published) == {old.key_id, fresh}
    assert published[fresh]["valid_until"] is None
    assert published[old.key_id]["valid_until"] >= document.stamp(old.granted_at)
    for key in published.values():
        assert (key["kty"], key["crv"], len(key["x"])) == ("OKP", "Ed25519", 43)
        assert key["kid"] == document.thumbprint(document.decode(key["x"]))
    for grant in (old, new):
        verdict = (await http.post("/v1/licences/verify", json=document.signed(grant))).json()
        assert verdict["valid"] is True
    # What the old key signs from now on is worth nothing.
    stolen = keys._signer(before, "before")
    late = json.loads(old.document) | {"granted_at": "2099-01-01T00:00:00Z"}
    signature = document.encode(stolen.sign(document.canonical(late).encode()))
    async with market.database.read() as session:
        verdict_late = await licensing.verify(session, late, signature)
    assert not verdict_late.authentic


async def test_a_key_that_is_a_setting(market: Market, settings: Settings) -> None:
    """Many machines share one; two with keys of their own do no harm either."""
    elsewhere = settings.model_copy(update={"licence_key": SEED})
    other = Database(elsewhere)
    try:
        async with other.write() as session:
            here = await keys.current(session, elsewhere)
        assert not (settings.data_dir / keys.FILE).exists()
        public = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
        assert here.id == document.thumbprint(public.public_bytes_raw())
        own = await market.grant()
        assert own.key_id != here.id
        assert await count(market.database, Key) == 2
        with pytest.raises(KeyUnusable, match="Change it on every machine"):
            async with other.write() as session:
                await keys.rotate(session, elsewhere, "system")
        async with other.write() as session:
            await keys.retire(session, here.id, "system")
        with pytest.raises(KeyUnusable, match="retired"):
            async with other.write() as session:
                await keys.current(session, elsewhere)
        for unknown in (here.id, "x", "0" * 43):
            with pytest.raises(KeyUnusable, match="no key"):
                async with other.write() as session:
                    await keys.retire(session, unknown, "system")
    finally:
        await other.close()
    for wrong in ("x", "=", base64.b64encode(b"short").decode(), "☃"):
        with pytest.raises(KeyUnusable, match="32 bytes in base64"):
            keys.signer(settings.model_copy(update={"licence_key": wrong}))
    assert SEED not in repr(elsewhere)


async def test_the_command_that_turns_the_key(market: Market, settings: Settings) -> None:
    old = await market.grant()
    assert "Licences are signed with" in await asyncio.to_thread(_key, settings)
    fresh = await market.grant(intent="order:2")
    assert fresh.key_id != old.key_id
    said = await asyncio.to_thread(_key, settings, fresh.key_id)
    assert said == f"The key {fresh.key_id} signs nothing any more; what it signed stays good.\n"
    assert (await market.grant(intent="order:3")).key_id not in (old.key_id, fresh.key_id)
    assert "no key" in await asyncio.to_thread(_key, settings, old.key_id, status=1)
    assert "no key '-kaG4zQR0gj'" in await asyncio.to_thread(_key, settings, "-kaG4zQR0gj", status=1)
    assert await count(market.database, Key) == 3


def _key(settings: Settings, *arguments: str, status: int = 0) -> str:
    """What `riff market key` says."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "market", "key", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment_of(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


async def test_processes_that_start_at_once_agree_on_a_key(market: Market, settings: Settings) -> None:
    found = await asyncio.gather(*(asyncio.to_thread(keys.signer, settings) for _ in range(16)))
    assert len({signer.id for signer in found}) == 1
    databases = [Database(settings) for _ in range(4)]
    try:

        async def publish(database: Database) -> None:
            async with database.write() as session:
                await keys.current(session, settings)

        await asyncio.gather(*(publish(database) for database in databases for _ in range(4)))
    finally:
        for database in databases:
            await database.close()
    assert await count(market.database, Key) == 1


async def test_the_certificate(market: Market, http: httpx.AsyncClient) -> None:
    grant = await market.grant()
    place = f"/v1/licences/{grant.code}/certificate.pdf"
    first = await http.get(place, headers=market.ada.headers)
    assert (first.status_code, first.headers["content-type"]) == (200, "application/pdf")
    assert first.headers["content-disposition"] == f'inline; filename="licence-{grant.code}.pdf"'
    assert first.content.startswith(b"%PDF-1.")
    assert (await http.get(place, headers=market.ada.headers)).content == first.content
    masked = await http.get(place)
    assert masked.status_code == 200
    assert masked.content != first.content
    async with market.database.write() as session:
        await licensing.revoke(session, grant.code, "A claim.", "system")
    assert (await http.get(place, headers=market.ada.headers)).content not in (first.content, masked.content)
    for code in ("RM-00000-00000-00000", "..%2f..%2fetc", "x"):
        assert (await http.get(f"/v1/licences/{code}/certificate.pdf")).status_code == 404


def test_the_certificate_is_the_same_bytes_in_another_process() -> None:
    licence = _licence("Zoë 夜明け", "business")
    given = {"signature": "s" * 86, "page": "https://a.example/licences/x", "revoked": "2026-12-01"}
    peaks = [abs((at % 50) / 50 - 0.5) for at in range(512)]
    here = certificate.certificate(licence, **given, peaks=peaks)  # type: ignore[arg-type]
    code = (
        "import json, sys; from market.licensing.certificate import certificate; "
        "licence, given = json.load(sys.stdin); sys.stdout.buffer.write(certificate(licence, **given))"
    )
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(ROOT)},
            input=json.dumps([licence, {**given, "peaks": peaks}]).encode(),
            capture_output=True,
            check=True,
        )
        assert done.stdout == here


NAMES = [
    "Zoë Łukasz",
    "夜明け",
    "김철수",
    "Жук Ωmega",
    "محمد",
    "A" * 120,
    "漢" * 120,
    "🎺",
    "a\u0301" * 60,
    "<b>&amp;",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_drawn(name: str) -> None:
    for tier in tiers.every():
        assert certificate.certificate(
            _licence(name, tier), signature="s" * 86, page="https://a.example/licences/x"
        )


def _licence(name: str, tier: str) -> dict[str, Any]:
    chosen = tiers.every()[tier]
    return {
        "code": "RM-7K2QF-8M4ZT-0XW3B",
        "tier": tier,
        "terms": {"version": "1", "sha256": tiers.terms(tier, "1").sha256},
        "uses": list(chosen.uses),
        "limits": chosen.limits,
        "loop": {
            "id": "0" * 24 + "-0",
            "sha256": "ab" * 32,
            "title": name[:100],
            "creator": name[:80],
            "model": "riff-small@a4b4b238312d",
            "known_origin": True,
            "brought_sound": True,
        },
        "licensee": name,
        "project": name,
        "channels": [
            {"platform": "website", "url": f"https://example.org/{'a' * 270}{at}"} for at in range(50)
        ],
        "price_cents": 900,
        "currency": "usd",
        "granted_at": "2026-11-23T03:00:00Z",
        "key": "k" * 43,
    }
