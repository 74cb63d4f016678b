"""A visitor's whole way, on both databases: the real server, the real worker, a real browser."""

import io

import httpx
import soundfile
from playwright.async_api import expect

from market.db import Database
from tests.conftest import StartWorker
from tests.web.browser import finished, order, orders
from tests.web.conftest import Visit


async def test_from_a_prompt_to_a_loop_that_plays(
    visit: Visit, worker: StartWorker, http: httpx.AsyncClient
) -> None:
    visitor = await visit()
    page = visitor.page
    riff_id = await order(page, "church bells", bars="8", bpm="240", seed="3", steps="100")
    await expect(page.locator("[data-phase]")).to_contain_text("Next in line")
    await page.reload()
    await expect(page.locator("[data-phase]")).to_contain_text("Next in line")
    assert await page.input_value("#prompt") == "church bells"

    worker()
    await finished(page)
    seen = await page.evaluate("seen")
    assert seen["states"][-2:] == ["running", "done"]
    assert seen["fractions"] == sorted(seen["fractions"])
    assert len(seen["fractions"]) >= 2
    assert seen["pictures"], "no picture was seen while it grew"

    loop = (await http.get(f"/v1/riffs/{riff_id}")).json()["loops"][0]
    assert loop["samples"] == 8 * 4 * 60 * 44_100 // 240
    stage = page.locator("[data-stage]")
    assert (
        await stage.locator("[data-picture]").evaluate(
            "picture => picture.decode().then(() => picture.naturalWidth)"
        )
        == 1024
    )

    await stage.get_by_role("button", name="Play").click()
    await expect(stage.get_by_role("button", name="Stop")).to_be_visible()
    assert await visitor.player("player.context.state") == "running"
    assert await visitor.player("player.source.loop") is True
    assert await visitor.player("[player.source.loopStart, player.source.loopEnd]") == [0, 0]
    assert await visitor.player("player.source.buffer.length") == loop["samples"]
    assert await visitor.player("player.source.buffer.sampleRate") == 44_100
    assert await visitor.player("player.source.buffer.numberOfChannels") == 2
    assert await visitor.player(
        "player.source.buffer.getChannelData(0).some((sample) => Math.abs(sample) > 0.01)"
    )
    along = "document.querySelector('[data-playhead]').style.getPropertyValue('--along')"
    here = await page.evaluate(along)
    await page.wait_for_function(f"(here) => {along} !== here && Number({along}) > 0", arg=here)
    # Once round: the playhead starts over and the sound goes on.
    await page.wait_for_function(f"() => {along} > 0.8")
    await page.wait_for_function(f"() => {along} < 0.2")
    assert await visitor.player("player.context.state") == "running"

    async with page.expect_download() as download:
        await stage.get_by_role("link", name="WAV").click()
    data = (await (await download.value).path()).read_bytes()
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.frames, file.samplerate, file.channels, file.subtype) == (
            loop["samples"],
            44_100,
            2,
            "PCM_24",
        )

    card = page.locator(".card").first
    await expect(card).to_contain_text("church bells")
    await expect(card.locator(".badges")).to_contain_text("240 bpm")
    await card.get_by_role("link", name="church bells").click()
    await page.wait_for_url(f"**/loops/{loop['id']}")
    recipe = page.locator("dl")
    for fact in (loop["sha256"], loop["model"], "church bells", "240 bpm", "352,800 samples"):
        await expect(recipe).to_contain_text(fact)
    await visitor.check()


async def test_without_javascript(visit: Visit, worker: StartWorker, database: Database) -> None:
    visitor = await visit(java_script_enabled=False)
    page = visitor.page
    await page.goto("/")
    await page.get_by_label("What do you want to hear?").fill("church bells")
    await page.locator("#bpm").fill("999")
    await page.get_by_role("button", name="Riff it").click()
    await expect(page.locator("#bpm-error")).to_have_text("bpm has to be from 40 to 240, not “999”.")
    await expect(page.get_by_label("What do you want to hear?")).to_have_value("church bells")
    assert await orders(database) == 0

    await page.locator("#bpm").fill("240")
    await page.get_by_role("button", name="Riff it").click()
    await page.wait_for_url("**/riffs/*")
    await expect(page.locator("[data-phase]")).to_contain_text("Next in line")
    worker()
    await expect(page.locator("audio")).to_have_attribute(
        "src", "/v1/loops/" + page.url.split("/")[-1] + "-0/audio.wav"
    )
    await expect(page.get_by_alt_text("Spectrogram of “church bells”")).to_be_visible()
    finished_url = page.url

    await page.get_by_role("button", name="Again").click()
    await page.wait_for_url(lambda url: "/riffs/" in url and url != finished_url)
    await expect(page.locator("audio")).to_be_visible()
    await page.goto("/studio/loops")
    await expect(page.locator(".card")).to_have_count(2)
    await page.get_by_role("link", name="church bells").first.click()
    await expect(page.get_by_role("heading", name="Recipe")).to_be_visible()
    assert await orders(database) == 2
    assert [text for text in visitor.complaints if "422" not in text] == []
