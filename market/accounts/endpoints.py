"""The accounts over HTTP: oneself and one's tokens under /v1/me, and the pages to sign in and to look after it.

Changing, exporting and deleting an account, and its tokens, take a session of a browser or a token with the scope
"admin". Suspended people may still look after what is theirs.
"""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from generation.errors import InvalidRequest
from market.accounts import discord, sessions, tokens
from market.accounts import service as accounts
from market.accounts.errors import ScopeMissing, SignInNeeded, SignInRefused
from market.accounts.models import Account
from market.accounts.schemas import AccountIn, AccountOut, ExportOut, TokenIn, TokenMade, TokenOut, TokensOut
from market.api import cookies, limits
from market.api.actor import Anybody, Credential, Documented
from market.api.idempotency import Idempotent
from market.api.limits import Limits
from market.api.origin import is_foreign, is_local, origin_of, same_site
from market.api.problems import ANY_PROBLEM, problems
from market.api.session import Reading, Writing
from market.db import Database
from market.errors import MarketError, NotFound
from market.settings import Settings
from market.web.pages import ForeignForm, own_form
from market.web.rendering import page


def _own_page(request: Request) -> None:
    """Beside `own_form`, for browsers without Fetch Metadata."""
    if is_foreign(request):
        raise ForeignForm


router = APIRouter(prefix="/v1", tags=["accounts"], responses=ANY_PROBLEM, route_class=Idempotent)
pages = APIRouter(include_in_schema=False)
forms = APIRouter(include_in_schema=False, dependencies=[Depends(own_form), Depends(_own_page)])


def _oneself(scope: str) -> object:
    def check(whoever: Anybody, _: Documented) -> Account:
        if whoever.account is None:
            raise SignInNeeded
        if whoever.scopes is not None and scope not in whoever.scopes:
            raise ScopeMissing(scope)
        return whoever.account

    return Depends(check)


Reader = Annotated[Account, _oneself("read")]
Oneself = Annotated[Account, _oneself("admin")]


@router.get("/me", responses=problems(401, 429))
async def get_me(me: Reader, response: Response) -> AccountOut:
    """Who you are here."""
    _private(response)
    return AccountOut.of(me)


@router.patch("/me", responses=problems(401, 403, 409, 422, 429))
async def change_me(session: Writing, me: Oneself, change: AccountIn) -> AccountOut:
    """Take another name or handle."""
    return AccountOut.of(await accounts.change(session, me.id, name=change.name, handle=change.handle))


@router.delete("/me", status_code=204, responses=problems(401, 403, 409, 422, 429))
async def delete_me(
    request: Request,
    session: Writing,
    me: Oneself,
    confirm: Annotated[str, Query(max_length=40, description="Your handle, so that it is no mistake")],
) -> None:
    """Delete your account: names, sign-ins, sessions, tokens and uploads go; licences that were granted stay."""
    await accounts.delete(session, me.id, confirm)
    cookies.drop_ticket(request)


@router.get("/me/export", responses=problems(401, 403, 429))
async def export_me(session: Reading, me: Oneself, response: Response) -> ExportOut:
    """Everything that is stored about you."""
    _private(response)
    response.headers["Content-Disposition"] = 'attachment; filename="riffmarket-export.json"'
    return ExportOut.model_validate(await accounts.export(session, me.id))


@router.get("/me/tokens", responses=problems(401, 403, 429))
async def list_tokens(session: Reading, me: Oneself, response: Response) -> TokensOut:
    """Your tokens, without their secrets."""
    _private(response)
    now = datetime.now(UTC)
    return TokensOut(tokens=[TokenOut.of(token, now) for token in await tokens.of_account(session, me)])


@router.post("/me/tokens", status_code=201, responses=problems(401, 403, 409, 422, 429))
async def make_token(
    request: Request, session: Writing, whoever: Anybody, me: Oneself, wish: TokenIn, response: Response
) -> TokenMade:
    """A new token; its secret is told in this answer and never again. A token makes none that may more than itself."""
    if whoever.scopes is not None and (more := set(wish.scopes) - whoever.scopes):
        raise ScopeMissing(min(more))
    settings: Settings = request.app.state.settings
    token, secret = await tokens.issue(
        session, me, name=wish.name, scopes=wish.scopes, days=wish.days, daily_quota=settings.token_quota
    )
    _private(response)
    return TokenMade.made(token, secret, token.created_at)


@router.delete("/me/tokens/{token_id}", status_code=204, responses=problems(401, 403, 404, 429))
async def revoke_token(
    session: Writing, whoever: Anybody, _: Documented, request: Request, token_id: str
) -> None:
    """Revoke a token of yours; a token may always revoke itself."""
    credential: Credential | None = request.state.credential
    if whoever.account is None or credential is None:
        raise SignInNeeded
    if whoever.scopes is not None and "admin" not in whoever.scopes and credential.id != token_id:
        raise ScopeMissing("admin")
    await tokens.revoke(session, whoever.account, token_id)


@pages.get("/sign-in")
async def sign_in_page(
    request: Request,
    next_path: Annotated[str, Query(alias="next", max_length=2000)] = "/",
) -> Response:
    """The ways to sign in here."""
    return _sign_in(request, same_site(next_path))


@pages.get("/sign-in/discord")
async def sign_in_with_discord(
    request: Request,
    next_path: Annotated[str, Query(alias="next", max_length=2000)] = "/",
) -> Response:
    """Send the browser to Discord."""
    _count_sign_in(request)
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    discord.require(settings)
    origin = origin_of(request)
    async with database.write() as session:
        address = await discord.begin(
            session,
            settings,
            origin=origin,
            browser=cookies.browser(request),
            next_path=same_site(next_path),
        )
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})


@pages.get("/sign-in/discord/callback")
async def back_from_discord(
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=500)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The browser comes back from Discord: who it is, and on to where it wanted to go."""
    _count_sign_in(request)
    settings: Settings = request.app.state.settings
    database: Database = request.app.state.database
    discord.require(settings)
    # Over before Discord is asked: whatever comes of it, this state is good for nothing more.
    async with database.write() as session:
        begun = await discord.come_back(session, state, cookies.known_browser(request))
    if begun is None:
        raise SignInRefused(
            "This sign-in was used already, took too long or was begun elsewhere: begin again."
        )
    if error or not code:
        raise SignInRefused("Discord was not allowed to say who you are: nothing has changed.")
    person = await discord.who_is(settings, origin=origin_of(request), code=code, verifier=begun.verifier)
    async with database.write() as session:
        account = await accounts.of_discord(session, person.id, person.name)
        await _enter(request, session, account)
    return RedirectResponse(begun.next_path, status_code=303, headers={"Cache-Control": "no-store"})


@forms.post("/sign-in/local")
async def sign_in_locally(request: Request, session: Writing) -> Response:
    """Be anybody, on a development machine."""
    if not _offers_local(request):
        raise NotFound("page", "/sign-in/local")
    _count_sign_in(request)
    form = await _fields(request)
    name = accounts.plain_name(form.get("name", ""))
    account = await accounts.create(session, f"local:{name.lower()}", name)
    await _enter(request, session, account)
    return RedirectResponse(same_site(form.get("next", "/")), status_code=303)


@forms.post("/sign-out")
async def sign_out(request: Request, session: Writing) -> Response:
    """End this browser's session; with `everywhere`, all of the account's."""
    credential: Credential | None = request.state.credential
    if credential is not None:
        if (await _fields(request)).get("everywhere"):
            await sessions.end_all(session, credential.account)
        else:
            await sessions.end(session, credential.id)
    cookies.drop_ticket(request)
    return RedirectResponse("/", status_code=303)


@pages.get("/account")
async def account_page(request: Request, session: Reading) -> Response:
    """What we know about whoever looks, and what they can do about it."""
    credential: Credential | None = request.state.credential
    if credential is None:
        return RedirectResponse("/sign-in?next=/account", status_code=303)
    return await _account(request, session, credential)


@forms.post("/account")
async def change_account(request: Request, session: Writing) -> Response:
    """Take another name or handle from the form."""
    credential = _signed_in(request)
    form = await _fields(request)
    try:
        async with session.begin_nested():
            await accounts.change(
                session, credential.account.id, name=form.get("name"), handle=form.get("handle")
            )
    except (InvalidRequest, MarketError) as refusal:
        return await _account(request, session, credential, error=refusal)
    return RedirectResponse("/account", status_code=303)


@forms.post("/account/tokens")
async def make_token_by_form(request: Request, session: Writing) -> Response:
    """A new token, shown once on the page that answers."""
    credential = _signed_in(request)
    form = await request.form()
    settings: Settings = request.app.state.settings
    days = str(form.get("days", ""))
    try:
        async with session.begin_nested():
            token, secret = await tokens.issue(
                session,
                credential.account,
                name=str(form.get("token_name", "")),
                scopes=[str(scope) for scope in form.getlist("scopes")],
                days=int(days) if days.isascii() and days.isdigit() and len(days) < 5 else None,
                daily_quota=settings.token_quota,
            )
    except (InvalidRequest, MarketError) as refusal:
        return await _account(request, session, credential, error=refusal)
    return await _account(request, session, credential, made=(token.name, secret))


@forms.post("/account/tokens/{token_id}/revoke")
async def revoke_token_by_form(request: Request, session: Writing, token_id: str) -> Response:
    await tokens.revoke(session, _signed_in(request).account, token_id)
    return RedirectResponse("/account", status_code=303)


@forms.post("/account/sessions/{session_id}/end")
async def end_session(request: Request, session: Writing, session_id: str) -> Response:
    """Sign another browser of yours out."""
    await sessions.end_of(session, _signed_in(request).account, session_id)
    return RedirectResponse("/account", status_code=303)


@forms.post("/account/delete")
async def delete_account(request: Request, session: Writing) -> Response:
    """Delete the account, confirmed by its handle."""
    credential = _signed_in(request)
    confirm = (await _fields(request)).get("confirm", "")
    try:
        async with session.begin_nested():
            await accounts.delete(session, credential.account.id, confirm)
    except (InvalidRequest, MarketError) as refusal:
        return await _account(request, session, credential, error=refusal)
    cookies.drop_ticket(request)
    return RedirectResponse("/", status_code=303)


pages.include_router(forms)


async def _enter(request: Request, session: Writing, account: Account) -> None:
    """A browser is signed in: with a new session, and no longer the visitor that it was."""
    former = cookies.ticket(request)
    if former is not None and (await sessions.find(session, former, datetime.now(UTC))) is not None:
        await sessions.end(session, former.session_id)
    await accounts.sign_in(session, account, cookies.known_visitor(request))
    cookies.fresh_visitor(request)
    cookies.keep_ticket(
        request, await sessions.begin(session, account, request.headers.get("user-agent", ""))
    )


async def _account(
    request: Request,
    session: Reading,
    credential: Credential,
    *,
    error: Exception | None = None,
    made: tuple[str, str] | None = None,
) -> Response:
    account = await accounts.get(session, credential.account.id)
    context = {
        "here": "account",
        "account": account,
        "identities": await accounts.identities(session, account),
        "sessions": await sessions.of_account(session, account),
        "this_session": credential.id,
        "tokens": await tokens.of_account(session, account),
        "scopes": tokens.SCOPES[1:],
        "error": None if error is None else str(error),
        "field": error.field if isinstance(error, InvalidRequest) else None,
        "made": made,
        "now": datetime.now(UTC),
    }
    return page(request, "account.html", context, status=200 if error is None else 422, fresh=True)


def _sign_in(request: Request, next_path: str) -> Response:
    settings: Settings = request.app.state.settings
    needed = None
    try:
        discord.require(settings)
    except MarketError as refusal:
        needed = str(refusal)
    context = {"here": "account", "next": next_path, "needed": needed, "local": _offers_local(request)}
    return page(request, "signin.html", context, fresh=True)


def _offers_local(request: Request) -> bool:
    settings: Settings = request.app.state.settings
    wanted = settings.local_sign_in
    if wanted is None:
        wanted = not (settings.discord_client_id and settings.discord_client_secret)
    return wanted and is_local(request)


def _signed_in(request: Request) -> Credential:
    credential: Credential | None = request.state.credential
    if credential is None:
        raise SignInNeeded
    return credential


def _count_sign_in(request: Request) -> None:
    limiting: Limits = request.app.state.limits
    limits.take(request, limiting.sign_ins, limiting.address_of(request))


async def _fields(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _private(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"
