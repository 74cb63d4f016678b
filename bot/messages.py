"""What the bot's messages look like: waiting, being made, finished, failed."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import discord
from PIL import Image

from bot.views import loop_buttons
from generation.request import RiffRequest
from market.catalog.models import Loop
from market.studio.models import RiffOrder
from market.studio.service import QueuePlace

COLOUR = discord.Colour(0x7C5CFF)
BAR_CELLS = 12
LICENCE = "Yours to use. Every sound that this was learnt from is known and free."
PHASES = {"denoising": "painting", "decoding": "turning the picture into sound"}


@dataclass(frozen=True, slots=True)
class Attached:
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Post:
    """One state of a message; an edit to it replaces whatever was there."""

    content: str | None = None
    embed: discord.Embed | None = None
    attached: tuple[Attached, ...] = ()
    loop_ids: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What it says, to tell two states apart."""
        return self.content or (self.embed and self.embed.description) or ""

    def as_edit(self) -> dict[str, Any]:
        """Arguments that turn a message into this one; fresh ones each time, for a file is sent only once."""
        return {
            "content": self.content,
            "embeds": [] if self.embed is None else [self.embed],
            "attachments": [discord.File(io.BytesIO(a.content), a.name) for a in self.attached],
            "view": loop_buttons(self.loop_ids) if self.loop_ids else None,
        }

    def as_new(self, user_id: int) -> dict[str, Any]:
        """Arguments for a message of its own, which tells the person that it is theirs."""
        edit = self.as_edit()
        return {
            "content": f"<@{user_id}> {self.content or ''}".strip(),
            "embeds": edit["embeds"],
            "files": edit["attachments"],
            "view": edit["view"],
            "allowed_mentions": discord.AllowedMentions(users=[discord.Object(user_id)]),
        }


def waiting(request: RiffRequest, place: QueuePlace) -> Post:
    """The riff is in the queue."""
    lines = [_headline(request), f"⏳ {_place(place)}"]
    return Post(embed=discord.Embed(description="\n".join(lines), colour=COLOUR))


def making(request: RiffRequest, event: dict[str, Any], preview: bytes | None) -> Post:
    """The riff is being made; `event` is a progress event's body, `preview` the picture as it stands."""
    done = round(event["fraction"] * BAR_CELLS)
    bar = "▰" * done + "▱" * (BAR_CELLS - done)
    take = f" · take {event['take'] + 1} of {event['takes']}" if event.get("takes", 1) > 1 else ""
    phase = PHASES.get(event.get("phase") or "", "starting")
    embed = discord.Embed(
        description=f"{_headline(request)}\n{bar} {event['fraction']:.0%} · {phase}{take}", colour=COLOUR
    )
    if preview is None:
        return Post(embed=embed)
    embed.set_image(url="attachment://preview.png")
    return Post(embed=embed, attached=(Attached("preview.png", preview),))


def finished(
    order: RiffOrder,
    loops: Sequence[Loop],
    recordings: Sequence[Attached | None],
    picture: bytes | None,
    public_url: str,
) -> Post:
    """The result. What is None did not fit into a message: a recording is linked instead."""
    request = RiffRequest.from_dict(order.request)
    embed = discord.Embed(description=_headline(request), colour=COLOUR)
    if public_url:
        embed.title, embed.url = "Listen on the web", f"{public_url}/loops/{loops[0].id}"
    for name, value in _facts(request, loops):
        embed.add_field(name=name, value=value)
    if order.started_at is not None and order.finished_at is not None:
        taken = (order.finished_at - order.started_at).total_seconds()
        embed.add_field(name="Made in", value=f"{taken:.1f} s")
    for number, (loop, recording) in enumerate(zip(loops, recordings, strict=True), 1):
        if recording is None:
            name = "Audio" if len(loops) == 1 else f"Take {number}"
            embed.add_field(name=name, value=_elsewhere(loop, public_url), inline=False)
    embed.set_footer(text=LICENCE)
    attached = [recording for recording in recordings if recording is not None]
    if picture is not None:
        embed.set_image(url="attachment://spectrogram.png")
        attached.append(Attached("spectrogram.png", picture))
    return Post(embed=embed, attached=tuple(attached), loop_ids=tuple(loop.id for loop in loops))


def failed(order: RiffOrder) -> Post:
    """The riff will not come, and why."""
    request = RiffRequest.from_dict(order.request)
    return Post(content=f"{_headline(request)}\n{order.error or 'This riff was cancelled.'}"[:2000])


def gone(order: RiffOrder) -> Post:
    """The riff was made, and its loops were deleted before they could be posted."""
    return Post(content=f"{_headline(RiffRequest.from_dict(order.request))}\nThis riff's loops were deleted.")


def sheet(pictures: Sequence[bytes]) -> bytes:
    """Spectrograms (PNG) as one picture, below each other; a single one stays as it is, recipe and all."""
    if len(pictures) == 1:
        return pictures[0]
    images = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    whole = Image.new("RGB", (max(i.width for i in images), sum(i.height for i in images)))
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    png = io.BytesIO()
    whole.save(png, "PNG")
    return png.getvalue()


def _headline(request: RiffRequest) -> str:
    return f"**{discord.utils.escape_markdown(request.prompt)}**"


def _facts(request: RiffRequest, loops: Sequence[Loop]) -> list[tuple[str, str]]:
    seeds = ", ".join(f"`{loop.seed}`" for loop in loops)
    facts = [
        ("Seed" if len(loops) == 1 else "Seeds", seeds),
        ("Tempo", f"{request.bpm:g} bpm"),
        *([] if request.metre == "4/4" else [("Metre", request.metre)]),
        ("Key", "free" if request.key is None else str(request.key)),
        ("Length", f"{_count(request.bars, 'bar')}, {request.seconds:.1f} s"),
    ]
    if request.variation_seed is not None:
        facts.append(("Variation", f"{request.variation:.0%} towards `{request.variation_seed}`"))
    if request.negative_prompt:
        facts.append(("Without", discord.utils.escape_markdown(request.negative_prompt)))
    return facts


def _place(place: QueuePlace) -> str:
    if place.position == 0:
        return "It is your turn."
    where = "Next in the queue" if place.position == 1 else f"Number {place.position} in the queue"
    if place.eta_seconds is None:
        return f"{where}."
    return f"{where}, about {_duration(place.eta_seconds)}."


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _elsewhere(loop: Loop, public_url: str) -> str:
    if not public_url:
        return "Too large for this server: whoever runs this bot has the file."
    return f"Too large for this server: [listen here]({public_url}/v1/loops/{loop.id}/audio.mp3)."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
