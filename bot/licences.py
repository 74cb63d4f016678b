"""Licences in chat: what the page that verifies one says, its files, and a person's own ones."""

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import discord
from discord import ui
from sqlalchemy.ext.asyncio import AsyncSession

from bot import access, answers, cards, people, recordings, shelf
from bot.items import LastingItem
from bot.messages import COLOUR, Attached
from market.api.actor import Actor
from market.catalog import service as catalog
from market.catalog.models import Loop
from market.errors import AssetMissing
from market.language import say
from market.licensing import certificate, document, tiers
from market.licensing import service as licensing
from market.licensing.models import Grant
from market.licensing.schemas import LicenceOut
from market.web.rendering import dollars

if TYPE_CHECKING:
    from bot.client import RiffBot

PER_PAGE = 8
CODE = r"RM(?:-[0-9A-Z]{5}){3}"
REVOKED = discord.Colour(0xB3261E)


async def check(interaction: discord.Interaction["RiffBot"], code: str, *, public: bool = False) -> None:
    """Fill the answer that is under way with what there is to say about a code. Raises NotFound.

    What everybody sees is what a passer-by may read, whoever asks.
    """
    bot = interaction.client
    language = await access.public_language(interaction) if public else answers.language(interaction)
    async with bot.database.read() as session:
        grant = await licensing.get(session, code)
        acting = Actor("visitor:") if public else await people.known(session, interaction)
        licence = await _told(session, grant, acting)
    await interaction.edit_original_response(
        embeds=[_embed(language, licence, bot.settings.public_url)],
        view=_view(language, licence, bot.settings.public_url),
    )


async def bring(interaction: discord.Interaction["RiffBot"], code: str, *, download: str) -> None:
    """Fill the answer that is under way with a person's new licence: certificate, signed file, and the loop.

    `download` is the path of a link to the loop; where nobody knows this market's address, the loop itself comes.
    """
    bot, language = interaction.client, answers.language(interaction)
    address = bot.settings.public_url
    async with bot.database.read() as session:
        grant = await licensing.get(session, code)
        acting = await people.known(session, interaction)
        licence = await _told(session, grant, acting)
        loop = await catalog.get(session, grant.loop_id)
    embed = _embed(language, licence, address)
    line = licensing.attribution(grant, address)["plain"]
    # Where nobody knows the address, the page in it leads nowhere.
    line = line if address else line.rpartition(" (")[0]
    embed.add_field(name=say(language, "Say where the music is from"), value=f"```{line}```", inline=False)
    files = await _files(bot, grant, loop, acting)
    view = _view(language, licence, address)
    if address:
        view.add_item(
            ui.Button(label=say(language, "Download (WAV)"), emoji="⬇️", url=f"{address}{download}", row=0)
        )
    else:
        files += await _sound(bot, loop, interaction.filesize_limit)
    await interaction.edit_original_response(
        embeds=[embed], attachments=[cards.file_of(file) for file in files], view=view
    )


async def mine(interaction: discord.Interaction["RiffBot"], after: str | None = None) -> None:
    """Fill the answer that is under way with a person's licences, newest first, from after a code on."""
    bot, language = interaction.client, answers.language(interaction)
    async with bot.database.read() as session:
        acting = await people.known(session, interaction)
        page = None
        if acting.account is not None:
            page = await licensing.mine(session, acting.account.id, PER_PAGE, after)
    grants: Sequence[Grant] = [] if page is None else page.grants
    if not grants:
        said = "You have no licence yet. Give a code to check somebody else's."
        await interaction.edit_original_response(content=say(language, said), embeds=[], view=None)
        return
    embed = discord.Embed(title=say(language, "Your licences"), colour=COLOUR)
    embed.description = "\n".join(_line(language, grant) for grant in grants)
    view = ui.View(timeout=None)
    view.add_item(LicenceMenu(grants, language))
    if after is not None:
        view.add_item(LicencePage("", language, row=1))
    if page is not None and page.next_cursor is not None:
        view.add_item(LicencePage(page.next_cursor, language, row=1))
    await interaction.edit_original_response(embeds=[embed], view=view)


class LicencePage(LastingItem[ui.Button[Any]], template=rf"licences:(?P<after>(?:{CODE})?)"):
    """Turns the pages of a person's licences: from after a code on, or the newest."""

    def __init__(self, after: str, language: str = "en", *, row: int | None = None) -> None:
        label = say(language, "Older") if after else say(language, "Newest")
        super().__init__(
            ui.Button(label=label, emoji="▶️" if after else "⏮️", custom_id=f"licences:{after}"), row=row
        )
        self.after = after

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await access.require_here(interaction)
        await shelf.turn(interaction)
        await mine(interaction, self.after or None)


class LicenceMenu(LastingItem[ui.Select[Any]], template=r"licence-menu"):
    """Looks closer at one of several licences."""

    def __init__(self, grants: Sequence[Grant] = (), language: str = "en") -> None:
        options = [
            discord.SelectOption(label=grant.code, value=grant.code, description=grant.loop_title[:100])
            for grant in grants
        ]
        super().__init__(
            ui.Select(custom_id="licence-menu", placeholder=say(language, "Look closer…"), options=options),
            row=0,
        )

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await access.require_here(interaction)
        await answers.think(interaction)
        await check(interaction, self.item.values[0])


class LicenceFiles(LastingItem[ui.Button[Any]], template=rf"licence-files:(?P<code>{CODE})"):
    """Brings a licence's certificate, and its signed file to whom it may go."""

    def __init__(self, code: str, language: str = "en", *, row: int | None = None) -> None:
        super().__init__(
            ui.Button(label=say(language, "Certificate"), emoji="📜", custom_id=f"licence-files:{code}"),
            row=row,
        )
        self.code = code

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await access.require_here(interaction)
        await answers.think(interaction)
        bot = interaction.client
        async with bot.database.read() as session:
            grant = await licensing.get(session, self.code)
            loop = await catalog.get(session, grant.loop_id)
            acting = await people.known(session, interaction)
        files = await _files(bot, grant, loop, acting)
        await answers.whisper(interaction, files=[cards.file_of(file) for file in files])


ITEMS = (LicencePage, LicenceMenu, LicenceFiles)


async def _told(session: AsyncSession, grant: Grant, acting: Actor) -> LicenceOut:
    """A licence as somebody who has its code may read it."""
    moderates = acting.may("moderator", "moderate")
    own = moderates or (acting.account is not None and acting.account.id == grant.account_id)
    listed = list(await licensing.listed_channels(session, grant.code))
    shown = licensing.shown_to(grant, acting.account, moderating=moderates)
    return LicenceOut.of(grant, listed, shown=shown, own=own)


def _embed(language: str, licence: LicenceOut, public_url: str) -> discord.Embed:
    """What the page says that verifies a licence."""
    holds = licence.status == "valid"
    embed = discord.Embed(
        title=f"{'✅' if holds else '⛔'} {licence.code}", colour=COLOUR if holds else REVOKED
    )
    if public_url:
        embed.url = f"{public_url}{licence.links.page}"
    tier = tiers.every().get(licence.tier)
    granted = say(
        language,
        "{tier} licence for “{title}” by {creator}, granted {day}.",
        tier=say(language, tier.title) if tier else licence.tier,
        title=discord.utils.escape_markdown(licence.loop.title),
        creator=discord.utils.escape_markdown(licence.loop.creator),
        day=discord.utils.format_dt(licence.granted_at, "D"),
    )
    verdict = say(language, "This licence holds.") if holds else say(language, "This licence was revoked.")
    lines = [f"**{verdict}**", granted]
    if licence.revocation is not None:
        day = discord.utils.format_dt(licence.revocation.at, "D")
        lines.append(say(language, "It was revoked {day}.", day=day))
        if licence.revocation.reason:
            lines.append(f"> {discord.utils.escape_markdown(licence.revocation.reason)}")
    embed.description = "\n".join(lines)
    licensee = discord.utils.escape_markdown(licence.licensee)
    if licence.masked:
        licensee = say(language, "{name} (kept private)", name=licensee)
    embed.add_field(name=say(language, "Licensee"), value=licensee)
    if licence.project:
        embed.add_field(name=say(language, "Project"), value=discord.utils.escape_markdown(licence.project))
    if licence.price_cents:
        embed.add_field(name=say(language, "Price"), value=dollars(licence.price_cents))
    money = "May earn money." if licence.limits.monetised else "Nothing that earns money."
    uses = "\n".join(f"• {say(language, spoken)}" for spoken in licence.uses_spoken)
    embed.add_field(
        name=say(language, "What for"), value=f"{uses}\n{say(language, money)}"[:1024], inline=False
    )
    if licence.limits.audience:
        people_reached = f"{licence.limits.audience:,}"
        embed.add_field(
            name=say(language, "Audience"), value=say(language, "up to {count} people", count=people_reached)
        )
    if licence.channels:
        listed = "\n".join(channel.url for channel in licence.channels)
        embed.add_field(name=say(language, "Channels"), value=listed[:1024], inline=False)
    return embed


def _view(language: str, licence: LicenceOut, public_url: str) -> ui.View:
    view = ui.View(timeout=None)
    view.add_item(LicenceFiles(licence.code, language, row=0))
    if public_url:
        place = f"{public_url}{licence.links.page}"
        view.add_item(ui.Button(label=say(language, "Check on the web"), emoji="🔗", url=place, row=0))
    return view


def _line(language: str, grant: Grant) -> str:
    title = discord.utils.escape_markdown(grant.loop_title)
    tier = tiers.every().get(grant.tier)
    name = say(language, tier.title) if tier else grant.tier
    mark = "✅" if grant.revocation is None else "⛔"
    day = discord.utils.format_dt(grant.granted_at, "d")
    return f"{mark} `{grant.code}` {title} · {name} · {day}"


async def _files(bot: "RiffBot", grant: Grant, loop: Loop, acting: Actor) -> list[Attached]:
    """The certificate, its names masked for whoever may not read them, and for the others the signed file."""
    shown = licensing.shown_to(grant, acting.account, moderating=acting.may("moderator", "moderate"))
    licence = document.signed(grant)["licence"]
    if not shown:
        licence = {**licence, "licensee": licensing.masked(grant.licensee), "project": "kept by the licensee"}
    try:
        peaks = [float(peak) for peak in json.loads(await bot.storage.get(loop.peaks))]
    except AssetMissing:
        peaks = []
    end = grant.revocation
    data = await asyncio.to_thread(
        certificate.certificate,
        licence,
        signature=document.encode(grant.signature),
        page=f"{bot.settings.public_url}/licences/{grant.code}",
        peaks=peaks,
        revoked=None if end is None else f"{end.revoked_at:%Y-%m-%d}",
        masked=not shown,
    )
    files = [Attached(f"licence-{grant.code}.pdf", data)]
    if shown:
        signed = json.dumps(document.signed(grant), ensure_ascii=False, indent=1)
        files.append(Attached(f"licence-{grant.code}.json", signed.encode()))
    return files


async def _sound(bot: "RiffBot", loop: Loop, filesize_limit: int) -> list[Attached]:
    """The licensed loop as a file: the WAV where it is small enough."""
    signed = await bot.formats.signed(loop, "wav")
    if await bot.storage.size(signed.key) <= filesize_limit:
        name = f"{catalog.request_of(loop).name}.wav"
        return [Attached(name, await bot.storage.get(signed.key))]
    return [*await recordings.fitting(bot.storage, bot.formats, loop, filesize_limit, beside=True)]
