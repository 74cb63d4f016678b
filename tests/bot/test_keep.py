"""Keeping, deleting and looking closer at loops."""

import io
import json
from typing import Any

import numpy as np
import sqlalchemy as sa
from PIL import Image

from bot.models import Delivery
from generation.request import RiffRequest
from market.accounts import service as accounts
from market.accounts.models import Account
from market.catalog.models import Listing, ListingStatus, Loop
from market.community.models import Favourite
from market.db import Database
from market.storage import Storage
from market.studio.models import RiffOrder
from tests.bot.answers import told, under
from tests.bot.processes import StartBot, arrived, closed, deliveries, owner_of, sqlite_only
from tests.fakes.discord import Channel, FakeDiscord, Guild, Interaction, User
from tests.fakes.discord.world import ALL_PERMISSIONS
from tests.market.catalog.loops import make, tune
from tests.market.community.conftest import Person, licence, listed
from tests.market.state import contents

SHORT: dict[str, Any] = {"bars": 1, "bpm": 200}


async def account_of(database: Database, user: User) -> Account:
    async with database.write() as session:
        return await accounts.of_discord(session, user.id, user.name)


async def loops(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(sa.select(Loop.id).order_by(Loop.id)))


async def made_by(database: Database, storage: Storage, user: User, **more: Any) -> Loop:
    """A finished loop of two bars of somebody's."""
    return await make(database, storage, await owner_of(database, user), tune(), key="1", **more)


def choices(form: Interaction) -> list[str]:
    """What a form offers to delete."""
    assert form.response is not None
    [choice] = form.response["data"]["components"]
    return [option["label"] for option in choice["component"]["options"]]


async def test_a_riff_is_kept_by_anybody_and_let_go_again(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    await start_bot()
    message = await arrived(fake, await fake.slash("riff", prompt="bells", **SHORT))
    keep, bob, ana = message.custom_id("riff:keep"), User("bob"), User("ana", locale="es-ES")

    async def press(user: User) -> list[str]:
        pressed = await fake.press(message, keep, user=user)
        assert (await told(fake, pressed)).ephemeral
        return pressed.said

    assert await press(bob) == ["🔖 Kept: /riffs shows it with the rest. 1 person keeps it."]
    assert await press(ana) == ["🔖 Guardado: /riffs lo muestra con los demás. 2 personas lo guardan."]
    assert await press(fake.user) == ["🔖 Kept: /riffs shows it with the rest. 3 people keep it."]
    assert await press(bob) == ["Let go: it is no longer among what you keep. 2 people keep it."]

    async with database.read() as session:
        kept = set(await session.scalars(sa.select(Favourite.account_id)))
    assert kept == {(await account_of(database, user)).id for user in (ana, fake.user)}
    listed_for = {}
    for user in (ana, bob):
        shown = await told(fake, await fake.slash("riffs", show="kept", user=user))
        listed_for[user.name] = shown.embeds[0]["description"].split("\n")[0]
    assert listed_for == {"ana": "**bells**", "bob": "Nothing yet: press 🔖 Keep under a riff that you like."}


async def test_only_its_maker_deletes_a_riff_and_moderators_its_message(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage, working: None
) -> None:
    await start_bot()
    asked = await fake.slash("riff", prompt="bells", takes=2, **SHORT)
    message = await arrived(fake, asked)
    [riff_id] = await deliveries(database)
    await closed(database, riff_id)
    bob, mo = User("bob"), User("mo", permissions=ALL_PERMISSIONS)
    delete = message.custom_id("riff:delete")
    for user in (bob, mo):
        await owner_of(database, user)
    before = await contents(database)

    refused = await fake.press(message, delete, user=bob)
    await told(fake, refused)
    assert refused.said == ["This riff was made for somebody else: only they can delete it."]

    form = await fake.answered(await fake.press(message, delete, user=mo))
    assert choices(form) == ["Only the message here"]
    forged = await fake.submit(form, what=["riff"])
    await told(fake, forged)
    assert forged.said == ["This riff was made for somebody else: only they can delete it."]
    assert await contents(database) == before
    assert not message.deleted

    by_moderator = await fake.submit(form)
    await told(fake, by_moderator)
    assert by_moderator.said == ["The message is gone. The riff is still among its maker's: /riffs shows it."]
    assert message.deleted
    assert await loops(database) == [f"{riff_id}-0", f"{riff_id}-1"]
    assert (await deliveries(database))[riff_id].state == "deleted"

    mine = await told(fake, await fake.slash("riffs"))
    panel = await told(fake, await fake.choose(mine, "riffs-open", f"{riff_id}-1"))
    assert await storage.list(f"loops/{riff_id}/") != []
    form = await fake.answered(await fake.press(panel, panel.custom_id("riff:delete")))
    assert choices(form) == [
        "The riff: all 2 takes, files and message",
        "Only the message here",
    ]
    by_maker = await fake.submit(form)
    await told(fake, by_maker)
    assert by_maker.said == ["🗑️ Deleted, with all files."]
    assert await loops(database) == []
    assert await storage.list(f"loops/{riff_id}/") == []
    assert panel.deleted
    empty = await told(fake, await fake.slash("riffs"))
    assert empty.embeds[0]["description"] == "Nothing yet: /riff makes the first one."


@sqlite_only
async def test_where_the_bot_is_no_member_the_message_goes_by_the_forms_own_token(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage, working: None
) -> None:
    """And one in a channel that the bot cannot write to any more stays, which is said."""
    await start_bot()
    elsewhere = fake.add_channel(Channel(Guild("Elsewhere", has_bot=False)))
    first, second = [
        await arrived(fake, await fake.slash("riff", prompt="bells", channel=elsewhere, **SHORT))
        for _ in range(2)
    ]
    for riff_id in await deliveries(database):
        await closed(database, riff_id)

    form = await fake.answered(await fake.press(first, first.custom_id("riff:delete")))
    gone = await fake.submit(form)
    await told(fake, gone)
    assert gone.said == ["🗑️ Deleted, with all files."]
    assert first.deleted
    assert len(await loops(database)) == 1

    mine = await told(fake, await fake.slash("riffs"))
    loop_id = second.custom_id("riff:delete").rpartition(":")[2]
    panel = await told(fake, await fake.choose(mine, "riffs-open", loop_id))
    form = await fake.answered(await fake.press(panel, panel.custom_id("riff:delete")))
    left = await fake.submit(form)
    await told(fake, left)
    assert left.said == [
        "🗑️ Deleted, with all files. "
        "I cannot delete its message in the other channel: somebody there has to do it by hand."
    ]
    assert not second.deleted
    assert await loops(database) == []
    states = {row.riff_id: row.state for row in (await deliveries(database)).values()}
    assert sorted(states.values()) == ["deleted", "delivered"]


async def test_what_is_licensed_to_others_comes_off_the_market_and_stays(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot()
    loop = await made_by(database, storage, fake.user)
    bob = await account_of(database, User("bob"))
    await listed(database, loop, await account_of(database, fake.user), "Bells at noon")
    await licence(database, loop, Person(bob, None))  # type: ignore[arg-type]
    files = await storage.list(f"loops/{loop.riff_id}/")

    message = under(fake, loop, "delete")
    form = await fake.answered(await fake.press(message, f"riff:delete:{loop.id}"))
    done = await fake.submit(form)
    await told(fake, done)
    assert done.said == ["1 take is licensed to others: it is off the market and stays for them alone."]
    assert message.deleted
    assert await loops(database) == [loop.id]
    assert await storage.list(f"loops/{loop.riff_id}/") == files
    async with database.read() as session:
        assert (await session.get_one(Listing, loop.id)).status == ListingStatus.DELISTED


@sqlite_only
async def test_more_and_the_recipe_show_all_to_who_may_have_it_and_keep_the_seed_back_from_others(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot(RIFF_PUBLIC_URL="https://riff.example")
    loop = await made_by(database, storage, fake.user, negative_prompt="drums", musical_key="Am")
    request = RiffRequest.from_dict(loop.recipe["request"])
    message, bob = under(fake, loop, "more", "info"), User("bob", locale="es-419")
    await listed(database, loop, await account_of(database, fake.user), "Bells at noon")

    own = await told(fake, await fake.press(message, f"riff:more:{loop.id}"))
    assert own.ephemeral
    assert list(own.files) == [f"{request.name}.mp3", "spectrogram.png"]
    assert own.embeds[0]["url"] == f"https://riff.example/loops/{loop.id}"
    assert {entry["name"]: entry["value"] for entry in own.embeds[0]["fields"]} == {
        "Seed": f"`{loop.seed}`",
        "Tempo": "120 bpm",
        "Key": "Am",
        "Length": "2 bars, 4.0 s",
        "Without": "drums",
    }
    assert len(own.custom_ids) == 11

    others = await told(fake, await fake.press(message, f"riff:more:{loop.id}", user=bob))
    assert list(others.files) == [f"church-bells-warm-pad-120bpm-{loop.id[:8]}.mp3", "spectrogram.png"]
    assert b"riffmarket" not in others.files["spectrogram.png"]
    own_picture = np.asarray(Image.open(io.BytesIO(own.files["spectrogram.png"])))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(others.files["spectrogram.png"]))), own_picture)
    assert [entry["name"] for entry in others.embeds[0]["fields"]] == ["Tempo", "Tonalidad", "Duración"]

    recipe = await told(fake, await fake.press(message, f"riff:info:{loop.id}"))
    assert json.loads(recipe.files[f"{request.name}.json"]) == loop.recipe
    told_there = {entry["name"]: entry["value"] for entry in recipe.embeds[0]["fields"]}
    assert told_there["Model"] == f"`{loop.model}`"
    assert (told_there["Steps"], told_there["Guidance"]) == ("8", "3.5")
    assert told_there["SHA-256 of the sound"] == f"`{loop.sha256}`"
    assert told_there["Make it again"] == (
        f"```sh\nriff make --bars 2 --bpm 120 --metre 4/4 --key Am --seed {loop.seed} --negative drums --steps 8 "
        "--guidance 3.5 -- 'church bells, warm pad'\n```"
    )
    assert told_there["Where its sounds come from"].startswith("Every sound that this model learnt from")

    hidden = await told(fake, await fake.press(message, f"riff:info:{loop.id}", user=bob))
    [content] = hidden.files.values()
    assert json.loads(content) == {"prompt": loop.prompt, "model": loop.model}
    assert [entry["name"] for entry in hidden.embeds[0]["fields"]] == [
        "Tempo",
        "Tonalidad",
        "Duración",
        "Modelo",
        "De dónde vienen sus sonidos",
    ]
    assert hidden.embeds[0]["fields"][-1]["value"].startswith("Cada sonido del que aprendió este modelo")
    seen_by_bob = [others.embeds, hidden.embeds, str(hidden.files), list(others.files), others.files]
    assert str(loop.seed) not in str(seen_by_bob)


@sqlite_only
async def test_what_is_gone_or_was_taken_down_is_said(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot()
    loop = await made_by(database, storage, fake.user)
    await listed(database, loop, await account_of(database, fake.user), "Bells", status=ListingStatus.REMOVED)
    nowhere = f"{'0' * 24}-0"
    bob = User("bob")
    await owner_of(database, bob)
    before = await contents(database)
    for loop_id, sentence in (
        (nowhere, f"There is no loop {nowhere}."),
        (loop.id, "This loop was taken down."),
    ):
        message = under(fake, loop_id, "more", "info", "keep")
        for name in ("more", "info"):
            pressed = await fake.press(message, f"riff:{name}:{loop_id}", user=bob)
            await told(fake, pressed)
            assert pressed.said == [sentence]
        pressed = await fake.press(message, f"riff:keep:{loop_id}", user=bob)
        await told(fake, pressed)
        assert pressed.said == [f"There is no loop “{loop_id}”."]
    form = await fake.answered(await fake.press(under(fake, loop, "delete"), f"riff:delete:{loop.id}"))
    kept = await fake.submit(form)
    await told(fake, kept)
    assert kept.said == ["1 take stays while moderators deal with it."]
    assert await contents(database) == before
    async with database.read() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(RiffOrder)) == 1
        assert await session.scalar(sa.select(sa.func.count()).select_from(Delivery)) == 0
