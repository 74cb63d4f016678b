"""How a loop of the market looks in chat: its card, the picture and the preview with it, and what stands under it."""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord
import structlog
from discord import ui

from bot import access
from bot.items import LastingItem
from bot.loop import actions
from bot.loop.buttons import LOOP_ID
from bot.messages import COLOUR, Attached
from generation.errors import RiffError
from market.catalog import service as catalog
from market.catalog.models import Listing, ListingStatus, Loop
from market.catalog.pictures import bare
from market.catalog.service import Shown
from market.community.repository import Counts
from market.language import say, say_count
from market.licensing import tiers
from market.licensing.service import Offer
from market.web.rendering import dollars, plain

if TYPE_CHECKING:
    from bot.client import RiffBot

log = structlog.get_logger(__name__)

# Each with a picture and a preview: the ten files that a message may have.
MOST = 5
MAX_TEXT = 900
# Of a name; each of its letters may need a backslash, and a title may have 256.
MAX_NAME = 120
MAX_CREATOR = 30
STANDINGS = {
    ListingStatus.DRAFT: "A draft: it is not on the market.",
    ListingStatus.DELISTED: "Off the market: no new licence is granted for it.",
    ListingStatus.REMOVED: "It was taken down.",
}
WHERE = "Buying is on this market's web page, and whoever runs this bot has not said where that is."


@dataclass(frozen=True, slots=True)
class Card:
    """A loop with the files of its card; None where one is missing or too large for the place."""

    shown: Shown
    picture: Attached | None
    preview: Attached | None

    @property
    def loop(self) -> Loop:
        return self.shown.loop

    @property
    def files(self) -> tuple[Attached, ...]:
        return tuple(file for file in (self.preview, self.picture) if file is not None)


@dataclass(frozen=True, slots=True)
class Details:
    """What only a card by itself has: what is offered, what happened so far, and loops to go on to: (id, title)."""

    offers: Sequence[Offer]
    counts: Counts | None
    similar: Sequence[tuple[str, str]] = ()
    companions: Sequence[tuple[str, str]] = ()


async def load(bot: "RiffBot", found: Sequence[Shown], filesize_limit: int) -> list[Card]:
    """Cards with their files, as far as these can be had: encodes previews that nobody has heard yet."""
    names = [""] if len(found) == 1 else [f"{number}-" for number in range(1, len(found) + 1)]
    return list(
        await asyncio.gather(
            *(_card(bot, name, shown, filesize_limit) for name, shown in zip(names, found, strict=True))
        )
    )


def file_of(attached: Attached) -> discord.File:
    """An attachment, to be sent once."""
    return discord.File(io.BytesIO(attached.content), attached.name)


def title_of(loop: Loop, held: Listing | None) -> str:
    """What a list calls a loop: what it is sold as, or else what was asked for."""
    return loop.prompt if held is None or held.status == ListingStatus.DRAFT else held.title


def line_of(shown: Shown, longest: int = 100) -> str:
    """A loop in a line, for menus and suggestions."""
    loop, held = shown.loop, shown.listing
    facts = [f"{plain(loop.bpm)} bpm", *([loop.key] if loop.key else [])]
    if held is not None:
        facts.insert(0, _cut(held.creator.name, MAX_CREATOR))
    tail = f" · {' · '.join(facts)}"
    title = title_of(loop, held)
    return f"{_cut(title, longest - len(tail))}{tail}"


def price_of(language: str, held: Listing | None) -> str:
    """What a loop costs, in a few words."""
    if held is None or held.status != ListingStatus.PUBLISHED or not catalog.tiers_of(held):
        return say(language, "not for sale")
    if not held.prices:
        return say(language, "free for what earns nothing")
    least = dollars(min(held.prices.values()))
    paid = say(language, "from {price}", price=least) if len(held.prices) > 1 else least
    if not held.free:
        return paid
    return say(language, "free for what earns nothing, else {price}", price=paid)


def happened_in(language: str, counts: Counts) -> str:
    """What happened to a loop so far."""
    happened = [
        say_count(language, "{count} play", "{count} plays", counts.plays),
        say_count(language, "{count} favourite", "{count} favourites", counts.favourites),
        say_count(language, "{count} licence", "{count} licences", counts.licences),
    ]
    if counts.ratings:
        happened.append(f"★ {counts.stars / counts.ratings:.1f}")
    return " · ".join(happened)


def badges_of(language: str, shown: Shown) -> str:
    """Tempo, key, length, genres and moods."""
    loop, held = shown.loop, shown.listing
    tags = held.tags if held is not None else []
    kinds = {"piece": say(language, "piece"), "song": say(language, "song")}
    badges = [
        *([kinds[loop.kind]] if loop.kind in kinds else []),
        f"{plain(loop.bpm)} bpm",
        loop.key or say(language, "no key"),
        say_count(language, "{count} bar", "{count} bars", loop.bars),
        *([] if loop.metre == "4/4" else [loop.metre]),
        *(tag.value for tag in tags if tag.kind == "genre"),
        *(tag.value for tag in tags if tag.kind == "mood"),
    ]
    return " · ".join(f"`{badge.replace('`', '')}`" for badge in badges)


def embed_of(language: str, card: Card, public_url: str, number: int | None = None) -> discord.Embed:
    """The card as it stands among others, `number` in front of its title."""
    loop, held = card.shown.loop, card.shown.listing
    title = discord.utils.escape_markdown(_cut(title_of(loop, held), MAX_NAME))
    embed = discord.Embed(title=title if number is None else f"{number}. {title}", colour=COLOUR)
    if public_url:
        embed.url = f"{public_url}/loops/{loop.id}"
    lines = [badges_of(language, card.shown)]
    if held is not None:
        creator = discord.utils.escape_markdown(held.creator.name)
        lines.insert(0, say(language, "by {name}", name=creator))
    status = ListingStatus.DRAFT if held is None else ListingStatus(held.status)
    standing = STANDINGS.get(status)
    lines.append(price_of(language, held) if standing is None else say(language, standing))
    if card.preview is None:
        lines.append(say(language, "Its preview cannot be played here."))
    embed.description = "\n".join(lines)
    if card.picture is not None:
        embed.set_image(url=f"attachment://{card.picture.name}")
    return embed


def whole_embed_of(language: str, card: Card, details: Details, public_url: str) -> discord.Embed:
    """The card by itself, with everything that there is to know."""
    embed = embed_of(language, card, public_url)
    held = card.shown.listing
    if held is not None and held.description:
        embed.description = (
            f"{embed.description}\n\n{_cut(discord.utils.escape_markdown(held.description), MAX_TEXT)}"
        )
    if details.offers:
        lines = [_offer(language, offer, public_url) for offer in details.offers]
        embed.add_field(name=say(language, "Licences"), value="\n".join(lines)[:1024], inline=False)
    if details.counts is not None:
        happened = happened_in(language, details.counts)
        embed.add_field(name=say(language, "So far"), value=happened, inline=False)
    if held is not None:
        others = [tag.value for tag in held.tags if tag.kind not in ("genre", "mood")]
        if others:
            embed.add_field(name=say(language, "Tags"), value=", ".join(others)[:1024], inline=False)
    for name, near in (("Similar", details.similar), ("Goes with", details.companions)):
        if near:
            lines = [_near(loop_id, title, public_url) for loop_id, title in near]
            embed.add_field(name=say(language, name), value="\n".join(lines)[:1024])
    if details.offers and not public_url:
        embed.set_footer(text=say(language, WHERE))
    return embed


def view_of(language: str, shown: Shown, public_url: str) -> ui.View:
    """What can be done with a loop: what its market offers of it, and where to go on from it."""
    view = ui.View(timeout=None)
    loop_id, held = shown.loop.id, shown.listing
    if shown.access.listed and held is not None:
        if public_url and held.prices:
            place = f"{public_url}/licences/new?loop={loop_id}"
            view.add_item(ui.Button(label=say(language, "Licence…"), emoji="🛒", url=place, row=0))
        if held.free:
            view.add_item(CardButton("free", loop_id, language, row=0))
        for name in ("similar", "companions"):
            view.add_item(CardButton(name, loop_id, language, row=0))
        view.add_item(CardButton("favour", loop_id, language, row=1))
    view.add_item(CardButton("play", loop_id, language, row=1))
    view.add_item(CardButton("report", loop_id, language, row=1))
    return view


async def press(interaction: discord.Interaction["RiffBot"], name: str, loop_id: str) -> None:
    """Do what a button or a menu under a card asks for.

    The market is open to everybody, whoever may press what under the riffs of a server.
    """
    if actions.named(name).owner:
        await access.require_press(interaction, loop_id, owner_only=True)
    else:
        await access.require_here(interaction)
    await actions.named(name).run(interaction, loop_id)


class CardButton(LastingItem[ui.Button[Any]], template=rf"card:(?P<action>[a-z]+):{LOOP_ID}"):
    """Does one thing with the loop of a card."""

    def __init__(self, action: str, loop_id: str, language: str = "en", *, row: int | None = None) -> None:
        look = actions.named(action)
        super().__init__(
            ui.Button(
                label=say(language, look.label),
                emoji=look.emoji,
                style=look.style,
                custom_id=f"card:{action}:{loop_id}",
            ),
            row=row,
        )
        self.action, self.loop_id = action, loop_id

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await press(interaction, self.action, self.loop_id)


class CardMenu(LastingItem[ui.Select[Any]], template=r"cards:(?P<action>[a-z]+)"):
    """Chooses one of several loops, and does one thing with it."""

    def __init__(
        self, action: str, found: Sequence[Shown] = (), language: str = "en", *, row: int | None = None
    ) -> None:
        options = [
            discord.SelectOption(label=f"{number}. {line_of(shown, 96)}", value=shown.loop.id)
            for number, shown in enumerate(found, 1)
        ]
        super().__init__(
            ui.Select(
                custom_id=f"cards:{action}", placeholder=say(language, "Look closer…"), options=options
            ),
            row=row,
        )
        self.action = action

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await press(interaction, self.action, self.item.values[0])


async def _card(bot: "RiffBot", name: str, shown: Shown, filesize_limit: int) -> Card:
    picture, preview = await asyncio.gather(_picture(bot, name, shown.loop), _preview(bot, name, shown.loop))
    return Card(shown, *(_fitting(file, filesize_limit) for file in (picture, preview)))


async def _picture(bot: "RiffBot", name: str, loop: Loop) -> Attached | None:
    """The small picture, without the recipe that is written in it; the large one of a loop that has no small one."""
    small = loop.pictures.get("thumbnail")
    try:
        if small is None:
            return Attached(f"{name}card.png", bare(await bot.storage.get(loop.png), "image/png"))
        return Attached(f"{name}card.webp", bare(await bot.storage.get(small), "image/webp"))
    except RiffError as error:
        log.warning("no_picture", loop=loop.id, reason=str(error))
        return None


async def _preview(bot: "RiffBot", name: str, loop: Loop) -> Attached | None:
    try:
        made = await bot.formats.preview(loop, "mp3")
        return Attached(f"{name}{catalog.public_name(loop)}.mp3", await bot.storage.get(made.key))
    except RiffError as error:
        log.warning("no_preview", loop=loop.id, reason=str(error))
        return None


def _fitting(file: Attached | None, filesize_limit: int) -> Attached | None:
    return None if file is None or len(file.content) > filesize_limit else file


def _offer(language: str, offer: Offer, public_url: str) -> str:
    tier = offer.tier
    price = dollars(offer.price_cents) if offer.price_cents else say(language, "free", context="price")
    line = f"**{say(language, tier.title)}**, {price}: {say(language, tier.summary)}"
    if not public_url:
        return line
    place = f"{public_url}/licences/terms/{tier.name}/{tiers.get(tier.name).terms}"
    return f"{line} [{say(language, 'Terms')}]({place})"


def _near(loop_id: str, title: str, public_url: str) -> str:
    name = discord.utils.escape_markdown(title)
    return f"[{name}]({public_url}/loops/{loop_id})" if public_url else name


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
