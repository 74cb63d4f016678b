"""Takedown, counter-notice, strikes: each step a row, by whom it may be done, and what follows from it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from market.licensing import service as licensing
from market.models import Account, AuditEntry
from market.moderation import upkeep
from market.moderation.models import Case, Strike
from market.moderation.rules import RULES
from tests.market.conftest import count
from tests.market.moderation.conftest import Market
from tests.market.state import nothing_changes


async def suspended_until(market: Market) -> datetime | None:
    async with market.database.read() as session:
        return await session.scalar(
            sa.select(Account.suspended_until).where(Account.id == market.creator.account.id)
        )


async def age(market: Market, case_id: str) -> None:
    """Let a case's deadline pass."""
    async with market.database.write() as session:
        case = await session.get(Case, case_id)
        assert case is not None
        case.deadline = datetime.now(UTC) - timedelta(seconds=1)


async def settle(market: Market) -> int:
    return await upkeep.keep_up(market.database, datetime.now(UTC))


async def licence(market: Market) -> str:
    async with market.database.write() as session:
        granted = await licensing.grant(
            session,
            loop=market.loop,
            tier="free",
            licensee="Ada",
            account=market.ada.account,
            project="A film",
            channels=[],
            price_cents=0,
            currency="usd",
            intent="order:1",
        )
    return granted.code


async def revoked(market: Market, code: str) -> str | None:
    """Why a licence was revoked, if it was."""
    async with market.database.read() as session:
        found = await licensing.get(session, code)
    return found.revocation and found.revocation.reason


async def test_an_upheld_report_takes_the_loop_down(market: Market) -> None:
    case_id = await market.case(
        reason="copyright",
        text="Those are my bells.",
        claimant="Bell Ltd",
        contact="bell@example.org",
        sworn=True,
    )
    assert (await market.decide(case_id, "uphold")).json()["status"] == "upheld"
    assert await market.status() == "removed"
    page = f"/v1/loops/{market.loop.id}"
    assert (await market.visitor.get(page)).status_code == 410
    assert (await market.ada.program.get(f"{page}/preview")).status_code == 410
    assert (await market.creator.program.get(page)).status_code == 200
    assert (await market.moderator.program.get(f"{page}/audio.wav")).status_code == 200

    [told] = (await market.creator.program.get("/v1/me/cases")).json()["cases"]
    assert told["status"] == "upheld"
    [claim] = told["claims"]
    assert (claim["claimant"], claim["text"]) == ("Bell Ltd", "Those are my bells.")
    assert [(step["by"], step["status"]) for step in told["steps"]] == [
        ("somebody", "open"),
        ("moderator", "upheld"),
    ]
    assert "bell@example.org" not in str(told)
    assert market.moderator.account.id not in str(told)
    deadline = datetime.fromisoformat(told["counter_until"])
    assert abs(deadline - datetime.now(UTC) - RULES.counter) < timedelta(minutes=5)
    # Nobody else has it among theirs.
    assert (await market.ada.program.get("/v1/me/cases")).json() == {"cases": []}
    assert (await market.ada.program.get(f"/v1/me/cases/{case_id}")).status_code == 404


async def test_who_reported_what_else_is_not_told(market: Market) -> None:
    case_id = await market.case(by=market.ada.program, reason="harassment", text="It insults me, Ada.")
    assert (await market.creator.program.get(f"/v1/me/cases/{case_id}")).status_code == 404
    await market.decide(case_id, "uphold")
    told = (await market.creator.program.get(f"/v1/me/cases/{case_id}")).text
    assert "insults" not in told
    assert market.ada.account.id not in told


async def test_a_dismissed_report_changes_nothing_but_the_case(market: Market) -> None:
    case_id = await market.case()
    assert (await market.decide(case_id, "dismiss")).json()["status"] == "dismissed"
    assert await market.status() == "published"
    assert await count(market.database, Strike) == 0
    assert (await market.creator.program.get("/v1/me/cases")).json() == {"cases": []}


async def test_a_counter_notice_that_nobody_contests_brings_it_back(market: Market) -> None:
    case_id = await market.case()
    await market.decide(case_id, "uphold")
    answered = await market.answer(case_id)
    assert (answered.status_code, answered.json()["status"]) == (201, "countered")
    deadline = datetime.fromisoformat(answered.json()["deadline"])
    assert abs(deadline - datetime.now(UTC) - RULES.waiting) < timedelta(minutes=5)
    assert await market.status() == "removed"
    # Not before its time.
    assert await settle(market) == 0
    await age(market, case_id)
    assert await settle(market) == 1
    assert await market.status() == "published"
    found = (await market.moderator.program.get(f"/v1/moderation/cases/{case_id}")).json()
    assert (found["status"], found["deadline"]) == ("restored", None)
    assert [step["status"] for step in found["steps"]] == ["open", "upheld", "countered", "restored"]
    assert found["steps"][2]["contact"] == "A. Maker, maker@example.org"
    async with market.database.read() as session:
        assert (await session.scalars(sa.select(Strike))).one().lifted_at is not None
    # It is found again.
    listed = (await market.visitor.get("/v1/loops")).json()["loops"]
    assert [each["id"] for each in listed] == [market.loop.id]


async def test_a_removal_that_nobody_answers_is_final(market: Market) -> None:
    case_id = await market.case()
    await market.decide(case_id, "uphold")
    await age(market, case_id)
    async with nothing_changes(market.database):
        assert (await market.answer(case_id)).status_code == 409
    assert [await settle(market), await settle(market)] == [1, 0]
    found = (await market.moderator.program.get(f"/v1/moderation/cases/{case_id}")).json()
    assert found["status"] == "final"
    assert await market.status() == "removed"
    async with nothing_changes(market.database):
        for verdict in ("uphold", "dismiss", "restore", "confirm"):
            assert (await market.decide(case_id, verdict)).status_code == 409
        assert (await market.answer(case_id)).status_code == 409


@pytest.mark.parametrize(
    ("verdict", "status", "listed"), [("confirm", "final", "removed"), ("restore", "restored", "published")]
)
async def test_a_moderator_ends_the_waiting(market: Market, verdict: str, status: str, listed: str) -> None:
    case_id = await market.case()
    await market.decide(case_id, "uphold")
    await market.answer(case_id)
    assert (await market.decide(case_id, verdict)).json()["status"] == status
    assert await market.status() == listed


async def test_a_draft_of_a_visitor_goes_and_comes_back(market: Market) -> None:
    async with market.database.write() as session:
        await session.execute(sa.text("DELETE FROM listing"))
        await session.execute(sa.text("UPDATE riff SET owner = 'visitor:0123456789abcdef01234567'"))
    case_id = await market.case()
    assert (await market.decide(case_id, "uphold")).json()["accused_id"] is None
    page = f"/v1/loops/{market.loop.id}"
    # A loop that was never on the market is as if it were not there.
    assert (await market.visitor.get(page)).status_code in (404, 410)
    assert (await market.decide(case_id, "restore")).status_code == 200
    assert (await market.visitor.get(page)).status_code == 200
    assert await count(market.database, Strike) == 0


async def test_licences_stand_unless_they_are_ended_with_a_reason(market: Market) -> None:
    code = await licence(market)
    case_id = await market.case()
    await market.decide(case_id, "uphold")
    assert await revoked(market, code) is None
    await market.decide(case_id, "restore")

    case_id = await market.case(by=market.ada.program)
    decided = await market.decide(
        case_id, "uphold", reason="It was never\ntheirs to license.", revoke_licences=True
    )
    assert decided.status_code == 200
    assert await revoked(market, code) == "It was never theirs to license."
    # A takedown that was a mistake does not bring licences back: revoked is revoked.
    await market.decide(case_id, "restore")
    assert await revoked(market, code) == "It was never theirs to license."


async def test_two_decide_at_once_and_one_wins(market: Market) -> None:
    case_id = await market.case()
    answers = await asyncio.gather(
        market.decide(case_id, "uphold"),
        market.decide(case_id, "dismiss", by=market.second),
        market.decide(case_id, "uphold", by=market.second),
        market.decide(case_id, "dismiss"),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    found = (await market.moderator.program.get(f"/v1/moderation/cases/{case_id}")).json()
    assert [step["status"] for step in found["steps"]][1:] == [found["status"]]
    async with market.database.read() as session:
        entries = await session.scalars(
            sa.select(AuditEntry.action).where(AuditEntry.subject == f"case:{case_id}")
        )
        assert len(entries.all()) == 1
    removed = found["status"] == "upheld"
    assert await market.status() == ("removed" if removed else "published")
    assert await count(market.database, Strike) == removed


async def test_two_counter_notices_at_once_are_one(market: Market) -> None:
    case_id = await market.case()
    await market.decide(case_id, "uphold")
    answers = await asyncio.gather(*(market.answer(case_id) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    found = (await market.moderator.program.get(f"/v1/moderation/cases/{case_id}")).json()
    assert [step["status"] for step in found["steps"]] == ["open", "upheld", "countered"]


async def test_only_the_accused_answers(market: Market) -> None:
    case_id = await market.case()
    async with nothing_changes(market.database):
        # It is not told of before it is decided.
        assert (await market.answer(case_id)).status_code == 404
    await market.decide(case_id, "uphold")
    async with nothing_changes(market.database):
        for other in (market.ada, market.moderator, market.admin):
            assert (await market.answer(case_id, by=other)).status_code == 403
        anonymous = await market.visitor.post(f"/v1/me/cases/{case_id}/counter", json={})
        assert anonymous.status_code in (401, 422)
        assert (await market.answer(case_id, sworn=False)).status_code == 422
        assert (await market.answer(case_id, statement="  ")).status_code == 422
        assert (await market.answer(case_id, statement="x" * 4001)).status_code == 422
        assert (await market.answer(case_id, name="nul\0")).status_code == 422
        assert (await market.answer("0" * 24)).status_code == 404


async def test_members_moderate_nothing(market: Market) -> None:
    case_id = await market.case()
    paths = (
        "reports",
        "cases",
        f"cases/{case_id}",
        "words",
        "audit",
        f"accounts/{market.ada.account.id}/strikes",
    )
    async with nothing_changes(market.database):
        for member in (market.ada, market.creator):
            assert (await market.decide(case_id, "dismiss", by=member)).status_code == 403
            for path in paths:
                assert (await member.program.get(f"/v1/moderation/{path}")).status_code == 403
            word = await member.program.post("/v1/moderation/words", json={"word": "banjo"})
            assert word.status_code == 403
        for path in paths:
            assert (await market.visitor.get(f"/v1/moderation/{path}")).status_code == 401


async def test_nobody_decides_about_themselves(market: Market) -> None:
    async with market.database.write() as session:
        await session.execute(
            sa.text("UPDATE riff SET owner = :owner"), {"owner": market.moderator.account.owner}
        )
    case_id = await market.case()
    async with nothing_changes(market.database):
        assert (await market.decide(case_id, "dismiss")).status_code == 403
    assert (await market.decide(case_id, "dismiss", by=market.second)).status_code == 200


async def test_strikes_suspend_and_are_lifted_again(market: Market) -> None:
    first = await market.case()
    await market.decide(first, "uphold")
    assert await suspended_until(market) is None
    await market.decide(first, "restore")

    # Twice in earnest: about the loop, and about the account.
    second = await market.case(by=market.ada.program)
    await market.decide(second, "uphold")
    assert await suspended_until(market) is None
    third = await market.case(subject=f"account:{market.creator.account.id}")
    await market.decide(third, "uphold")
    until = await suspended_until(market)
    assert until is not None
    assert abs(until - datetime.now(UTC) - RULES.suspensions[2]) < timedelta(minutes=5)
    path = f"/v1/moderation/accounts/{market.creator.account.id}/strikes"
    strikes = (await market.moderator.program.get(path)).json()["strikes"]
    assert [strike["lifted_at"] is None for strike in strikes] == [False, True, True]

    # Suspended, one cannot act, but answer.
    assert (await market.creator.program.post("/v1/riffs", json={"prompt": "bells"})).status_code == 403
    assert (await market.answer(second)).status_code == 201
    assert (await market.decide(second, "restore")).status_code == 200
    assert await suspended_until(market) is None


async def test_a_case_may_be_upheld_without_a_strike(market: Market) -> None:
    case_id = await market.case()
    assert (await market.decide(case_id, "uphold", strike=False)).status_code == 200
    assert await count(market.database, Strike) == 0
    assert await market.status() == "removed"


async def test_expired_strikes_do_not_count(market: Market) -> None:
    first = await market.case()
    await market.decide(first, "uphold")
    async with market.database.write() as session:
        strike = (await session.scalars(sa.select(Strike))).one()
        strike.given_at -= 2 * RULES.strike
        strike.expires_at -= 2 * RULES.strike
    await market.decide(await market.case(subject=f"account:{market.creator.account.id}"), "uphold")
    assert await suspended_until(market) is None


async def test_an_order_of_an_administrator_outlasts_strikes(market: Market) -> None:
    far = datetime(2099, 1, 1, tzinfo=UTC)
    async with market.database.write() as session:
        account = await session.get(Account, market.creator.account.id)
        assert account is not None
        account.suspended_until = far
    loop, person = await market.case(), f"account:{market.creator.account.id}"
    await market.decide(loop, "uphold")
    account_case = await market.case(subject=person)
    await market.decide(account_case, "uphold")
    assert await suspended_until(market) == far
    await market.decide(account_case, "restore")
    assert await suspended_until(market) == far


async def test_deadlines_and_decisions_do_not_lock_each_other_up(market: Market) -> None:
    """Both strikes are the same account's: whoever lifts one waits for whoever lifts the other, and not in a circle."""
    loop = await market.case()
    await market.decide(loop, "uphold")
    await market.answer(loop)
    account = await market.case(subject=f"account:{market.creator.account.id}")
    await market.decide(account, "uphold")
    await market.answer(account)
    await age(market, loop)
    await age(market, account)
    moved, other, answer, _ = await asyncio.gather(
        settle(market), settle(market), market.decide(account, "restore"), market.decide(loop, "confirm")
    )
    assert answer.status_code in (200, 409)
    assert moved + other <= 2
    for case_id in (loop, account):
        found = (await market.moderator.program.get(f"/v1/moderation/cases/{case_id}")).json()
        assert found["status"] in ("restored", "final")
        assert [step["status"] for step in found["steps"]] == ["open", "upheld", "countered", found["status"]]
