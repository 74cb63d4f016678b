"""Every button that makes a new riff from a loop, and the forms behind some of them."""

from dataclasses import replace
from typing import Any

from bot.forms import Form
from generation.arrangement import Extend, Morph, Repaint, Song
from generation.request import RiffRequest
from market.catalog import service as catalog
from market.db import Database
from market.storage import Storage
from tests.bot.answers import under
from tests.bot.making import loop_of, opened, ordered, said
from tests.bot.processes import StartBot, arrived, fields, orders, sqlite_only
from tests.fakes.discord import FakeDiscord, User
from tests.market.state import nothing_changes

ACTIONS = ("again", "vary", "varyby", "extend", "morph", "repaint", "edit", "revise", "song", "reroll")


async def test_everything_that_becomes_of_a_riff_is_made(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    bot = await start_bot()
    first = await arrived(
        fake, await fake.slash("riff", prompt="bells", bars=2, bpm=240, takes=2, seed=5, negative="hiss")
    )
    [riff] = await orders(database)
    made = RiffRequest.from_dict(riff.request)
    second = f"{riff.id}-1"

    reroll = await fake.press(first, first.custom_id("riff:reroll"))
    fresh = await ordered(fake, database, reroll)
    assert fresh == replace(made, seed=fresh.seed)
    assert fresh.seed != made.seed
    assert len((await arrived(fake, reroll)).files) == 3

    message = under(fake, second, *ACTIONS)
    again = await ordered(fake, database, await fake.press(message, f"riff:again:{second}"))
    assert again == replace(made, seed=again.seed, takes=1)
    assert again.seed not in (5, 6)

    # Forms that were opened before a restart are answered after it.
    forms = {
        name: await fake.answered(await fake.press(message, f"riff:{name}:{second}"))
        for name in ("varyby", "morph", "repaint", "edit")
    }
    assert await opened(fake, forms["varyby"]) == {"amount": "35"}
    assert await opened(fake, forms["morph"]) == {"to": "", "loops": "5", "over": "loops", "curve": "linear"}
    assert await opened(fake, forms["repaint"]) == {"bars": "2", "prompt": "bells", "band": "all"}
    assert await opened(fake, forms["edit"]) == {
        "prompt": "bells", "negative": "hiss", "key": "", "bpm": "240", "bars": "2",
    }  # fmt: skip
    assert await bot.stop() == 0
    await fake.offline()
    await start_bot()

    near = await fake.submit(forms["varyby"], amount="70")
    request = await ordered(fake, database, near)
    assert request == replace(made, seed=6, takes=1, variation=0.7, variation_seed=request.variation_seed)
    extended = await fake.press(message, f"riff:extend:{second}")
    request = await ordered(fake, database, extended)
    assert (request.bars, request.arrangement, request.negative_prompt) == (4, Extend(2), "hiss")
    assert fields(await arrived(fake, extended))["Extended"] == "2 bars after"

    repainted = await fake.submit(forms["repaint"], bars="2", prompt="a harp,\nalone", band="low")
    request = await ordered(fake, database, repainted)
    assert (request.prompt, request.arrangement) == ("a harp, alone", Repaint(2, 2, None, 200.0))
    assert fields(await arrived(fake, repainted))["Repainted"] == "bar 2, up to 200 Hz"

    morph = await fake.submit(forms["morph"], to="drums", loops="3", over="time", curve="ease")
    assert await ordered(fake, database, morph) == replace(
        made, seed=6, takes=1, arrangement=Morph(("drums",), 3, "time", "ease")
    )
    told = fields(await arrived(fake, morph))
    assert told["Morph"] == "bells → drums (one piece of 3 times the length, slowly at both ends)"
    assert told["Length"] == "6 bars, 6.0 s"

    edited = await fake.submit(
        forms["edit"], prompt="dark bells", negative="", key="la menor", bpm="200,5", bars="1"
    )
    request = await ordered(fake, database, edited)
    assert request == RiffRequest.parse(prompt="dark bells", bpm=200.5, bars=1, key="Am", seed=6)
    assert fields(await arrived(fake, edited))["Key"] == "Am"


@sqlite_only
async def test_the_whole_riff_is_edited_and_songs_are_asked_for(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot()
    loop = await loop_of(database, storage, fake.user, takes=3)
    made = catalog.request_of(loop)
    message = under(fake, loop, *ACTIONS)

    revise = await fake.press(message, f"riff:revise:{loop.id}")
    assert (await opened(fake, revise))["prompt"] == made.prompt
    revised = await ordered(fake, database, await fake.submit(revise, prompt="drums"))
    assert revised == replace(made, prompt="drums")
    assert revised.takes == 3

    song = await fake.press(message, f"riff:song:{loop.id}")
    assert await opened(fake, song) == {"minutes": "2", "form": ""}
    sung = await fake.submit(song, minutes="0:45", form="A A outro")
    assert await ordered(fake, database, sung) == replace(made, takes=1, arrangement=Song(45.0, "A A outro"))

    # Sixteen bars are the most that there can be: of fifteen one more is made, of sixteen none.
    almost = await loop_of(database, storage, fake.user, bars=15, bpm=240)
    full = await loop_of(database, storage, fake.user, bars=16, bpm=240)
    extended = await fake.press(under(fake, almost, "extend"), f"riff:extend:{almost.id}")
    request = await ordered(fake, database, extended)
    assert (request.bars, request.arrangement) == (16, Extend(1))
    async with nothing_changes(database):
        refused = await fake.press(under(fake, full, "extend"), f"riff:extend:{full.id}")
        assert await said(fake, refused) == ["It has 16 bars already: at most 16 are possible."]


BAD_FORMS: list[tuple[str, dict[str, Any], str]] = [
    ("morph", {"to": " "}, "The prompt to morph to is empty: say where the morph goes."),
    ("morph", {"to": "drums", "loops": "many"}, "loops has to be a number from 2 to 16, not “many”."),
    (
        "morph",
        {"to": "drums", "loops": "10"},
        "A message holds 9 loops and their picture, not 10: take fewer, or morph over time.",
    ),
    (
        "repaint",
        {"bars": "3-9"},
        "The loop has bars 1 to 2: “3-9” is not among them.",
    ),
    ("repaint", {"bars": "all"}, "“all” is no stretch of bars: write it like 2-3, or 4."),
    ("edit", {"prompt": "\n"}, "The prompt is empty: say what you want to hear."),
    ("edit", {"bpm": "fast"}, "bpm has to be a number from 40 to 240, not “fast”."),
    ("edit", {"key": "H"}, "“H” is not a key: write it like Am, F#, Bb minor or C major."),
    ("revise", {"bars": "0"}, "bars has to be from 1 to 16, not “0”."),
    ("song", {"minutes": "7"}, "minutes has to be from 0.5 to 6, not “7”."),
    ("song", {"minutes": "long"}, "minutes has to be a number from 0.5 to 6, not “long”."),
    (
        "song",
        {"form": "A Z"},
        "“Z” is no section: there are A, B, C, D (and with ' a variation), intro, verse, chorus, bridge, break, drop "
        "and outro, each with its bars (A:8) or repeats (A x2) if you like.",
    ),
]


@sqlite_only
async def test_forms_with_bad_input_order_nothing(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot()
    loop = await loop_of(database, storage, fake.user)
    message = under(fake, loop, *ACTIONS)
    async with nothing_changes(database):
        forms = {
            name: await fake.answered(await fake.press(message, f"riff:{name}:{loop.id}"))
            for name in ("morph", "repaint", "edit", "revise", "song")
        }
        for name, entered, sentence in BAD_FORMS:
            assert await said(fake, await fake.submit(forms[name], **entered)) == [sentence]

    # What goes on from a sound keeps the sound's length.
    extended = await loop_of(
        database, storage, fake.user, bars=3, source=loop.sha256, arrangement={"kind": "extend", "bars": 1}
    )
    edit = await fake.press(under(fake, extended, "edit"), f"riff:edit:{extended.id}")
    await fake.answered(edit)
    async with nothing_changes(database):
        assert await said(fake, await fake.submit(edit, bars="8")) == [
            "This loop goes on from a sound: leave its tempo and its bars as they are, or begin with /riff."
        ]


@sqlite_only
async def test_of_what_somebody_else_sells_forms_show_what_the_listing_tells(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot()
    bob = User("bob")
    loop = await loop_of(database, storage, bob, listed=True, negative_prompt="secret", musical_key="Am")
    made = catalog.request_of(loop)
    message = under(fake, loop, *ACTIONS)

    # Nobody is made a member by looking.
    async with nothing_changes(database):
        edit = await fake.press(message, f"riff:edit:{loop.id}")
        shown = await opened(fake, edit)
    assert shown == {"prompt": made.prompt, "negative": "", "key": "Am", "bpm": "120", "bars": "2"}
    whole = await fake.press(message, f"riff:revise:{loop.id}")
    assert await opened(fake, whole) == shown
    assert (await opened(fake, await fake.press(message, f"riff:edit:{loop.id}", user=bob)))[
        "negative"
    ] == "secret"

    for form in (edit, whole):
        request = await ordered(fake, database, await fake.submit(form, prompt="drums"))
        assert request == replace(made, prompt="drums", negative_prompt="", seed=request.seed)
        assert request.seed != made.seed
    morph = await fake.press(message, f"riff:morph:{loop.id}")
    await fake.answered(morph)
    request = await ordered(fake, database, await fake.submit(morph, to="drums"))
    assert request.seed != made.seed
    assert (request.prompt, request.negative_prompt) == (made.prompt, "")

    sold = (
        f"This loop is for sale: hear it at /v1/loops/{loop.id}/preview, and license it at /loops/{loop.id}."
    )
    repaint = await fake.press(message, f"riff:repaint:{loop.id}")
    await fake.answered(repaint)
    varyby = await fake.press(message, f"riff:varyby:{loop.id}")
    await fake.answered(varyby)
    async with nothing_changes(database):
        refused = [
            await fake.press(message, f"riff:vary:{loop.id}"),
            await fake.press(message, f"riff:extend:{loop.id}"),
            await fake.submit(repaint),
            await fake.submit(varyby),
        ]
        for interaction in refused:
            assert await said(fake, interaction) == [sold]


@sqlite_only
async def test_buttons_and_forms_of_older_versions_say_so(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot()
    loop = await loop_of(database, storage, fake.user)
    message = under(fake, loop, "reverse", "edit")
    edit = await fake.answered(await fake.press(message, f"riff:edit:{loop.id}"))
    assert edit.response is not None
    edit.response["data"]["custom_id"] = f"form:reverse:{loop.id}"
    async with nothing_changes(database):
        assert await said(fake, await fake.press(message, f"riff:reverse:{loop.id}")) == [
            "This button is of an older version: use those under a newer message."
        ]
        assert await said(fake, await fake.submit(edit)) == [
            "This form is of an older version: open it again."
        ]


def test_a_form_fits_into_what_discord_takes() -> None:
    loop_id = f"{'f' * 24}-15"
    for name in ("vary", "morph", "repaint", "edit", "revise", "song", "remix"):
        assert len(Form(name, loop_id, "x" * 60, []).custom_id) <= 100
    assert len(Form("remix-file", f"{2**63}:{2**63}", "x" * 60, []).custom_id) <= 100
