"""The tables of moderation: what was reported, what became of it, who bears it, and words that are refused."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from market.db import Base, UtcDateTime


class Reason(StrEnum):
    """Why something is reported."""

    COPYRIGHT = "copyright"
    IMITATION = "imitation"
    HATE = "hate"
    SEXUAL = "sexual"
    HARASSMENT = "harassment"
    PERSONAL_DATA = "personal_data"
    SPAM = "spam"
    OTHER = "other"


class CaseStatus(StrEnum):
    """Where a case stands. Those of LIVE may still change."""

    OPEN = "open"
    DISMISSED = "dismissed"
    UPHELD = "upheld"
    COUNTERED = "countered"
    RESTORED = "restored"
    FINAL = "final"


LIVE = (CaseStatus.OPEN, CaseStatus.UPHELD, CaseStatus.COUNTERED)
_IS_LIVE = sa.text(f"status IN ({', '.join(repr(str(status)) for status in LIVE)})")


class Case(Base):
    """Everything about one subject ("loop:…", "comment:…", "account:…", "collection:…") until it is settled.

    `accused_id` is the account that made the subject, where there is one. `deadline` is when the status changes by
    itself: an upheld case becomes final, a countered one is restored. `status_before` is what a listing was before
    its removal.
    """

    __tablename__ = "moderation_case"
    __table_args__ = (
        # One live case per subject; whoever reports it meanwhile joins that one.
        sa.Index(
            "uq_moderation_case_live",
            "subject",
            unique=True,
            sqlite_where=_IS_LIVE,
            postgresql_where=_IS_LIVE,
        ),
        sa.Index("ix_moderation_case_subject", "subject"),
        sa.Index("ix_moderation_case_queue", "status", "opened_at", "id"),
        sa.Index("ix_moderation_case_accused", "accused_id", "opened_at"),
        sa.Index("ix_moderation_case_deadline", "deadline"),
    )

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    subject: Mapped[str] = mapped_column(sa.String(80))
    title: Mapped[str] = mapped_column(sa.String(300))
    accused_id: Mapped[str | None] = mapped_column(sa.ForeignKey("account.id"))
    reason: Mapped[str] = mapped_column(sa.String(16))
    status: Mapped[str] = mapped_column(sa.String(12))
    status_before: Mapped[str | None] = mapped_column(sa.String(12))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deadline: Mapped[datetime | None] = mapped_column(UtcDateTime)
    steps: Mapped[list["CaseStep"]] = relationship(order_by="CaseStep.seq", lazy="selectin")
    reports: Mapped[list["Report"]] = relationship(order_by="Report.created_at", lazy="selectin")

    @property
    def kind(self) -> str:
        """What the subject is."""
        return self.subject.partition(":")[0]

    @property
    def subject_id(self) -> str:
        return self.subject.partition(":")[2]


class CaseStep(Base):
    """Something that was done in a case, by whom and why; never changed afterwards.

    `contact` is how to reach whoever made a counter-notice, for moderators only.
    """

    __tablename__ = "case_step"
    __table_args__ = (sa.Index("ix_case_step_case", "case_id", "seq"), {"sqlite_autoincrement": True})

    seq: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    case_id: Mapped[str] = mapped_column(sa.ForeignKey("moderation_case.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(sa.String(80))
    status: Mapped[str] = mapped_column(sa.String(12))
    statement: Mapped[str]
    contact: Mapped[str | None] = mapped_column(sa.String(400))


class Report(Base):
    """What one person says about a subject: the notice as it was given, kept for good.

    `claimant` and `contact` are those of a rights holder, who is asked for them; the contact is for moderators only.
    `place` stands for an address: a keyed hash that changes every day.
    """

    __tablename__ = "report"
    __table_args__ = (
        sa.UniqueConstraint("case_id", "reporter"),
        sa.Index("ix_report_reporter", "reporter", "created_at"),
        sa.Index("ix_report_place", "place"),
        sa.Index("ix_report_recent", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    case_id: Mapped[str] = mapped_column(sa.ForeignKey("moderation_case.id"))
    subject: Mapped[str] = mapped_column(sa.String(80))
    reporter: Mapped[str] = mapped_column(sa.String(80))
    reason: Mapped[str] = mapped_column(sa.String(16))
    text: Mapped[str]
    claimant: Mapped[str | None] = mapped_column(sa.String(200))
    contact: Mapped[str | None] = mapped_column(sa.String(200))
    place: Mapped[str] = mapped_column(sa.String(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Strike(Base):
    """What an upheld case leaves with an account; one that was lifted or has expired counts no more.

    `suspended_until` is how long the account is suspended for it, where that many strikes suspend.
    """

    __tablename__ = "strike"
    __table_args__ = (sa.Index("ix_strike_account", "account_id", "expires_at"),)

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("account.id"))
    case_id: Mapped[str] = mapped_column(sa.ForeignKey("moderation_case.id"), unique=True)
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspended_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class BlockedWord(Base):
    """A word or phrase that is refused beside the shipped ones: everywhere, or on one server (`guild_id`)."""

    __tablename__ = "blocked_word"
    __table_args__ = (sa.UniqueConstraint("guild_id", "word"),)

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    # "" and not NULL for everywhere: NULLs are never the same to a unique constraint.
    guild_id: Mapped[str] = mapped_column(sa.String(20), server_default="")
    word: Mapped[str] = mapped_column(sa.String(80))
    note: Mapped[str] = mapped_column(sa.String(200), server_default="")
    added_by: Mapped[str] = mapped_column(sa.String(80))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
