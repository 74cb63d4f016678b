"""Putting a loop on the market from chat, and looking after what one has there. The rules are the market's own."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui
from sqlalchemy.ext.asyncio import AsyncSession

from bot import access, answers, cards, people, shelf
from bot.cards import CardButton, CardMenu
from bot.forms import Field, Form, Submitted
from bot.items import LastingItem
from bot.loop.actions import Action
from bot.messages import COLOUR
from generation.errors import RiffError
from market.accounts.models import Account
from market.catalog import gate, offers
from market.catalog import service as catalog
from market.catalog.errors import GateRefused, LoopRemoved, NotYourLoop
from market.catalog.gate import Check
from market.catalog.listening import listened
from market.catalog.models import Listing, ListingStatus, Loop
from market.catalog.service import Shown
from market.catalog.tags import MAX_TAG_LENGTH, MAX_TAGS, automatic
from market.community import service as community
from market.community.repository import Counts
from market.language import retold, say
from market.licensing import tiers
from market.web.rendering import dollars

if TYPE_CHECKING:
    from bot.client import RiffBot

FREE = "free"
PUBLISH, DRAFT = "publish", "draft"
PER_PAGE = 5
STATUS = {
    ListingStatus.DRAFT: ("📝", "a draft"),
    ListingStatus.PUBLISHED: ("🟢", "on the market"),
    ListingStatus.DELISTED: ("⚪", "off the market"),
    ListingStatus.REMOVED: ("⛔", "taken down"),
}
# What to do about a check that keeps a loop out.
ADVICE = {
    "seam": "Make it again, or a variation of it: another seed loops better.",
    "step": "Make it again, or a variation of it: another seed loops better.",
    "silence": "Make it again with more in the prompt.",
    "clipping": "Make it again: its sound is broken.",
    "true peak": "Make it again: its sound is broken.",
    "loudness": "Make it again with more in the prompt.",
    "tempo": "Make it again with the tempo that is heard.",
    "key": "Make it again with the key that is heard, or with none.",
    "same samples": "Make a variation of it.",
    "fingerprint": "Make a variation of it that is less like the other.",
    "originality": "Make a variation of it that is less like the other.",
    "origin": "Only what is made from known sounds, and from your own, can be sold.",
    "words": "Choose other words.",
    "offer": "Choose a licence at least.",
}


async def publish(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Ask what to say of a loop and under which licences to offer it; what is on the market is looked after instead.

    Raises NotFound, NotYourLoop, Suspended and LoopRemoved.
    """
    loop, held = await _own(interaction, loop_id)
    if held is not None and held.status == ListingStatus.PUBLISHED:
        await manage(interaction, loop_id)
        return
    language = answers.language(interaction)
    form = Form(
        "publish",
        loop_id,
        say(language, "Publish a loop"),
        [*_words(language, loop, held), _licences(language, held), _consent(language, loop)],
    )
    await answers.give(lambda: interaction.response.send_modal(form))


async def published(
    interaction: discord.Interaction["RiffBot"], loop_id: str, values: Mapping[str, str]
) -> None:
    """Write down what the form says, and put the loop on the market if the gate lets it pass.

    What was written stays as a draft where it does not. Raises what `catalog.edit` raises.
    """
    await answers.think(interaction)
    bot = interaction.client
    async with bot.database.write() as session:
        account = await people.active(session, interaction)
        held = await catalog.listing(session, loop_id)
        wanted = values.get("consent", DRAFT)
        changes = {**_texts(values), **_offer(values, held), "rights": wanted == PUBLISH}
        await catalog.edit(session, loop_id, account, changes)
    if wanted != PUBLISH:
        await _show(interaction, loop_id, "What you wrote is kept.")
        return
    measured = await listened(bot.database, bot.storage, account, loop_id)
    try:
        async with bot.database.write() as session:
            account = await people.active(session, interaction)
            _, checks = await catalog.publish(session, loop_id, account, measured)
    except GateRefused as refusal:
        await _show(
            interaction,
            loop_id,
            "It cannot be published as it is. What you wrote is kept as a draft.",
            refusal.checks,
        )
        return
    await _show(interaction, loop_id, "It is on the market.", checks)


async def manage(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """A loop of one's own: where it stands, what happened to it, and what can be done."""
    await answers.think(interaction)
    await _show(interaction, loop_id)


async def delist(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Take a loop off the market."""
    await answers.think(interaction)
    async with interaction.client.database.write() as session:
        account = await people.active(session, interaction)
        await catalog.delist(session, loop_id, account)
    await _show(interaction, loop_id, "It is off the market. Licences that were given stand.")


async def rewrite(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Ask for another title, description and tags."""
    loop, held = await _own(interaction, loop_id)
    language = answers.language(interaction)
    form = Form("rewrite", loop_id, say(language, "What you say of it"), _words(language, loop, held))
    await answers.give(lambda: interaction.response.send_modal(form))


async def rewritten(
    interaction: discord.Interaction["RiffBot"], loop_id: str, values: Mapping[str, str]
) -> None:
    """Write other words about a loop. Raises what `catalog.edit` raises."""
    await _change(interaction, loop_id, _texts(values))


async def reprice(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Ask for the price of each licence."""
    _, held = await _own(interaction, loop_id)
    language = answers.language(interaction)
    prices = {} if held is None else held.prices
    least, most = (f"{limit // 100:,}" for limit in offers.PRICE_CENTS)
    lines = [
        Field(
            name,
            say(language, "{tier}, in dollars", tier=say(language, tiers.get(name).title)),
            value=dollars(prices[name]).removeprefix("$") if name in prices else "",
            description=say(
                language, "From {least} to {most}; empty where it is not offered.", least=least, most=most
            ),
            placeholder=dollars(tiers.get(name).price_cents).removeprefix("$"),
            max_length=10,
        )
        for name in offers.paid_tiers()
    ]
    free = Field(
        FREE,
        say(language, "Free, for what earns nothing"),
        value="yes" if held is not None and held.free else "no",
        required=True,
        choices=((say(language, "Offered"), "yes"), (say(language, "Not offered"), "no")),
    )
    form = Form("reprice", loop_id, say(language, "Licences and prices"), [free, *lines])
    await answers.give(lambda: interaction.response.send_modal(form))


async def repriced(
    interaction: discord.Interaction["RiffBot"], loop_id: str, values: Mapping[str, str]
) -> None:
    """Ask other prices for a loop. Raises InvalidRequest and what `catalog.edit` raises."""
    typed = {name: offers.cents(name, values.get(name, "")) for name in offers.paid_tiers()}
    prices = {name: cents for name, cents in typed.items() if cents is not None}
    await _change(interaction, loop_id, {"prices": prices, FREE: values.get(FREE) == "yes"})


async def mine(interaction: discord.Interaction["RiffBot"], page: int = 0) -> None:
    """Fill the answer that is under way with a page of what a person has listed."""
    bot, language = interaction.client, answers.language(interaction)
    async with bot.database.read() as session:
        acting = await people.known(session, interaction)
        rows: Sequence[tuple[Loop, Listing]] = []
        total = 0
        if acting.account is not None:
            rows, total = await catalog.offered(session, acting.account, PER_PAGE, page * PER_PAGE)
        shown = await catalog.shown(session, [loop for loop, _ in rows], acting)
        counts = [await _counts(session, held) for _, held in rows]
    if acting.account is None or not rows:
        said = "You have offered nothing yet: make a riff and press Publish… under it."
        await interaction.edit_original_response(content=say(language, said), embeds=[], view=None)
        return
    drafts = [loop.id for loop, held in rows if held.status == ListingStatus.DRAFT]
    judged = dict(
        zip(
            drafts,
            await asyncio.gather(*(_judged(bot, acting.account, loop_id) for loop_id in drafts)),
            strict=True,
        )
    )
    lines = [
        _entry(language, number, each, count, judged.get(each.loop.id))
        for number, (each, count) in enumerate(zip(shown, counts, strict=True), 1)
    ]
    embed = discord.Embed(title=say(language, "Your listings"), colour=COLOUR)
    embed.description = "\n\n".join(lines)[:4096]
    pages = -(-total // PER_PAGE)
    if pages > 1:
        embed.set_footer(text=say(language, "Page {page} of {pages}.", page=page + 1, pages=pages))
    view = ui.View(timeout=None)
    view.add_item(CardMenu("manage", shown, language, row=0))
    if page > 0:
        view.add_item(ListingsPage(page - 1, language, forth=False))
    if page + 1 < pages:
        view.add_item(ListingsPage(page + 1, language))
    await interaction.edit_original_response(embeds=[embed], view=view)


class ListingsPage(LastingItem[ui.Button[Any]], template=r"listings:(?P<page>\d{1,4})"):
    """Turns the pages of a person's listings."""

    def __init__(self, page: int, language: str = "en", *, forth: bool = True) -> None:
        label = say(language, "Next") if forth else say(language, "Back")
        super().__init__(
            ui.Button(label=label, emoji="▶️" if forth else "◀️", custom_id=f"listings:{page}"), row=1
        )
        self.page = page

    @classmethod
    def of(cls, match: re.Match[str]) -> Self:
        return cls(int(match["page"]))

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await access.require_here(interaction)
        await shelf.turn(interaction)
        await mine(interaction, self.page)


async def _own(interaction: discord.Interaction["RiffBot"], loop_id: str) -> tuple[Loop, Listing | None]:
    """A loop of the person's own with its listing, without writing anything: a form has to come at once."""
    async with interaction.client.database.read() as session:
        acting = await people.known(session, interaction)
        if acting.account is None:
            raise NotYourLoop
        loop = await catalog.own(session, loop_id, acting.account)
        held = await catalog.listing(session, loop_id)
    if held is not None and held.status == ListingStatus.REMOVED:
        raise LoopRemoved
    return loop, held


async def _change(
    interaction: discord.Interaction["RiffBot"], loop_id: str, changes: Mapping[str, object]
) -> None:
    await answers.think(interaction)
    async with interaction.client.database.write() as session:
        account = await people.active(session, interaction)
        await catalog.edit(session, loop_id, account, changes)
    await _show(interaction, loop_id, "It is written down.")


async def _show(
    interaction: discord.Interaction["RiffBot"],
    loop_id: str,
    said: str = "",
    checks: Sequence[Check] | None = None,
) -> None:
    """Fill the answer that is under way with a loop of one's own, its checks where it is not on the market."""
    bot, language = interaction.client, answers.language(interaction)
    async with bot.database.read() as session:
        acting = await people.known(session, interaction)
        if acting.account is None:
            raise NotYourLoop
        await catalog.own(session, loop_id, acting.account)
        found = await catalog.see(session, loop_id, acting)
        counts = Counts() if found.listing is None else await _counts(session, found.listing)
    status = ListingStatus.DRAFT if found.listing is None else ListingStatus(found.listing.status)
    if checks is None and status in (ListingStatus.DRAFT, ListingStatus.DELISTED):
        checks = await _judged(bot, acting.account, loop_id)
    [card] = await cards.load(bot, [found], interaction.filesize_limit)
    embeds = [cards.embed_of(language, card, bot.settings.public_url)]
    embeds[0].add_field(name=say(language, "So far"), value=cards.happened_in(language, counts), inline=False)
    if checks:
        embeds.append(_gate_embed(language, checks))
    await interaction.edit_original_response(
        content=say(language, said) if said else None,
        embeds=embeds,
        attachments=[cards.file_of(file) for file in card.files],
        view=_view(language, loop_id, status),
    )


def _view(language: str, loop_id: str, status: ListingStatus) -> ui.View | None:
    names = {
        ListingStatus.DRAFT: ("publish", "rewrite", "reprice"),
        ListingStatus.DELISTED: ("publish", "rewrite", "reprice"),
        ListingStatus.PUBLISHED: ("rewrite", "reprice", "delist"),
        ListingStatus.REMOVED: (),
    }[status]
    if not names:
        return None
    view = ui.View(timeout=None)
    for name in names:
        view.add_item(CardButton(name, loop_id, language))
    return view


def _gate_embed(language: str, checks: Sequence[Check]) -> discord.Embed:
    """Every check in a line, those that keep the loop out first, with what to do about them."""
    passed = not any(check.refuses for check in checks)
    title = "It can be published." if passed else "It cannot be published as it is."
    embed = discord.Embed(title=say(language, title), colour=COLOUR)
    embed.description = "\n".join(
        _check_line(language, check)
        for check in sorted(checks, key=lambda check: (check.passed, not check.refuses))
    )[:4096]
    return embed


def _check_line(language: str, check: Check) -> str:
    mark = "❌" if check.refuses else "✅" if check.passed else "⚠️"
    sentence = discord.utils.escape_markdown(retold(language, check.sentence))
    line = f"{mark} **{say(language, check.name)}**: {sentence}"
    if check.refuses and check.name in ADVICE:
        line += f" → {say(language, ADVICE[check.name])}"
    return line


def _entry(language: str, number: int, shown: Shown, counts: Counts, judged: Sequence[Check] | None) -> str:
    """A listing in a list: its title, where it stands, what happened, and for drafts what the gate says."""
    held = shown.listing
    title = discord.utils.escape_markdown(shown.loop.prompt if held is None else held.title)
    mark, status = STATUS[ListingStatus(held.status if held is not None else ListingStatus.DRAFT)]
    lines = [
        f"**{number}. {title}**",
        f"{mark} {say(language, status)} · {cards.happened_in(language, counts)}",
    ]
    if judged is not None:
        refusing = [check for check in judged if check.refuses]
        lines += [_check_line(language, check) for check in refusing[:2]]
        if not refusing:
            lines.append(f"✅ {say(language, 'It can be published.')}")
    return "\n".join(lines)


async def _counts(session: AsyncSession, held: Listing) -> Counts:
    """What happened to a loop; nothing to one that nobody could find."""
    if held.status not in (ListingStatus.PUBLISHED, ListingStatus.DELISTED):
        return Counts()
    return await community.counts(session, held.loop_id)


async def _judged(bot: "RiffBot", account: Account, loop_id: str) -> Sequence[Check] | None:
    """How a loop stands before the gate; None where its files are gone or its maker may only look."""
    try:
        measured = await listened(bot.database, bot.storage, account, loop_id)
        async with bot.database.read() as session:
            return await catalog.checks(session, loop_id, account, measured)
    except RiffError:
        return None


def _words(language: str, loop: Loop, held: Listing | None) -> list[Field]:
    """Title, description and tags, with what is written already, or else what is known of the loop by itself."""
    tags = [tag.value for tag in automatic(loop.recipe)]
    if held is not None and (held.tags or held.tags_edited):
        tags = [tag.value for tag in held.tags]
    return [
        Field(
            "title",
            say(language, "Title"),
            value=held.title if held is not None else loop.prompt[: offers.TITLE_LENGTH].strip(),
            required=True,
            max_length=offers.TITLE_LENGTH,
        ),
        Field(
            "description",
            say(language, "Description"),
            value=held.description if held is not None else "",
            long=True,
            max_length=offers.DESCRIPTION_LENGTH,
        ),
        Field(
            "tags",
            say(language, "Genre, mood, instruments, tags"),
            value=", ".join(tags),
            description=say(language, "With commas between them. Empty: those that are found by themselves."),
            max_length=MAX_TAGS * (MAX_TAG_LENGTH + 2),
        ),
    ]


def _licences(language: str, held: Listing | None) -> Field:
    """The licences to choose from, at the prices that were set before or the usual ones."""
    known = {} if held is None else held.prices
    choices = [(say(language, "Free, for what earns nothing"), FREE)]
    for name in offers.paid_tiers():
        price = dollars(known.get(name, tiers.get(name).price_cents))
        choices.append((f"{say(language, tiers.get(name).title)}, {price}", name))
    chosen = [] if held is None else list(catalog.tiers_of(held))
    return Field(
        "licences",
        say(language, "Licences"),
        value=",".join(chosen),
        description=say(language, "Other prices can be set afterwards."),
        required=True,
        choices=choices,
        many=True,
    )


def _consent(language: str, loop: Loop) -> Field:
    """Whether to publish; for a sound that was brought, that is the statement that its rights are held."""
    yes = "Yes: publish it under these licences"
    if gate.starts_from_upload(loop.recipe):
        yes = "Yes, and I hold all rights to the sound that I brought and this starts from"
    return Field(
        "consent",
        say(language, "Put it on the market?"),
        required=True,
        choices=((say(language, yes), PUBLISH), (say(language, "No: only keep what I wrote"), DRAFT)),
    )


def _texts(values: Mapping[str, str]) -> dict[str, object]:
    tags = [word.strip() for word in values.get("tags", "").split(",") if word.strip()]
    return {
        "title": values.get("title", ""),
        "description": values.get("description", ""),
        "tags": tags or None,
    }


def _offer(values: Mapping[str, str], held: Listing | None) -> dict[str, object]:
    chosen = values.get("licences", "").split(",")
    known = {} if held is None else held.prices
    prices = {
        name: known.get(name, tiers.get(name).price_cents) for name in offers.paid_tiers() if name in chosen
    }
    return {"prices": prices, FREE: FREE in chosen}


ACTIONS = (
    Action("publish", "Publish…", "🏷️", publish, owner=True),
    Action("manage", "Look closer", "🔎", manage),
    Action("rewrite", "Edit words…", "✏️", rewrite),
    Action("reprice", "Prices…", "💲", reprice),
    Action("delist", "Take it off", "📤", delist, style=discord.ButtonStyle.danger),
)

FORMS: dict[str, Submitted] = {"publish": published, "rewrite": rewritten, "reprice": repriced}
ITEMS = (ListingsPage,)
