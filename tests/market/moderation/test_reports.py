"""Reports: by anyone, one per person and subject, not without end, and never as anything but text."""

import asyncio

import httpx
import sqlalchemy as sa

from market.accounts import service as accounts
from market.models import Case, Collection, Rating, Report
from market.moderation.rules import RULES
from tests.market.conftest import count
from tests.market.moderation.conftest import FOREIGN, Market
from tests.market.state import nothing_changes

NO_REPORTS: list[tuple[dict[str, object], int]] = [
    ({"subject": "loop:000000000000000000000000-0"}, 404),
    ({"subject": "account:000000000000000000000000"}, 404),
    ({"subject": "comment:000000000000000000000000"}, 404),
    ({"subject": "collection:000000000000000000000000"}, 404),
    ({"subject": "licence:1"}, 422),
    ({"subject": "loop:' OR 1=1 --"}, 422),
    ({"subject": "loop:../../etc/passwd"}, 422),
    ({"subject": "loop:\0"}, 422),
    ({"subject": "loop:" + "0" * 500}, 422),
    ({"reason": "because"}, 422),
    ({"text": ""}, 422),
    ({"text": " \n "}, 422),
    ({"text": "nul\0"}, 422),
    ({"text": "x" * 4001}, 422),
    ({"text": ["a"]}, 422),
    ({"reporter": "account:1"}, 422),
    ({"reason": "copyright"}, 422),
    ({"reason": "copyright", "claimant": "Bell Ltd", "contact": "a@b.example"}, 422),
    ({"reason": "copyright", "claimant": "Bell Ltd", "sworn": True}, 422),
    ({"claimant": "x" * 201}, 422),
]
HTML = '<script>alert(1)</script><img src=x onerror="alert(2)"> {{ 7 * 7 }}'


async def test_anyone_reports(market: Market) -> None:
    for client in (market.visitor, market.ada.program, market.ada.browser):
        assert (await market.report(client)).status_code in (200, 201)
    async with market.database.read() as session:
        reports = (await session.scalars(sa.select(Report).order_by(Report.created_at))).all()
    assert [report.reporter.partition(":")[0] for report in reports] == ["visitor", "account"]
    assert len({report.case_id for report in reports}) == 1
    listed = (await market.moderator.program.get("/v1/moderation/reports")).json()["reports"]
    assert [report["id"] for report in listed] == [report.id for report in reversed(reports)]
    assert {report["case_status"] for report in listed} == {"open"}


async def test_one_persons_reports_of_one_subject_are_one(market: Market) -> None:
    first = await market.report()
    async with nothing_changes(market.database):
        again = await market.report(text="And again!", reason="hate")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    # At once, too.
    answers = await asyncio.gather(*(market.report(market.ada.program) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert await count(market.database, Report) == 2
    # Dismissed, it is not opened again by the same person.
    [case_id] = {each["case_id"] for each in (await reports(market))}
    await market.decide(case_id, "dismiss")
    async with nothing_changes(market.database):
        assert (await market.report()).status_code == 200
    assert (await market.report(market.creator.program)).status_code == 201
    assert await count(market.database, Case) == 2


async def test_many_people_open_one_case(market: Market) -> None:
    people = [person.program for person in market.people.values()]
    answers = await asyncio.gather(*(market.report(program) for program in people))
    assert {answer.status_code for answer in answers} == {201}
    assert await count(market.database, Case) == 1
    assert await count(market.database, Report) == len(people)


async def test_nobody_reports_without_end(market: Market, server: str) -> None:
    assert (await market.report(market.ada.program)).status_code == 201
    await fill(market, market.ada.account.owner, "elsewhere", RULES.reports_per_day - 1)
    async with nothing_changes(market.database):
        refused = await market.report(market.ada.program, subject=f"account:{market.creator.account.id}")
    assert refused.status_code == 429
    # Whoever throws the cookie away is somebody else at the same address.
    async with market.database.read() as session:
        [place] = set(await session.scalars(sa.select(Report.place).where(Report.place != "elsewhere")))
    await fill(market, "visitor:x", place, RULES.reports_per_place - 1)
    async with httpx.AsyncClient(base_url=server) as fresh, nothing_changes(market.database):
        assert (await market.report(fresh)).status_code == 429


async def test_what_is_no_report_changes_nothing(market: Market) -> None:
    async with nothing_changes(market.database):
        for more, status in NO_REPORTS:
            answer = await market.report(**more)
            assert answer.status_code == status, more
            assert answer.headers["content-type"] == "application/problem+json"


async def test_what_is_too_large_or_broken_changes_nothing(market: Market) -> None:
    json = {"Content-Type": "application/json"}
    async with nothing_changes(market.database):
        for content, status in [
            (b'{"text": "' + b"x" * 70_000 + b'"}', 413),
            (b'{"subject": "' + market.subject.encode() + b'", "reason": "spam", "text": "\\ud800"}', 422),
            (b"\xff\xfe", 422),
        ]:
            answer = await market.visitor.post("/v1/reports", content=content, headers=json)
            assert answer.status_code == status, answer.text


async def test_what_nobody_else_sees_cannot_be_reported(market: Market) -> None:
    """A report must not be a way to learn what a private thing is called."""
    await collect(market, "a" * 24, "Secret", public=False)
    async with nothing_changes(market.database):
        for path in ("/v1/reports", "/report/collection:" + "a" * 24):
            wish = {"subject": "collection:" + "a" * 24, "reason": "spam", "text": "x"}
            answer = await market.ada.program.post(path, json=wish)
            assert answer.status_code in (404, 422)
            assert "Secret" not in answer.text
        page = await market.ada.browser.get("/report/collection:" + "a" * 24)
        assert page.status_code == 404
        assert "Secret" not in page.text


async def test_a_collection_and_a_person_go_the_same_way(market: Market) -> None:
    account = market.creator.account
    await collect(market, "b" * 24, "Bells", public=True)
    case_id = await market.case(subject="collection:" + "b" * 24)
    await market.decide(case_id, "uphold")
    assert not await is_public(market)
    await market.decide(case_id, "restore")
    assert await is_public(market)
    case_id = await market.case(subject=f"account:{account.id}")
    found = (await market.moderator.program.get(f"/v1/moderation/cases/{case_id}")).json()
    assert found["accused_id"] == account.id


async def test_a_comment_is_hidden_and_shown_again(market: Market) -> None:
    now = market.ada.account.created_at
    async with market.database.write() as session:
        session.add(
            Rating(
                id="c" * 24,
                loop_id=market.loop.id,
                account_id=market.ada.account.id,
                stars=1,
                comment="You are a bell yourself",
                created_at=now,
                updated_at=now,
            )
        )
    case_id = await market.case(subject="comment:" + "c" * 24, reason="harassment")
    found = (await market.moderator.program.get(f"/v1/moderation/cases/{case_id}")).json()
    assert (found["accused_id"], found["title"]) == (market.ada.account.id, "You are a bell yourself")
    await market.decide(case_id, "uphold")
    comments = f"/v1/loops/{market.loop.id}/ratings"
    assert "bell yourself" not in (await market.visitor.get(comments)).text
    await market.answer(case_id, by=market.ada)
    await market.decide(case_id, "restore")
    async with market.database.read() as session:
        assert (await session.scalars(sa.select(Rating.hidden_at))).one() is None


async def test_a_report_is_among_what_is_known_of_its_sender(market: Market) -> None:
    await market.report(market.ada.program, text="It is a copy of mine.")
    case_id = await market.case()
    await market.decide(case_id, "uphold")
    async with market.database.read() as session:
        ada = await accounts.export(session, market.ada.account.id)
        creator = await accounts.export(session, market.creator.account.id)
    assert [each["text"] for each in ada["moderation"]["reports"]] == ["It is a copy of mine."]
    assert creator["moderation"]["reports"] == []
    assert [each["id"] for each in creator["moderation"]["cases"]] == [case_id]
    assert "copy of mine" not in str(creator)


async def test_the_page_works_without_a_script(market: Market) -> None:
    path = f"/loops/{market.loop.id}/report"
    form = await market.visitor.get(path)
    assert form.status_code == 200
    assert "Church bells" in form.text
    sent = await market.visitor.post(path, data={"reason": "spam", "text": "A copy.\r\nReally."})
    assert (sent.status_code, "Thank you" in sent.text) == (201, True)
    again = await market.visitor.post(path, data={"reason": "spam", "text": "A copy."})
    assert (again.status_code, "already" in again.text) == (200, True)
    assert await count(market.database, Report) == 1
    async with nothing_changes(market.database):
        for data in ({"reason": "spam", "text": ""}, {"reason": "nonsense", "text": "x"}, {"text": "x"}, {}):
            refused = await market.ada.browser.post(path, data=data)
            assert refused.status_code == 422
            assert 'role="alert"' in refused.text
        no_claim = await market.ada.browser.post(path, data={"reason": "copyright", "text": HTML})
        assert no_claim.status_code == 422
        # What was typed is there again, as text.
        assert "<script>alert" not in no_claim.text
        assert "&lt;script&gt;" in no_claim.text


async def test_another_sites_page_reports_nothing(market: Market) -> None:
    path = f"/loops/{market.loop.id}/report"
    async with nothing_changes(market.database):
        for client in (market.visitor, market.ada.browser):
            answer = await client.post(path, data={"reason": "spam", "text": "x"}, headers=FOREIGN)
            assert answer.status_code == 403
        other = {"Origin": "https://evil.example"}
        assert (
            await market.ada.browser.post(path, data={"reason": "spam", "text": "x"}, headers=other)
        ).status_code == 403
        api = await market.ada.browser.post(
            "/v1/reports", json={"subject": market.subject, "reason": "spam", "text": "x"}, headers=FOREIGN
        )
        assert api.status_code == 403


async def test_html_is_text_wherever_it_is_read(market: Market) -> None:
    case_id = await market.case(
        text=HTML, reason="copyright", claimant=HTML, contact="<b>a@b.example</b>", sworn=True
    )
    pages = [
        (market.moderator.browser, "/moderation"),
        (market.moderator.browser, f"/moderation/cases/{case_id}"),
        (market.moderator.browser, "/admin/report/list"),
        (market.moderator.browser, f"/admin/case/details/{case_id}"),
    ]
    await market.decide(case_id, "uphold", reason=HTML)
    pages += [(market.creator.browser, f"/cases/{case_id}"), (market.creator.browser, "/cases")]
    await market.answer(case_id, statement=HTML, name=HTML)
    pages.append((market.moderator.browser, "/moderation?status=countered"))
    for browser, path in pages:
        page = await browser.get(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text, path
        assert "<img src=x" not in page.text, path
        assert "script-src 'unsafe-inline'" not in page.headers["content-security-policy"]
    async with market.database.read() as session:
        assert (await session.scalars(sa.select(Report.text))).one() == HTML


async def reports(market: Market) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await market.moderator.program.get("/v1/moderation/reports")).json()[
        "reports"
    ]
    return found


async def fill(market: Market, reporter: str, place: str, number: int) -> None:
    """So many reports of today."""
    async with market.database.write() as session:
        known = (await session.scalars(sa.select(Report).limit(1))).one()
        for index in range(number):
            case = Case(
                id=f"{index:02}{reporter[-22:]:0>22}",
                subject=f"loop:{reporter}{index}",
                title="x",
                reason="spam",
                status="dismissed",
                opened_at=known.created_at,
            )
            session.add(case)
            await session.flush()
            session.add(
                Report(
                    id=case.id,
                    case_id=case.id,
                    subject=case.subject,
                    reporter=reporter,
                    reason="spam",
                    text="x",
                    place=place,
                    created_at=known.created_at,
                )
            )


async def collect(market: Market, collection_id: str, title: str, *, public: bool) -> None:
    """A collection of the creator's."""
    account = market.creator.account
    async with market.database.write() as session:
        session.add(
            Collection(
                id=collection_id,
                owner_id=account.id,
                title=title,
                description="",
                public=public,
                created_at=account.created_at,
                updated_at=account.created_at,
            )
        )


async def is_public(market: Market) -> bool:
    async with market.database.read() as session:
        return bool((await session.scalars(sa.select(Collection.public))).one())
