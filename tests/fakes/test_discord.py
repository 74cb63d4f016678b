"""The fake Discord itself: the unmodified client can use it, and it refuses what Discord refuses."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import discord
import pytest
from discord import app_commands

from tests.fakes.discord import Channel, FakeDiscord, Guild, Message, Specification, User, document_path
from tests.fakes.discord.client import point_at

EDIT = "/webhooks/1/token/messages/@original"
CALLBACK = "/interactions/1/token/callback"
COMMANDS = "/applications/1/commands"
POST = "/channels/1/messages"

VALID: list[tuple[str, str, Any]] = [
    (
        "PATCH",
        EDIT,
        {"content": None, "embeds": [{"title": "Bells", "type": "rich", "flags": 0}], "tts": False},
    ),
    (
        "PATCH",
        EDIT,
        {"components": [{"type": 1, "components": [{"type": 2, "style": 2, "custom_id": "a:b"}]}]},
    ),
    ("PATCH", EDIT, {"attachments": [{"id": 0, "filename": "a.mp3"}, {"id": "17"}]}),
    ("POST", CALLBACK, {"type": 5, "data": {"flags": 64}}),
    ("POST", CALLBACK, {"type": 8, "data": {"choices": [{"name": "Am", "value": "Am"}]}}),
    ("POST", POST, {"content": "hello", "nonce": "n", "enforce_nonce": True}),
    ("PUT", COMMANDS, [{"name": "riff", "description": "d", "type": 1, "nsfw": False}]),
]
BUTTON = {"type": 2, "style": 2, "custom_id": "x" * 101}
OPTION = {"type": 3, "name": "key", "description": "x" * 101}
WRONG: list[tuple[str, str, Any, str]] = [
    ("PATCH", EDIT, {"content": "x" * 2001}, "$.content"),
    ("PATCH", EDIT, {"content": 7}, "$.content: 7 is not of type"),
    ("PATCH", EDIT, {"embed": {"title": "singular"}}, "'embed' was unexpected"),
    ("PATCH", EDIT, {"embeds": [{"title": "x" * 257}]}, "$.embeds[0].title"),
    ("PATCH", EDIT, {"embeds": [{"fields": [{"name": "no value"}]}]}, "'value' is a required property"),
    ("PATCH", EDIT, {"attachments": [{"filename": "a.mp3"}]}, "'id' is a required property"),
    ("PATCH", EDIT, {"components": [{"type": 77}]}, "$.components[0].type: 77 is not one of"),
    ("PATCH", EDIT, {"components": [{"type": 1, "components": [{"type": 2}]}]}, "'style' is a required"),
    ("PATCH", EDIT, {"components": [{"type": 1, "components": [BUTTON]}]}, "components[0].custom_id"),
    ("POST", CALLBACK, {"type": 2}, "$.type: 2 is not one of"),
    ("POST", POST, {"content": "x" * 2001}, "$.content"),
    ("POST", POST, {"nonce": "x" * 26}, "$.nonce"),
    ("POST", POST, None, "None is not of type 'object'"),
    ("PUT", COMMANDS, [{"description": "nameless"}], "'name' is a required property"),
    ("PUT", COMMANDS, [{"name": "riff", "options": [OPTION]}], "$[0].options[0].description"),
    ("GET", "/users/@me", {"a": 1}, "takes no body"),
    ("POST", "/channels/1/massages", {"content": "hello"}, "no such endpoint"),
]

# As Discord's document is written, and no more than the three adaptations need.
EXCERPT: dict[str, Any] = {
    "paths": {
        "/things/{thing_id}": {
            "patch": {
                "parameters": [{"name": "quietly", "in": "query"}],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/ThingRequest"}},
                        "multipart/form-data": {},
                    },
                    "required": True,
                },
                "responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}},
            }
        },
        "/things/@mine": {"get": {"responses": {"204": {}}}},
    },
    "components": {
        "schemas": {
            "SnowflakeType": {"type": "string", "pattern": "^[0-9]+$", "format": "snowflake"},
            "Sound": {
                "type": "object",
                "properties": {"type": {"type": "integer", "enum": [1]}, "bpm": {"type": "integer"}},
                "required": ["type", "bpm"],
            },
            "Picture": {
                "type": "object",
                "properties": {"type": {"type": "integer", "enum": [2]}, "width": {"type": "integer"}},
                "required": ["type"],
            },
            "ThingRequest": {
                "type": "object",
                "properties": {
                    "id": {"$ref": "#/components/schemas/SnowflakeType"},
                    "content": {"type": "string", "maxLength": 4000},
                    "part": {
                        "oneOf": [
                            {"type": "null"},
                            {"$ref": "#/components/schemas/Sound"},
                            {"$ref": "#/components/schemas/Picture"},
                        ]
                    },
                    "either": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
                },
            },
        }
    },
}


def test_every_body_is_held_against_discords_document() -> None:
    specification = Specification.load()
    if specification is None:
        pytest.skip(f"Discord's OpenAPI document is not at {document_path()}: no request is held against it.")
    for method, path, body in VALID:
        assert specification.problems(method, path, body) == []
    for method, path, body, problem in WRONG:
        found = specification.problems(method, path, body)
        assert len(found) == 1, found
        assert problem in found[0]
    files = ["files[0]", "files[9]"]
    assert specification.problems("PATCH", EDIT, {}, query=["with_components"], files=files) == []
    assert specification.problems("PATCH", EDIT, {}, query=["wait"], files=["files[10]", "file"]) == [
        f"PATCH {EDIT}: query parameter wait does not exist",
        f"PATCH {EDIT}: field files[10] is not one of files[0] to files[9]",
        f"PATCH {EDIT}: field file is not one of files[0] to files[9]",
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"id": "17", "content": "x" * 2000, "part": {"type": 1, "bpm": 90}, "either": 1}, None),
        ({"id": 17, "part": None}, None),
        ({"part": {"type": 2}}, None),
        ({"id": "x"}, "$.id: 'x' does not match"),
        ({"content": "x" * 2001}, "$.content: "),
        ({"part": {"type": 1}}, "$.part: 'bpm' is a required property"),
        ({"part": {"type": 2, "width": "wide"}}, "$.part.width: 'wide' is not of type 'integer'"),
        ({"part": {"type": 3}}, "$.part.type: 3 is not one of [1, 2]"),
        ({"part": {}}, "$.part: 'type' is a required property"),
        ({"part": {"type": 2, "bpm": 90}}, "'bpm' was unexpected"),
        ({"name": "x"}, "'name' was unexpected"),
        (None, "$: None is not of type 'object'"),
    ],
)
def test_the_document_is_read_strictly(body: Any, problem: str | None) -> None:
    found = Specification(EXCERPT).problems("PATCH", "/things/1", body)
    assert len(found) == (problem is not None), found
    assert problem is None or problem in found[0]


def test_what_is_around_a_body_is_judged_too() -> None:
    specification = Specification(EXCERPT)
    assert specification.problems("PATCH", "/things/1", {}, query=["quietly"], files=["files[0]"]) == []
    assert specification.problems("PATCH", "/things/1", {}, query=["loudly"], files=["file"]) == [
        "PATCH /things/1: query parameter loudly does not exist",
        "PATCH /things/1: field file is not one of files[0] to files[9]",
    ]
    assert specification.problems("GET", "/things/@mine", {"a": 1}) == ["GET /things/@mine: takes no body"]
    assert specification.problems("GET", "/things/1") == ["GET /things/1: no such endpoint"]
    assert specification.response_problems("PATCH", "/things/1", 200, {}) == []
    assert specification.response_problems("PATCH", "/things/1", 200, [])[0].startswith(
        "answer to PATCH /things/1"
    )
    assert specification.response_problems("PATCH", "/things/1", 201, {}) == [
        "PATCH /things/1: no answer with status 201"
    ]
    assert specification.response_problems("PATCH", "/things/1", 404, {}) == []


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord(specification=Specification.load()) as server:
        yield server
        assert server.violations == []


@pytest.fixture
def pointed(fake: FakeDiscord, monkeypatch: pytest.MonkeyPatch) -> FakeDiscord:
    monkeypatch.setattr(discord.http.Route, "BASE", discord.http.Route.BASE)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", None)
    point_at(fake.url)
    return fake


class Echo(discord.AutoShardedClient):
    """A client with one command that waits to be told how to go on."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True))
        self.tree = app_commands.CommandTree(self)
        self.seen: asyncio.Queue[discord.Interaction[Any]] = asyncio.Queue()

    async def setup_hook(self) -> None:
        @self.tree.command(name="echo", description="Say it again")
        async def echo(interaction: discord.Interaction[Any], word: str) -> None:
            await self.seen.put(interaction)

        await self.tree.sync()


@asynccontextmanager
async def online(server: FakeDiscord) -> AsyncIterator[Echo]:
    async with Echo() as client:
        running = asyncio.create_task(client.start(server.token))
        await server.ready(within=20)
        yield client
        await client.close()
        await running


async def used(server: FakeDiscord, client: Echo, **options: Any) -> tuple[Any, discord.Interaction[Any]]:
    sent = await server.slash("echo", word="bells", **options)
    return sent, await asyncio.wait_for(client.seen.get(), 20)


async def test_a_client_answers_with_a_file_and_a_picture(pointed: FakeDiscord) -> None:
    async with online(pointed) as client:
        sent, interaction = await used(pointed, client)
        assert (interaction.guild_id, interaction.channel_id) == (pointed.guild.id, pointed.channel.id)
        await interaction.response.defer(thinking=True)
        assert sent.message.loading

        files = [discord.File(io.BytesIO(b"sound"), "a.mp3"), discord.File(io.BytesIO(b"picture"), "b.png")]
        embed = discord.Embed(description="bells").set_image(url="attachment://b.png")
        webhook = discord.Webhook.partial(interaction.application_id, interaction.token, client=client)
        message: Any = await webhook.edit_message(cast(int, "@original"), embeds=[embed], attachments=files)

        assert message.id == sent.message.id
        assert sent.message.files == {"a.mp3": b"sound", "b.png": b"picture"}
        assert [attachment.filename for attachment in message.attachments] == ["a.mp3"]
        assert await message.attachments[0].read() == b"sound"
        assert message.embeds[0].image.url.endswith("/b.png")
        assert not sent.message.loading


async def test_a_connection_that_breaks_is_resumed_with_what_was_missed(pointed: FakeDiscord) -> None:
    async with online(pointed) as client:
        await pointed.gateway.drop()
        sent, interaction = await used(pointed, client)
        assert interaction.id == sent.id
        await pointed.until(lambda: pointed.gateway.resumed == 1, "a resume")
        assert len(pointed.gateway.identified) == 1


async def test_an_interaction_is_answered_once_and_in_time(pointed: FakeDiscord) -> None:
    async with online(pointed) as client:
        _, interaction = await used(pointed, client)
        await interaction.response.defer()
        await pointed.resend(pointed.interactions[interaction.token])
        again = await asyncio.wait_for(client.seen.get(), 20)
        with pytest.raises(discord.HTTPException) as refused:
            await again.response.defer()
        assert (refused.value.status, refused.value.code) == (400, 40060)

        pointed.answer_within = 0.0
        _, late = await used(pointed, client)
        with pytest.raises(discord.NotFound) as unknown:
            await late.response.defer()
        assert unknown.value.code == 10062


async def test_a_deferred_answer_keeps_its_visibility_until_it_is_deleted(pointed: FakeDiscord) -> None:
    async with online(pointed) as client:
        sent, interaction = await used(pointed, client)
        await interaction.response.defer(thinking=True)
        await interaction.followup.send("only for you?", ephemeral=True)
        assert (sent.message.content, sent.message.ephemeral, sent.followups) == ("only for you?", False, [])

        sent, interaction = await used(pointed, client)
        await interaction.response.defer(thinking=True)
        await interaction.delete_original_response()
        await interaction.followup.send("only for you", ephemeral=True)
        assert [(m.content, m.ephemeral) for m in sent.followups] == [("only for you", True)]


async def test_expired_deleted_and_too_large_are_refused_as_discord_does(pointed: FakeDiscord) -> None:
    async with online(pointed) as client:
        sent, interaction = await used(pointed, client, filesize_limit=4)
        await interaction.response.defer(thinking=True)
        with pytest.raises(discord.HTTPException) as large:
            await interaction.edit_original_response(
                attachments=[discord.File(io.BytesIO(b"12345"), "a.mp3")]
            )
        assert (large.value.status, large.value.code) == (413, 40005)
        assert sent.message.loading

        pointed.forget(sent.message)
        with pytest.raises(discord.NotFound) as missing:
            await interaction.edit_original_response(content="late")
        assert missing.value.code == 10008

        sent.expired = True
        with pytest.raises(discord.HTTPException) as expired:
            await interaction.edit_original_response(content="later")
        assert (expired.value.status, expired.value.code) == (401, 50027)


async def test_a_nonce_gives_one_message_and_a_closed_channel_none(pointed: FakeDiscord) -> None:
    async with online(pointed) as client:
        channel = client.get_partial_messageable(pointed.channel.id)
        pointed.cut("POST", r"^/channels/", after=True)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await channel.send("once", nonce="n")
        again = await channel.send("once", nonce="n")
        assert [message.id for message in pointed.channel.messages.values()] == [again.id]

        elsewhere = pointed.add_channel(Channel(Guild("Elsewhere", has_bot=False)))
        with pytest.raises(discord.Forbidden) as closed:
            await client.get_partial_messageable(elsewhere.id).send("hello?")
        assert closed.value.code == 50001
        assert elsewhere.messages == {}


async def test_faults_come_as_often_as_ordered(pointed: FakeDiscord) -> None:
    async with online(pointed) as client:
        channel = client.get_partial_messageable(pointed.channel.id)
        failing = pointed.fail("POST", r"/messages$", 503)
        with pytest.raises(discord.DiscordServerError):
            await channel.send("one")
        limited = pointed.fail("POST", r"/messages$", 429)
        await channel.send("two")
        assert (failing.hits, limited.hits) == (1, 1)
        assert [message.content for message in pointed.channel.messages.values()] == ["two"]


async def test_a_wrong_token_is_refused(pointed: FakeDiscord) -> None:
    async with Echo() as client:
        with pytest.raises(discord.LoginFailure):
            await client.start("another.token")
    assert pointed.gateway.identified == []


def test_a_message_counts_what_its_embed_shows_apart() -> None:
    message = Message(Channel(recipient=User("ada")), User("bot", bot=True))
    message.change(
        {"embeds": [{"image": {"url": "attachment://b.png"}}]},
        {"files[0]": ("a.mp3", b"1"), "files[1]": ("b.png", b"2")},
        "http://cdn",
    )
    assert [file["filename"] for file in message.payload()["attachments"]] == ["a.mp3"]
    message.change({"attachments": []}, {}, "http://cdn")
    assert message.files == {}
