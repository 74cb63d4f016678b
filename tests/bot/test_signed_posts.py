"""What the bot posts says by itself that a model made it."""

from pathlib import Path
from typing import Any

from generation import credentials
from generation.audio.recipes import read_recipe
from generation.credentials import Signer
from market.settings import Settings
from tests.bot.processes import StartBot, arrived, sqlite_only
from tests.conftest import StartWorker
from tests.fakes.discord import FakeDiscord


@sqlite_only
async def test_sound_and_picture_are_signed(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, settings: Settings, tmp_path: Path
) -> None:
    """The whole file, one at a lower bit rate with its credentials beside it, and the sheet of two takes."""
    await start_bot()
    worker()
    options: dict[str, Any] = {"prompt": "bells", "bars": 2, "bpm": 120, "seed": 1}
    whole = await arrived(fake, await fake.slash("riff", **options))
    size = max(len(content) for name, content in whole.files.items() if name.endswith(".mp3"))
    lower = await arrived(fake, await fake.slash("riff", filesize_limit=size - 1, **options))
    both = await arrived(fake, await fake.slash("riff", takes=2, **options))
    chain = Signer.load(settings.c2pa_certificate, settings.c2pa_key, settings.data_dir).chain
    posted = [(name, content) for message in (whole, lower, both) for name, content in message.files.items()]
    endings = [[name.rpartition(".")[2] for name in message.files] for message in (whole, lower, both)]
    assert (endings[0], endings[1][:2], endings[2]) == (
        ["mp3", "png"],
        ["ogg", "c2pa"],
        ["mp3", "mp3", "png"],
    )
    for name, content in posted:
        if name.endswith(".c2pa"):
            continue
        path = tmp_path / name
        path.write_bytes(content)
        found = credentials.read(path, chain, lower.files.get(f"{name}.c2pa"))
        assert found is not None, name
        assert (found.unchanged, found.trusted, found.generated) == (True, True, True)
        assert found.told is not None
        assert found.told["prompt"] == "bells"
        if name.endswith(".mp3"):
            assert read_recipe(path)[0]["sha256"] == found.told["pcm_sha256"]
