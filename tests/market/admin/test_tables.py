"""The tables at /admin: who gets in, what can be done there, that it is noted, and that all of it is our own."""

import re
from datetime import UTC, datetime

import httpx
import sqlalchemy as sa
from itsdangerous import URLSafeSerializer

from market.admin.tables import FOR_ADMINISTRATORS, FOR_MODERATORS
from market.api.app import create_app
from market.api.cookies import SESSION
from market.models import Account, AuditEntry, BlockedWord
from market.settings import Settings
from tests.market.conftest import count
from tests.market.moderation.conftest import FOREIGN, Market
from tests.market.state import nothing_changes

MODERATORS = sorted(table.identity for table in FOR_MODERATORS)
ADMINISTRATORS = sorted(table.identity for table in FOR_ADMINISTRATORS)
ODD = (
    "/admin/account/list?page=0",
    "/admin/account/list?page=99999999999999999999999",
    "/admin/account/list?pageSize=-1",
    "/admin/account/list?page=x",
    "/admin/account/list?search=%00",
    "/admin/account/list?search=%27%3B+DROP+TABLE+account%3B+--",
    "/admin/account/list?search=%25%5C",
    "/admin/account/list?sortBy=__class__",
    "/admin/account/details/%00",
    "/admin/account/details/..%2F..%2Fetc%2Fpasswd",
    "/admin/audit-entry/details/x",
    "/admin/audit-entry/details/99999999999999999999999",
    "/admin/audit-entry/details/1%3B2",
    "/admin/nothing/list",
    "/admin/account/ajax/lookup?name=x&term=y",
    "/admin/statics/../../../../etc/passwd",
    "/admin/statics/%2e%2e/%2e%2e/application.py",
    "/admin/logout",
    "/admin/login",
    "/admin/account/x/handle/download/",
    "/admin/account/x/handle/preview/",
)
CHANGEABLE = {("blocked-word", "create"), ("blocked-word", "delete"), ("account", "edit")}


def lists(identities: list[str]) -> list[str]:
    return [f"/admin/{identity}/list" for identity in identities]


async def key_of(market: Market, identity: str) -> str:
    """A row of a table."""
    listed = (await market.admin.browser.get(f"/admin/{identity}/list")).text
    found = re.search(rf"/admin/{identity}/details/([^\"?]+)", listed)
    return found[1] if found else "none"


async def test_members_see_no_table(market: Market) -> None:
    async with nothing_changes(market.database):
        for path in ["/admin/", *lists(MODERATORS), *lists(ADMINISTRATORS)]:
            for member in (market.ada, market.creator):
                answer = await member.browser.get(path)
                assert answer.status_code == 403, path
                assert "admin:" not in answer.text
            anonymous = await market.visitor.get(path)
            assert anonymous.status_code == 303
            assert anonymous.headers["location"].startswith("/sign-in?next=/admin/")
            # A token is for /v1.
            assert (await market.admin.program.get(path)).status_code == 303
        for member in (market.ada.browser, market.visitor):
            for path in ("/admin/blocked-word/create", f"/admin/account/edit/{market.ada.account.id}"):
                answer = await member.post(path, data={"word": "banjo", "roles": "admin", "reason": "mine"})
                assert answer.status_code in (401, 403)
            assert (await member.delete("/admin/blocked-word/delete?pks=1")).status_code in (401, 403)


async def test_forged_and_ended_sessions_open_nothing(
    market: Market, settings: Settings, server: str
) -> None:
    real = market.admin.browser.cookies[SESSION]
    session_id, secret = URLSafeSerializer(settings.signing_key, salt=SESSION).loads(real)
    forged = [
        # Not the last character, some of whose bits say nothing.
        f"{real[:-5]}{'A' if real[-5] != 'A' else 'B'}{real[-4:]}",
        URLSafeSerializer("guessed", salt=SESSION).dumps([session_id, secret]),
        URLSafeSerializer(settings.signing_key, salt="visitor").dumps([session_id, secret]),
        URLSafeSerializer(settings.signing_key, salt=SESSION).dumps(["0" * 24, secret]),
        URLSafeSerializer(settings.signing_key, salt=SESSION).dumps({"admin": True}),
        "admin",
    ]
    async with nothing_changes(market.database):
        for cookie in forged:
            async with httpx.AsyncClient(base_url=server, cookies={SESSION: cookie}) as browser:
                assert (await browser.get("/admin/account/list")).status_code == 303
                posted = await browser.post("/admin/blocked-word/create", data={"word": "banjo"})
                assert posted.status_code in (401, 403)
    assert (await market.admin.browser.post("/sign-out")).status_code == 303
    async with httpx.AsyncClient(base_url=server, cookies={SESSION: real}) as browser:
        assert (await browser.get("/admin/account/list")).status_code == 303


async def test_moderators_see_theirs_and_administrators_all(market: Market) -> None:
    await market.case()
    for path in ["/admin/", *lists(MODERATORS)]:
        assert (await market.moderator.browser.get(path)).status_code == 200, path
    for path in ["/admin/", *lists(MODERATORS), *lists(ADMINISTRATORS)]:
        assert (await market.admin.browser.get(path)).status_code == 200, path
    async with nothing_changes(market.database):
        for identity in ADMINISTRATORS:
            key = await key_of(market, identity)
            for path in ("list", f"details/{key}", f"edit/{key}", "create", "export/csv"):
                answer = await market.moderator.browser.get(f"/admin/{identity}/{path}")
                assert answer.status_code in (403, 404), path
        roles = {"roles": "admin", "reason": "mine"}
        path = f"/admin/account/edit/{market.moderator.account.id}"
        assert (await market.moderator.browser.post(path, data=roles)).status_code == 403
    menu = (await market.moderator.browser.get("/admin/")).text
    assert "Refused words" in menu
    assert "Tokens" not in menu


async def test_what_is_kept_cannot_be_changed_there(market: Market) -> None:
    """Not by an administrator, and not by knowing the addresses that the pages do not show."""
    await market.case()
    async with nothing_changes(market.database):
        for identity in (*MODERATORS, *ADMINISTRATORS):
            key = await key_of(market, identity)
            attempts = {
                "create": await market.admin.browser.post(f"/admin/{identity}/create", data={"id": "1"}),
                "edit": await market.admin.browser.post(f"/admin/{identity}/edit/{key}", data={"id": "1"}),
                "delete": await market.admin.browser.delete(f"/admin/{identity}/delete", params={"pks": key}),
                "import": await market.admin.browser.post(
                    f"/admin/{identity}/import", files={"csvfile": b"id\n1\n"}
                ),
                "export": await market.admin.browser.get(f"/admin/{identity}/export/csv"),
            }
            for name, answer in attempts.items():
                if (identity, name) not in CHANGEABLE:
                    assert answer.status_code in (403, 404), (identity, name)


async def test_another_sites_page_changes_nothing(market: Market) -> None:
    async with nothing_changes(market.database):
        for headers in (FOREIGN, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}):
            for answer in (
                await market.admin.browser.post(
                    "/admin/blocked-word/create", data={"word": "banjo"}, headers=headers
                ),
                await market.admin.browser.post(
                    f"/admin/account/edit/{market.ada.account.id}",
                    data={"roles": "admin", "reason": "x"},
                    headers=headers,
                ),
                await market.admin.browser.request(
                    "DELETE", "/admin/blocked-word/delete?pks=1", headers=headers
                ),
            ):
                assert answer.status_code == 403


async def test_words_are_added_and_removed_by_the_rules(market: Market) -> None:
    browser = market.moderator.browser
    added = await browser.post(
        "/admin/blocked-word/create", data={"word": "Banjo", "guild_id": "", "note": "", "save": "Save"}
    )
    assert added.status_code == 302
    async with market.database.read() as session:
        word = (await session.scalars(sa.select(BlockedWord))).one()
    assert (word.word, word.guild_id, word.added_by) == ("Banjo", "", market.moderator.account.owner)
    assert (await market.ada.program.post("/v1/riffs", json={"prompt": "a banjo"})).status_code == 422
    async with nothing_changes(market.database):
        for data in (
            {"word": "bánjo"},
            {"word": ""},
            {"word": "x" * 81},
            {"word": "a\0b"},
            {"word": "a\nb"},
            {"word": "x", "guild_id": "a server"},
            {"word": "x", "note": "n" * 201},
        ):
            assert (await browser.post("/admin/blocked-word/create", data=data)).status_code == 400, data
    assert (await browser.delete("/admin/blocked-word/delete", params={"pks": word.id})).status_code == 200
    assert await count(market.database, BlockedWord) == 0
    assert await entries(market, "word.add", "word.remove") == [
        ("word.add", market.moderator.account.owner, f"word:{word.id}"),
        ("word.remove", market.moderator.account.owner, f"word:{word.id}"),
    ]
    assert (await market.ada.program.post("/v1/riffs", json={"prompt": "a banjo"})).status_code == 202


async def test_roles_and_suspensions_are_noted(market: Market) -> None:
    path = f"/admin/account/edit/{market.ada.account.id}"
    form = await market.admin.browser.get(path)
    assert form.status_code == 200
    data = {
        "roles": ["creator", "moderator"],
        "suspended_until": "2099-01-02 03:04:05",
        "reason": "as agreed",
        "save": "Save",
    }
    assert (await market.admin.browser.post(path, data=data)).status_code == 302
    async with market.database.read() as session:
        account = await session.get(Account, market.ada.account.id)
        assert account is not None
        assert account.roles == ["member", "creator", "moderator"]
        assert account.suspended_until == datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)
        said = (
            await session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "account.suspend"))
        ).one()
    assert said.details == {"until": "2099-01-02T03:04:05+00:00", "reason": "as agreed"}
    by = market.admin.account.owner
    assert await entries(market, "account.role", "account.suspend") == [
        ("account.role", by, market.ada.account.owner),
        ("account.role", by, market.ada.account.owner),
        ("account.suspend", by, market.ada.account.owner),
    ]
    async with nothing_changes(market.database):
        # Without a reason, with a role that is none, and the last administrator themselves.
        for person, wrong in (
            (market.ada, {**data, "roles": [], "reason": ""}),
            (market.ada, {**data, "roles": ["owner"]}),
            (market.ada, {**data, "suspended_until": "soon"}),
            (market.admin, {"roles": ["creator"], "reason": "I leave"}),
        ):
            answer = await market.admin.browser.post(f"/admin/account/edit/{person.account.id}", data=wrong)
            assert answer.status_code == 400, wrong


async def test_a_suspended_moderator_only_looks(market: Market) -> None:
    async with market.database.write() as session:
        account = await session.get(Account, market.moderator.account.id)
        assert account is not None
        account.suspended_until = datetime(2099, 1, 1, tzinfo=UTC)
    async with nothing_changes(market.database):
        assert (await market.moderator.browser.get("/admin/report/list")).status_code == 200
        answer = await market.moderator.browser.post("/admin/blocked-word/create", data={"word": "banjo"})
        assert answer.status_code == 403


async def test_secrets_are_not_shown(market: Market) -> None:
    async with market.database.read() as session:
        hashes = list(await session.scalars(sa.text("SELECT secret_sha256 FROM api_token")))
    key = await key_of(market, "api-token")
    for path in ("list", f"details/{key}"):
        page = await market.admin.browser.get(f"/admin/api-token/{path}")
        assert page.status_code == 200
        assert not any(secret in page.text for secret in hashes)
        assert "secret" not in page.text.lower()
    sorted_by = await market.admin.browser.get("/admin/api-token/list", params={"sortBy": "secret_sha256"})
    assert sorted_by.status_code == 400


async def test_odd_addresses_break_nothing(market: Market) -> None:
    async with nothing_changes(market.database):
        for path in ODD:
            answer = await market.admin.browser.get(path)
            assert answer.status_code in (200, 302, 303, 400, 403, 404), (path, answer.text)
    # None was a way out of the session.
    assert (await market.admin.browser.get("/admin/")).status_code == 200


async def test_pages_take_nothing_from_elsewhere(market: Market, server: str) -> None:
    case_id = await market.case()
    loaded: set[str] = set()
    for path in (
        "/admin/",
        "/admin/report/list",
        f"/admin/case/details/{case_id}",
        "/admin/blocked-word/create",
        f"/admin/account/edit/{market.ada.account.id}",
    ):
        page = await market.admin.browser.get(path)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        # The policy allows no script but files of ours, and the pages have no other.
        assert not re.search(r"<script(?![^>]*\bsrc=)", page.text)
        assert not re.search(r"\son[a-z]+=", page.text)
        loaded |= set(
            re.findall(r"<(?:script|link|img|form)\b[^>]*?(?:src|href|action)=\"([^\"]*)\"", page.text)
        )
    assert loaded
    for address in loaded:
        assert address.startswith((server, "/", "#")), address
    for address in sorted(each for each in loaded if "statics" in each):
        asset = await market.visitor.get(address)
        assert asset.status_code == 200, address
        for found in re.findall(r"url\([\"']?(?!data:)([^\"')]+)", asset.text):
            assert "//" not in found, found


async def test_links_name_the_public_address(settings: Settings, market: Market) -> None:
    """Not the one that a request claims to be for."""
    public = settings.model_copy(update={"public_url": "https://riff.example"})
    app = create_app(public)
    cookie = market.admin.browser.cookies[SESSION]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://evil.example",
            cookies={f"__Host-{SESSION}": cookie},
        ) as browser,
    ):
        page = await browser.get("/admin/")
    assert page.status_code == 200
    assert "https://riff.example/admin/statics/" in page.text
    assert "evil.example" not in page.text


async def entries(market: Market, *actions: str) -> list[tuple[str, str, str]]:
    async with market.database.read() as session:
        query = sa.select(AuditEntry.action, AuditEntry.actor, AuditEntry.subject)
        query = query.where(AuditEntry.action.in_(actions)).order_by(AuditEntry.id)
        return [tuple(row) for row in await session.execute(query)]
