"""The tables. Most are only to be looked at; what can be changed goes through the services, which note who did it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from fastapi import Request
from markupsafe import Markup
from sqladmin import ModelView
from wtforms import DateTimeField, Form, SelectMultipleField, StringField  # type: ignore[import-untyped]
from wtforms.validators import InputRequired, Length, Optional, Regexp  # type: ignore[import-untyped]

from market.accounts import service as accounts
from market.accounts.errors import SignInNeeded
from market.accounts.models import Account, ApiToken
from market.admin.access import acting_account
from market.audit.models import AuditEntry
from market.catalog.models import Listing
from market.db import Database
from market.licensing.models import Grant
from market.moderation import words
from market.moderation.models import BlockedWord, Case, Report, Strike

DATE_FORMATS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]
ONE_LINE = Regexp(r"^[^\x00-\x1f\x7f]*$", message="Use plain text on one line.")


class Table(ModelView):
    """A table to look at."""

    can_create = can_edit = can_delete = can_export = can_import = False
    page_size = 25
    save_as = False


class ReportTable(Table, model=Report):
    name_plural = "Reports"
    category = "Moderation"
    column_list: ClassVar = [Report.created_at, Report.subject, Report.reason, Report.text, Report.reporter]
    column_details_list: ClassVar = [
        Report.id, Report.created_at, Report.case_id, Report.subject, Report.reason, Report.text, Report.reporter,
        Report.claimant, Report.contact,
    ]  # fmt: skip
    column_searchable_list: ClassVar = [Report.subject, Report.text, Report.reporter]
    column_sortable_list: ClassVar = [Report.created_at, Report.reason]
    column_default_sort: ClassVar = (Report.created_at, True)
    column_formatters: ClassVar = {Report.text: lambda row, _: _short(row.text)}


class CaseTable(Table, model=Case):
    name_plural = "Cases"
    category = "Moderation"
    column_list: ClassVar = [
        Case.id,
        Case.opened_at,
        Case.subject,
        Case.title,
        Case.reason,
        Case.status,
        Case.deadline,
    ]
    column_details_list: ClassVar = [
        Case.id, Case.opened_at, Case.subject, Case.title, Case.accused_id, Case.reason, Case.status, Case.deadline,
        Case.status_before,
    ]  # fmt: skip
    column_searchable_list: ClassVar = [Case.id, Case.subject, Case.title]
    column_sortable_list: ClassVar = [Case.opened_at, Case.status, Case.deadline]
    column_default_sort: ClassVar = (Case.opened_at, True)
    # Where it is decided.
    column_formatters: ClassVar = {Case.id: lambda row, _: _link(f"/moderation/cases/{row.id}", row.id)}
    column_formatters_detail: ClassVar = column_formatters


class StrikeTable(Table, model=Strike):
    name_plural = "Strikes"
    category = "Moderation"
    column_list: ClassVar = [
        Strike.given_at, Strike.account_id, Strike.case_id, Strike.expires_at, Strike.lifted_at, Strike.suspended_until,
    ]  # fmt: skip
    column_details_list: ClassVar = column_list
    column_searchable_list: ClassVar = [Strike.account_id, Strike.case_id]
    column_sortable_list: ClassVar = [Strike.given_at, Strike.expires_at]
    column_default_sort: ClassVar = (Strike.given_at, True)
    column_formatters: ClassVar = {
        Strike.case_id: lambda row, _: _link(f"/moderation/cases/{row.case_id}", row.case_id)
    }


# What sqladmin gives the fields that it makes by itself.
LOOK = {"class": "form-control"}


class WordForm(Form):  # type: ignore[misc]
    """A word to refuse."""

    word = StringField(
        "Word or phrase", [InputRequired(), Length(max=words.MAX_WORD_LENGTH), ONE_LINE], render_kw=LOOK
    )
    guild_id = StringField(
        "Server (empty: everywhere)",
        [Regexp("^[0-9]{0,20}$", message="A server's id is a number.")],
        render_kw=LOOK,
    )
    note = StringField("Note", [Length(max=200), ONE_LINE], render_kw=LOOK)


class WordTable(Table, model=BlockedWord):
    name = "Word"
    name_plural = "Refused words"
    category = "Moderation"
    can_create = can_delete = True
    form = WordForm
    column_list: ClassVar = [
        BlockedWord.word, BlockedWord.guild_id, BlockedWord.note, BlockedWord.added_by, BlockedWord.added_at,
    ]  # fmt: skip
    column_details_list: ClassVar = column_list
    column_searchable_list: ClassVar = [BlockedWord.word, BlockedWord.guild_id]
    column_sortable_list: ClassVar = [BlockedWord.word, BlockedWord.guild_id, BlockedWord.added_at]
    column_default_sort: ClassVar = (BlockedWord.added_at, True)

    async def insert_model(self, request: Request, data: dict[str, Any]) -> BlockedWord:
        async with _database(request).write() as session:
            return await words.add(
                session,
                data["word"],
                by=_actor(request).owner,
                guild_id=data["guild_id"] or words.EVERYWHERE,
                note=data["note"] or "",
            )

    async def delete_model(self, request: Request, pk: Any) -> None:
        async with _database(request).write() as session:
            await words.remove(session, str(pk), by=_actor(request).owner)


class AccountForm(Form):  # type: ignore[misc]
    """What administrators change of an account, and why."""

    roles = SelectMultipleField(
        "Roles", choices=[(role, role) for role in accounts.ROLES[1:]], render_kw=LOOK
    )
    suspended_until = DateTimeField(
        "Suspended until (UTC)", [Optional()], format=DATE_FORMATS, render_kw=LOOK
    )
    reason = StringField("Why", [InputRequired(), Length(max=300), ONE_LINE], render_kw=LOOK)


class AccountTable(Table, model=Account):
    name_plural = "Accounts"
    category = "Market"
    can_edit = True
    form = AccountForm
    column_list: ClassVar = [
        Account.handle, Account.name, Account.roles, Account.created_at, Account.suspended_until, Account.deleted_at,
    ]  # fmt: skip
    column_details_list: ClassVar = [Account.id, *column_list]
    column_searchable_list: ClassVar = [Account.id, Account.handle, Account.name]
    column_sortable_list: ClassVar = [Account.handle, Account.created_at, Account.suspended_until]
    column_default_sort: ClassVar = (Account.created_at, True)

    async def get_form_data_for_edit(self, obj: Account) -> dict[str, Any]:
        return {"roles": obj.roles, "suspended_until": obj.suspended_until}

    async def update_model(self, request: Request, pk: str, data: dict[str, Any]) -> Account:
        by, reason = _actor(request).owner, data["reason"]
        until: datetime | None = data["suspended_until"]
        until = None if until is None else until.replace(tzinfo=UTC)
        async with _database(request).write() as session:
            account = await accounts.get(session, pk)
            for role in accounts.ROLES[1:]:
                if (role in data["roles"]) != (role in account.roles):
                    account = await accounts.set_role(session, pk, role, role in data["roles"], by)
            # The form knows whole seconds.
            if until != (account.suspended_until and account.suspended_until.replace(microsecond=0)):
                account = await accounts.suspend(session, pk, until, by, reason)
        return account


class ListingTable(Table, model=Listing):
    name_plural = "Listings"
    category = "Market"
    column_list: ClassVar = [
        Listing.loop_id, Listing.title, Listing.creator_id, Listing.status, Listing.free, Listing.published_at,
    ]  # fmt: skip
    column_details_list: ClassVar = [
        *column_list, Listing.description, Listing.prices, Listing.currency, Listing.version, Listing.updated_at,
        Listing.rights_confirmed_at, Listing.analysis,
    ]  # fmt: skip
    column_searchable_list: ClassVar = [Listing.loop_id, Listing.title, Listing.creator_id]
    column_sortable_list: ClassVar = [Listing.title, Listing.status, Listing.published_at]
    column_default_sort: ClassVar = (Listing.updated_at, True)
    column_formatters: ClassVar = {
        Listing.loop_id: lambda row, _: _link(f"/loops/{row.loop_id}", row.loop_id)
    }


class GrantTable(Table, model=Grant):
    name = "Licence"
    name_plural = "Licences"
    category = "Market"
    column_list: ClassVar = [
        Grant.code, Grant.granted_at, Grant.tier, Grant.loop_id, Grant.account_id, Grant.licensee, Grant.price_cents,
    ]  # fmt: skip
    column_details_list: ClassVar = [
        *column_list, Grant.currency, Grant.project, Grant.terms_version, Grant.terms_sha256, Grant.loop_title,
        Grant.creator_id, Grant.intent, Grant.document, Grant.key_id,
    ]  # fmt: skip
    column_searchable_list: ClassVar = [Grant.code, Grant.loop_id, Grant.account_id, Grant.licensee]
    column_sortable_list: ClassVar = [Grant.granted_at, Grant.tier, Grant.price_cents]
    column_default_sort: ClassVar = (Grant.granted_at, True)


class TokenTable(Table, model=ApiToken):
    name = "Token"
    name_plural = "Tokens"
    category = "Market"
    column_list: ClassVar = [
        ApiToken.name, ApiToken.account_id, ApiToken.hint, ApiToken.scopes, ApiToken.created_at, ApiToken.used_at,
        ApiToken.expires_at, ApiToken.revoked_at,
    ]  # fmt: skip
    column_details_list: ClassVar = [ApiToken.id, *column_list, ApiToken.daily_quota, ApiToken.quota_used]
    column_searchable_list: ClassVar = [ApiToken.account_id, ApiToken.name]
    column_sortable_list: ClassVar = [ApiToken.created_at, ApiToken.used_at]
    column_default_sort: ClassVar = (ApiToken.created_at, True)


class AuditTable(Table, model=AuditEntry):
    name = "Entry"
    name_plural = "Audit log"
    category = "Log"
    column_list: ClassVar = [
        AuditEntry.id, AuditEntry.at, AuditEntry.actor, AuditEntry.action, AuditEntry.subject, AuditEntry.details,
    ]  # fmt: skip
    column_details_list: ClassVar = column_list
    column_searchable_list: ClassVar = [AuditEntry.actor, AuditEntry.action, AuditEntry.subject]
    column_sortable_list: ClassVar = [AuditEntry.id]
    column_default_sort: ClassVar = (AuditEntry.id, True)
    column_formatters: ClassVar = {AuditEntry.details: lambda row, _: _short(str(row.details))}


FOR_MODERATORS: Sequence[type[ModelView]] = (ReportTable, CaseTable, StrikeTable, WordTable)
FOR_ADMINISTRATORS: Sequence[type[ModelView]] = (
    AccountTable,
    ListingTable,
    GrantTable,
    TokenTable,
    AuditTable,
)


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _actor(request: Request) -> Account:
    account = acting_account(request)
    if account is None:
        raise SignInNeeded
    return account


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _link(path: str, text: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(path, text)
