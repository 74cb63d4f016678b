"""Refused words: what is found however it is written, what is not, who adds some, and where they are asked for."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from generation.request import RiffRequest
from market.db import Database
from market.errors import NotFound
from market.models import BlockedWord, RiffOrder
from market.moderation import words
from market.moderation.errors import WordKnown
from tests.market.conftest import count, queued_workflows
from tests.market.moderation.conftest import Market
from tests.market.state import nothing_changes

REFUSED = [
    "nigger", "NIGGERS", "n1gg3r", "n i g g e r", "n.i.g.g.e.r", "ni-gger", "nïggér", "n\u200bigger", "niiiggggerrr",
    "nіgger", "ｎｉｇｇｅｒ", "a n i g g e r beat", "f4gg0t", "k1ke", "schwuchteln", "пидорас", "lolicon",
    "sex with minors", "child  porn", "HeilHitler", "white_power", "1488", "Taylor Swift ballad", "taylor-swift",
    "#taylorswift", "Beyoncé", "AC/DC riff", "Jay-Z", "guns n' roses", "Sweet Child O’ Mine", "deadmau5", "the weeknd",
    "in the style of Queen", "sounds like Prince", "drake type beat", "à la Björk, soft", "voice of adele",
    "a song by Oasis and choir", "Madonna's voice",
]  # fmt: skip
FINE = [
    "Scunthorpe", "Nigerian highlife", "the Niger river", "sniggering", "a therapist", "chords F A G C", "f a g",
    "a minor, sexy saxophone", "minor key for a kids choir", "raccoon", "grape harvest", "analog bass", "cockpit",
    "Essex", "dick dale surf", "honky tonk", "gypsy jazz", "kaffir lime", "808 909 303", "5 10 15", "s p i c y funk",
    "c o o l", "queen of the night", "inspired by prince street", "an oasis in the desert", "nirvana meditation",
    "form ABBA", "drakes on a pond", "pakistani qawwali", "swift taylor", "children laugh and sing", "pink noise",
    "sinfonia in g minor", "a\u0301\u0301 la la la", "%_%", "", "🎹🎹🎹", "\u202e", "1" * 300, "a@" * 150, "$5" * 150,
]  # fmt: skip


async def test_it_is_found_however_it_is_written(database: Database) -> None:
    async with database.read() as session:
        for text in REFUSED:
            assert await words.refused(session, text), text
            assert await words.refused(session, f"slow beat, {text}; with strings"), text


async def test_what_only_looks_like_it_passes(database: Database) -> None:
    async with database.read() as session:
        found = {text: await words.refused(session, text) for text in FINE}
    assert {text: word for text, word in found.items() if word} == {}


async def test_additions_count_everywhere_or_on_one_server(database: Database) -> None:
    async def asked(text: str, guild_id: str | None = None) -> str | None:
        async with database.read() as session:
            return await words.refused(session, text, guild_id)

    assert await asked("a BANJO and 文字化け", "7") is None
    async with database.write() as session:
        everywhere = await words.add(session, "  Banjo ", by="account:m")
        await words.add(session, "kazoo solo", by="account:m", guild_id="7", note="please")
        await words.add(session, "文字", by="account:m", guild_id="7")
    # At once in this process, without waiting for anything to expire.
    assert await asked("a B4NJ0") == "Banjo"
    assert await asked("banjos") is None
    assert await asked("kazoo  solo") is None
    assert await asked("kazoo  solo", "8") is None
    assert await asked("Kazoo-Solo", "7") == "kazoo solo"
    # Where no spaces are written there are no whole words.
    assert await asked("漢文字化け", "7") == "文字"
    with pytest.raises(WordKnown):
        async with database.write() as session:
            await words.add(session, "BÁNJO", by="account:m")
    with pytest.raises(NotFound):
        async with database.write() as session:
            await words.remove(session, everywhere.id, by="account:m", guild_id="7")
    assert await asked("banjo") == "Banjo"
    async with database.write() as session:
        await words.remove(session, everywhere.id, by="account:m")
    assert await asked("banjo") is None
    async with database.read() as session:
        actions = await session.scalars(sa.text("SELECT action FROM audit_entry ORDER BY id"))
        assert list(actions) == ["word.add"] * 3 + ["word.remove"]


async def test_what_was_rolled_back_was_never_refused(database: Database) -> None:
    async with database.write() as session:
        undone = await session.begin_nested()
        await words.add(session, "banjo", by="account:m")
        assert await words.refused(session, "banjo") == "banjo"
        await undone.rollback()
    async with database.read() as session:
        assert await words.refused(session, "banjo") is None


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"prompt": "taylor swift"}, "prompt"),
        ({"prompt": "bells", "negative_prompt": "taylor swift"}, "negative_prompt"),
        (
            {"prompt": "bells", "arrangement": {"kind": "morph", "prompts": ["drums", "Taylor Swift"]}},
            "arrangement.prompts",
        ),
        (
            {"prompt": "bells", "arrangement": {"kind": "layers", "drums": "kit", "lead": "taylor swift"}},
            "arrangement.lead",
        ),
    ],
)
async def test_a_riff_is_refused_before_it_is_ordered(
    database: Database, http: httpx.AsyncClient, wish: dict[str, Any], field: str
) -> None:
    async with nothing_changes(database):
        answer = await http.post("/v1/riffs", json=wish)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert "taylor swift" in answer.json()["detail"]
    assert await count(database, RiffOrder) == await queued_workflows(database) == 0


async def test_the_form_says_it_where_it_was_typed(database: Database, http: httpx.AsyncClient) -> None:
    async with nothing_changes(database):
        answer = await http.post("/riffs", data={"prompt": "taylor swift", "bars": "4"})
    assert answer.status_code == 422
    assert "“taylor swift” in the prompt is refused here" in answer.text


async def test_an_order_that_was_accepted_stays_accepted(database: Database, http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "one"}
    first = await http.post("/v1/riffs", json={"prompt": "banjo"}, headers=key)
    async with database.write() as session:
        await words.add(session, "banjo", by="account:m")
    again = await http.post("/v1/riffs", json={"prompt": "banjo"}, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]


async def test_a_whole_request_is_read() -> None:
    request = RiffRequest.parse(prompt="a", seed=1, morph_to="b", morph=0.5)
    assert words.texts_of(request) == {"prompt": "a", "negative_prompt": "", "morph_to": "b"}


async def test_moderators_keep_the_list(market: Market) -> None:
    program = market.moderator.program
    added = await program.post(
        "/v1/moderation/words", json={"word": "Banjo", "guild_id": "7", "note": "<b>no</b>"}
    )
    assert added.status_code == 201
    assert (await program.get("/v1/moderation/words")).json() == {"words": []}
    [listed] = (await program.get("/v1/moderation/words", params={"guild_id": "7"})).json()["words"]
    assert (listed["word"], listed["guild_id"], listed["note"]) == ("Banjo", "7", "<b>no</b>")
    assert listed["added_by"] == market.moderator.account.owner
    async with nothing_changes(market.database):
        for wish, status in [
            ({"word": "banjo", "guild_id": "7"}, 409),
            ({"word": ""}, 422),
            ({"word": "..."}, 422),
            ({"word": "x" * 81}, 422),
            ({"word": "nul\0"}, 422),
            ({"word": "x", "guild_id": "'; DROP TABLE blocked_word; --"}, 422),
            ({"word": "x", "note": "n" * 201}, 422),
            ({"word": "x", "more": 1}, 422),
        ]:
            assert (await program.post("/v1/moderation/words", json=wish)).status_code == status
        surrogate = await program.post(
            "/v1/moderation/words",
            content=b'{"word": "\\ud800"}',
            headers={"Content-Type": "application/json"},
        )
        assert surrogate.status_code == 422
        for word_id, status in [("0" * 24, 404), ("x", 404), ("..%2F..", 404)]:
            assert (await program.delete(f"/v1/moderation/words/{word_id}")).status_code == status
        by_member = await market.ada.program.delete(f"/v1/moderation/words/{listed['id']}")
        assert by_member.status_code == 403
    assert (await program.delete(f"/v1/moderation/words/{listed['id']}")).status_code == 204
    assert await count(market.database, BlockedWord) == 0


async def test_nobody_writes_a_pattern_into_the_list(database: Database) -> None:
    async with database.write() as session:
        for word in ("a.c", "(xx+)+y", "[hjk", "back\\slash", "77%"):
            await words.add(session, word, by="account:m")
    async with database.read() as session:
        for text, found in [
            ("abc", None),
            ("a-c", "a.c"),
            ("xxxxy", "(xx+)+y"),
            ("h", None),
            ("hjk", "[hjk"),
            ("backslash", "back\\slash"),
            ("77", "77%"),
            ("x" * 300, None),
        ]:
            assert await words.refused(session, text) == found, text
