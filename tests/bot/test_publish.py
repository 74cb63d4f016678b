"""Publishing from chat: the form, the gate's word, and what one has on the market; by the market's own rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from market.accounts import service as accounts
from market.accounts.models import Account
from market.catalog import service as catalog
from market.models import AuditEntry, Listing, Loop
from market.search import service as search
from market.search.query import Query
from tests.bot.processes import StartBot, arrived, sqlite_only
from tests.bot.test_market import shown, told
from tests.fakes.discord import FakeDiscord, Message, User
from tests.market.catalog.conftest import Shop
from tests.market.catalog.loops import tune
from tests.market.state import nothing_changes

ADDRESS = "https://riffs.example"
FILLED: dict[str, Any] = {
    "title": "Bells at noon",
    "description": "Three bells.",
    "tags": "techno, dark, my town",
    "licences": ["free", "creator"],
}


def under(fake: FakeDiscord, *custom_ids: str) -> Message:
    """A message of the bot's from earlier, with these buttons."""
    message = Message(fake.channel, fake.bot)
    buttons = [{"type": 2, "style": 2, "label": "…", "custom_id": custom_id} for custom_id in custom_ids]
    rows = [{"type": 1, "components": buttons[at : at + 5]} for at in range(0, len(buttons), 5)]
    message.change({"components": rows}, {}, fake.url)
    fake.channel.messages[message.id] = message
    return message


async def account_of(shop: Shop, user: User) -> Account:
    async with shop.database.write() as session:
        return await accounts.of_discord(session, user.id, user.name.title())


async def listing(shop: Shop, loop: Loop) -> Listing | None:
    async with shop.database.read() as session:
        return await catalog.listing(session, loop.id)


async def found(shop: Shop, text: str = "") -> list[str]:
    async with shop.database.read() as session:
        return (await search.search(session, Query(text=text))).loop_ids


def checks(message: Message) -> list[str]:
    """What the gate says: each check in a line."""
    return [line for embed in message.embeds[1:] for line in embed["description"].splitlines()]


def prefilled(form: dict[str, Any]) -> dict[str, Any]:
    """A form as the person sees it: values of its lines, the chosen ones of its selects."""
    fields = [label["component"] for label in form["components"]]
    return {
        field["custom_id"]: field.get("value", "")
        if field["type"] == 4
        else [option["value"] for option in field["options"] if option.get("default")]
        for field in fields
    }


async def test_a_loop_of_ones_own_is_published_repriced_rewritten_and_taken_off_again(
    shop: Shop, fake: FakeDiscord, start_bot: StartBot
) -> None:
    account = await account_of(shop, fake.user)
    loop = await shop.make(account.owner)
    await start_bot(RIFF_PUBLIC_URL=ADDRESS)
    riff = under(fake, f"riff:publish:{loop.id}")
    opened = await fake.answered(await fake.press(riff, f"riff:publish:{loop.id}"))
    assert opened.response is not None
    form = opened.response["data"]
    assert prefilled(form) == {
        "title": "church bells, warm pad",
        "description": "",
        "tags": "church bells, synth pad",
        "licences": [],
        "consent": [],
    }
    prices = [option["label"] for option in form["components"][3]["component"]["options"]]
    assert prices == [
        "Free, for what earns nothing",
        "Creator, $9",
        "Business, $49",
        "Broadcast, $199",
        "Exclusive, $499",
    ]

    kept = await shown(fake, await fake.submit(opened, **FILLED, consent="draft"))
    assert kept.content == "What you wrote is kept."
    assert kept.embeds[1]["title"] == "It can be published."
    held = await listing(shop, loop)
    assert held is not None
    assert (held.status, held.title, await found(shop)) == ("draft", "Bells at noon", [])

    opened = await fake.answered(await fake.press(kept, kept.custom_id("card:publish:")))
    assert opened.response is not None
    assert prefilled(opened.response["data"]) == {
        "title": "Bells at noon",
        "description": "Three bells.",
        "tags": "techno, dark, my town",
        "licences": ["free", "creator"],
        "consent": [],
    }
    done = await shown(fake, await fake.submit(opened, consent="publish"))
    assert done.ephemeral
    assert done.content == "It is on the market."
    assert done.embeds[0]["url"] == f"{ADDRESS}/loops/{loop.id}"
    lines = checks(done)
    assert len(lines) == 15
    assert all(line[0] in "✅⚠" for line in lines)
    assert "✅ **offer**: It is offered under a licence at least." in lines
    held = await listing(shop, loop)
    assert held is not None
    assert (held.status, held.prices, held.free) == ("published", {"creator": 900}, True)
    assert [tag.value for tag in held.tags if tag.kind == "tag"] == ["my town"]
    assert await found(shop, "noon") == [loop.id]
    async with shop.database.read() as session:
        actions = list(await session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions[-2:] == ["account.role", "listing.publish"]

    # What is on the market already is looked after instead.
    panel = await shown(fake, await fake.press(riff, f"riff:publish:{loop.id}"))
    assert [each.split(":")[1] for each in panel.custom_ids] == ["rewrite", "reprice", "delist"]
    rewriting = await fake.answered(await fake.press(panel, panel.custom_id("card:rewrite:")))
    written = await shown(fake, await fake.submit(rewriting, title="Bells at dawn"))
    assert written.content == "It is written down."
    pricing = await fake.answered(await fake.press(panel, panel.custom_id("card:reprice:")))
    assert pricing.response is not None
    assert prefilled(pricing.response["data"]) == {
        "free": ["yes"],
        "creator": "9",
        "business": "",
        "broadcast": "",
        "exclusive": "",
    }
    async with nothing_changes(shop.database):
        for typed, sentence in {
            "nine": "“nine” is no price: write it like 9 or 9.50.",
            "0.5": "The price for creator is in whole cents, from $1 to $10,000, not “50”.",
        }.items():
            assert await told(fake, await fake.submit(pricing, creator=typed)) == sentence
        nothing = await told(fake, await fake.submit(pricing, creator="", free="no"))
        assert nothing == ("It cannot be published. Nothing is offered: set a price, or make it free.")
    await shown(fake, await fake.submit(pricing, creator="$12.50", business="49", free="no"))
    held = await listing(shop, loop)
    assert held is not None
    assert (held.title, held.prices, held.free) == (
        "Bells at dawn",
        {"creator": 1250, "business": 4900},
        False,
    )

    mine = await shown(fake, await fake.slash("market mine"))
    assert mine.embeds[0]["description"] == (
        "**1. Bells at dawn**\n🟢 on the market · 0 plays · 0 favourites · 0 licences"
    )
    closer = await shown(fake, await fake.choose(mine, "cards:manage", loop.id))
    off = await shown(fake, await fake.press(closer, closer.custom_id("card:delist:")))
    assert off.content == "It is off the market. Licences that were given stand."
    assert [each.split(":")[1] for each in off.custom_ids] == ["publish", "rewrite", "reprice"]
    assert await found(shop) == []
    back = await fake.answered(await fake.press(off, off.custom_id("card:publish:")))
    assert (await shown(fake, await fake.submit(back, consent="publish"))).content == "It is on the market."
    assert await found(shop, "dawn") == [loop.id]


@sqlite_only
async def test_what_the_gate_refuses_stays_a_draft_with_what_to_do(
    shop: Shop, fake: FakeDiscord, start_bot: StartBot, working: None
) -> None:
    await start_bot()
    # The worker's model is none of the shipped ones: nobody can say what it learnt from.
    riff = await arrived(fake, await fake.slash("riff", prompt="bells", bars=1, bpm=200, seed=5))
    async with shop.database.read() as session:
        [loop] = await session.scalars(sa.select(Loop).where(Loop.prompt == "bells"))
    opened = await fake.answered(await fake.press(riff, f"riff:publish:{loop.id}"))
    refused = await shown(fake, await fake.submit(opened, **FILLED, consent="publish"))
    assert refused.content == "It cannot be published as it is. What you wrote is kept as a draft."
    lines = checks(refused)
    assert lines[0].startswith("❌")
    assert (
        f"❌ **origin**: It was made with {loop.model}: nobody here can say what that learnt from. "
        "→ Only what is made from known sounds, and from your own, can be sold."
    ) in lines
    held = await listing(shop, loop)
    assert held is not None
    assert (held.status, held.title, await found(shop)) == ("draft", "Bells at noon", [])

    mine = await shown(fake, await fake.slash("market mine"))
    assert mine.embeds[0]["description"].startswith(
        "**1. Bells at noon**\n📝 a draft · 0 plays · 0 favourites · 0 licences\n❌ "
    )
    eva = User("eva", locale="es-ES")
    none = await fake.slash("market mine", user=eva)
    assert await told(fake, none) == ("Todavía no has ofrecido nada: haz un riff y pulsa Publicar… debajo.")


@sqlite_only
async def test_nobody_offers_what_is_not_theirs_or_may_not_be_offered(
    shop: Shop, fake: FakeDiscord, start_bot: StartBot
) -> None:
    bob, eve = User("bob"), User("eve")
    account = await account_of(shop, bob)
    await account_of(shop, eve)
    theirs = shop.loop
    own, gone = await shop.make(account.owner, tune(2)), await shop.make(account.owner, tune(3))
    brought = await shop.make(
        account.owner, tune(4), recipe={"source": {"sha256": "0" * 64, "strength": 0.5}}
    )
    await start_bot()
    message = under(
        fake,
        *(f"card:publish:{loop.id}" for loop in (own, gone, brought)),
        *(f"card:{name}:{theirs.id}" for name in ("publish", "manage", "rewrite", "reprice", "delist")),
    )
    opened = {
        loop.id: await fake.answered(await fake.press(message, f"card:publish:{loop.id}", user=bob))
        for loop in (own, gone, brought)
    }
    async with shop.database.write() as session:
        await catalog.set_status(session, gone.id, "removed")
    not_yours = "This loop was made by somebody else: only they can offer it."
    async with nothing_changes(shop.database):
        for name, sentence in {
            "publish": "Only whoever asked for this riff can do that.",
            "manage": not_yours,
            "rewrite": not_yours,
            "reprice": not_yours,
            "delist": not_yours,
        }.items():
            pressed = await fake.press(message, f"card:{name}:{theirs.id}", user=bob)
            assert await told(fake, pressed) == sentence
        # A form can be sent back by whoever likes.
        for loop in (own, gone):
            sent = await fake.submit(opened[loop.id], user=eve, **FILLED, consent="publish")
            assert await told(fake, sent) == not_yours
        removed = await fake.submit(opened[gone.id], user=bob, **FILLED, consent="publish")
        assert await told(fake, removed) == "This loop was taken down."
        tags = ", ".join(map(str, range(21)))
        many = await fake.submit(opened[own.id], user=bob, **FILLED | {"tags": tags}, consent="draft")
        assert await told(fake, many) == "These are 21 tags: at most 20 are possible."
    # Without the statement about its rights, a sound that was brought is not offered.
    response = opened[brought.id].response
    assert response is not None
    yes = response["data"]["components"][4]["component"]["options"][0]
    assert yes == {
        "label": "Yes, and I hold all rights to the sound that I brought and this starts from",
        "value": "publish",
        "default": False,
    }
    draft = await shown(fake, await fake.submit(opened[brought.id], user=bob, **FILLED, consent="draft"))
    assert any(line.startswith("❌ **origin**") for line in checks(draft))
    held = await listing(shop, brought)
    assert held is not None
    assert held.rights_confirmed_at is None
    stated = await shown(fake, await fake.submit(opened[brought.id], user=bob, **FILLED, consent="publish"))
    assert stated.content == "It is on the market."
    held = await listing(shop, brought)
    assert held is not None
    assert held.rights_confirmed_at is not None

    async with shop.database.write() as session:
        await accounts.suspend(session, account.id, datetime.now(UTC) + timedelta(days=1), "system", "spam")
    async with nothing_changes(shop.database):
        for refused in (
            await fake.press(message, f"card:publish:{own.id}", user=bob),
            await fake.submit(opened[own.id], user=bob, **FILLED, consent="publish"),
        ):
            assert (await told(fake, refused)).startswith("This account is suspended until ")
