"""The rules of moderation: reports, the cases that they open, takedown, counter-notice, strikes.

    open --dismiss--> dismissed
      +----uphold---> upheld --(no counter-notice in time)--> final
                        +--counter-notice--> countered --(waiting period)--> restored
                        |                        +--------confirm---------> final
                        +------restore-----------+------------------------> restored

What was licensed stays licensed, unless whoever decides says that the licences end too. Every step is a row that stays.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from generation.errors import InvalidRequest
from market.accounts import personal
from market.accounts import service as accounts
from market.accounts.models import Account
from market.audit import service as audit
from market.errors import NotFound
from market.licensing import service as licensing
from market.licensing.errors import LicenceRevoked
from market.moderation import repository, subjects
from market.moderation.errors import CaseMoved, NotTheAccused, OwnCase, TooLate, TooManyReports
from market.moderation.models import LIVE, Case, CaseStatus, CaseStep, Reason, Report, Strike
from market.moderation.repository import Place
from market.moderation.rules import RULES

# What an accused account sees: not who is about to be judged, and not what was found to be nothing.
SHOWN = (CaseStatus.UPHELD, CaseStatus.COUNTERED, CaseStatus.RESTORED, CaseStatus.FINAL)
MAX_PAGE = 100
MAX_CASES_SHOWN = 100
DAY = timedelta(days=1)
_AT_ONCE = 100


class Verdict(StrEnum):
    """What a moderator decides."""

    UPHOLD = "uphold"
    DISMISS = "dismiss"
    RESTORE = "restore"
    CONFIRM = "confirm"


# From which statuses a verdict leads to which.
MOVES: dict[Verdict, tuple[tuple[CaseStatus, ...], CaseStatus]] = {
    Verdict.UPHOLD: ((CaseStatus.OPEN,), CaseStatus.UPHELD),
    Verdict.DISMISS: ((CaseStatus.OPEN,), CaseStatus.DISMISSED),
    Verdict.RESTORE: ((CaseStatus.UPHELD, CaseStatus.COUNTERED), CaseStatus.RESTORED),
    Verdict.CONFIRM: ((CaseStatus.COUNTERED,), CaseStatus.FINAL),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody says about a subject. A rights holder says who they are and that it is true (`sworn`)."""

    subject: str
    reason: Reason
    text: str
    claimant: str | None = None
    contact: str | None = None
    sworn: bool = False


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports: an owner ("visitor:…", "account:…"), and what stands for their address on this day."""

    owner: str
    place: str


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and why. `strike` and `revoke` count where a case is upheld: `revoke` ends the loop's licences."""

    verdict: Verdict
    statement: str
    strike: bool = True
    revoke: bool = False


async def report(session: AsyncSession, notice: Notice, reporter: Reporter) -> tuple[Report, bool]:
    """Report something; whether that is new. One person's reports of one subject are one.

    Raises InvalidRequest, NotFound, and TooManyReports when somebody reports without end.
    """
    if notice.reason == Reason.COPYRIGHT:
        _require_claim(notice)
    now = datetime.now(UTC)
    await repository.hold(session, f"reporter {reporter.owner}")
    known = await repository.latest_report(session, reporter.owner, notice.subject)
    if known is not None:
        case = await get(session, known.case_id)
        if case.status in LIVE or case.steps[-1].at > now - RULES.again_after:
            return known, False
    await repository.hold(session, f"reports {reporter.place}")
    if await repository.count_reports_since(session, reporter.owner, now - DAY) >= RULES.reports_per_day:
        raise TooManyReports(RULES.reports_per_day)
    if await repository.count_reports_from(session, reporter.place) >= RULES.reports_per_place:
        raise TooManyReports(RULES.reports_per_place)
    subject = await subjects.find(session, notice.subject)
    await repository.hold(session, f"subject {subject.name}")
    case = await repository.live_case(session, subject.name) or await _open(
        session, subject, notice.reason, reporter.owner, now
    )
    entry = Report(
        id=repository.new_id(),
        case_id=case.id,
        subject=subject.name,
        reporter=reporter.owner,
        reason=notice.reason,
        text=notice.text,
        claimant=notice.claimant,
        contact=notice.contact,
        place=reporter.place,
        created_at=now,
    )
    session.add(entry)
    await session.flush()
    await audit.record(
        session, reporter.owner, "report.send", subject.name, case=case.id, reason=notice.reason
    )
    return entry, True


async def get(session: AsyncSession, case_id: str) -> Case:
    """A case with its steps and reports. Raises NotFound."""
    case = await repository.case(session, case_id)
    if case is None:
        raise NotFound("case", case_id)
    return case


async def cases(
    session: AsyncSession, limit: int, after: Place | None = None, statuses: Collection[CaseStatus] = ()
) -> tuple[Sequence[Case], Place | None]:
    """Cases, who waits longest first, and where to go on; of all statuses where none is named."""
    found = await repository.cases(session, limit + 1, after, statuses)
    page, rest = found[:limit], found[limit:]
    return page, (page[-1].opened_at, page[-1].id) if rest else None


async def reports(
    session: AsyncSession, limit: int, after: Place | None = None
) -> tuple[Sequence[tuple[Report, str]], Place | None]:
    """The newest reports with where their cases stand, and where to go on."""
    found = await repository.reports(session, limit + 1, after)
    page, rest = found[:limit], found[limit:]
    return page, (page[-1][0].created_at, page[-1][0].id) if rest else None


async def decide(session: AsyncSession, case_id: str, decision: Decision, moderator: Account) -> Case:
    """Move a case by a moderator's verdict, with all that follows from it.

    Raises NotFound, OwnCase, and CaseMoved where the case does not stand where this could be decided: of two who
    decide at once, the second.
    """
    case = await _locked(session, case_id)
    if case.accused_id == moderator.id:
        raise OwnCase
    possible_from, status = MOVES[decision.verdict]
    if case.status not in possible_from:
        raise CaseMoved(case.status)
    more: dict[str, object] = {}
    match decision.verdict:
        case Verdict.UPHOLD:
            more = await _uphold(session, case, decision, moderator)
        case Verdict.RESTORE:
            await _restore(session, case, moderator.owner)
    await _step(session, case, status, moderator.owner, decision.statement)
    await audit.record(
        session,
        moderator.owner,
        f"case.{decision.verdict}",
        f"case:{case.id}",
        subject=case.subject,
        reason=decision.statement,
        **more,
    )
    return case


async def counter(
    session: AsyncSession, case_id: str, account: Account, statement: str, contact: str
) -> Case:
    """The accused says why the removal was wrong: unless a moderator confirms it, the subject comes back.

    Raises NotFound, NotTheAccused, CaseMoved, and TooLate once the removal is final.
    """
    case = await _locked(session, case_id)
    if case.status not in SHOWN:
        raise NotFound("case", case_id)
    if case.accused_id != account.id:
        raise NotTheAccused
    if case.status != CaseStatus.UPHELD:
        raise CaseMoved(case.status)
    if case.deadline is not None and case.deadline <= datetime.now(UTC):
        raise TooLate
    await _step(session, case, CaseStatus.COUNTERED, account.owner, statement, contact)
    await audit.record(session, account.owner, "case.counter", f"case:{case.id}", subject=case.subject)
    return case


async def cases_of(session: AsyncSession, account: Account) -> Sequence[Case]:
    """The newest cases about what an account made, as far as it is told of them."""
    return await repository.cases_against(session, account.id, SHOWN, MAX_CASES_SHOWN)


async def case_of(session: AsyncSession, case_id: str, account: Account) -> Case:
    """One of these cases. Raises NotFound."""
    case = await repository.case(session, case_id)
    if case is None or case.accused_id != account.id or case.status not in SHOWN:
        raise NotFound("case", case_id)
    return case


async def due(session: AsyncSession, now: datetime) -> Sequence[str]:
    """The cases whose deadline is over, those first that have waited longest."""
    return await repository.due_cases(session, now, _AT_ONCE)


async def settle(session: AsyncSession, case_id: str, now: datetime) -> bool:
    """Do what is due in a case: a removal that nobody answered is final, an answered one ends. Whether it moved.

    Each case in a transaction of its own: one that held several could wait for whoever decides one of them, and they
    for it. Raises NotFound.
    """
    case = await _locked(session, case_id)
    if case.deadline is None or case.deadline > now:
        return False
    status, sentence = CaseStatus.FINAL, "The time for a counter-notice is over."
    if case.status == CaseStatus.COUNTERED:
        status, sentence = CaseStatus.RESTORED, "The waiting period is over."
        await _restore(session, case, audit.SYSTEM)
    await _step(session, case, status, audit.SYSTEM, sentence)
    await audit.record(session, audit.SYSTEM, f"case.{status}", f"case:{case.id}", subject=case.subject)
    return True


def _require_claim(notice: Notice) -> None:
    if not (notice.claimant and notice.contact):
        raise InvalidRequest(
            "claimant", "A copyright claim needs the name of the rights holder and how to reach them."
        )
    if not notice.sworn:
        raise InvalidRequest(
            "sworn", "A copyright claim needs your word that it is true and that you may speak for its owner."
        )


async def _open(
    session: AsyncSession, subject: subjects.Subject, reason: Reason, reporter: str, now: datetime
) -> Case:
    case = Case(
        id=repository.new_id(),
        subject=subject.name,
        title=subject.title,
        accused_id=subject.maker_id,
        reason=reason,
        status=CaseStatus.OPEN,
        opened_at=now,
    )
    session.add(case)
    await session.flush()
    await _step(session, case, CaseStatus.OPEN, reporter, "Reported.")
    return case


async def _uphold(
    session: AsyncSession, case: Case, decision: Decision, moderator: Account
) -> dict[str, object]:
    case.status_before = await subjects.take_down(session, case.subject, decision.statement, moderator.owner)
    revoked = []
    if decision.revoke and case.kind == "loop":
        reason = " ".join(decision.statement.split())[: licensing.MAX_REASON]
        for code in await repository.standing_grants(session, case.subject_id):
            # Somebody else may have ended it meanwhile.
            with suppress(LicenceRevoked):
                await licensing.revoke(session, code, reason, moderator.owner)
                revoked.append(code)
    struck = decision.strike and case.accused_id is not None
    if struck:
        await _strike(session, case, moderator.owner)
    return {"strike": struck, "revoked": revoked}


async def _restore(session: AsyncSession, case: Case, by: str) -> None:
    await subjects.bring_back(session, case.subject, case.status_before, by)
    await _lift(session, case, by)


async def _step(
    session: AsyncSession,
    case: Case,
    status: CaseStatus,
    actor: str,
    statement: str,
    contact: str | None = None,
) -> None:
    now = datetime.now(UTC)
    until = {CaseStatus.UPHELD: RULES.counter, CaseStatus.COUNTERED: RULES.waiting}.get(status)
    case.status = status
    case.deadline = None if until is None else now + until
    session.add(
        CaseStep(case_id=case.id, at=now, actor=actor, status=status, statement=statement, contact=contact)
    )
    await session.flush()
    await session.refresh(case, ["steps"])


async def _strike(session: AsyncSession, case: Case, by: str) -> None:
    account_id = case.accused_id or ""
    await repository.hold(session, f"strikes {account_id}")
    now = datetime.now(UTC)
    session.add(
        Strike(
            id=repository.new_id(),
            account_id=account_id,
            case_id=case.id,
            given_at=now,
            expires_at=now + RULES.strike,
        )
    )
    await session.flush()
    await _suspend(session, account_id, set(), by)


async def _lift(session: AsyncSession, case: Case, by: str) -> None:
    strike = await repository.strike_of(session, case.id)
    if strike is None or strike.lifted_at is not None:
        return
    await repository.hold(session, f"strikes {strike.account_id}")
    caused = {each.suspended_until for each in await repository.strikes(session, strike.account_id)}
    strike.lifted_at, strike.suspended_until = datetime.now(UTC), None
    await session.flush()
    await audit.record(session, by, "strike.lift", f"account:{strike.account_id}", case=case.id)
    await _suspend(session, strike.account_id, caused, by)


async def _suspend(
    session: AsyncSession, account_id: str, caused: Collection[datetime | None], by: str
) -> None:
    """Suspend an account as its strikes say; one of the suspensions that they `caused` ends where none does now."""
    counted: list[Strike] = []
    for strike in await repository.strikes(session, account_id):
        if strike.lifted_at is None:
            counted = [one for one in counted if one.expires_at > strike.given_at]
            counted.append(strike)
            length = RULES.suspension(len(counted))
            strike.suspended_until = None if length is None else strike.given_at + length
    now = datetime.now(UTC)
    until = max((one.suspended_until for one in counted if one.suspended_until), default=None)
    if until is not None and until <= now:
        until = None
    account = await accounts.get(session, account_id)
    stands = account.suspended_until
    if account.deleted_at is not None or stands == until:
        return
    # A longer suspension that an administrator ordered is not for strikes to end.
    if (until is not None and (stands is None or until > stands)) or (
        stands is not None and stands in caused
    ):
        await accounts.suspend(session, account_id, until, by, "strikes")


async def _locked(session: AsyncSession, case_id: str) -> Case:
    case = await repository.locked_case(session, case_id)
    if case is None:
        raise NotFound("case", case_id)
    return case


async def _exported(session: AsyncSession, account: Account) -> object:
    return {
        "reports": [
            {
                "id": each.id,
                "subject": each.subject,
                "reason": each.reason,
                "text": each.text,
                "claimant": each.claimant,
                "contact": each.contact,
                "created_at": each.created_at.isoformat(),
            }
            for each in await repository.reports_by(session, account.owner)
        ],
        "cases": [
            {"id": each.id, "subject": each.subject, "reason": each.reason, "status": each.status}
            for each in await cases_of(session, account)
        ],
    }


# Nothing of it is erased with an account: notices are kept, as whoever is judged by them has a right to.
personal.register("moderation", exported=_exported)
