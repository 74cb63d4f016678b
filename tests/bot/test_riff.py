"""/riff from the person's words to the loop under them, with the buttons, over real processes."""

import io
import re
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import soundfile
import sqlalchemy as sa
from PIL import Image

from bot import suggestions
from bot.delivery import EDIT_EVERY
from bot.loop import buttons
from generation.judge.prompts import PROMPTS
from generation.presets import PRESETS
from generation.request import RiffRequest
from market.catalog.models import Loop
from market.catalog.vocabulary import mentioned
from market.db import Database
from market.settings import Settings
from market.studio import service as studio
from tests.bot.making import ordered, said
from tests.bot.processes import (
    StartBot,
    arrived,
    closed,
    deliveries,
    fields,
    order_all_that_one_may,
    orders,
    owner_of,
    sqlite_only,
)
from tests.fakes.discord import FakeDiscord, Interaction, User
from tests.fakes.discord.server import ANSWER_WITHIN


async def test_words_become_loops_that_can_be_played(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    await start_bot()
    interaction = await fake.slash(
        "riff", prompt="church *bells*", bars=1, bpm=120, metre="3/4", key="a minor", seed=7, takes=2
    )
    await fake.answered(interaction)
    assert interaction.response["type"] in (4, 5)
    assert interaction.answered_after is not None
    assert interaction.answered_after < ANSWER_WITHIN

    message = await arrived(fake, interaction)
    request = RiffRequest.parse(
        prompt="church *bells*", bars=1, bpm=120, metre="3/4", key="Am", seed=7, takes=2
    )
    names = [f"{request.take(index).name}.mp3" for index in range(2)]
    assert list(message.files) == [*names, "spectrogram.png"]
    for name in names:
        audio, rate = soundfile.read(io.BytesIO(message.files[name]))
        assert len(audio) / rate == pytest.approx(request.seconds, abs=0.1)
    assert Image.open(io.BytesIO(message.files["spectrogram.png"])).width == 1024

    embed = message.embeds[0]
    assert embed["image"] == {"url": "attachment://spectrogram.png"}
    assert embed["description"] == r"**church \*bells\***"
    assert fields(message) | {"Made in": ""} == {
        "Seeds": "`7`, `8`",
        "Tempo": "120 bpm",
        "Metre": "3/4",
        "Key": "Am",
        "Length": "1 bar, 1.5 s",
        "Made in": "",
    }
    assert "free" in embed["footer"]["text"]
    assert message.content == ""

    [order] = await orders(database)
    assert (order.owner, order.door, order.status) == (await owner_of(database, fake.user), "discord", "done")
    assert order.request == request.to_dict()
    assert message.custom_ids == [
        *(f"riff:{name}:{order.id}-{take}" for take in (0, 1) for name in buttons.EACH_TAKE),
        *(f"riff:{name}:{order.id}-0" for name in buttons.ALL_TAKES),
    ]
    row = await closed(database, order.id)
    assert (row.state, row.message_id, row.interaction_token) == ("delivered", message.id, None)
    assert row.delivered_at is not None


async def test_the_picture_grows_while_the_riff_is_made(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    await start_bot()
    interaction = await fake.slash("riff", prompt="strings", bars=16, bpm=160, takes=3)
    message = await arrived(fake, interaction)

    *before, last = message.versions
    growing = [version for version in before if "preview.png" in version.files]
    assert growing
    for version in growing:
        assert Image.open(io.BytesIO(version.files["preview.png"])).format == "PNG"
        assert version.embeds[0]["image"] == {"url": "attachment://preview.png"}
        assert "▰" in version.embeds[0]["description"] or "▱" in version.embeds[0]["description"]
    assert len({version.embeds[0]["description"] for version in before}) == len(before)
    assert all(later.at - earlier.at > EDIT_EVERY - 0.2 for earlier, later in pairwise(before))
    assert len(last.files) == 4
    assert len(message.custom_ids) == 3 * len(buttons.EACH_TAKE) + len(buttons.ALL_TAKES)


async def test_again_and_vary_work_after_a_restart_and_for_anyone(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    bot = await start_bot()
    first = await arrived(fake, await fake.slash("riff", prompt="a bass", bars=1, bpm=200, seed=5))
    assert await bot.stop() == 0
    await fake.offline()
    await start_bot()

    bob = User("bob")
    again, vary = first.custom_id("riff:again"), first.custom_id("riff:vary:")
    standing = first.custom_ids
    second = await arrived(fake, await fake.press(first, again, user=bob))
    third = await arrived(fake, await fake.press(first, vary, user=bob))
    assert len({first.id, second.id, third.id}) == 3
    assert first.custom_ids == standing
    assert "Metre" not in fields(first)

    made, fresh, near = [RiffRequest.from_dict(order.request) for order in await orders(database)]
    assert (fresh.prompt, fresh.bars, fresh.bpm, fresh.variation) == (made.prompt, made.bars, made.bpm, 0.0)
    assert fresh.seed != made.seed
    assert (near.prompt, near.seed, near.variation) == (made.prompt, made.seed, 0.35)
    assert near.variation_seed is not None
    assert [order.owner for order in await orders(database)][1:] == [await owner_of(database, bob)] * 2
    sounds = [next(iter(message.files.values())) for message in (first, second, third)]
    assert len(set(sounds)) == 3


async def test_a_button_whose_loop_was_deleted_answers_with_a_sentence(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    await start_bot()
    message = await arrived(fake, await fake.slash("riff", prompt="a drum kit", bars=1, bpm=240))
    async with database.write() as session:
        await session.execute(sa.delete(Loop))

    loop_id = message.custom_id("riff:again").rsplit(":", 1)[1]
    for action in ("again", "vary:", "extend", "morph", "repaint", "edit"):
        pressed = await fake.press(message, message.custom_id(f"riff:{action}"))
        if action == "morph":
            # The form asks for nothing that the loop knows.
            await fake.answered(pressed)
            pressed = await fake.submit(pressed, to="drums")
        assert await said(fake, pressed) == [f"There is no loop {loop_id}."]
    assert len(await orders(database)) == 1
    assert len(await deliveries(database)) == 1


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"prompt": "   "}, "The prompt is empty: say what you want to hear."),
    ({"prompt": "x" * 301}, "The prompt has 301 characters: at most 300 are possible."),
    ({"prompt": "bells\x07"}, "The prompt contains control characters: use plain text on one line."),
    ({"prompt": "bells", "bars": 17}, "bars has to be from 1 to 16, not “17”."),
    ({"prompt": "bells", "bpm": 39.5}, "bpm has to be from 40 to 240, not “39.5”."),
    ({"prompt": "bells", "takes": 5}, "takes has to be from 1 to 4, not “5”."),
    ({"prompt": "bells", "seed": -1}, "seed has to be from 0 to 4294967295, not “-1”."),
    ({"prompt": "bells", "key": "H"}, "“H” is not a key: write it like Am, F#, Bb minor or C major."),
    ({"prompt": "bells", "bars": "many"}, "bars has to be a number from 1 to 16, not “many”."),
    (
        {"prompt": "bells", "preset": "loud"},
        "preset has to be sketch, balanced, fine, literal, free, choice, short, long, study, stream, trailer or game, "
        "not “loud”.",
    ),
    ({"prompt": "bells", "style": "tape"}, "There is no style “tape” here: none was learnt yet."),
    (
        {"prompt": "x" * 290, "mood": "melancholic"},
        "The prompt has 303 characters: at most 300 are possible.",
    ),
]


async def test_bad_input_is_refused_in_a_sentence_for_its_writer_alone(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    for options, sentence in BAD_INPUT:
        assert await said(fake, await fake.slash("riff", **options)) == [sentence]
    assert await orders(database) == []
    assert await deliveries(database) == {}


@sqlite_only
async def test_a_command_of_an_older_version_is_answered(fake: FakeDiscord, start_bot: StartBot) -> None:
    await start_bot()
    fake.commands.append({"id": "1", "name": "improvise", "options": []})
    assert await said(fake, await fake.slash("improvise")) == [
        "This command has changed: wait a minute, reload Discord and try again."
    ]


@sqlite_only
async def test_what_is_typed_is_made_whole(
    fake: FakeDiscord, start_bot: StartBot, settings: Settings, database: Database
) -> None:
    for name in ("tape", "velvet"):
        (settings.styles_dir / name).mkdir(parents=True)
        (settings.styles_dir / name / "style.json").write_text("{}")
    await start_bot()
    spanish = User("eva", locale="es-ES")

    async def offered(focused: str, *, user: User | None = None, **options: Any) -> list[tuple[str, Any]]:
        typing = await fake.answered(await fake.autocomplete("riff", focused, user=user, **options))
        assert len(typing.choices) <= 25
        return [(choice["name"], choice["value"]) for choice in typing.choices]

    assert await offered("key", prompt="bells", key="f#") == [("F# major", "F#"), ("F# minor", "F#m")]
    assert await offered("key", prompt="bells", key="F sharp m") == [("F# major", "F#"), ("F# minor", "F#m")]
    assert await offered("key", prompt="bells", key="la m") == [("A major", "A"), ("A minor", "Am")]
    assert await offered("key", prompt="bells", key="g flat minor") == [("F# minor", "F#m")]
    assert await offered("key", user=spanish, prompt="campanas", key="fa sos") == [
        ("fa sostenido mayor (F#)", "F#"),
        ("fa sostenido menor (F#m)", "F#m"),
    ]
    assert (await offered("key", prompt="bells", key="a"))[0] == ("A major", "A")
    assert len(await offered("key", prompt="bells", key="")) == 24
    assert await offered("key", prompt="bells", key="xyz") == []

    assert await offered("mood", prompt="bells", mood="melan") == [("melancholic", "melancholic")]
    assert await offered("mood", user=spanish, prompt="campanas", mood="melanc") == [
        ("melancólico", "melancholic")
    ]
    assert ("dark", "dark") in await offered("mood", prompt="bells", mood="")
    assert await offered("mood", prompt="bells", mood="xyz") == []

    presets = dict(await offered("preset", prompt="bells", preset=""))
    assert list(presets.values()) == list(PRESETS)
    assert presets["study: 8 bars, 74 bpm, without vocals, lead"] == "study"
    assert await offered("preset", prompt="bells", preset="74") == [
        ("study: 8 bars, 74 bpm, without vocals, lead", "study")
    ]

    assert (await offered("bpm", prompt="deep house", bpm=""))[0] == (
        "124 bpm (from your prompt)",
        124.0,
    )
    assert await offered("bpm", prompt="bells", bpm="17") == [
        ("170 bpm (jungle)", 170.0),
        ("174 bpm (dnb, drum and bass, drum n bass)", 174.0),
    ]
    assert (await offered("bpm", prompt="bells", bpm="97,5"))[0] == ("97.5 bpm", 97.5)

    assert await offered("style", prompt="bells", style="") == [("tape", "tape"), ("velvet", "velvet")]
    assert await offered("style", prompt="bells", style="v") == [("velvet", "velvet")]
    asked = await fake.slash("riff", prompt="bells", style="silk")
    assert await said(fake, asked) == ["There is no style “silk” here, only tape, velvet."]

    # Somebody's own prompts come before ideas, and nobody else's.
    await ordered(fake, database, await fake.slash("riff", prompt="dark bells of mine"))
    assert (await offered("prompt", prompt=""))[:2] == [
        ("dark bells of mine", "dark bells of mine"),
        (suggestions.IDEAS[0], suggestions.IDEAS[0]),
    ]
    words = [value for _, value in await offered("prompt", prompt="dark chur")]
    assert words == ["dark chur", "dark church bells", "dark church organ"]
    assert await offered("prompt", user=spanish, prompt="of mine") == [("of mine", "of mine")]
    assert len(await orders(database)) == 1


@sqlite_only
async def test_mood_style_key_and_preset_become_part_of_the_request(
    fake: FakeDiscord, start_bot: StartBot, settings: Settings, database: Database
) -> None:
    (settings.styles_dir / "tape").mkdir(parents=True)
    (settings.styles_dir / "tape" / "style.json").write_text("{}")
    await start_bot()
    options = {
        "prompt": "techno",
        "mood": "oscuro",
        "style": "Tape:0.7",
        "key": "Fa sostenido menor",
        "preset": "study",
    }
    request = await ordered(fake, database, await fake.slash("riff", bars=1, **options))
    assert request == RiffRequest.parse(
        prompt="techno, dark style:tape:0.7",
        bars=1,
        bpm=74,
        key="F#m",
        negative_prompt="vocals, lead",
        seed=request.seed,
    )


@sqlite_only
async def test_the_command_is_declared_with_its_ranges_for_servers_and_users(
    fake: FakeDiscord, start_bot: StartBot
) -> None:
    await start_bot()
    commands = {command["name"]: command for command in fake.commands}
    for name in ("riff", "morph", "remix", "song", "Remix this"):
        assert (commands[name]["contexts"], commands[name]["integration_types"]) == ([0, 1, 2], [0, 1])
    declared = {option["name"]: option for option in commands["riff"]["options"]}
    assert list(declared) == [
        "prompt", "bars", "bpm", "metre", "key", "mood", "preset", "style", "seed", "negative", "takes",
    ]  # fmt: skip
    assert [name for name, option in declared.items() if option["required"]] == ["prompt"]
    assert (declared["prompt"]["min_length"], declared["prompt"]["max_length"]) == (1, 300)
    ranges = {name: (o["min_value"], o["max_value"]) for name, o in declared.items() if "min_value" in o}
    assert ranges == {"bars": (1, 16), "bpm": (40, 240), "seed": (0, 2**32 - 1), "takes": (1, 4)}
    completed = [name for name, option in declared.items() if option.get("autocomplete")]
    assert completed == ["prompt", "bpm", "key", "mood", "preset", "style"]
    assert [choice["value"] for choice in declared["metre"]["choices"]] == ["4/4", "3/4", "6/8"]


def test_ideas_are_what_the_model_knows() -> None:
    held_out = {listening.prompt for listening in PROMPTS}
    for idea in suggestions.IDEAS:
        assert {"genre", "instrument", "texture"} & {kind for kind, _ in mentioned(idea)}, idea
        assert idea not in held_out
        assert len(idea) <= suggestions.LONGEST


async def test_an_interaction_that_comes_twice_is_one_order(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    interaction = await fake.slash("riff", prompt="bells")
    await fake.until(lambda: interaction.message and interaction.message.versions, "the place in the queue")
    await fake.resend(interaction)
    await fake.until(lambda: callbacks(fake) == Counter({200: 1, 400: 1}), "the second acknowledgement")
    assert await said(fake, await fake.slash("riff", prompt="bells", bars=99))
    [order] = await orders(database)
    assert list(await deliveries(database)) == [order.id]
    assert interaction.message is not None
    assert not interaction.message.deleted


async def test_who_waits_is_told_the_place_in_the_queue(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    places = []
    for prompt, channel in (("bells", fake.channel), ("strings", fake.dm(fake.user))):
        interaction = await fake.answered(await fake.slash("riff", prompt=prompt, channel=channel))
        places.append(await first_words(fake, interaction))
    assert places == ["**bells**\n⏳ Next in the queue.", "**strings**\n⏳ Number 2 in the queue."]


async def test_too_many_open_riffs_are_refused_for_the_asker_alone(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    await order_all_that_one_may(database, fake.user)
    assert await said(fake, await fake.slash("riff", prompt="one more")) == [
        "You have 8 unfinished riffs already: wait for one of them or cancel it."
    ]
    assert await deliveries(database) == {}
    assert len(await orders(database)) == studio.MAX_OPEN_RIFFS


async def test_what_nobody_foresaw_has_an_id_that_the_log_has(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    bot = await start_bot()
    async with database.write() as session:
        await session.execute(sa.text("ALTER TABLE delivery RENAME TO elsewhere"))
    [answer] = await said(fake, await fake.slash("riff", prompt="bells"))
    number = re.fullmatch(
        r"Something went wrong on our side. Whoever runs this bot finds it in the log under (\w{8})\.", answer
    )
    assert number is not None
    assert number[1] in bot.log.read_text()
    assert await orders(database) == []


async def first_words(fake: FakeDiscord, interaction: Interaction) -> str:
    """What an answer says first after the bot is thinking."""
    message = interaction.message
    assert message is not None
    await fake.until(lambda: message.versions, "the first edit")
    words: str = message.versions[0].embeds[0]["description"]
    return words


def callbacks(fake: FakeDiscord) -> Counter[int]:
    return Counter(request.status for request in fake.requests if request.path.endswith("/callback"))
