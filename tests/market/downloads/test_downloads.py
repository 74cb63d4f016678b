"""Full files leave by signed links: whole, in parts, signed, written down, and for nobody else."""

import io
import json
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
import soundfile
from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer

from generation import credentials
from generation.audio.recipes import read_recipe
from generation.credentials import Signer
from market.accounts import personal
from market.api.files import disposition
from market.db import Database
from market.downloads import service as downloads
from market.downloads.service import Format
from market.licensing import service as licensing
from market.licensing import tiers
from market.models import Loop
from market.settings import Settings
from market.storage import Storage
from tests.market.conftest import finished
from tests.market.downloads.conftest import FORMATS, Sealed, Shop

TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
}


def own(settings: Settings) -> str:
    """The certificates that this place signs with."""
    return Signer.load(None, None, settings.data_dir).chain


async def test_a_licensee_gets_every_format_signed(shop: Shop, settings: Settings, tmp_path: Path) -> None:
    grant = await shop.market.grant()
    loop = shop.market.loop
    for format_ in FORMATS:
        placed = await shop.place(format_)
        assert placed.status_code == 201
        left = datetime.fromisoformat(placed.json()["expires_at"]) - datetime.now(UTC)
        assert timedelta(minutes=58) < left <= timedelta(minutes=60)
        answer = await shop.http.get(placed.json()["url"])
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == TYPES[format_]
        assert answer.headers["content-disposition"] == (
            f'attachment; filename="church-bells-120bpm-3.{format_}"'
        )
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["cache-control"] == "private, no-cache"
        path = tmp_path / f"loop.{format_}"
        path.write_bytes(answer.content)
        recipe, digest = read_recipe(path)
        assert recipe == loop.recipe
        assert digest in (None, loop.sha256)
        beside = None
        if format_ in ("ogg", "opus"):
            address, _, relation = answer.headers["link"].partition(">; ")
            assert relation == 'rel="c2pa-manifest"'
            manifest = await shop.http.get(address.removeprefix("<"))
            assert manifest.headers["content-type"] == "application/c2pa"
            beside = manifest.content
        else:
            assert "link" not in answer.headers
            missing = await shop.http.get(f"{placed.json()['url']}/manifest.c2pa")
            assert missing.status_code == 404
        found = credentials.read(path, own(settings), beside)
        assert found is not None
        assert (found.unchanged, found.trusted, found.generated) == (True, True, True)
        assert found.told is not None
        assert found.told["pcm_sha256"] == loop.sha256
    rows = await shop.rows()
    assert [row.format for row in rows] == list(FORMATS)
    assert {(row.loop_id, row.grant_code, row.account_id) for row in rows} == {
        (loop.id, grant.code, shop.market.ada.account.id)
    }


async def test_it_is_signed_once_and_the_kept_file_stays_as_it_was(shop: Shop, storage: Storage) -> None:
    await shop.market.grant()
    plain = {key: await storage.get(key) for key in (shop.market.loop.wav, shop.market.loop.mp3)}
    first = (await shop.http.get(await shop.link())).content
    kept = shop.files()
    second = (await shop.http.get(await shop.link())).content
    assert first == second
    assert shop.files() == kept
    assert {key: await storage.get(key) for key in plain} == plain
    assert first != plain[shop.market.loop.wav]


async def test_a_broken_off_download_is_taken_up_again(shop: Shop) -> None:
    await shop.market.grant()
    url = await shop.link()
    head = await shop.http.head(url)
    assert head.status_code == 200
    assert head.content == b""
    size, tag = int(head.headers["content-length"]), head.headers["etag"]
    assert await shop.downloads() == 0

    first = await shop.http.get(url, headers={"Range": "bytes=0-99999"})
    assert (first.status_code, first.headers["content-range"]) == (206, f"bytes 0-99999/{size}")
    rest = await shop.http.get(url, headers={"Range": "bytes=100000-", "If-Range": tag})
    assert (rest.status_code, rest.headers["content-range"]) == (206, f"bytes 100000-{size - 1}/{size}")
    last = await shop.http.get(url, headers={"Range": "bytes=-7"})
    whole = await shop.http.get(url, headers={"Range": "bytes=100000-", "If-Range": '"another"'})
    assert (whole.status_code, len(whole.content)) == (200, size)
    assert first.content + rest.content == whole.content
    assert last.content == whole.content[-7:]
    assert [answer.headers["etag"] for answer in (first, rest, last, whole)] == [tag] * 4

    row = await shop.row(bytes_sent=2 * size + 7)
    assert (row.requests, row.first_range, row.format) == (4, "bytes=0-99999", "wav")

    known = await shop.http.get(url, headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")
    for beyond in (f"bytes={size}-", "bytes=999999999999999999-", "bytes=-0"):
        refused = await shop.http.get(url, headers={"Range": beyond})
        assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{size}")
    odd = await shop.http.head(url, headers={"Range": "bytes=9" + "9" * 4000 + "-"})
    assert odd.status_code == 200
    [after] = await shop.rows()
    assert (after.requests, after.bytes_sent) == (row.requests, row.bytes_sent)


async def test_two_links_are_two_downloads_and_addresses_are_not_kept(shop: Shop, database: Database) -> None:
    await shop.market.grant()
    for _ in range(2):
        assert (await shop.http.get(await shop.link("mp3"))).status_code == 200
    rows = await shop.rows()
    assert len({row.link for row in rows}) == 2
    assert len({row.address for row in rows}) == 1
    assert all("127.0.0.1" not in repr(vars(row)) and len(row.address) == 32 for row in rows)
    async with database.read() as session:
        assert await downloads.count(session, shop.market.loop.id) == 2


async def test_other_spellings_of_a_token_are_the_same_download(shop: Shop) -> None:
    """The last two bits of the signature's Base64 say nothing."""
    await shop.market.grant()
    url = await shop.link("mp3")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters.index(url[-1]) // 4 * 4
    answers = [await shop.http.get(url[:-1] + letters[last + spare]) for spare in range(4)]
    assert {answer.status_code for answer in answers} == {200}
    [row] = await shop.rows()
    assert row.requests == 4


async def test_the_zip_has_everything_the_licence_too(
    shop: Shop, settings: Settings, storage: Storage, tmp_path: Path
) -> None:
    grant = await shop.market.grant()
    await _give_stems(shop.database, storage, shop.market.loop)
    url = await shop.link("zip")
    answer = await shop.http.get(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="church-bells-120bpm-3.zip"'
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    name = "church-bells-120bpm-3"
    assert archive.namelist() == [
        f"{name}/{path}"
        for path in (
            f"{name}.wav",
            f"{name}.mp3",
            f"stems/{name}-bass.wav",
            f"stems/{name}-drums.wav",
            "recipe.json",
            "origin.txt",
            "attribution.txt",
            "licence/LICENCE.md",
            "licence/licence.json",
            "licence/certificate.pdf",
        )
    ]
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    archive.extractall(tmp_path)
    folder = tmp_path / name
    for sound in (f"{name}.wav", f"{name}.mp3", f"stems/{name}-bass.wav", f"stems/{name}-drums.wav"):
        found = credentials.read(folder / sound, own(settings))
        assert found is not None
        assert (found.unchanged, found.trusted) == (True, True)
    assert json.loads((folder / "recipe.json").read_text()) == shop.market.loop.recipe
    text = (folder / "licence/LICENCE.md").read_text()
    assert text.strip() == tiers.terms(grant.tier, grant.terms_version).text.strip()
    licence = json.loads((folder / "licence/licence.json").read_text())
    async with shop.database.read() as session:
        verdict = await licensing.verify(session, licence["licence"], licence["signature"])
    assert verdict.valid
    assert grant.code in (folder / "attribution.txt").read_text()
    assert (folder / "licence/certificate.pdf").read_bytes().startswith(b"%PDF")

    again = await shop.http.get(await shop.link("zip"))
    assert (again.content, again.headers["etag"]) == (answer.content, answer.headers["etag"])
    size = len(answer.content)
    pieces = [
        (await shop.http.get(url, headers={"Range": f"bytes={start}-{start + 99_999}"})).content
        for start in range(0, size, 100_000)
    ]
    assert b"".join(pieces) == answer.content


async def test_stems_alone_and_where_there_are_none(shop: Shop, storage: Storage) -> None:
    await shop.market.grant()
    refused = await shop.place("stems")
    assert (refused.status_code, refused.json()["detail"]) == (404, "There is no stem of this loop.")
    await _give_stems(shop.database, storage, shop.market.loop)
    answer = await shop.http.get(await shop.link("stems"))
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert [path.rpartition("/")[2] for path in archive.namelist()] == [
        "church-bells-120bpm-3-bass.wav",
        "church-bells-120bpm-3-drums.wav",
    ]
    sound, _ = soundfile.read(io.BytesIO(archive.read(archive.namelist()[0])))
    assert len(sound) == shop.market.loop.samples
    assert answer.headers["content-disposition"].endswith('-stems.zip"')


async def test_the_creator_needs_no_licence_and_gets_none_in_the_zip(shop: Shop) -> None:
    answer = await shop.http.get(await shop.link("zip", shop.market.creator))
    names = [path.partition("/")[2] for path in zipfile.ZipFile(io.BytesIO(answer.content)).namelist()]
    assert names == ["church-bells-120bpm-3.wav", "church-bells-120bpm-3.mp3", "recipe.json", "origin.txt"]
    [row] = await shop.rows()
    assert (row.grant_code, row.account_id) == (None, shop.market.creator.account.id)


async def test_a_draft_is_for_whoever_has_its_link(
    http: httpx.AsyncClient, database: Database, storage: Storage, settings: Settings
) -> None:
    loop = await finished(database, storage)
    placed = await http.post(f"/v1/loops/{loop.id}/downloads", json={"format": "flac"})
    assert placed.status_code == 201
    assert (await http.get(placed.json()["url"])).status_code == 200


async def test_who_holds_no_licence_gets_no_link(shop: Shop) -> None:
    before = shop.files()
    for headers, status in [
        (shop.market.eve.headers, 403),
        ({}, 403),
        ({"Authorization": "Bearer riff_" + "x" * 43}, 401),
    ]:
        refused = await shop.http.post(
            f"/v1/loops/{shop.market.loop.id}/downloads", json={"format": "wav"}, headers=headers
        )
        assert refused.status_code == status, refused.text
        assert refused.headers["content-type"] == "application/problem+json"
        assert "url" not in refused.json()
    assert (shop.files(), await shop.downloads()) == (before, 0)


@pytest.mark.parametrize(
    "body",
    [
        {"format": "../../etc/passwd"},
        {"format": "wav\0"},
        {"format": "png"},
        {"format": ""},
        {"format": ["wav"]},
        {"format": "wav", "minutes": 0},
        {"format": "wav", "minutes": 10**9},
        {"format": "wav", "minutes": "60"},
        {"format": "wav", "account_id": "somebody else"},
        {},
    ],
)
async def test_a_bad_wish_is_refused(shop: Shop, body: dict[str, object]) -> None:
    await shop.market.grant()
    before = shop.files()
    refused = await shop.http.post(
        f"/v1/loops/{shop.market.loop.id}/downloads", json=body, headers=shop.market.ada.headers
    )
    assert refused.status_code == 422
    assert (shop.files(), await shop.downloads()) == (before, 0)


@pytest.mark.parametrize("loop_id", ["..%2f..%2fetc", "none", "'; DROP TABLE loop; --", "x" * 3000, "a%00b"])
async def test_a_loop_that_there_is_not(shop: Shop, loop_id: str) -> None:
    for method, path in [("POST", "downloads"), ("GET", "preview")]:
        answer = await shop.http.request(
            method, f"/v1/loops/{loop_id}/{path}", json={"format": "wav"}, headers=shop.market.ada.headers
        )
        assert answer.status_code == 404
    assert await shop.downloads() == 0


async def test_an_expired_link_opens_nothing(shop: Shop, sealed: Sealed) -> None:
    grant = await shop.market.grant()
    before = shop.files()
    token = sealed(
        [shop.market.loop.id, "wav", grant.code, shop.market.ada.account.id, int(time.time()) - 1, "n"]
    )
    for path in (f"/v1/downloads/{token}", f"/v1/downloads/{token}/manifest.c2pa"):
        refused = await shop.http.get(path)
        assert refused.status_code == 410
        assert refused.json()["detail"] == "This link has expired: make a new one on the loop's page."
    assert (await shop.http.head(f"/v1/downloads/{token}")).status_code == 410
    assert (shop.files(), await shop.downloads()) == (before, 0)


async def test_a_forged_link_opens_nothing(shop: Shop, settings: Settings) -> None:
    grant = await shop.market.grant()
    before = shop.files()
    path = await shop.link()
    token = path.rpartition("/")[2]
    payload, _, signature = token.rpartition(".")
    later = [shop.market.loop.id, "wav", grant.code, shop.market.ada.account.id, int(time.time()) + 9999, "n"]
    forged = [
        f"{payload}A.{signature}",
        f"{payload}.{signature[:-2]}xx",
        f"{payload}.",
        payload,
        "." + signature,
        "x",
        "%00",
        "%F0%9F%94%94",
        "..%2f..%2f..%2fetc%2fpasswd",
        "a" * 900,
        str(URLSafeSerializer("another key", salt="download").dumps(later)),
        # The same key, for other things: a visitor's cookie, a link with another salt.
        str(URLSafeSerializer(settings.signing_key, salt="visitor").dumps(later)),
        str(URLSafeTimedSerializer(settings.signing_key, salt="download").dumps(later)),
        str(URLSafeSerializer(settings.signing_key, salt="download").dumps("another shape")),
        str(URLSafeSerializer(settings.signing_key, salt="download").dumps(later[:3])),
    ]
    for each in forged:
        answer = await shop.http.get(f"/v1/downloads/{each}")
        assert answer.status_code in (403, 404), each
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await shop.http.get(f"/v1/downloads/{'a' * 1001}")).status_code == 404
    assert (shop.files(), await shop.downloads()) == (before, 0)
    assert (await shop.http.get(path)).status_code == 200


async def test_a_link_opens_its_own_loop_and_format_only(shop: Shop, sealed: Sealed) -> None:
    """Also where somebody could sign: the licence has to be for that loop, and that account's."""
    grant = await shop.market.grant()
    before = shop.files()
    ada, eve, loop = shop.market.ada.account, shop.market.eve.account, shop.market.loop
    soon = int(time.time()) + 600
    for payload in (
        [loop.id, "wav", grant.code, eve.id, soon, "n"],
        [loop.id, "wav", grant.code, None, soon, "n"],
        [loop.id, "wav", "RM-00000-00000-00000", ada.id, soon, "n"],
        [loop.id, "wav", None, eve.id, soon, "n"],
        [loop.id, "wav", grant.code, "0" * 24, soon, "n"],
        ["0" * 24 + "-0", "wav", grant.code, ada.id, soon, "n"],
        ["../" + loop.id, "wav", grant.code, ada.id, soon, "n"],
    ):
        answer = await shop.http.get(f"/v1/downloads/{sealed(payload)}")
        assert answer.status_code == 410, payload
        assert answer.json()["detail"].startswith("This link opens nothing any more")
    assert (shop.files(), await shop.downloads()) == (before, 0)


async def test_a_revoked_licence_and_a_taken_down_loop_end_their_links(shop: Shop) -> None:
    grant = await shop.market.grant()
    ended, removed = await shop.link(), await shop.link("mp3", shop.market.ada)
    creators = await shop.link("mp3", shop.market.creator)
    async with shop.database.write() as session:
        await licensing.revoke(session, grant.code, "the payment was taken back", "system")
    before = shop.files()
    for url in (ended, removed):
        for method in ("GET", "HEAD"):
            assert (await shop.http.request(method, url)).status_code == 410
    assert (await shop.place()).status_code == 403
    assert (shop.files(), await shop.downloads()) == (before, 0)

    again = await shop.market.grant(intent="order:2")
    url = await shop.link()
    assert (await shop.http.get(ended)).status_code == 410
    await shop.market.status("removed")
    assert (await shop.http.get(url)).status_code == 410
    assert (await shop.place()).status_code == 410
    assert again.code != grant.code
    assert await shop.downloads() == 0
    assert (await shop.http.get(creators)).status_code == 200


async def test_a_delisted_loop_stays_with_its_licensees(shop: Shop) -> None:
    await shop.market.grant()
    url = await shop.link()
    await shop.market.status("delisted")
    assert (await shop.http.get(url)).status_code == 200
    assert (await shop.place("wav", shop.market.eve)).status_code == 403


async def test_a_deleted_accounts_links_are_dead(shop: Shop) -> None:
    await shop.market.grant()
    url = await shop.link()
    async with shop.database.write() as session:
        account = await session.merge(shop.market.ada.account)
        account.deleted_at = datetime.now(UTC)
    assert (await shop.http.get(url)).status_code == 410
    assert await shop.downloads() == 0


async def test_somebody_is_told_what_they_fetched_and_leaves_no_address_behind(shop: Shop) -> None:
    grant, ada = await shop.market.grant(), shop.market.ada.account
    answer = await shop.http.get(await shop.link("mp3"))
    row = await shop.row(bytes_sent=len(answer.content))
    async with shop.database.write() as session:
        told = await personal.parts["downloads"].exported(session, ada)
        assert told == [
            {
                "loop": shop.market.loop.id,
                "format": "mp3",
                "licence": grant.code,
                "bytes_sent": len(answer.content),
                "started_at": row.started_at.isoformat(),
            }
        ]
        erase = personal.parts["downloads"].erase
        assert erase is not None
        await erase(session, ada)
    [after] = await shop.rows()
    assert (after.address, after.grant_code, after.bytes_sent) == ("", grant.code, row.bytes_sent)


async def test_links_of_other_nouns_work_as_these_do(shop: Shop, settings: Settings) -> None:
    grant = await shop.market.grant()
    format_: Format = "mp3"
    path = downloads.link(
        settings,
        loop_id=shop.market.loop.id,
        format=format_,
        grant_code=grant.code,
        account_id=shop.market.ada.account.id,
        minutes=5,
    )
    assert (await shop.http.get(path)).status_code == 200


async def test_the_certificate_is_published(shop: Shop, settings: Settings) -> None:
    answer = await shop.http.get("/v1/credentials.pem")
    assert answer.headers["content-type"].startswith("application/x-pem-file")
    assert answer.text == own(settings)
    assert "PRIVATE" not in answer.text


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("bells-120bpm.wav", 'attachment; filename="bells-120bpm.wav"'),
        ("Glocken – schön.wav", "Glocken _ sch_n.wav"),
        ('a"; filename="b.exe', "a__ filename=_b.exe"),
        ("..\\..\\a\r\nSet-Cookie: x", ".._.._a__Set-Cookie_ x"),
        ("100%.wav", "100_.wav"),
    ],
)
def test_names_in_headers_are_those_of_rfc_6266(name: str, header: str) -> None:
    told = disposition("attachment", name)
    assert told.isascii()
    assert "\r" not in told
    assert "\n" not in told
    if header.startswith("attachment"):
        assert told == header
        return
    plain, _, full = told.partition("; filename*=UTF-8''")
    assert plain == f'attachment; filename="{header}"'
    assert unquote(full) == name


async def _give_stems(database: Database, storage: Storage, loop: Loop) -> None:
    """Two stems that are the loop itself."""
    wav = await storage.get(loop.wav)
    folder = loop.wav.rpartition("/")[0]
    stems = {}
    for role in ("bass", "drums"):
        stems[role] = f"{folder}/0-{role}.wav"
        await storage.put(stems[role], wav, "audio/wav")
    async with database.write() as session:
        row = await session.get_one(Loop, loop.id)
        row.stems = stems
    assert np.isfinite(loop.seconds)
