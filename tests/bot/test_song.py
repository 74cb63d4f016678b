"""/song: its plan while it is made and when it is there, and what it refuses."""

from typing import Any

from bot import suggestions
from generation import form
from generation.arrangement import Song
from generation.request import RiffRequest
from market.db import Database
from tests.bot.making import ordered, said
from tests.bot.processes import StartBot, arrived, deliveries, fields, orders, sqlite_only
from tests.fakes.discord import FakeDiscord, User


async def test_a_song_shows_its_plan_while_it_is_made_and_when_it_is_there(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    await start_bot()
    asked = await fake.slash(
        "song", prompt="church bells", minutes=0.5, form="A A outro", bars=2, bpm=200, key="La menor", seed=3
    )
    request = await ordered(fake, database, asked)
    assert request == RiffRequest.parse(
        prompt="church bells",
        bars=2,
        bpm=200,
        key="Am",
        seed=3,
        arrangement={"kind": "song", "seconds": 30, "form": "A A outro"},
    )
    message = await arrived(fake, asked)
    told = fields(message)
    plan = told["Form"]
    sections = form.plan(request, 30.0, "A A outro")
    assert plan.endswith(" · ".join(f"{section.name} {section.bars}" for section in sections) + " bars")
    assert message.versions[0].embeds[0]["description"].startswith(f"**church bells**\nForm: {plan}\n")
    bars = sections[-1].start + sections[-1].bars
    assert told["Length"].startswith(f"{bars} bars, ")
    assert told["Key"] == "Am"
    assert len([name for name in message.files if not name.endswith(".png")]) == 1


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"prompt": " "}, "The prompt is empty: say what you want to hear."),
    ({"prompt": "bells", "minutes": 0.1}, "minutes has to be from 0.5 to 6, not “0.1”."),
    ({"prompt": "bells", "minutes": 10}, "minutes has to be from 0.5 to 6, not “10”."),
    (
        {"prompt": "bells", "form": "A Z"},
        "“Z” is no section: there are A, B, C, D (and with ' a variation), intro, verse, chorus, bridge, break, drop "
        "and outro, each with its bars (A:8) or repeats (A x2) if you like.",
    ),
    (
        {"prompt": "bells", "form": "A:64 x8", "bpm": 120},
        "This form lasts 17 min 8 s at 120 bpm: a song is at most 6 minutes long, so take fewer bars or sections.",
    ),
    ({"prompt": "bells", "key": "H"}, "“H” is not a key: write it like Am, F#, Bb minor or C major."),
]


@sqlite_only
async def test_bad_input_is_refused_and_forms_are_made_whole(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    for options, sentence in BAD_INPUT:
        assert await said(fake, await fake.slash("song", **options)) == [sentence]
    spanish = User("eva", locale="es-419")
    told = await said(fake, await fake.slash("song", prompt="bells", minutes=10, user=spanish))
    assert told == ["El número de minutos tiene que estar entre 0.5 y 6, no “10”."]
    assert await orders(database) == []
    assert await deliveries(database) == {}

    async def offered(typed: str) -> list[str]:
        typing = await fake.answered(await fake.autocomplete("song", "form", prompt="bells", form=typed))
        return [choice["value"] for choice in typing.choices]

    assert await offered("") == list(suggestions.SONG_FORMS)
    assert (await offered("intro A"))[:3] == [
        "intro A",
        "intro A B A' B' outro",
        "intro A A' B break A'' B' outro",
    ]
    assert "intro A A B" not in await offered("intro A")
    assert await offered("nonsense") == []
    # Whatever is offered is a form.
    for typed in ("", "intro A", "A:8 B'"):
        assert [known for known in await offered(typed) if not form.read(known)] == []

    song = await ordered(fake, database, await fake.slash("song", prompt="bells", bpm=120))
    assert song.arrangement == Song(120.0, "")
