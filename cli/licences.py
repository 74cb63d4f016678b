"""`riff market key`: the key that licences are signed with, changed at the machine itself."""

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from cli.accounts import in_transaction
from market.settings import Settings

commands = typer.Typer()


# One id in sixty-four begins with a dash.
@commands.command(context_settings={"ignore_unknown_options": True})
def key(
    retired: str | None = typer.Argument(
        None, metavar="[KEY_ID]", help="A key to retire; without one this machine gets a new key"
    ),
) -> None:
    """Change the key that licences are signed with; what the old one signed stays good."""
    from market.audit.service import SYSTEM
    from market.licensing import keys

    async def change(session: AsyncSession) -> str:
        if retired is not None:
            await keys.retire(session, retired, SYSTEM)
            return f"The key {retired} signs nothing any more; what it signed stays good."
        fresh = await keys.rotate(session, Settings(), SYSTEM)
        return f"Licences are signed with {fresh} from now on; what the old key signed stays good."

    typer.echo(in_transaction(change))
