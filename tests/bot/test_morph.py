"""/morph: loops on the way between two prompts, or one piece, as one message."""

from typing import Any

from generation.arrangement import Morph
from generation.request import RiffRequest
from market.db import Database
from tests.bot import answers
from tests.bot.making import ordered, said
from tests.bot.processes import StartBot, arrived, deliveries, fields, orders, sqlite_only
from tests.fakes.discord import FakeDiscord, User


async def test_a_morph_is_one_message_with_a_loop_for_each_step(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    await start_bot()
    way = {"a": "church *bells*", "b": "drums", "bars": 1, "bpm": 240, "seed": 3}
    # Nine loops and their picture are all that a message takes.
    series = await fake.slash("morph", loops=9, curve="ease", key="Mi menor", **way)
    request = await ordered(fake, database, series)
    piece = await fake.slash("morph", loops=2, over="time", **way)
    given = {"prompt": "church *bells*", "bars": 1, "bpm": 240, "seed": 3}
    assert request == RiffRequest.parse(
        **given, key="Em", arrangement={"kind": "morph", "prompts": ["drums"], "loops": 9, "curve": "ease"}
    )
    message = await arrived(fake, series)
    waiting = message.versions[0].embeds[0]["description"]
    assert waiting.startswith(
        "**church \\*bells\\***\nMorph: church \\*bells\\* → drums (9 loops, slowly at both ends)\n"
    )
    assert len([name for name in message.files if name.endswith(".mp3")]) == 9
    assert "spectrogram.png" in message.files
    told = fields(message)
    assert told["Morph"] == "church \\*bells\\* → drums (9 loops, slowly at both ends)"
    assert (told["Seed"], told["Length"]) == ("`3`", "1 bar, 1.0 s")

    # More than there is room for rows of: they are chosen from a menu, each with its own buttons.
    [made, _] = await orders(database)
    assert message.custom_ids == [
        f"riff-takes:{made.id}-0",
        *(f"riff:{name}:{made.id}-0" for name in ("reroll", "revise", "delete")),
    ]
    takes = message.component(f"riff-takes:{made.id}-0")["options"]
    assert [(take["label"], take["value"]) for take in takes] == [
        (f"Take {number}", f"{made.id}-{number - 1}") for number in range(1, 10)
    ]
    chosen = await fake.choose(message, f"riff-takes:{made.id}-0", f"{made.id}-4")
    panel = await answers.told(fake, chosen)
    assert panel.ephemeral
    assert f"riff:vary:{made.id}-4" in panel.custom_ids

    whole = await arrived(fake, piece)
    assert len([name for name in whole.files if name.endswith(".mp3")]) == 1
    assert fields(whole)["Morph"] == "church \\*bells\\* → drums (one piece of 2 times the length, evenly)"
    assert fields(whole)["Length"] == "2 bars, 2.0 s"
    assert (await ordered(fake, database, piece)).arrangement == Morph(("drums",), 2, "time")


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"a": " ", "b": "drums"}, "The prompt is empty: say what you want to hear."),
    ({"a": "bells", "b": " "}, "The prompt to morph to is empty: say where the morph goes."),
    (
        {"a": "bells", "b": "drums", "loops": 10},
        "A message holds 9 loops and their picture, not 10: take fewer, or morph over time.",
    ),
    ({"a": "bells", "b": "drums", "loops": 1}, "loops has to be from 2 to 16, not “1”."),
    ({"a": "bells", "b": "drums", "curve": "round"}, "curve has to be linear, ease or step, not “round”."),
    (
        {"a": "bells", "b": "drums", "over": "time", "loops": 9, "bars": 16},
        "A morph over time has at most 64 bars, not 9 times 16: take fewer.",
    ),
    (
        {"a": "bells", "b": "drums", "key": "H"},
        "“H” is not a key: write it like Am, F#, Bb minor or C major.",
    ),
]


@sqlite_only
async def test_bad_input_is_refused_and_what_is_typed_is_made_whole(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    for options, sentence in BAD_INPUT:
        assert await said(fake, await fake.slash("morph", **options)) == [sentence]
    spanish = User("eva", locale="es-ES")
    told = await said(fake, await fake.slash("morph", a="bells", b="drums", loops=10, user=spanish))
    assert told == ["En un mensaje caben 9 loops con su imagen, no 10: pide menos, o una sola pieza."]
    assert await orders(database) == []
    assert await deliveries(database) == {}

    for option in ("a", "b"):
        typing = await fake.answered(await fake.autocomplete("morph", option, **{option: "waltz"}))
        assert [choice["value"] for choice in typing.choices] == ["waltz", "a waltz for accordion"]
    typing = await fake.answered(await fake.autocomplete("morph", "bpm", a="techno", bpm=""))
    assert typing.choices[0] == {"name": "132 bpm (from your prompt)", "value": 132.0}
    typing = await fake.answered(await fake.autocomplete("morph", "key", a="techno", key="e m"))
    assert [choice["value"] for choice in typing.choices] == ["E", "Em"]
