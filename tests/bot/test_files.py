"""Loops that leave as files: each opens, is what it says, and is signed."""

import base64
import io
import json
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile
from PIL import Image

from generation import credentials
from generation.audio.recipes import read_recipe
from generation.credentials import Signer
from generation.request import RiffRequest
from market.catalog.models import Loop
from market.db import Database
from market.settings import Settings
from market.storage import Storage
from tests.bot.answers import told, under
from tests.bot.processes import StartBot, arrived, closed, deliveries, orders, owner_of, sqlite_only
from tests.bot.test_keep import account_of, made_by
from tests.conftest import StartWorker
from tests.fakes.discord import Channel, FakeDiscord, Guild, Interaction, Message, User
from tests.fakes.discord.world import ALL_PERMISSIONS
from tests.market.community.conftest import Person, licence, listed
from tests.market.state import nothing_changes

VOICE_MESSAGE = 1 << 13
SEND_VOICE_MESSAGES = 1 << 46
KIB = 1 << 10


def require_signed(settings: Settings, folder: Path, files: dict[str, bytes], loop: Loop) -> None:
    """That every file has its content credentials, in it or beside it, and the loop's own recipe."""
    chain = Signer.load(settings.c2pa_certificate, settings.c2pa_key, settings.data_dir).chain
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name in files:
        if name.endswith(".c2pa"):
            continue
        beside = folder / f"{name}.c2pa"
        found = credentials.read(folder / name, chain, beside.read_bytes() if beside.is_file() else None)
        assert found is not None, name
        assert (found.unchanged, found.trusted, found.generated) == (True, True, True), name
        assert found.told is not None
        assert found.told["prompt"] == loop.prompt
        recipe, held = read_recipe(folder / name)
        assert recipe["request"] == loop.recipe["request"], name
        if "stem" not in recipe:
            assert recipe == loop.recipe
        assert held in (None, recipe["sha256"])


@sqlite_only
async def test_without_a_web_page_the_best_file_that_fits_is_attached(
    fake: FakeDiscord,
    start_bot: StartBot,
    database: Database,
    storage: Storage,
    settings: Settings,
    tmp_path: Path,
) -> None:
    await start_bot()
    loop = await made_by(database, storage, fake.user)
    message = under(fake, loop, "download")
    sizes = {"wav": await storage.size(loop.wav), "mp3": await storage.size(loop.mp3)}
    got: list[tuple[str, list[str]]] = []
    for limit in (10 << 20, sizes["wav"] - 1, sizes["mp3"] + 33 * KIB, sizes["mp3"], 50 * KIB):
        pressed = await fake.press(message, f"riff:download:{loop.id}", filesize_limit=limit)
        answer = await told(fake, pressed)
        assert answer.ephemeral
        assert all(len(content) <= limit for content in answer.files.values())
        got.append((answer.content, [name.partition(".")[2] for name in answer.files]))
        (tmp_path / str(limit)).mkdir()
        require_signed(settings, tmp_path / str(limit), answer.files, loop)
        sound = next(content for name, content in answer.files.items() if not name.endswith("c2pa"))
        audio, rate = soundfile.read(io.BytesIO(sound))
        assert len(audio) / rate == pytest.approx(loop.seconds, abs=0.1)
    smaller = "Lossless it is too large for Discord, so this is a smaller one."
    assert [said for said, _ in got] == ["", "", smaller, smaller, smaller]
    assert [endings for _, endings in got] == [["wav"], ["flac"], ["mp3"], ["ogg", "ogg.c2pa"], ["mp3"]]

    pressed = await fake.press(message, f"riff:download:{loop.id}", filesize_limit=KIB)
    await told(fake, pressed)
    assert pressed.said == [
        "This file is too large for Discord, and this bot has no web page to put it on: make a shorter loop."
    ]


@sqlite_only
async def test_with_a_web_page_links_open_every_format_for_a_while(
    fake: FakeDiscord,
    start_bot: StartBot,
    database: Database,
    storage: Storage,
    server: str,
) -> None:
    await start_bot(RIFF_PUBLIC_URL=server)
    loop = await made_by(database, storage, fake.user, layers=True)
    answer = await told(fake, await fake.press(under(fake, loop, "download"), f"riff:download:{loop.id}"))
    assert answer.ephemeral
    text = answer.embeds[0]["description"]
    links = dict(re.findall(r"\[(\w+)\]\((\S+)\)", text))
    assert list(links) == ["WAV", "FLAC", "OGG", "MP3", "Stems", "Everything"]
    [until] = re.findall(r"expire <t:(\d+):R>\.", text)
    assert int(until) == pytest.approx(datetime.now(UTC).timestamp() + 3600, abs=60)
    starts = {}
    async with httpx.AsyncClient() as client:
        for name, link in links.items():
            found = await client.get(link, timeout=60)
            assert found.status_code == 200, found.text
            starts[name] = found.content[:4]
    assert starts == {
        "WAV": b"RIFF", "FLAC": starts["FLAC"], "OGG": b"OggS", "MP3": b"ID3\x04", "Stems": b"PK\x03\x04",
        "Everything": b"PK\x03\x04",
    }  # fmt: skip

    stems = await told(fake, await fake.press(under(fake, loop, "stems"), f"riff:stems:{loop.id}"))
    assert re.findall(r"\[(\w+)\]", stems.embeds[0]["description"]) == ["Stems"]


@sqlite_only
async def test_stems_come_as_one_archive_in_a_codec_that_fits(
    fake: FakeDiscord,
    start_bot: StartBot,
    database: Database,
    storage: Storage,
    settings: Settings,
    tmp_path: Path,
) -> None:
    await start_bot()
    loop = await made_by(database, storage, fake.user, layers=True)
    name, message = RiffRequest.from_dict(loop.recipe["request"]).name, under(fake, loop, "stems")
    whole = 2 * await storage.size(loop.stems["drums"])
    for limit, endings in ((10 << 20, ["wav"]), (whole, ["flac"]), (300 * KIB, ["opus", "opus.c2pa"])):
        pressed = await fake.press(message, f"riff:stems:{loop.id}", filesize_limit=limit)
        [(file, content)] = (await told(fake, pressed)).files.items()
        assert file == f"{name}-stems.zip"
        archive = zipfile.ZipFile(io.BytesIO(content))
        assert archive.testzip() is None
        roles = [f"{name}-stems/{name}-{role}.{ending}" for role in ("drums", "lead") for ending in endings]
        assert archive.namelist() == roles
        folder = tmp_path / str(limit)
        require_signed(settings, folder, {part: archive.read(part) for part in archive.namelist()}, loop)


async def test_of_a_loop_without_stems_a_layered_version_is_ordered(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage, worker: StartWorker
) -> None:
    await start_bot()
    loop = await made_by(database, storage, fake.user, bars=1, bpm=200)
    pressed = await fake.press(under(fake, loop, "stems"), f"riff:stems:{loop.id}")
    await told(fake, pressed)
    assert pressed.said == []
    _, order = await orders(database)
    assert order.request["prompt"] == loop.prompt
    assert order.request["seed"] == loop.seed
    assert order.request["arrangement"] == {
        "kind": "layers",
        "prompts": [["drums", ""], ["bass", ""], ["harmony", ""], ["lead", ""]],
    }
    worker()
    message = await arrived(fake, pressed)
    stems = await told(fake, await fake.choose(message, message.custom_id("riff-menu"), "stems"))
    [content] = stems.files.values()
    names = [Path(part).name for part in zipfile.ZipFile(io.BytesIO(content)).namelist()]
    assert [part.rpartition("-")[2] for part in names] == ["drums.wav", "bass.wav", "harmony.wav", "lead.wav"]


@sqlite_only
async def test_pictures_that_move_are_posted_for_all_and_of_what_is_for_sale_for_one(
    fake: FakeDiscord,
    start_bot: StartBot,
    database: Database,
    storage: Storage,
    settings: Settings,
    tmp_path: Path,
) -> None:
    await start_bot()
    loop, bob = await made_by(database, storage, fake.user), User("bob")
    name, message = RiffRequest.from_dict(loop.recipe["request"]).name, under(fake, loop, "gif", "mp4")
    for ending in ("gif", "mp4"):
        posted = await told(fake, await fake.press(message, f"riff:{ending}:{loop.id}", user=bob))
        assert not posted.ephemeral
        assert posted.content == "**church bells, warm pad**"
        assert list(posted.files) == [f"{name}.{ending}"]
        require_signed(settings, tmp_path, posted.files, loop)
    animation = Image.open(tmp_path / f"{name}.gif")
    assert (animation.format, animation.info["loop"]) == ("GIF", 0)
    limit = len(posted.files[f"{name}.mp4"]) - 1
    smaller = await told(fake, await fake.press(message, f"riff:mp4:{loop.id}", filesize_limit=limit))
    assert smaller.content == (
        "**church bells, warm pad**\nAs a film it is too large for Discord: here are its sound and its picture."
    )
    assert list(smaller.files) == [f"{name}.mp3", "spectrogram.png"]
    require_signed(settings, tmp_path, smaller.files, loop)
    tight = await fake.press(message, f"riff:mp4:{loop.id}", filesize_limit=KIB)
    await told(fake, tight)
    assert tight.said[0].startswith("This file is too large for Discord, and this bot has no web page")
    assert tight.message is not None
    assert tight.message.deleted

    await listed(database, loop, await account_of(database, fake.user), "Bells at noon")
    await owner_of(database, bob)
    async with nothing_changes(database):
        for action in ("gif", "mp4", "voice", "dm", "download", "stems"):
            buttons = under(fake, loop, action)
            refused = await fake.press(buttons, f"riff:{action}:{loop.id}", user=bob)
            await told(fake, refused)
            assert refused.said[0].startswith("This loop is for sale:"), action
    await licence(database, loop, Person(await account_of(database, bob), None))  # type: ignore[arg-type]
    private = await told(fake, await fake.press(message, f"riff:gif:{loop.id}", user=bob))
    assert private.ephemeral
    assert list(private.files) == [f"{name}.gif"]
    spoken = await fake.press(under(fake, loop, "voice"), f"riff:voice:{loop.id}", user=bob)
    await told(fake, spoken)
    assert spoken.said == ["🎙️ It is in your direct messages."]
    assert len(fake.dm(bob).messages) == 1


def spoken(fake: FakeDiscord, channel: Channel) -> tuple[Message, dict[str, Any]]:
    """The one voice message in a channel, and the body that it was sent with."""
    [message] = [each for each in channel.messages.values() if each.flags & VOICE_MESSAGE]
    path = f"/channels/{channel.id}/messages"
    [body] = [
        request.body
        for request in fake.requests
        if request.path == path and request.body.get("flags") == VOICE_MESSAGE and request.status == 200
    ]
    return message, body


@sqlite_only
async def test_a_voice_message_is_one_wherever_it_may_be_posted(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    """The fixture holds each request against Discord's document."""
    await start_bot()
    loop = await made_by(database, storage, fake.user)
    peaks = json.loads(await storage.get(loop.peaks))

    async def press(channel: Channel, user: User) -> Interaction:
        message = under(fake, loop, "voice", channel=channel)
        pressed = await fake.press(message, f"riff:voice:{loop.id}", user=user)
        await told(fake, pressed)
        return pressed

    assert (await press(fake.channel, fake.user)).said == ["🎙️ Posted."]
    message, body = spoken(fake, fake.channel)
    assert "content" not in body
    assert "embeds" not in body
    [attachment] = body["attachments"]
    assert (attachment["id"], attachment["filename"]) == (0, "voice-message.ogg")
    assert attachment["duration_secs"] == loop.seconds
    waveform = base64.b64decode(attachment["waveform"])
    assert len(waveform) == 256
    assert len(attachment["waveform"]) <= 400
    assert max(waveform) == round(255 * max(peaks))
    audio, rate = soundfile.read(io.BytesIO(message.files["voice-message.ogg"]))
    assert rate == 48_000
    assert len(audio) / rate == pytest.approx(loop.seconds, abs=0.01)

    quiet = Guild("Quiet", bot_permissions=ALL_PERMISSIONS & ~SEND_VOICE_MESSAGES)
    elsewhere = Guild("Elsewhere", has_bot=False)
    for number, guild in enumerate((quiet, elsewhere)):
        channel, bob = fake.add_channel(Channel(guild)), User(f"bob{number}", locale="es-ES")
        assert (await press(channel, bob)).said == ["🎙️ Está en tus mensajes directos."]
        assert [each for each in channel.messages.values() if each.flags & VOICE_MESSAGE] == []
        assert list(spoken(fake, fake.dm(bob))[0].files) == ["voice-message.ogg"]
        eve = User(f"eve{number}")
        fake.closed_to_messages.add(eve)
        assert (await press(channel, eve)).said == [
            "I may not write to you: allow direct messages in the privacy settings of a server that we share."
        ]


async def test_a_direct_message_has_the_sound_the_picture_the_buttons_and_the_way_back(
    fake: FakeDiscord,
    start_bot: StartBot,
    database: Database,
    working: None,
    tmp_path: Path,
    settings: Settings,
) -> None:
    await start_bot()
    message = await arrived(fake, await fake.slash("riff", prompt="bells", bars=1, bpm=200))
    [riff_id] = await deliveries(database)
    await closed(database, riff_id)
    bob, eve = User("bob"), User("eve")
    fake.closed_to_messages.add(eve)
    menu = message.custom_id("riff-menu")
    sent = await fake.choose(message, menu, "dm", user=bob)
    await told(fake, sent)
    assert sent.said == ["✉️ It is in your direct messages."]
    [copy] = fake.dm(bob).messages.values()
    assert [name.rpartition(".")[2] for name in copy.files] == ["mp3", "png"]
    address = f"https://discord.com/channels/{fake.guild.id}/{fake.channel.id}/{message.id}"
    assert copy.embeds[0]["description"] == f"**bells**\n[Where it comes from]({address})"
    assert copy.embeds[0]["image"] == {"url": "attachment://spectrogram.png"}
    assert copy.custom_ids == message.custom_ids
    async with database.read() as session:
        require_signed(settings, tmp_path, copy.files, await session.get_one(Loop, f"{riff_id}-0"))

    refused = await fake.choose(message, menu, "dm", user=eve)
    await told(fake, refused)
    assert refused.said == [
        "I may not write to you: allow direct messages in the privacy settings of a server that we share."
    ]
    assert fake.dm(eve).messages == {}
