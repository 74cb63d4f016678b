"""The studio, part by part: cancelling, refusals, variations, takes, the keyboard."""

import httpx
from playwright.async_api import expect

from market.db import Database
from tests.conftest import StartWorker
from tests.web.browser import STATE, finished, order, orders
from tests.web.conftest import SQLITE, Visit

pytestmark = SQLITE


async def test_the_end_runs_into_the_start(visit: Visit, worker: StartWorker) -> None:
    """What the audio clock renders over two joins is the loop's samples, one after the other, and no more."""
    visitor = await visit()
    worker()
    await order(visitor.page, "drum kit", bpm="240")
    await finished(visitor.page)
    await visitor.page.get_by_role("button", name="Play", exact=True).click()
    await expect(visitor.page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    assert await visitor.player("""await (async () => {
        const { buffer, loop } = player.source;
        const offline = new OfflineAudioContext(2, Math.floor(buffer.length * 2.5), buffer.sampleRate);
        const source = new AudioBufferSourceNode(offline, { buffer, loop });
        source.connect(offline.destination);
        source.start(0, 0);
        const heard = (await offline.startRendering()).getChannelData(0);
        const samples = buffer.getChannelData(0);
        return heard.every((sample, at) => sample === samples[at % samples.length]);
    })()""")


async def test_cancelling_in_the_queue(visit: Visit, http: httpx.AsyncClient) -> None:
    visitor = await visit()
    riff_id = await order(visitor.page, "strings")
    await visitor.page.get_by_role("button", name="Cancel").click()
    await visitor.page.locator(STATE.format("cancelled")).wait_for()
    await expect(visitor.page.locator("[data-word]")).to_have_text("Cancelled.")
    assert (await http.get(f"/v1/riffs/{riff_id}")).json()["status"] == "cancelled"
    await visitor.check()


async def test_cancelling_while_it_is_made(
    visit: Visit, worker: StartWorker, http: httpx.AsyncClient
) -> None:
    visitor = await visit()
    worker()
    riff_id = await order(visitor.page, "strings", bars="16", bpm="40", steps="100", takes="4")
    await visitor.page.locator(STATE.format("running")).wait_for()
    await visitor.page.get_by_role("button", name="Cancel").click()
    await visitor.page.locator(STATE.format("cancelled")).wait_for()
    riff = (await http.get(f"/v1/riffs/{riff_id}")).json()
    assert (riff["status"], riff["loops"]) == ("cancelled", [])
    await visitor.check()


async def test_bad_input_is_answered_beside_its_field(visit: Visit, database: Database) -> None:
    visitor = await visit()
    page = visitor.page
    for field, value, sentence in (
        ("prompt", "", "The prompt is empty: say what you want to hear."),
        ("prompt", "a" * 301, "The prompt has 301 characters: at most 300 are possible."),
        ("bpm", "999", "bpm has to be from 40 to 240, not “999”."),
        ("bpm", "fast", "bpm has to be a number from 40 to 240, not “fast”."),
        ("seed", "1.5", "seed has to be a whole number, not “1.5”."),
        ("steps", "0", "steps has to be from 1 to 100, not “0”."),
        ("negative_prompt", "b" * 301, "The negative prompt has 301 characters: at most 300 are possible."),
    ):
        await page.goto("/")
        await page.fill("#prompt", "church bells")
        fold = page.locator("details.more")
        await fold.evaluate("fold => fold.open = true")
        await page.fill(f"#{field}", value)
        await fold.evaluate("fold => fold.open = false")
        await page.get_by_role("button", name="Riff it").click()
        complaint, control = page.locator(f"#{field}-error"), page.locator(f"#{field}")
        await expect(complaint).to_have_text(sentence)
        await expect(complaint).to_be_visible()
        await expect(control).to_be_focused()
        await expect(control).to_have_attribute("aria-invalid", "true")
        assert "riff=" not in page.url
        await control.fill("50")
        await expect(complaint).to_be_hidden()
    assert await orders(database) == 0
    assert [text for text in visitor.complaints if "422" not in text] == []


async def test_again_and_vary_keep_the_wish(
    visit: Visit, worker: StartWorker, http: httpx.AsyncClient
) -> None:
    visitor = await visit()
    page = visitor.page
    worker()
    first = await order(page, "solo piano waltz", bpm="200", seed="11")
    await finished(page)
    asked = (await http.get(f"/v1/riffs/{first}")).json()["request"]
    assert asked["metre"] == "3/4"
    await expect(page.locator("[data-badges]")).to_contain_text("3/4")

    known = page.url
    await page.get_by_role("button", name="Vary").click()
    await page.wait_for_url(lambda url: url != known)
    varied = (await http.get(f"/v1/riffs/{page.url.split('riff=')[1]}")).json()["request"]
    assert varied == {**asked, "variation_seed": varied["variation_seed"], "variation": 0.35}
    assert varied["variation_seed"] is not None
    await finished(page)

    known = page.url
    await page.get_by_role("button", name="Again").click()
    await page.wait_for_url(lambda url: url != known)
    repeated = (await http.get(f"/v1/riffs/{page.url.split('riff=')[1]}")).json()["request"]
    assert repeated == {**asked, "seed": repeated["seed"]}
    assert repeated["seed"] != asked["seed"]
    await finished(page)
    await expect(page.locator(".card")).to_have_count(3)
    await visitor.check()


async def test_again_and_vary_keep_what_the_form_cannot_say(
    visit: Visit, worker: StartWorker, http: httpx.AsyncClient
) -> None:
    visitor = await visit()
    page = visitor.page
    worker()
    shortest = {"prompt": "church bells", "bars": 1, "bpm": 240, "steps": 1}
    layers = {"kind": "layers", "drums": "", "bass": "acid bass"}
    wish = {**shortest, "arrangement": layers, "morph_to": "rain", "morph": 0.5}
    placed = (await http.post("/v1/riffs", json=wish)).json()
    await page.goto(f"/?riff={placed['id']}")
    await finished(page)
    [loop] = (await http.get(placed["links"]["self"])).json()["loops"]
    repaint = {"source": loop["id"], "steps": 1, "arrangement": {"kind": "repaint", "low_hz": 200}}
    painted = (await http.post("/v1/riffs", json=repaint)).json()
    for asked, button, changed in (
        (placed, "Vary", {"variation_seed", "variation"}),
        (painted, "Again", {"seed"}),
    ):
        await page.goto(f"/?riff={asked['id']}")
        await finished(page)
        known = page.url
        await page.get_by_role("button", name=button).click()
        await page.wait_for_url(lambda url, known=known: url != known)
        repeated = (await http.get(f"/v1/riffs/{page.url.split('riff=')[1]}")).json()["request"]
        assert {field for field in repeated if repeated[field] != asked["request"][field]} == changed
        await finished(page)
    await visitor.check()


async def test_one_loop_plays_at_a_time(visit: Visit, worker: StartWorker) -> None:
    visitor = await visit()
    page = visitor.page
    worker()
    await order(page, "church bells", bpm="240")
    await finished(page)
    await order(page, "slap bass", bpm="240")
    await expect(page.locator(".card")).to_have_count(2)
    older, newer = (
        page.get_by_role("button", name="Play church bells"),
        page.get_by_role("button", name="Play slap bass"),
    )
    await older.click()
    await expect(page.get_by_role("button", name="Stop church bells")).to_be_visible()
    await newer.click()
    await expect(page.get_by_role("button", name="Stop slap bass")).to_be_visible()
    await expect(page.get_by_role("button", name="Play church bells")).to_be_visible()
    await expect(page.locator(".card.playing")).to_have_count(1)
    # The stage holds that loop too, and says so; it stops both.
    await page.get_by_role("button", name="Stop", exact=True).click()
    await expect(page.locator(".card.playing")).to_have_count(0)
    assert await visitor.player("player.source") is None
    await visitor.check()


async def test_several_takes_stand_side_by_side(visit: Visit, worker: StartWorker) -> None:
    visitor = await visit()
    page = visitor.page
    worker()
    riff_id = await order(page, "marimba", bpm="240", metre="6/8", seed="5", takes="3")
    await finished(page)
    await page.get_by_role("button", name="Take 3").click()
    await expect(page.get_by_role("button", name="Take 3")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("[data-picture]")).to_have_attribute(
        "src", f"/v1/loops/{riff_id}-2/spectrogram.png"
    )
    await page.goto(f"/riffs/{riff_id}")
    await expect(page.locator(".card")).to_have_count(3)
    await expect(page.locator(".masthead .badges")).to_contain_text("6/8")
    await visitor.check()


async def test_bars_are_counted_as_their_metre_says(visit: Visit, worker: StartWorker) -> None:
    visitor = await visit()
    page = visitor.page
    worker()
    for metre, counts in (
        ("6/8", ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]),
        ("3/4", ["1.1", "1.2", "1.3"]),
    ):
        riff_id = await order(page, "marimba", bpm="100", metre=metre)
        await finished(page)
        await page.get_by_role("button", name="Play", exact=True).click()
        await expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
        await page.evaluate("window.counted = new Set()")
        seen = "() => counted.add(document.querySelector('[data-counter]').value).size"
        await page.wait_for_function(f"{seen} === {len(counts)}")
        # Once more round: nothing is counted beyond the bar.
        await page.wait_for_function("() => document.querySelector('[data-counter]').value !== '1.1'")
        await page.wait_for_function(f"{seen} && document.querySelector('[data-counter]').value === '1.1'")
        assert sorted(await page.evaluate("[...counted]")) == counts
        await expect(page.locator("[data-seek]")).to_have_attribute("max", "11")
        await page.get_by_role("button", name="Stop", exact=True).click()
    await page.reload()
    await expect(page.locator("[name=metre][value='3/4']")).to_be_checked()
    await page.goto(f"/loops/{riff_id}-0")
    await expect(page.locator("dl")).to_contain_text("3/4")
    await page.get_by_role("link", name="Open these settings in the studio").click()
    await expect(page.locator("[name=metre][value='3/4']")).to_be_checked()
    await visitor.check()


async def test_the_keyboard_is_enough(visit: Visit, worker: StartWorker) -> None:
    visitor = await visit(reduced_motion="reduce")
    page = visitor.page
    worker()
    await page.goto("/")
    await expect(page.locator("#prompt")).to_be_focused()
    await page.keyboard.type("church bells 240 bpm")
    await page.keyboard.press("Enter")
    await finished(page)
    assert await page.evaluate("document.getAnimations().length") == 0
    await page.locator("#main").focus()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    await visitor.player("player.addEventListener('change', () => window.heardFrom = player.position)")
    await page.locator("[data-seek]").focus()
    await page.keyboard.press("End")
    await expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    last_sixteenth = 4.0 * 63 / 64
    assert abs(await page.evaluate("heardFrom") - last_sixteenth) < 0.06
    await page.keyboard.press("Tab")
    focused = "getComputedStyle(document.activeElement).outlineStyle"
    assert await page.evaluate(focused) == "solid"
    await visitor.check()


async def test_chips_dice_and_links_fill_the_form(visit: Visit) -> None:
    visitor = await visit()
    page = visitor.page
    await page.goto("/?prompt=warm+strings&bars=8&bpm=92.5&key=F%23m&seed=9&steps=20")
    for field, value in {
        "prompt": "warm strings",
        "bpm": "92.5",
        "key": "F#m",
        "seed": "9",
        "steps": "20",
    }.items():
        assert await page.input_value(f"#{field}") == value
    await expect(page.locator("[name=bars][value='8']")).to_be_checked()
    for metre, label, length in (
        ("", "Length in 4/4", "20.76 s"),
        ("4/4", "Length", "20.76 s"),
        ("3/4", "Length", "15.57 s"),
        ("6/8", "Length", "15.57 s"),
    ):
        await page.locator(f"[name=metre][value='{metre}']").check()
        await expect(page.locator("#length")).to_have_text(length)
        await expect(page.locator("#length-label")).to_have_text(label)
    await page.locator(".chip").first.click()
    assert await page.input_value("#prompt") == "church bells"
    await page.locator("#dice").click()
    assert await page.input_value("#prompt") not in ("", "church bells")
    await page.focus("#bpm")
    await page.keyboard.press("ArrowUp")
    assert await page.input_value("#bpm") == "93.5"
    await visitor.check()
