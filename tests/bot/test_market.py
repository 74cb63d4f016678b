"""The market in chat: finding, looking closer, licences, reports; over the bot's own process and a shop with loops."""

import json
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import numpy as np
import sqlalchemy as sa

from bot import cards, shelf
from bot.cards import MOST
from bot.loop import publish
from market.accounts import service as accounts
from market.catalog import service as catalog
from market.catalog.vocabulary import vocabulary
from market.community import service as community
from market.community.models import Favourite
from market.language import LOCALES, entries
from market.licensing import service as licensing
from market.licensing import tiers
from market.licensing.models import Grant
from market.models import Account, Loop
from market.moderation.models import Report
from market.moderation.pages import REASONS
from market.search import cells
from tests.bot.processes import StartBot, sqlite_only
from tests.fakes.discord import FakeDiscord, Interaction, Message, User
from tests.market.catalog.conftest import Shop
from tests.market.catalog.loops import tune
from tests.market.search.conftest import publish as put_on_sale
from tests.market.state import nothing_changes

ADDRESS = "https://riffs.example"
# Seconds, from the keystroke to the list.
SUGGESTED_WITHIN = 0.3


async def offer(shop: Shop, title: str, loop: Loop | None = None, **changes: Any) -> Loop:
    """A loop of ada's on the market, as if the gate had let it pass."""
    loop = loop or await shop.make(sound=tune(shop.made + 1, bpm=240, bars=1), bpm=240, bars=1)
    number = int(loop.recipe["request"]["seed"])
    async with shop.database.write() as session:
        account = await accounts.get(session, shop.ada.account.id)
        given = {"title": title, "prices": {"creator": 900, "business": 4900}, "free": True, **changes}
        held = await catalog.edit(session, loop.id, account, given)
        held.embedding = cells.embedding_of(np.random.default_rng(number).standard_normal(64))
        await catalog.set_status(session, loop.id, "published")
    return loop


async def listed(shop: Shop, number: int, **more: Any) -> None:
    """A loop of ada's on the market as the search knows it; none of its files are there."""
    embedding = cells.embedding_of(np.random.default_rng(number).standard_normal(64))
    await put_on_sale(shop.database, shop.ada.account, number, embedding=embedding, **more)


async def shown(fake: FakeDiscord, interaction: Interaction) -> Message:
    """Wait until an answer holds what it was for."""
    await fake.answered(interaction)

    def filled() -> Message | None:
        messages = [each for each in (interaction.message, *interaction.followups) if each is not None]
        ready = [
            each for each in messages if not each.loading and (each.content or each.embeds or each.files)
        ]
        return ready[-1] if ready else None

    found: Message = await fake.until(filled, "an answer with something in it")
    return found


async def told(fake: FakeDiscord, interaction: Interaction) -> str:
    """The sentence that a person alone was told."""
    message = await shown(fake, interaction)
    assert message.ephemeral
    return message.content


def titles(message: Message) -> list[str]:
    return [embed["title"] for embed in message.embeds]


async def account_of(shop: Shop, user: User) -> Account:
    async with shop.database.write() as session:
        return await accounts.of_discord(session, user.id, user.name)


@sqlite_only
async def test_a_search_is_turned_page_by_page_by_bots_that_were_started_later(
    shop: Shop, fake: FakeDiscord, start_bot: StartBot
) -> None:
    for number in range(1, MOST + 2):
        await offer(shop, f"Bells {number}", tags=["techno", "dark"] if number < 5 else ["ambient"])
    bot = await start_bot(RIFF_PUBLIC_URL=ADDRESS)
    asked = await fake.slash("market search", q="bells", sort="new", bpm_min=200, bpm_max=240)
    first = await shown(fake, asked)
    assert asked.response == {"type": 5, "data": {"flags": 64}}
    assert titles(first) == [f"{place}. Bells {7 - place}" for place in range(1, MOST + 1)]
    assert first.content.splitlines() == [
        "**6 loops** · “bells”, 200–240 bpm, newest",
        "-# techno 4, ambient 2",
        "Page 1 of 2.",
    ]
    assert [name.rsplit(".", 1)[1] for name in first.files] == ["mp3", "webp"] * MOST
    [card, *_] = first.embeds
    assert card["image"] == {"url": "attachment://1-card.webp"}
    assert card["description"].splitlines() == [
        "by Ada",
        "`240 bpm` · `no key` · `1 bar` · `ambient`",
        "free for what earns nothing, else from $9",
    ]
    assert card["url"].startswith(f"{ADDRESS}/loops/")
    assert b"3141590" not in b"".join(first.files.values())

    assert await bot.stop() == 0
    await fake.offline()
    await start_bot()
    turned = await fake.press(first, first.custom_id("find:1:"))
    second = await shown(fake, turned)
    await fake.until(lambda: len(titles(first)) == 1, "the second page")
    assert second is first
    assert titles(first) == ["1. Bells 1"]
    assert "url" not in first.embeds[0]
    back = await fake.press(first, first.custom_id("find:0:"))
    await fake.answered(back)
    await fake.until(lambda: len(titles(first)) == MOST, "the first page again")

    # What everybody sees stays as it is: who turns it gets a page of their own.
    public = await shown(fake, await fake.slash("market search", q="bells", share=True))
    assert not public.ephemeral
    before = titles(public)
    beside = await shown(fake, await fake.press(public, public.custom_id("find:1:"), user=User("bob")))
    assert (beside is public, beside.ephemeral, len(titles(beside))) == (False, True, 1)
    assert titles(public) == before


HOSTILE = (
    "'; DROP TABLE loop; --",
    "%_\\ \" ' OR 1=1",
    "~~w0~~~~~~ bells",
    "<@&1> @everyone `x` **y** ]( http://evil",
    "\N{RIGHT-TO-LEFT OVERRIDE}sllab\x07\n\x00",
    "🎹" * 60,
)


@sqlite_only
async def test_what_is_looked_for_in_vain_or_wrongly_is_answered_with_what_to_try_instead(
    shop: Shop, fake: FakeDiscord, start_bot: StartBot
) -> None:
    await start_bot()
    assert await told(fake, await fake.slash("market search")) == "Nothing is on the market yet."
    long = "warm bells at dawn over a slow river in the mountains of aaa"
    assert len(long) == shelf.MAX_WORDS
    for number in range(MOST + 1):
        await listed(
            shop,
            number,
            title=f"{long} {number}",
            genres=("drum and bass", "techno"),
            moods=("adventurous",),
            tiers=("free", "creator"),
            free=True,
        )
    async with nothing_changes(shop.database):
        spelt = await shown(fake, await fake.slash("market search", q="bels"))
        assert spelt.content.splitlines()[1:] == [
            "-# drum and bass 6, techno 6",
            "Did you mean “bells”? That is what is shown.",
            "Page 1 of 2.",
        ]
        assert spelt.embeds[0]["description"].splitlines()[-1] == "Its preview cannot be played here."
        assert (spelt.files, "image" in spelt.embeds[0]) == ({}, False)
        filtered = await fake.slash("market search", q="bells", genre="tango", free=True)
        assert await told(fake, filtered) == (
            "Nothing on the market is: “bells”, tango, free.\nWithout the filters there are 6."
        )
        for text in HOSTILE:
            answer = await shown(fake, await fake.slash("market search", q=text))
            assert answer.ephemeral
            assert len(answer.content) <= 2000
            assert "went wrong" not in answer.content
            for component in answer.custom_ids:
                assert len(component) <= 100

        widest = await shown(
            fake,
            await fake.slash(
                "market search",
                q=long,
                genre="dnb",
                mood="adventurous",
                bpm_min=100,
                bpm_max=240,
                bars=4,
                free=True,
                sort="price_desc",
            ),
        )
        code = widest.custom_id("find:1:")
        assert 90 < len(code) <= 100
        await fake.press(widest, code)
        await fake.until(lambda: len(widest.embeds) == 1, "the second page of a long search")
        assert "drum and bass, adventurous, 100–240 bpm, 4 bars, free, price, high first" in widest.content

        refused = {
            "These are 61 characters: at most 60 are possible, a few words are best.": {"q": "x" * 61},
            "The market knows no genre “polka”: choose one of the list.": {"genre": "polka"},
            "The market knows no mood “techno”: choose one of the list.": {"mood": "techno"},
            "A key is written like Am, F#, Bb minor or C major; none is “none”.": {"key": "H"},
            "The lowest tempo is above the highest: exchange them.": {"bpm_min": 120, "bpm_max": 90},
            "Search by words, by a sentence or by a sound: by one of them.": {"q": "bells", "sounds": "rain"},
        }
        for sentence, options in refused.items():
            interaction = await fake.slash("market search", **options)
            assert await told(fake, interaction) == sentence
        sounding = await shown(fake, await fake.slash("market search", sounds="church bells in the rain"))
        assert sounding.content == "What sounds most like it:\nPage 1 of 2."
        code = sounding.custom_id("find:1:v")
        assert len(code) <= 100
        await fake.press(sounding, code)
        await fake.until(lambda: len(sounding.embeds) == 1, "the second page of what sounds like it")
        wav = await shop.storage.get(shop.loop.wav)
        like = await shown(fake, await fake.slash("market search", like=fake.upload("mine.wav", wav)))
        assert like.content == "What sounds most like it:\nPage 1 of 2."
        broken = await fake.slash("market search", like=fake.upload("mine.wav", b"no sound"))
        assert await told(fake, broken) == (
            "mine.wav is not audio that can be read: give a WAV, MP3, OGG, Opus, FLAC or M4A file."
        )


@sqlite_only
async def test_suggestions_come_at_once_and_within_discords_limits(
    shop: Shop, fake: FakeDiscord, start_bot: StartBot
) -> None:
    async with shop.database.write() as session:
        await accounts.change(session, shop.ada.account.id, name="A" * 80)
    for number in range(26):
        await listed(shop, number, title=f"{'Bells and strings ' * 5}{number:02}")
    await start_bot()
    async with nothing_changes(shop.database):
        asked: list[tuple[str, str, str]] = [
            ("market search", "q", "bel"),
            ("market search", "q", "x" * 100),
            ("market search", "genre", ""),
            ("market search", "genre", "electró"),
            ("market search", "mood", "dar"),
            ("market search", "key", "a"),
            ("market search", "key", ""),
            ("market loop", "loop", ""),
            ("market loop", "loop", "bells an"),
            *(("market loop", "loop", text) for text in HOSTILE),
        ]
        offered = {}
        waited: list[float] = []
        for name, option, typed in asked:
            interaction = await fake.autocomplete(name, option, **{option: typed})
            await fake.answered(interaction)
            offered[name, option, typed] = interaction.choices
            assert interaction.answered_after is not None
            waited.append(interaction.answered_after)
            assert len(interaction.choices) <= 25
            assert all(1 <= len(choice["name"]) <= 100 for choice in interaction.choices)
            assert all(1 <= len(choice["value"]) <= 100 for choice in interaction.choices)
    assert median(waited) < SUGGESTED_WITHIN
    assert offered["market search", "q", "bel"][0] == {"name": "bells", "value": "bells"}
    assert len(offered["market search", "genre", ""]) == 25
    assert [each["value"] for each in offered["market search", "mood", "dar"]] == ["dark"]
    assert offered["market search", "key", "a"][0] == {"name": "A (11B)", "value": "A"}
    for typed in ("", "bells an"):
        loops = offered["market loop", "loop", typed]
        assert len(loops) == 25
        assert loops[0]["name"].endswith(f"… · {'A' * 29}… · 120 bpm")
        assert len(loops[0]["name"]) == 100


@sqlite_only
async def test_a_card_leads_to_others_to_favourites_to_a_licence_and_to_the_moderators(
    shop: Shop, fake: FakeDiscord, start_bot: StartBot
) -> None:
    loop = await offer(shop, "Bells *at* noon", description="Three bells.", loop=shop.loop)
    other = await offer(shop, "Strings at noon", await shop.make(sound=tune(9)), free=False)
    await start_bot(RIFF_PUBLIC_URL=ADDRESS)
    card = await shown(fake, await fake.slash("market loop", loop=f"{ADDRESS}/loops/{loop.id}?x=1"))
    for named in (loop.id, "bells noon"):
        same = await shown(fake, await fake.slash("market loop", loop=named))
        assert (same.embeds, list(same.files)) == (card.embeds, list(card.files))
    [embed] = card.embeds
    assert (embed["title"], embed["url"]) == (r"Bells \*at\* noon", f"{ADDRESS}/loops/{loop.id}")
    assert embed["description"].endswith("free for what earns nothing, else from $9\n\nThree bells.")
    about = {entry["name"]: entry["value"] for entry in embed["fields"]}
    terms = f"[Terms]({ADDRESS}/licences/terms"
    assert about["Licences"].splitlines() == [
        f"**Free**, free: For what earns nothing. You say where the music is from. {terms}/free/1)",
        f"**Creator**, $9: One person's channels, and they may earn money. {terms}/creator/1)",
        f"**Business**, $49: Advertising, apps, games and client work, up to one million people. {terms}/business/1)",
    ]
    assert about["So far"] == "0 plays · 0 favourites · 0 licences"
    assert about["Similar"] == about["Goes with"] == f"[Strings at noon]({ADDRESS}/loops/{other.id})"
    links = [item for row in card.components for item in row["components"] if "url" in item]
    assert [item["url"] for item in links] == [f"{ADDRESS}/licences/new?loop={loop.id}"]
    names = [custom_id.split(":")[1] for custom_id in card.custom_ids]
    assert names == ["free", "similar", "companions", "favour", "play", "report"]

    for name, headline in (("similar", "What sounds most like"), ("companions", "What goes with")):
        found = await shown(fake, await fake.press(card, f"card:{name}:{loop.id}"))
        assert found.content == rf"{headline} “Bells \*at\* noon”:"
        assert titles(found) == ["1. Strings at noon"]
    closer = await shown(fake, await fake.choose(found, "cards:card", other.id))
    assert titles(closer) == ["Strings at noon"]
    assert f"card:free:{other.id}" not in closer.custom_ids

    kept = await fake.press(card, f"card:favour:{loop.id}")
    assert await told(fake, kept) == "Kept: it is among your favourites, on the web too."
    account = await account_of(shop, fake.user)
    async with shop.database.read() as session:
        assert await session.get(Favourite, (account.id, loop.id)) is not None
    letting_go = (await shown(fake, kept)).custom_id("card:unfavour:")
    gone = await fake.press(await shown(fake, kept), letting_go)
    assert await told(fake, gone) == "It is no favourite of yours any more."

    terms_shown = await shown(fake, await fake.press(card, f"card:free:{loop.id}"))
    assert terms_shown.files["licence-free-1.md"].startswith(b"# ")
    opened = await fake.answered(await fake.press(terms_shown, f"card:take:{loop.id}"))
    filled = {"licensee": "Ada Lovelace", "project": "A film"}
    async with nothing_changes(shop.database):
        declined = await fake.submit(opened, **filled, consent="no")
        assert await told(fake, declined) == "Nothing was granted: a licence needs your consent to its terms."
        wrong = await fake.submit(opened, **filled, consent="1", channel="nowhere")
        assert "address" in await told(fake, wrong)
    taken = await shown(fake, await fake.submit(opened, **filled, consent="1"))
    async with shop.database.read() as session:
        [grant] = await session.scalars(sa.select(Grant))
        counts = await community.counts(session, loop.id)
    assert (grant.account_id, grant.licensee, grant.project, grant.price_cents) == (
        account.id,
        "Ada Lovelace",
        "A film",
        0,
    )
    assert titles(taken) == [f"✅ {grant.code}"]
    assert taken.files[f"licence-{grant.code}.pdf"].startswith(b"%PDF")
    assert json.loads(taken.files[f"licence-{grant.code}.json"])["licence"]["code"] == grant.code
    [download] = [
        item["url"]
        for row in taken.components
        for item in row["components"]
        if "/v1/downloads/" in item.get("url", "")
    ]
    wav = await shop.http.get(download.removeprefix(ADDRESS))
    assert (wav.status_code, wav.content[:4]) == (200, b"RIFF")
    again = await shown(fake, await fake.submit(opened, **filled, consent="1"))
    assert titles(again) == titles(taken)
    # What is heard in chat is counted nowhere.
    assert (counts.plays, counts.licences) == (0, 1)

    report = await fake.answered(await fake.press(card, f"card:report:{loop.id}"))
    claim = await fake.submit(report, reason="copyright", text="My bells.")
    assert (
        await told(fake, claim)
        == "A copyright claim needs the name of the rights holder and how to reach them."
    )
    sent = await fake.submit(report, reason="spam", text="It is an advertisement.")
    assert await told(fake, sent) == "Thank you: a moderator looks at it."
    twice = await fake.submit(report, reason="spam", text="It is one.")
    assert await told(fake, twice) == "You have reported this already: it is looked at."
    async with shop.database.read() as session:
        [row] = await session.scalars(sa.select(Report))
    assert (row.subject, row.reporter, row.reason) == (f"loop:{loop.id}", account.owner, "spam")


async def test_a_licence_is_checked_by_anybody_and_read_by_its_holder(
    shop: Shop, fake: FakeDiscord, start_bot: StartBot
) -> None:
    loop = await offer(shop, "Bells at noon", loop=shop.loop)
    account = await account_of(shop, fake.user)
    codes = []
    async with shop.database.write() as session:
        for number in range(10):
            grant, _ = await licensing.take(
                session,
                loop_id=loop.id,
                tier="free",
                licensee="Ada Lovelace",
                account=account,
                project=f"Film {number}",
                channels=[],
            )
            codes.append(grant.code)
        await licensing.revoke(session, codes[-1], "Not paid for.", "system")
    await start_bot()
    async with nothing_changes(shop.database):
        own = await shown(fake, await fake.slash("licence", code=codes[0].lower().replace("-", " ")))
        assert own.ephemeral
        assert own.embeds[0]["description"].startswith(
            "**This licence holds.**\nFree licence for “Bells at noon” by Ada, granted <t:"
        )
        assert _fields(own)["Licensee"] == "Ada Lovelace"
        assert _fields(own)["Project"] == "Film 0"
        for user, share in ((User("bob"), False), (fake.user, True)):
            other = await shown(fake, await fake.slash("licence", code=codes[0], user=user, share=share))
            assert other.ephemeral is not share
            assert _fields(other)["Licensee"] == "A… L… (kept private)"
            assert "Project" not in _fields(other)
        paper = await shown(fake, await fake.press(other, f"licence-files:{codes[0]}", user=User("eve")))
        assert list(paper.files) == [f"licence-{codes[0]}.pdf"]
        revoked = await shown(fake, await fake.slash("licence", code=codes[-1]))
        assert revoked.embeds[0]["title"] == f"⛔ {codes[-1]}"
        assert "Not paid for." in revoked.embeds[0]["description"]
        unknown = await fake.slash("licence", code="RM-00000-00000-00000", share=True)
        assert await told(fake, unknown) == "There is no licence “RM-00000-00000-00000”."
        nobody = await fake.slash("licence", user=User("zoe"))
        assert await told(fake, nobody) == "You have no licence yet. Give a code to check somebody else's."

        mine = await shown(fake, await fake.slash("licence"))
        assert mine.embeds[0]["description"].count("RM-") == 8
        await fake.press(mine, next(each for each in mine.custom_ids if each.startswith("licences:RM-")))
        await fake.until(lambda: mine.embeds[0]["description"].count("RM-") == 2, "older licences")
        await fake.press(mine, "licences:")
        await fake.until(lambda: mine.embeds[0]["description"].count("RM-") == 8, "the newest again")
        code = mine.component("licence-menu")["options"][3]["value"]
        closer = await shown(fake, await fake.choose(mine, "licence-menu", code))
        assert closer.embeds[0]["title"].endswith(code)


async def test_what_is_not_to_be_seen_or_done_is_refused_by_the_markets_own_rules(
    shop: Shop, fake: FakeDiscord, start_bot: StartBot
) -> None:
    removed = await offer(shop, "Bells at noon", loop=shop.loop)
    stands = await offer(shop, "Strings")
    await start_bot()
    card = await shown(fake, await fake.slash("market loop", loop=removed.id, share=True))
    assert not card.ephemeral
    assert card.embeds[0]["footer"]["text"] == (
        "Buying is on this market's web page, and whoever runs this bot has not said where that is."
    )
    draft = await shop.make(sound=tune(7), prompt="*" * 300)
    sketch = await shown(fake, await fake.slash("market loop", loop=draft.id))
    assert sketch.embeds[0]["title"] == r"\*" * 119 + "…"
    assert "A draft: it is not on the market." in sketch.embeds[0]["description"]
    assert [each.split(":")[1] for each in sketch.custom_ids] == ["play", "report"]
    account = await account_of(shop, fake.user)
    async with shop.database.write() as session:
        await catalog.set_status(session, removed.id, "removed")
    async with nothing_changes(shop.database):
        assert (
            await told(fake, await fake.slash("market loop", loop=removed.id)) == "This loop was taken down."
        )
        for name in ("similar", "favour", "free"):
            sentence = await told(fake, await fake.press(card, f"card:{name}:{removed.id}"))
            assert sentence.startswith("There is no ")
        assert await told(fake, await fake.slash("market loop", loop="no such thing")) == (
            "Nothing on the market is like “no such thing”: choose one of the list, or give its link."
        )
        absent = f"{'0' * 24}-0"
        assert await told(fake, await fake.slash("market loop", loop=absent)) == f"There is no loop {absent}."
    async with shop.database.write() as session:
        await accounts.suspend(session, account.id, datetime.now(UTC) + timedelta(days=1), "system", "spam")
    still = await shown(fake, await fake.slash("market loop", loop=stands.id))
    opened = await fake.answered(await fake.press(still, f"card:free:{stands.id}"))
    form = await fake.answered(await fake.press(await shown(fake, opened), f"card:take:{stands.id}"))
    async with nothing_changes(shop.database):
        for refused in (
            await fake.press(still, f"card:favour:{stands.id}"),
            await fake.submit(form, licensee="Ada", project="A film", consent="1"),
        ):
            assert (await told(fake, refused)).startswith("This account is suspended until ")


@sqlite_only
async def test_the_market_speaks_spanish(shop: Shop, fake: FakeDiscord, start_bot: StartBot) -> None:
    await offer(shop, "Campanas", loop=shop.loop)
    await start_bot()
    eva = User("eva", locale="es-ES")
    found = await shown(fake, await fake.slash("market search", q="campanas", user=eva))
    assert found.content == "**1 loop** · “campanas”"
    assert found.embeds[0]["description"].splitlines() == [
        "de Ada",
        "`120 bpm` · `sin tonalidad` · `2 compases`",
        "gratis para lo que no gana dinero; si no, desde $9",
    ]
    polka = await fake.slash("market search", genre="polka", user=eva)
    assert await told(fake, polka) == "El mercado no conoce el género “polka”: elige uno de la lista."


def test_what_the_market_has_tables_of_is_known_in_spanish() -> None:
    known = {english for context, english, _ in entries(LOCALES / "es") if context is None}
    offered = [text for tier in tiers.every().values() for text in (tier.title, tier.summary)]
    spoken = [tiers.spoken(use) for tier in tiers.every().values() for use in tier.uses]
    looked_at = [*publish.ADVICE, *publish.ADVICE.values(), "embedding"]
    said = [text for _, text in publish.STATUS.values()]
    texts = [*offered, *spoken, *looked_at, *said, *cards.STANDINGS.values(), *shelf.SORT_NAMES.values()]
    assert sorted({*texts, *REASONS.values()} - known) == []


def test_every_word_of_the_vocabulary_has_a_code_of_its_own() -> None:
    words = [word for word in vocabulary() if word.kind in ("genre", "mood")]
    assert len(shelf._coded()) == len(words)
    for word in words:
        wanted = shelf.words(**{word.kind: word.value})
        assert shelf.read(shelf.written(wanted)) == wanted


def _fields(message: Message) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in message.embeds[0]["fields"]}
