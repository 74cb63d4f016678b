"""`riff market role`, `admin` and `signout`: what the operator decides about people, at the machine itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from market.settings import Settings

commands = typer.Typer()
T = TypeVar("T")
OPERATOR = "system"
_WHO = typer.Argument(
    metavar="WHO", help="A handle, or discord:ID of somebody who need not have been here yet"
)


@commands.command()
def role(
    who: str = _WHO,
    role: str = typer.Argument(help="creator, moderator or admin"),
    remove: bool = typer.Option(False, "--remove", help="Take the role instead"),
) -> None:
    """Give somebody a role, or take it."""
    from market.accounts import service as accounts

    async def change(session: AsyncSession) -> str:
        account = await accounts.of_name(session, who)
        changed = await accounts.set_role(session, account.id, role, not remove, by=OPERATOR)
        return f"{changed.name} (@{changed.handle}) is now: {', '.join(changed.roles)}."

    typer.echo(in_transaction(change))


@commands.command()
def admin(who: str = _WHO) -> None:
    """Make somebody an administrator: the same as `riff market role WHO admin`."""
    role(who, "admin", remove=False)


@commands.command()
def signout(who: str = _WHO) -> None:
    """End all sessions of somebody and revoke all their tokens."""
    from market.accounts import service as accounts
    from market.accounts import sessions, tokens

    async def end(session: AsyncSession) -> str:
        account = await accounts.of_name(session, who)
        await sessions.end_all(session, account)
        for token in await tokens.of_account(session, account):
            await tokens.revoke(session, account, token.id)
        return f"{account.name} (@{account.handle}) is signed out everywhere."

    typer.echo(in_transaction(end))


def in_transaction(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """What some work gives, in one transaction. Raises DatabaseOutdated and DatabaseUnreachable."""
    from market.db import Database, require_current

    settings = Settings()
    require_current(settings)

    async def run() -> T:
        database = Database(settings)
        try:
            async with database.write() as session:
                return await work(session)
        finally:
            await database.close()

    return asyncio.run(run())
