"""Who acts in chat, as the market knows them."""

from typing import TYPE_CHECKING

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from market.accounts import service as accounts
from market.accounts.models import Account
from market.api.actor import UNKNOWN, Actor

if TYPE_CHECKING:
    from bot.client import RiffBot


async def account_of(session: AsyncSession, interaction: discord.Interaction["RiffBot"]) -> Account:
    """The account of the person who acted; made when it is the first time, so it wants a writing session."""
    person = interaction.user
    return await accounts.of_discord(session, person.id, person.global_name or person.name)


async def active(session: AsyncSession, interaction: discord.Interaction["RiffBot"]) -> Account:
    """The same for what changes something. Raises Suspended."""
    account = await account_of(session, interaction)
    accounts.require_active(account)
    return account


async def actor_of(session: AsyncSession, interaction: discord.Interaction["RiffBot"]) -> Actor:
    """The person who acted as the rules of the market ask for them."""
    account = await account_of(session, interaction)
    return Actor(account.owner, account)


async def known(session: AsyncSession, interaction: discord.Interaction["RiffBot"]) -> Actor:
    """The same with a reading session: whoever acts for the first time has nothing yet, and no account."""
    account = await accounts.known(session, f"discord:{interaction.user.id}")
    return Actor(UNKNOWN) if account is None else Actor(account.owner, account)
