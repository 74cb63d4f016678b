"""A look at the chat: the fake's channel as a page, so that what the bot posts can be seen as people see it.

`python -m tests.fakes.discord.look FOLDER` runs the bot and a worker with the shipped model against the fake, uses what
there is, and writes chat.html and chat.png.
"""

import asyncio
import base64
import html
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fakes.discord.openapi import Specification
from tests.fakes.discord.server import PATIENCE, FakeDiscord
from tests.fakes.discord.world import ALL_PERMISSIONS, CONTENT_TYPES, File, Interaction, Message, User

STYLE = Path(__file__).with_name("look.css")


def page(shown: Sequence[tuple[str, Message | dict[str, Any]]]) -> str:
    """HTML of what followed on what was done: pairs of a heading and a message, or the data of a modal."""
    blocks = [
        f'<div class="m"><div class="used">{html.escape(what)}</div>'
        f"{_modal(seen) if isinstance(seen, dict) else _message(seen)}</div>"
        for what, seen in shown
    ]
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE.read_text()}</style>{"".join(blocks)}'


def _message(message: Message) -> str:
    named = {file.filename: file for file in message.attachments}
    used = {
        entry[place]["url"].removeprefix("attachment://")
        for entry in message.embeds
        for place in ("image", "thumbnail")
        if place in entry
    }
    parts = ['<span class="who">Riffmarket</span><span class="tag">APP</span>']
    parts += [f"<div>{_markdown(message.content)}</div>"] if message.content else []
    parts += [_attachment(file) for name, file in named.items() if name not in used]
    parts += [_embed(entry, named) for entry in message.embeds]
    for row in message.components:
        parts.append(f'<div class="row">{"".join(_component(item) for item in row["components"])}</div>')
    parts += ['<div class="eph">Only you can see this</div>'] if message.ephemeral else []
    return "".join(parts)


def _embed(entry: dict[str, Any], named: dict[str, File]) -> str:
    parts = []
    if "author" in entry:
        parts.append(f"<div>{html.escape(entry['author']['name'])}</div>")
    if "title" in entry:
        parts.append(f"<h4>{_markdown(entry['title'])}</h4>")
    if "description" in entry:
        parts.append(f"<div>{_markdown(entry['description'])}</div>")
    for field in entry.get("fields") or []:
        wide = "" if field.get("inline") else " w"
        name, value = _markdown(field["name"]), _markdown(field["value"])
        parts.append(f'<div class="f{wide}"><b>{name}</b>{value}</div>')
    for place in ("image", "thumbnail"):
        if place in entry:
            file = named.get(entry[place]["url"].removeprefix("attachment://"))
            if file is not None:
                kind = CONTENT_TYPES[file.filename.rsplit(".", 1)[-1]]
                parts.append(f'<img src="data:{kind};base64,{base64.b64encode(file.content).decode()}">')
    if "footer" in entry:
        parts.append(f'<div class="foot">{html.escape(entry["footer"]["text"])}</div>')
    return f'<div class="e">{"".join(parts)}</div>'


def _attachment(file: File) -> str:
    ending = file.filename.rsplit(".", 1)[-1]
    if CONTENT_TYPES.get(ending, "").startswith("image/"):
        return f'<img src="data:{CONTENT_TYPES[ending]};base64,{base64.b64encode(file.content).decode()}">'
    play = "▶ " if CONTENT_TYPES.get(ending, "").startswith(("audio/", "video/")) else "📄 "
    return f'<div class="a">{play}{html.escape(file.filename)}<small>{len(file.content) / 1024:.0f} KB</small></div>'


def _component(item: dict[str, Any]) -> str:
    if item["type"] != 2:
        chosen = [option["label"] for option in item.get("options", []) if option.get("default")]
        return f'<span class="sel">{html.escape(", ".join(chosen) or item.get("placeholder") or "")} ▾</span>'
    emoji = (item.get("emoji") or {}).get("name") or ""
    label = html.escape(f"{emoji} {item.get('label') or ''}".strip())
    return f'<span class="b s{item["style"]}">{label}{" ↗" if item["style"] == 5 else ""}</span>'


def _modal(form: dict[str, Any]) -> str:
    parts = [f"<b>{html.escape(form['title'])}</b>"]
    for label in form["components"]:
        if "component" not in label:
            parts.append(f"<div>{_markdown(label.get('content', ''))}</div>")
            continue
        field = label["component"]
        value = field.get("value") or ", ".join(
            option["label"] for option in field.get("options", []) if option.get("default")
        )
        parts.append(f"<label>{html.escape(label['label'])}</label>")
        parts.append(f"<small>{html.escape(label.get('description') or '')}</small>")
        shown = (
            html.escape(value) if value else f"<small>{html.escape(field.get('placeholder') or '')}</small>"
        )
        parts.append(f'<div class="i">{shown}</div>')
    return f'<div class="modal">{"".join(parts)}</div>'


def _markdown(text: str) -> str:
    shown = re.sub(r"```\w*\n(.*?)\n?```", r"`\1`", html.escape(text), flags=re.DOTALL)
    shown = re.sub(r"&lt;t:\d+(:\w)?&gt;", "<code>a moment ago</code>", shown)
    shown = re.sub(r"&lt;(/[^:&]+):\d+&gt;", r'<span class="link">\1</span>', shown)
    shown = re.sub(r"&lt;[@#]!?\d+&gt;", r'<span class="link">@someone</span>', shown)
    for pattern, tag in ((r"\*\*(.+?)(?<!\\)\*\*", "b"), (r"`(.+?)`", "code"), (r"\|\|(.+?)\|\|", "span")):
        shown = re.sub(pattern, rf"<{tag}>\1</{tag}>", shown, flags=re.DOTALL)
    shown = re.sub(r"\[(.+?)\]\((\S+?)\)", r'<a class="link" href="\2">\1</a>', shown)
    shown = re.sub(r"^(#+) (.*)$", r"<b>\2</b>", shown, flags=re.MULTILINE)
    shown = re.sub(r"^-# (.*)$", r"<small>\1</small>", shown, flags=re.MULTILINE)
    return re.sub(r"\\([*_|`~>])", r"\1", shown).replace("\n", "<br>")


async def look(folder: Path, locale: str) -> None:
    """Use the bot as a person whose client speaks `locale`, and write what they see."""
    shown: list[tuple[str, Message | dict[str, Any]]] = []
    async with FakeDiscord(specification=Specification.load()) as fake:
        fake.answer_within = PATIENCE
        ada = User("ada", locale=locale, permissions=ALL_PERMISSIONS)
        with tempfile.TemporaryDirectory() as data:
            environment = {
                **os.environ,
                "RIFF_DATA_DIR": data,
                "DISCORD_TOKEN": fake.token,
                "RIFF_PUBLIC_URL": "https://riffs.example",
            }
            await (await _started(environment, "cli.main", "db", "upgrade")).wait()
            running = [
                await _started(environment, "tests.fakes.discord.client", fake.url),
                await _started(environment, "market.studio.worker"),
            ]
            try:
                await fake.ready()
                await _use(fake, ada, shown)
            finally:
                (folder / f"chat-{locale}.html").write_text(page(shown))
                for process in running:
                    process.terminate()
                for process in running:
                    await process.wait()
        assert fake.violations == []
    _picture(folder / f"chat-{locale}.html")


async def _started(environment: dict[str, str], *module: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", *module, env=environment)


async def _use(fake: FakeDiscord, ada: User, shown: list[tuple[str, Message | dict[str, Any]]]) -> None:
    async def seen(what: str, interaction: Interaction, *, finished: bool = False) -> Message | None:
        await fake.answered(interaction, within=60)
        assert interaction.response is not None
        if interaction.response["type"] == 9:
            shown.append((what, interaction.response["data"]))
            return None

        def answer() -> Message | None:
            messages = [m for m in (interaction.message, *interaction.followups) if m and not m.deleted]
            ready = [m for m in messages if m is not interaction.source and not m.loading and m.versions]
            if not finished:
                return ready[-1] if ready else None
            return next((m for m in ready if any(i.startswith("riff:") for i in m.custom_ids)), None)

        message: Message = await fake.until(answer, what, within=120)
        shown.append((what, message))
        return message

    asked = "church bells into electronic beats"
    waiting = await fake.slash("riff", prompt=asked, takes=3, user=ada)
    shown.append((f"/riff {asked} takes:3 · at once", (await _frozen(fake, waiting))))
    three = await seen(f"/riff {asked} takes:3", waiting, finished=True)
    assert three is not None
    one = await seen(
        "/riff lofi rain piano", await fake.slash("riff", prompt="lofi rain piano", user=ada), finished=True
    )
    assert one is not None
    for name in ("morph", "repaint", "edit", "publish", "keep", "download"):
        await seen(f"[{name}]", await fake.press(one, one.custom_id(f"riff:{name}"), user=ada))
    more = next(found for found in three.custom_ids if found.startswith("riff:more"))
    await seen("[more 1]", await fake.press(three, more, user=ada))
    for name in ("info", "gif", "song"):
        menu = one.custom_id("riff-menu:")
        await seen(f"menu: {name}", await fake.choose(one, menu, name, user=ada))
    for command in (
        "riffs",
        "market search",
        "market mine",
        "credits",
        "info",
        "help",
        "settings",
        "delete-my-data",
    ):
        await seen(f"/{command}", await fake.slash(command, user=ada))


async def _frozen(fake: FakeDiscord, interaction: Interaction) -> Message:
    """The first state of an answer."""
    await fake.until(lambda: interaction.message and interaction.message.versions, "a first answer")
    assert interaction.message is not None
    first = interaction.message.versions[0]
    message = Message(interaction.message.channel, interaction.message.author)
    message.content, message.embeds, message.components = first.content, first.embeds, first.components
    return message


def _picture(path: Path) -> None:
    script = (
        "import sys;from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p:\n"
        " b=p.chromium.launch(executable_path='/usr/bin/chromium',args=['--no-sandbox'])\n"
        " page=b.new_page(viewport={'width':700,'height':900});page.goto('file://'+sys.argv[1])\n"
        " page.screenshot(path=sys.argv[1].replace('.html','.png'),full_page=True)"
    )
    subprocess.run([sys.executable, "-c", script, str(path.resolve())], check=True)


if __name__ == "__main__":
    for wanted in sys.argv[2:] or ["en-US"]:
        asyncio.run(look(Path(sys.argv[1]), wanted))
