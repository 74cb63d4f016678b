"""The pages of moderation: reporting, one's own cases, and the moderators' work. None needs JavaScript."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from generation.errors import InvalidRequest
from market import cursor as cursors
from market.accounts.models import Account
from market.api.actor import Actor, Anybody, require, signed_in
from market.api.origin import refuse_foreign
from market.api.session import Reading, Writing
from market.catalog import service as catalog
from market.catalog.models import Loop
from market.errors import MarketError, status_of
from market.moderation import repository, subjects
from market.moderation import service as moderation
from market.moderation.models import Case, CaseStatus, Reason
from market.moderation.schemas import SUBJECT, CounterIn, DecisionIn, OwnCaseOut, ReportIn, Wish
from market.moderation.service import MOVES, Decision, Notice, Reporter, Verdict
from market.web.rendering import page

QUEUE_LENGTH = 25
REASONS = {
    Reason.COPYRIGHT: "It uses something that belongs to me or to somebody I speak for",
    Reason.IMITATION: "It passes for an artist who did not make it",
    Reason.HATE: "Hate against a group of people",
    Reason.SEXUAL: "Sexual content where it must not be",
    Reason.HARASSMENT: "Harassment of a person",
    Reason.PERSONAL_DATA: "Somebody's personal data",
    Reason.SPAM: "Spam or deceit",
    Reason.OTHER: "Something else",
}
VERDICTS = {
    Verdict.UPHOLD: "Uphold: take it down",
    Verdict.DISMISS: "Dismiss: nothing is wrong with it",
    Verdict.CONFIRM: "Confirm the removal, for good",
    Verdict.RESTORE: "Restore it",
}

Wished = TypeVar("Wished", bound=Wish)

router = APIRouter(include_in_schema=False)
forms = APIRouter(include_in_schema=False, dependencies=[Depends(refuse_foreign)])

Moderator = Annotated[Account, signed_in("moderate", "moderator")]
Id = Annotated[str, Path(pattern="^[0-9a-f]{24}$")]
Subject = Annotated[str, Path(pattern=SUBJECT)]


@router.get("/loops/{loop_id}/report")
async def report_loop_page(request: Request, session: Reading, loop_id: str) -> Response:
    """The form to report a loop with."""
    return await _report_form(request, session, f"loop:{loop_id}")


@router.get("/report/{subject}")
async def report_page(request: Request, session: Reading, subject: Subject) -> Response:
    """The form to report a comment, an account or a collection with."""
    return await _report_form(request, session, subject)


@forms.post("/loops/{loop_id}/report")
async def report_loop(request: Request, session: Writing, anybody: Anybody, loop_id: str) -> Response:
    """Send the form."""
    return await _report(request, session, anybody, f"loop:{loop_id}")


@forms.post("/report/{subject}")
async def report(request: Request, session: Writing, anybody: Anybody, subject: Subject) -> Response:
    """Send the form."""
    return await _report(request, session, anybody, subject)


@router.get("/cases")
async def own_cases_page(request: Request, session: Reading, acting: Anybody) -> Response:
    """What was taken down of one's own."""
    if acting.account is None:
        return RedirectResponse("/sign-in?next=/cases", status_code=303)
    own = [OwnCaseOut.of(case, acting.account) for case in await moderation.cases_of(session, acting.account)]
    return page(request, "case.html", {"here": "account", "cases": own}, fresh=True)


@router.get("/cases/{case_id}")
async def own_case_page(request: Request, session: Reading, acting: Anybody, case_id: Id) -> Response:
    """One case, and the form to answer it with."""
    if acting.account is None:
        return RedirectResponse(f"/sign-in?next=/cases/{case_id}", status_code=303)
    return await _own_case(request, session, acting.account, case_id)


@forms.post("/cases/{case_id}/counter")
async def send_counter_notice(request: Request, session: Writing, acting: Anybody, case_id: Id) -> Response:
    """Send the counter-notice of the form."""
    account = require(acting, "publish")
    values = await _fields(request)
    try:
        wish = read(CounterIn, {**values, "sworn": "sworn" in values})
        if not wish.sworn:
            raise InvalidRequest("sworn", "A counter-notice needs your word that it is true.")
        async with session.begin_nested():
            contact = f"{wish.name}, {wish.contact}"[:400]
            await moderation.counter(session, case_id, account, wish.statement, contact)
    except (InvalidRequest, MarketError) as refusal:
        return await _own_case(request, session, account, case_id, values, refusal)
    return RedirectResponse(f"/cases/{case_id}", status_code=303)


@router.get("/moderation")
async def queue_page(
    request: Request,
    session: Reading,
    anybody: Anybody,
    status: Annotated[CaseStatus, Query()] = CaseStatus.OPEN,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The cases that wait, whoever waits longest first."""
    if anybody.account is None:
        return RedirectResponse("/sign-in?next=/moderation", status_code=303)
    require(anybody, "moderate", "moderator")
    after = None if cursor is None else cursors.read_moment(cursor)
    cases, further = await moderation.cases(session, QUEUE_LENGTH, after, [status])
    context = {
        "here": "moderation",
        "cases": cases,
        "status": status,
        "counts": {each: await repository.count_cases(session, each) for each in CaseStatus},
        "next_cursor": None if further is None else cursors.write(*further),
    }
    return page(request, "moderation.html", context, fresh=True)


@router.get("/moderation/cases/{case_id}")
async def case_page(request: Request, session: Reading, moderator: Moderator, case_id: Id) -> Response:
    """One case: what it is about, to be heard, what was said, and the form to decide it with."""
    return await _case(request, session, moderator, case_id)


@forms.post("/moderation/cases/{case_id}/decision")
async def decide(request: Request, session: Writing, moderator: Moderator, case_id: Id) -> Response:
    """Decide as the form says."""
    values = await _fields(request)
    try:
        wish = read(
            DecisionIn,
            {
                "verdict": values.get("verdict", ""),
                "reason": values.get("reason", ""),
                "strike": "strike" in values,
                "revoke_licences": "revoke_licences" in values,
            },
        )
        async with session.begin_nested():
            decision = Decision(wish.verdict, wish.reason, wish.strike, wish.revoke_licences)
            await moderation.decide(session, case_id, decision, moderator)
    except (InvalidRequest, MarketError) as refusal:
        return await _case(request, session, moderator, case_id, values, refusal)
    return RedirectResponse(f"/moderation/cases/{case_id}", status_code=303)


router.include_router(forms)


def reporter_of(request: Request, actor: Actor) -> Reporter:
    """Who reports, with a hash of the address that nobody can follow from day to day."""
    address = request.app.state.limits.address_of(request)
    said = f"report {datetime.now(UTC).date()} {address}"
    key: str = request.app.state.settings.signing_key
    return Reporter(actor.owner, hmac.new(key.encode(), said.encode(), hashlib.sha256).hexdigest()[:32])


async def _report_form(
    request: Request,
    session: Reading,
    name: str,
    values: Mapping[str, str] | None = None,
    refusal: Exception | None = None,
) -> Response:
    context = {
        "subject": await subjects.find(session, name),
        "reasons": REASONS,
        "values": values or {},
        **_told(refusal),
    }
    return page(request, "report.html", context, status=_status(refusal), fresh=True)


async def _report(request: Request, session: Writing, anybody: Actor, name: str) -> Response:
    values = await _fields(request)
    given = {
        "subject": name,
        "sworn": "sworn" in values,
        **{field: values.get(field, "") for field in ("reason", "text")},
        **{field: values[field] for field in ("claimant", "contact") if values.get(field, "").strip()},
    }
    try:
        wish = read(ReportIn, given)
        async with session.begin_nested():
            notice = Notice(**wish.model_dump())
            _, new = await moderation.report(session, notice, reporter_of(request, anybody))
    except (InvalidRequest, MarketError) as refusal:
        return await _report_form(request, session, name, values, refusal)
    context = {"subject": await subjects.find(session, name), "sent": True, "new": new}
    return page(request, "report.html", context, status=201 if new else 200, fresh=True)


async def _own_case(
    request: Request,
    session: Reading,
    account: Account,
    case_id: str,
    values: Mapping[str, str] | None = None,
    refusal: Exception | None = None,
) -> Response:
    case = OwnCaseOut.of(await moderation.case_of(session, case_id, account), account)
    context = {
        "here": "account",
        "case": case,
        "values": values or {},
        "now": datetime.now(UTC),
        **_told(refusal),
    }
    return page(request, "case.html", context, status=_status(refusal), fresh=True)


async def _case(
    request: Request,
    session: Reading,
    moderator: Account,
    case_id: str,
    values: Mapping[str, str] | None = None,
    refusal: Exception | None = None,
) -> Response:
    case = await moderation.get(session, case_id)
    accused = None if case.accused_id is None else await repository.account(session, case.accused_id)
    context = {
        "here": "moderation",
        "case": case,
        "loop": await _loop(session, case),
        "accused": accused,
        "strikes": [] if accused is None else await repository.strikes(session, accused.id),
        "licences": len(await repository.standing_grants(session, case.subject_id))
        if case.kind == "loop"
        else 0,
        "verdicts": {
            verdict: VERDICTS[verdict] for verdict, (before, _) in MOVES.items() if case.status in before
        },
        "own": case.accused_id == moderator.id,
        "values": values or {},
        "now": datetime.now(UTC),
        **_told(refusal),
    }
    return page(request, "moderation.html", context, status=_status(refusal), fresh=True)


async def _loop(session: Reading, case: Case) -> Loop | None:
    return await catalog.get(session, case.subject_id) if case.kind == "loop" else None


async def _fields(request: Request) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=20) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def read(kind: type[Wished], values: Mapping[str, Any]) -> Wished:
    """A form as what the API would be sent. Raises InvalidRequest for the first field that is wrong."""
    try:
        return kind(**{name: value for name, value in values.items() if name in kind.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        label = field.replace("_", " ").capitalize() or "The form"
        raise InvalidRequest(field, f"{label}: {first['msg'][:1].lower()}{first['msg'][1:]}.") from None


def _told(refusal: Exception | None) -> dict[str, object]:
    field = refusal.field if isinstance(refusal, InvalidRequest) else None
    return {"error": None if refusal is None else str(refusal), "field": field}


def _status(refusal: Exception | None) -> int:
    return status_of(refusal) if isinstance(refusal, InvalidRequest | MarketError) else 200
