"""All the SQL of moderation."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from market.accounts.models import Account
from market.catalog.models import Loop
from market.community.models import Collection as LoopCollection
from market.community.models import Rating
from market.licensing.models import Grant, Revocation
from market.moderation.models import LIVE, BlockedWord, Case, CaseStatus, CaseStep, Report, Strike
from market.studio.models import RiffOrder
from market.studio.repository import lock

# Where a list goes on: the moment and the id of the last one seen.
Place = tuple[datetime, str]


def new_id() -> str:
    return secrets.token_hex(12)


async def hold(session: AsyncSession, name: str) -> None:
    """Let one transaction at a time deal with a name (a reporter, a subject, a list of words)."""
    await lock(session, f"moderation {name}")


async def words(session: AsyncSession, guild_id: str) -> Sequence[BlockedWord]:
    query = sa.select(BlockedWord).where(BlockedWord.guild_id == guild_id).order_by(BlockedWord.word)
    return (await session.scalars(query)).all()


async def word(session: AsyncSession, word_id: str) -> BlockedWord | None:
    return await session.get(BlockedWord, word_id)


async def case(session: AsyncSession, case_id: str) -> Case | None:
    return await session.get(Case, case_id)


async def locked_case(session: AsyncSession, case_id: str) -> Case | None:
    """The case as it is now, held until the end of the transaction."""
    query = sa.select(Case).where(Case.id == case_id).with_for_update()
    return await session.scalar(query, execution_options={"populate_existing": True})


async def live_case(session: AsyncSession, subject: str) -> Case | None:
    return await session.scalar(sa.select(Case).where(Case.subject == subject, Case.status.in_(LIVE)))


async def is_down(session: AsyncSession, subject: str) -> bool:
    removed = (CaseStatus.UPHELD, CaseStatus.COUNTERED, CaseStatus.FINAL)
    query = sa.select(Case.id).where(Case.subject == subject, Case.status.in_(removed)).limit(1)
    return await session.scalar(query) is not None


async def cases(
    session: AsyncSession, limit: int, after: Place | None, statuses: Collection[CaseStatus]
) -> Sequence[Case]:
    """Oldest first: whoever waits longest is next."""
    query = sa.select(Case).order_by(Case.opened_at, Case.id).limit(limit)
    if statuses:
        query = query.where(Case.status.in_(statuses))
    if after is not None:
        query = query.where(_beyond(Case.opened_at, Case.id, after))
    return (await session.scalars(query)).all()


async def count_cases(session: AsyncSession, status: CaseStatus) -> int:
    return await session.scalar(sa.select(sa.func.count()).where(Case.status == status)) or 0


async def cases_against(
    session: AsyncSession, account_id: str, statuses: Collection[CaseStatus], limit: int
) -> Sequence[Case]:
    """The newest cases about what an account made."""
    query = (
        sa.select(Case)
        .where(Case.accused_id == account_id, Case.status.in_(statuses))
        .order_by(Case.opened_at.desc(), Case.id)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def due_cases(session: AsyncSession, now: datetime, limit: int) -> Sequence[str]:
    """The cases whose deadline is over."""
    query = sa.select(Case.id).where(Case.deadline <= now).order_by(Case.deadline, Case.id).limit(limit)
    return (await session.scalars(query)).all()


async def reports(session: AsyncSession, limit: int, after: Place | None) -> Sequence[tuple[Report, str]]:
    """The newest reports with where their cases stand."""
    query = (
        sa.select(Report, Case.status)
        .join(Case, Case.id == Report.case_id)
        .order_by(Report.created_at.desc(), Report.id.desc())
        .limit(limit)
    )
    if after is not None:
        at, report_id = after
        older = sa.and_(Report.created_at == at, Report.id < report_id)
        query = query.where(sa.or_(Report.created_at < at, older))
    return [(report, status) for report, status in await session.execute(query)]


async def reports_by(session: AsyncSession, reporter: str) -> Sequence[Report]:
    return (
        await session.scalars(
            sa.select(Report).where(Report.reporter == reporter).order_by(Report.created_at)
        )
    ).all()


async def count_reports_since(session: AsyncSession, reporter: str, moment: datetime) -> int:
    query = sa.select(sa.func.count()).where(Report.reporter == reporter, Report.created_at > moment)
    return await session.scalar(query) or 0


async def count_reports_from(session: AsyncSession, place: str) -> int:
    return await session.scalar(sa.select(sa.func.count()).where(Report.place == place)) or 0


async def latest_report(session: AsyncSession, reporter: str, subject: str) -> Report | None:
    query = (
        sa.select(Report)
        .where(Report.reporter == reporter, Report.subject == subject)
        .order_by(Report.created_at.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def strikes(session: AsyncSession, account_id: str) -> Sequence[Strike]:
    """Every strike of an account, oldest first."""
    query = sa.select(Strike).where(Strike.account_id == account_id).order_by(Strike.given_at, Strike.id)
    return (await session.scalars(query)).all()


async def strike_of(session: AsyncSession, case_id: str) -> Strike | None:
    return await session.scalar(sa.select(Strike).where(Strike.case_id == case_id))


async def last_step(session: AsyncSession, case_id: str) -> CaseStep | None:
    query = sa.select(CaseStep).where(CaseStep.case_id == case_id).order_by(CaseStep.seq.desc()).limit(1)
    return await session.scalar(query)


async def owner_of_loop(session: AsyncSession, loop_id: str) -> str:
    """Whom the riff belongs to that a loop is of."""
    query = sa.select(RiffOrder.owner).join(Loop, Loop.riff_id == RiffOrder.id).where(Loop.id == loop_id)
    return await session.scalar(query) or ""


async def account(session: AsyncSession, account_id: str) -> Account | None:
    return await session.get(Account, account_id)


async def comment(session: AsyncSession, rating_id: str) -> Rating | None:
    """A comment, held until the end of the transaction."""
    return await session.scalar(sa.select(Rating).where(Rating.id == rating_id).with_for_update())


async def collection(session: AsyncSession, collection_id: str) -> LoopCollection | None:
    """A collection, held until the end of the transaction."""
    query = sa.select(LoopCollection).where(LoopCollection.id == collection_id).with_for_update()
    return await session.scalar(query)


async def standing_grants(session: AsyncSession, loop_id: str) -> Sequence[str]:
    """The codes of a loop's licences that were not revoked."""
    revoked = sa.exists().where(Revocation.code == Grant.code)
    query = (
        sa.select(Grant.code).where(Grant.loop_id == loop_id, ~revoked).order_by(Grant.granted_at, Grant.code)
    )
    return (await session.scalars(query)).all()


def _beyond(
    moment: InstrumentedAttribute[datetime], key: InstrumentedAttribute[str], after: Place
) -> sa.ColumnElement[bool]:
    at, last = after
    return sa.or_(moment > at, sa.and_(moment == at, key > last))
