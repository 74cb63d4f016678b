"""Moderation on the wire."""

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from market.accounts.models import Account
from market.audit.models import AuditEntry
from market.moderation.models import BlockedWord, Case, CaseStatus, CaseStep, Reason, Report, Strike
from market.moderation.service import Verdict
from market.moderation.words import MAX_WORD_LENGTH

MAX_TEXT_LENGTH = 4000
# A claim of rights is answered by whoever is accused; other reports are between their sender and us.
CLAIMS = (Reason.COPYRIGHT, Reason.IMITATION)


def _plain(*allowed: str) -> Callable[[str], str]:
    """Checks that text has no control characters but these."""

    def check(value: str) -> str:
        if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in allowed for sign in value):
            raise PydanticCustomError("text", "Control characters are not possible here, use plain text")
        return value.strip()

    return check


def _said(value: str) -> str:
    if not value:
        raise PydanticCustomError("text", "There is nothing in it, say something")
    return value


Line = AfterValidator(_plain())
Paragraph = AfterValidator(_plain("\n", "\r", "\t"))
Said = Annotated[str, Field(max_length=MAX_TEXT_LENGTH), Paragraph, AfterValidator(_said)]
Name = Annotated[str, Field(max_length=200), Line]
SUBJECT = "^(loop|comment|account|collection):[0-9a-f-]{1,40}$"


class Wish(BaseModel):
    """What clients send: unknown parts are refused."""

    model_config = ConfigDict(extra="forbid")


class ReportIn(Wish):
    """What is wrong with what. A copyright claim needs `claimant`, `contact` and `sworn`."""

    subject: Annotated[
        str, Field(pattern=SUBJECT, description="loop:, comment:, account: or collection: and the id")
    ]
    reason: Reason
    text: Said
    claimant: Name | None = None
    contact: Annotated[
        Name | None, Field(description="How to reach the claimant; only moderators see it")
    ] = None
    sworn: Annotated[
        bool, Field(description="That the claim is true and that the sender may speak for the rights' owner")
    ] = False


class ReportOut(BaseModel):
    """A report as whoever sent it sees it."""

    id: str
    subject: str
    reason: Reason
    text: str
    created_at: datetime

    @classmethod
    def of(cls, report: Report) -> "ReportOut":
        return cls.model_validate(report, from_attributes=True)


class NoticeOut(ReportOut):
    """A report as moderators see it."""

    reporter: str
    claimant: str | None
    contact: str | None
    case_id: str
    case_status: CaseStatus

    @classmethod
    def told(cls, report: Report, status: str) -> "NoticeOut":
        return cls(
            **ReportOut.of(report).model_dump(),
            reporter=report.reporter,
            claimant=report.claimant,
            contact=report.contact,
            case_id=report.case_id,
            case_status=CaseStatus(status),
        )


class NoticesOut(BaseModel):
    reports: list[NoticeOut]
    next_cursor: str | None


class StepOut(BaseModel):
    """Something that was done in a case; `actor` is "account:…", "visitor:…" or "system"."""

    at: datetime
    actor: str
    status: CaseStatus
    statement: str
    contact: str | None

    @classmethod
    def of(cls, step: CaseStep) -> "StepOut":
        return cls.model_validate(step, from_attributes=True)


class CaseOut(BaseModel):
    """A case as moderators see it. After `deadline`, an upheld case is final and a countered one restored."""

    id: str
    subject: str
    title: str
    accused_id: str | None
    reason: Reason
    status: CaseStatus
    opened_at: datetime
    deadline: datetime | None
    reports: list[NoticeOut]
    steps: list[StepOut]

    @classmethod
    def of(cls, case: Case) -> "CaseOut":
        return cls(
            id=case.id,
            subject=case.subject,
            title=case.title,
            accused_id=case.accused_id,
            reason=Reason(case.reason),
            status=CaseStatus(case.status),
            opened_at=case.opened_at,
            deadline=case.deadline,
            reports=[NoticeOut.told(report, case.status) for report in case.reports],
            steps=[StepOut.of(step) for step in case.steps],
        )


class CasesOut(BaseModel):
    cases: list[CaseOut]
    next_cursor: str | None


class DecisionIn(Wish):
    """A verdict and why; `strike` and `revoke_licences` count where a case is upheld.

    What was licensed stays licensed, unless `revoke_licences` ends the loop's licences for this reason.
    """

    verdict: Verdict
    reason: Said
    strike: bool = True
    revoke_licences: bool = False


class ClaimOut(BaseModel):
    """What a claimant says; nothing of other reports, whose senders are not made known."""

    claimant: str | None
    text: str
    created_at: datetime


class OwnStepOut(BaseModel):
    """Something that was done in a case; `by` is "somebody", "moderator", "you" or "system"."""

    at: datetime
    by: str
    status: CaseStatus
    statement: str


class OwnCaseOut(BaseModel):
    """A case as the account that it is about sees it. `counter_until` is until when it may be answered."""

    id: str
    subject: str
    title: str
    reason: Reason
    status: CaseStatus
    opened_at: datetime
    deadline: datetime | None
    counter_until: datetime | None
    claims: list[ClaimOut]
    steps: list[OwnStepOut]

    @classmethod
    def of(cls, case: Case, account: Account) -> "OwnCaseOut":
        return cls(
            id=case.id,
            subject=case.subject,
            title=case.title,
            reason=Reason(case.reason),
            status=CaseStatus(case.status),
            opened_at=case.opened_at,
            deadline=case.deadline,
            counter_until=case.deadline if case.status == CaseStatus.UPHELD else None,
            claims=[
                ClaimOut(claimant=report.claimant, text=report.text, created_at=report.created_at)
                for report in case.reports
                if report.reason in CLAIMS
            ],
            steps=[
                OwnStepOut(
                    at=step.at,
                    by=_teller(step, account),
                    status=CaseStatus(step.status),
                    statement=step.statement,
                )
                for step in case.steps
            ],
        )


class OwnCasesOut(BaseModel):
    cases: list[OwnCaseOut]


class CounterIn(Wish):
    """Why a removal was wrong. `name` and `contact` go to moderators only; `sworn` is your word that it is true."""

    statement: Said
    name: Annotated[Name, AfterValidator(_said)]
    contact: Annotated[Name, AfterValidator(_said)]
    sworn: bool


class StrikeOut(BaseModel):
    """What an upheld case left with an account."""

    id: str
    account_id: str
    case_id: str
    given_at: datetime
    expires_at: datetime
    lifted_at: datetime | None
    suspended_until: datetime | None

    @classmethod
    def of(cls, strike: Strike) -> "StrikeOut":
        return cls.model_validate(strike, from_attributes=True)


class StrikesOut(BaseModel):
    strikes: list[StrikeOut]


class WordIn(Wish):
    """A word or phrase to refuse, on one server (`guild_id`) or everywhere."""

    word: Annotated[str, Field(min_length=1, max_length=MAX_WORD_LENGTH), Line]
    guild_id: Annotated[str, Field(pattern="^[0-9]{1,20}$")] | None = None
    note: Annotated[str, Field(max_length=200), Line] = ""


class WordOut(BaseModel):
    """A word that was added to the shipped ones."""

    id: str
    word: str
    guild_id: str | None
    note: str
    added_by: str
    added_at: datetime

    @classmethod
    def of(cls, word: BlockedWord) -> "WordOut":
        return cls(
            id=word.id,
            word=word.word,
            guild_id=word.guild_id or None,
            note=word.note,
            added_by=word.added_by,
            added_at=word.added_at,
        )


class WordsOut(BaseModel):
    words: list[WordOut]


class EntryOut(BaseModel):
    """Who did what to what."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> "EntryOut":
        return cls.model_validate(entry, from_attributes=True)


class EntriesOut(BaseModel):
    entries: list[EntryOut]
    next_cursor: int | None


class ChainOut(BaseModel):
    """How the chain of hashes over the log stands; `broken_at` is the first position that does not fit."""

    length: int
    digest: str
    intact: bool
    broken_at: int | None


def _teller(step: CaseStep, account: Account) -> str:
    if step.actor == account.owner:
        return "you"
    if step.actor == "system":
        return "system"
    return "somebody" if step.status == CaseStatus.OPEN else "moderator"
