"""What anybody can do with a loop of the market: look closer, go on to others, keep it, take it free, report it."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import discord
from discord import ui

from bot import access, answers, cards, licences, people, shelf
from bot.cards import CardButton, Details
from bot.forms import Field, Form, Submitted
from bot.loop.actions import Action
from bot.messages import COLOUR, Attached
from bot.shelf import Wanted
from generation.errors import RiffError
from market.api.actor import Actor
from market.catalog import service as catalog
from market.catalog.models import ListingStatus
from market.catalog.service import Shown
from market.community import service as community
from market.downloads import service as downloads
from market.language import say
from market.licensing import service as licensing
from market.licensing import tiers
from market.licensing.service import MAX_LICENSEE, MAX_PROJECT
from market.moderation import service as moderation
from market.moderation.pages import REASONS, read
from market.moderation.schemas import ReportIn
from market.moderation.service import Notice, Reporter
from market.search import service as search
from market.search.errors import NotHeard

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from bot.client import RiffBot

FREE = "free"
# Titles of others that a card names.
NAMED = 3


class NoConsent(RiffError):
    """A licence is a contract: nobody gets one who has not agreed to it."""

    def __init__(self) -> None:
        super().__init__("Nothing was granted: a licence needs your consent to its terms.")


async def card(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Show one loop to the person alone."""
    await answers.think(interaction)
    await show(interaction, loop_id)


async def show(interaction: discord.Interaction["RiffBot"], loop_id: str, *, public: bool = False) -> None:
    """Fill the answer that is under way with the whole card of a loop. Raises NotFound and LoopRemoved.

    A `public` one is as a passer-by sees it.
    """
    bot = interaction.client
    language = await access.public_language(interaction) if public else answers.language(interaction)
    async with bot.database.read() as session:
        acting = await people.known(session, interaction)
        found = await catalog.see(session, loop_id, Actor("visitor:") if public else acting)
        details = await _details(session, found)
    [loaded] = await cards.load(bot, [found], interaction.filesize_limit)
    address = bot.settings.public_url
    await interaction.edit_original_response(
        embeds=[cards.whole_embed_of(language, loaded, details, address)],
        attachments=[cards.file_of(file) for file in loaded.files],
        view=cards.view_of(language, found, address),
    )


async def similar(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """What sounds most like a loop."""
    await answers.think(interaction)
    await shelf.show(interaction, Wanted(similar=loop_id))


async def companions(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """What can be played together with a loop."""
    await answers.think(interaction)
    await shelf.show(interaction, Wanted(companions=loop_id))


async def favour(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Keep a loop at hand; one that is kept already stays."""
    await answers.think(interaction)
    async with interaction.client.database.write() as session:
        account = await people.active(session, interaction)
        await community.favour(session, account, loop_id)
    language = answers.language(interaction)
    view = ui.View(timeout=None)
    view.add_item(CardButton("unfavour", loop_id, language))
    await answers.whisper(
        interaction, say(language, "Kept: it is among your favourites, on the web too."), view=view
    )


async def unfavour(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Let go of a loop."""
    await answers.think(interaction)
    async with interaction.client.database.write() as session:
        account = await people.active(session, interaction)
        await community.unfavour(session, account, loop_id)
    await answers.whisper(
        interaction, say(answers.language(interaction), "It is no favourite of yours any more.")
    )


async def free(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """What the free licence of a loop allows, with its whole text, before anybody agrees to it."""
    await answers.think(interaction)
    bot, language = interaction.client, answers.language(interaction)
    async with bot.database.read() as session:
        offer = await licensing.offer(session, loop_id, FREE)
        found = await catalog.see(session, loop_id, await people.known(session, interaction))
    text = tiers.terms(FREE, offer.tier.terms)
    title = discord.utils.escape_markdown(cards.title_of(found.loop, found.listing))
    embed = discord.Embed(title=say(language, "A free licence for “{title}”", title=title), colour=COLOUR)
    uses = "\n".join(f"✅ {say(language, tiers.spoken(use))}" for use in offer.tier.uses)
    embed.description = f"{say(language, offer.tier.summary)}\n\n{uses}"
    if bot.settings.public_url:
        place = f"{bot.settings.public_url}/licences/terms/{text.tier}/{text.version}"
        embed.add_field(
            name=say(language, "The terms"),
            value=f"[{say(language, 'Version {version}', version=text.version)}]({place})",
        )
    embed.set_footer(
        text=say(language, "The terms are attached. Read them: taking it means agreeing to them.")
    )
    view = ui.View(timeout=None)
    view.add_item(CardButton("take", loop_id, language))
    terms = Attached(f"licence-{text.tier}-{text.version}.md", text.text.encode())
    await answers.whisper(interaction, embed=embed, view=view, file=cards.file_of(terms))


async def take(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Ask who gets the free licence, what for, and for consent."""
    language, person = answers.language(interaction), interaction.user
    version = tiers.get(FREE).terms
    agree = say(language, "I have read the terms, version {version}, and agree", version=version)
    form = Form(
        "take",
        loop_id,
        say(language, "A free licence"),
        [
            Field(
                "licensee",
                say(language, "Who gets it"),
                value=person.global_name or person.name,
                description=say(language, "A person or a company."),
                required=True,
                max_length=MAX_LICENSEE,
            ),
            Field(
                "project",
                say(language, "What it is for"),
                placeholder=say(language, "A film about my town"),
                required=True,
                max_length=MAX_PROJECT,
            ),
            Field(
                "channel",
                say(language, "Your channel, if it is for one"),
                placeholder="https://youtube.com/@name",
            ),
            Field(
                "shown",
                say(language, "Who may read name and project"),
                value="no",
                required=True,
                choices=(
                    (say(language, "Only I"), "no"),
                    (say(language, "Whoever has the licence's code"), "yes"),
                ),
            ),
            Field(
                "consent",
                say(language, "The terms of the Free licence"),
                required=True,
                choices=((agree, version), (say(language, "I do not agree"), "no")),
            ),
        ],
    )
    await answers.give(lambda: interaction.response.send_modal(form))


async def taken(interaction: discord.Interaction["RiffBot"], loop_id: str, values: Mapping[str, str]) -> None:
    """Grant the free licence that a form asks for, and bring it with its certificate and the loop itself."""
    if values.get("consent") != tiers.get(FREE).terms:
        raise NoConsent
    await answers.think(interaction)
    bot = interaction.client
    channel = values.get("channel", "").strip()
    async with bot.database.write() as session:
        account = await people.active(session, interaction)
        grant, _ = await licensing.take(
            session,
            loop_id=loop_id,
            tier=FREE,
            licensee=values.get("licensee", ""),
            account=account,
            project=values.get("project", ""),
            channels=[{"url": channel}] if channel else [],
            show_licensee=values.get("shown") == "yes",
        )
        acting = Actor(account.owner, account)
        path, _ = await downloads.place(
            session, bot.settings, acting, loop_id, "wav", minutes=downloads.MAX_MINUTES
        )
    await licences.bring(interaction, grant.code, download=path)


async def report(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Ask what is wrong with a loop."""
    language = answers.language(interaction)
    form = Form(
        "report",
        loop_id,
        say(language, "Report a loop"),
        [
            Field(
                "reason",
                say(language, "What is wrong with it"),
                required=True,
                choices=[(say(language, spoken), reason.value) for reason, spoken in REASONS.items()],
            ),
            Field("text", say(language, "Say more"), long=True, required=True, max_length=2000),
            Field(
                "claimant",
                say(language, "The rights' owner"),
                description=say(language, "Only where it uses something that belongs to somebody."),
                max_length=200,
            ),
            Field(
                "contact",
                say(language, "How to reach them"),
                description=say(language, "Only moderators see it."),
                max_length=200,
            ),
            Field(
                "sworn",
                say(language, "Do you speak for the rights' owner?"),
                value="no",
                required=True,
                choices=(
                    (say(language, "No, or nobody's rights are concerned"), "no"),
                    (say(language, "Yes, and what I say is true: I give my word"), "yes"),
                ),
            ),
        ],
    )
    await answers.give(lambda: interaction.response.send_modal(form))


async def reported(
    interaction: discord.Interaction["RiffBot"], loop_id: str, values: Mapping[str, str]
) -> None:
    """Send a report to the moderators. Raises InvalidRequest and what `moderation.report` raises."""
    await answers.think(interaction)
    wish = read(
        ReportIn,
        {
            "subject": f"loop:{loop_id}",
            "reason": values.get("reason", ""),
            "text": values.get("text", ""),
            "sworn": values.get("sworn") == "yes",
            **{name: values[name] for name in ("claimant", "contact") if values.get(name, "").strip()},
        },
    )
    async with interaction.client.database.write() as session:
        # Who is suspended may report, too: as on the web.
        account = await people.account_of(session, interaction)
        _, new = await moderation.report(
            session, Notice(**wish.model_dump()), _reporter(interaction, account.owner)
        )
    language = answers.language(interaction)
    said = (
        "Thank you: a moderator looks at it." if new else "You have reported this already: it is looked at."
    )
    await answers.whisper(interaction, say(language, said))


async def _details(session: "AsyncSession", found: Shown) -> Details:
    loop_id, held = found.loop.id, found.listing
    offers = await licensing.offers(session, loop_id)
    if held is None or held.status not in (ListingStatus.PUBLISHED, ListingStatus.DELISTED):
        return Details(offers, None)
    counts = await community.counts(session, loop_id)
    if not found.access.listed:
        return Details(offers, counts)
    try:
        near = [one.loop_id for one in await search.similar(session, loop_id, limit=NAMED)]
    except NotHeard:
        near = []
    companions = await search.goes_with(session, loop_id, limit=NAMED)
    return Details(offers, counts, await _titles(session, near), await _titles(session, companions))


async def _titles(session: "AsyncSession", loop_ids: list[str]) -> list[tuple[str, str]]:
    found = await shelf.seen_as(session, loop_ids, Actor("visitor:"))
    return [(one.loop.id, cards.title_of(one.loop, one.listing)) for one in found]


def _reporter(interaction: discord.Interaction["RiffBot"], owner: str) -> Reporter:
    """Who reports; in chat a person is a place of their own, as nobody can follow it from day to day."""
    said = f"report {datetime.now(UTC).date()} discord {interaction.user.id}"
    key = interaction.client.settings.signing_key
    return Reporter(owner, hmac.new(key.encode(), said.encode(), hashlib.sha256).hexdigest()[:32])


ACTIONS = (
    Action("card", "Look closer", "🔎", card),
    Action("similar", "Similar", "🧲", similar),
    Action("companions", "Goes with", "🧩", companions),
    Action("favour", "Keep", "🔖", favour),
    Action("unfavour", "Let it go", "↩️", unfavour),
    Action("free", "Get it free…", "🎁", free, style=discord.ButtonStyle.success),
    Action("take", "Take it…", "✍️", take, style=discord.ButtonStyle.success),
    Action("report", "Report…", "🚩", report),
)

FORMS: dict[str, Submitted] = {"take": taken, "report": reported}
