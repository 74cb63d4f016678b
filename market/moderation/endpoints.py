"""Moderation over HTTP: reports by anyone, cases for whom they are about, and the moderators' side of both."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from generation.errors import InvalidRequest
from market import cursor as cursors
from market.accounts.models import Account
from market.api.actor import Acting, Anybody, require, signed_in
from market.api.problems import ANY_PROBLEM, problems
from market.api.session import Reading, Writing
from market.audit import service as audit
from market.audit.repository import Filter
from market.moderation import pages as moderation_pages
from market.moderation import repository, words
from market.moderation import service as moderation
from market.moderation.models import CaseStatus
from market.moderation.pages import reporter_of
from market.moderation.schemas import (
    CaseOut,
    CasesOut,
    ChainOut,
    CounterIn,
    DecisionIn,
    EntriesOut,
    EntryOut,
    NoticeOut,
    NoticesOut,
    OwnCaseOut,
    OwnCasesOut,
    ReportIn,
    ReportOut,
    StrikeOut,
    StrikesOut,
    WordIn,
    WordOut,
    WordsOut,
)
from market.moderation.service import MAX_PAGE, Decision, Notice

router = APIRouter(prefix="/v1", tags=["moderation"], responses=ANY_PROBLEM)
pages = moderation_pages.router

Moderator = Annotated[Account, signed_in("moderate", "moderator")]
Id = Annotated[str, Path(pattern="^[0-9a-f]{24}$")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the stretch before")]
Name = Annotated[str | None, Query(max_length=120, pattern=r"^[0-9A-Za-z:._-]*$")]
Guild = Annotated[str | None, Query(pattern="^[0-9]{1,20}$")]


@router.post(
    "/reports",
    status_code=201,
    responses={
        200: {"description": "You have reported this already", "model": ReportOut},
        **problems(404, 422, 429),
    },
)
async def send_report(
    request: Request, session: Writing, anybody: Anybody, response: Response, wish: ReportIn
) -> ReportOut:
    """Report a loop, a comment, an account or a collection. No account is needed."""
    notice = Notice(**wish.model_dump())
    report, new = await moderation.report(session, notice, reporter_of(request, anybody))
    if not new:
        response.status_code = 200
    return ReportOut.of(report)


@router.get("/me/cases", responses=problems(401, 403))
async def list_own_cases(session: Reading, acting: Anybody) -> OwnCasesOut:
    """What was taken down of yours and why, newest first."""
    account = require(acting, "read")
    return OwnCasesOut(
        cases=[OwnCaseOut.of(case, account) for case in await moderation.cases_of(session, account)]
    )


@router.get("/me/cases/{case_id}", responses=problems(401, 403, 404))
async def get_own_case(session: Reading, acting: Anybody, case_id: Id) -> OwnCaseOut:
    """One case about something of yours."""
    account = require(acting, "read")
    return OwnCaseOut.of(await moderation.case_of(session, case_id, account), account)


@router.post("/me/cases/{case_id}/counter", status_code=201, responses=problems(401, 403, 404, 409, 422))
async def send_counter_notice(session: Writing, acting: Anybody, case_id: Id, wish: CounterIn) -> OwnCaseOut:
    """Say why a removal was wrong: unless a moderator confirms it, what was removed comes back after a while.

    A suspended account can do that, too.
    """
    account = require(acting, "publish")
    if not wish.sworn:
        raise InvalidRequest("sworn", "A counter-notice needs your word that it is true.")
    contact = f"{wish.name}, {wish.contact}"[:400]
    case = await moderation.counter(session, case_id, account, wish.statement, contact)
    return OwnCaseOut.of(case, account)


@router.get("/moderation/reports", responses=problems(401, 403, 422))
async def list_reports(
    session: Reading, _: Moderator, limit: Limit = 20, cursor: Cursor = None
) -> NoticesOut:
    """Every report, newest first."""
    after = None if cursor is None else cursors.read_moment(cursor)
    found, further = await moderation.reports(session, limit, after)
    return NoticesOut(
        reports=[NoticeOut.told(report, status) for report, status in found],
        next_cursor=None if further is None else cursors.write(*further),
    )


@router.get("/moderation/cases", responses=problems(401, 403, 422))
async def list_cases(
    session: Reading,
    _: Moderator,
    limit: Limit = 20,
    cursor: Cursor = None,
    status: Annotated[list[CaseStatus] | None, Query(max_length=6)] = None,
) -> CasesOut:
    """Cases, whoever waits longest first; those of one `status` or several, or all."""
    after = None if cursor is None else cursors.read_moment(cursor)
    found, further = await moderation.cases(session, limit, after, status or ())
    return CasesOut(
        cases=[CaseOut.of(case) for case in found],
        next_cursor=None if further is None else cursors.write(*further),
    )


@router.get("/moderation/cases/{case_id}", responses=problems(401, 403, 404))
async def get_case(session: Reading, _: Moderator, case_id: Id) -> CaseOut:
    """One case with its reports and steps."""
    return CaseOut.of(await moderation.get(session, case_id))


@router.post("/moderation/cases/{case_id}/decision", responses=problems(401, 403, 404, 409, 422))
async def decide_case(session: Writing, moderator: Moderator, case_id: Id, wish: DecisionIn) -> CaseOut:
    """Decide a case: uphold or dismiss an open one, confirm or restore an answered one."""
    decision = Decision(wish.verdict, wish.reason, wish.strike, wish.revoke_licences)
    return CaseOut.of(await moderation.decide(session, case_id, decision, moderator))


@router.get("/moderation/accounts/{account_id}/strikes", responses=problems(401, 403, 404))
async def list_strikes(session: Reading, _: Moderator, account_id: Id) -> StrikesOut:
    """An account's strikes, oldest first; those that were lifted or have expired count no more."""
    return StrikesOut(strikes=[StrikeOut.of(one) for one in await repository.strikes(session, account_id)])


@router.get("/moderation/words", responses=problems(401, 403, 422))
async def list_words(session: Reading, _: Moderator, guild_id: Guild = None) -> WordsOut:
    """The words that were added to the shipped ones: those of a server, or those that count everywhere."""
    found = await repository.words(session, guild_id or words.EVERYWHERE)
    return WordsOut(words=[WordOut.of(word) for word in found])


@router.post("/moderation/words", status_code=201, responses=problems(401, 403, 409, 422))
async def add_word(session: Writing, moderator: Moderator, wish: WordIn) -> WordOut:
    """Refuse a word in prompts, titles, descriptions and comments."""
    guild_id = wish.guild_id or words.EVERYWHERE
    return WordOut.of(
        await words.add(session, wish.word, by=moderator.owner, guild_id=guild_id, note=wish.note)
    )


@router.delete("/moderation/words/{word_id}", status_code=204, responses=problems(401, 403, 404))
async def remove_word(session: Writing, moderator: Moderator, word_id: Id) -> None:
    """Let a word that was added pass again."""
    await words.remove(session, word_id, by=moderator.owner)


@router.get("/moderation/audit", responses=problems(401, 403, 422))
async def list_entries(
    session: Reading,
    _: Moderator,
    limit: Annotated[int, Query(ge=1, le=audit.MAX_PAGE)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    actor: Name = None,
    action: Name = None,
    subject: Name = None,
) -> EntriesOut:
    """Who did what to what, newest first."""
    page = await audit.entries(session, limit, cursor, Filter(actor, action, subject))
    return EntriesOut(entries=[EntryOut.of(entry) for entry in page.entries], next_cursor=page.next_cursor)


@router.post("/moderation/audit/verification", responses=problems(401, 403))
async def verify_log(session: Writing, acting: Acting) -> ChainOut:
    """Complete the chain of hashes over the log, and compute it again from its first link. For administrators."""
    require(acting, "admin", "admin")
    await audit.chain(session)
    chain = await audit.verify(session)
    return ChainOut(
        length=chain.length, digest=chain.digest, intact=chain.broken_at is None, broken_at=chain.broken_at
    )
