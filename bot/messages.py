"""What the bot's messages look like: waiting, being made, finished, failed."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import discord
from discord import ui
from PIL import Image

from bot import arrangements
from bot.cancel import cancel_view
from bot.loop.buttons import loop_view
from generation.request import RiffRequest
from market.catalog.models import Loop
from market.language import retold, say, say_count
from market.moderation.words import texts_of
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
    """One state of a message; an edit to it replaces whatever was there. `wish` is what was asked for."""

    content: str | None = None
    embed: discord.Embed | None = None
    attached: tuple[Attached, ...] = ()
    view: Callable[[], ui.View] | None = None
    wish: RiffRequest | None = None

    @property
    def text(self) -> str:
        """What it says, to tell two states apart."""
        return self.content or (self.embed and self.embed.description) or ""

    def behind_spoilers(self) -> "Post":
        """The same, with the words that were asked for and all files hidden until somebody clicks."""
        said = [] if self.wish is None else [text for text in texts_of(self.wish).values() if text]
        words = [discord.utils.escape_markdown(line) for text in said for line in text.splitlines()]

        def hidden(text: str | None) -> str | None:
            if text is None:
                return None
            return "\n".join(
                _spoiler(line) if any(word in line for word in words) else line for line in text.split("\n")
            )

        embed = None
        if self.embed is not None:
            embed = self.embed.copy()
            embed.description = hidden(embed.description)
            # Discord shows what an embed shows, whatever the file is called.
            embed.set_image(url=None)
            for place, field in enumerate(embed.fields):
                embed.set_field_at(place, name=field.name, value=hidden(field.value), inline=field.inline)
        attached = tuple(Attached(f"SPOILER_{each.name}", each.content) for each in self.attached)
        return replace(self, content=hidden(self.content), embed=embed, attached=attached)

    def as_edit(self) -> dict[str, Any]:
        """Arguments that turn a message into this one; fresh ones each time, for a file is sent only once."""
        return {
            "content": self.content,
            "embeds": [] if self.embed is None else [self.embed],
            "attachments": [discord.File(io.BytesIO(a.content), a.name) for a in self.attached],
            "view": None if self.view is None else self.view(),
        }

    def as_answer(self) -> dict[str, Any]:
        """Arguments for the first answer to an interaction."""
        edit = self.as_edit()
        parts = {"content": edit["content"], "embeds": edit["embeds"], "files": edit["attachments"]}
        return {**parts, **({} if edit["view"] is None else {"view": edit["view"]})}

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


def waiting(language: str, riff_id: str, request: RiffRequest, place: QueuePlace) -> Post:
    """The riff is in the queue."""
    lines = [headline(request), *_asked(language, request), f"⏳ {_place(language, place)}"]
    return Post(
        embed=discord.Embed(description="\n".join(lines), colour=COLOUR),
        view=lambda: cancel_view(language, riff_id),
        wish=request,
    )


def making(
    language: str, riff_id: str, request: RiffRequest, event: dict[str, Any], preview: bytes | None
) -> Post:
    """The riff is being made; `event` is a progress event's body, `preview` the picture as it stands."""
    done = round(event["fraction"] * BAR_CELLS)
    parts = [f"{'▰' * done}{'▱' * (BAR_CELLS - done)} {event['fraction']:.0%}"]
    parts.append(say(language, PHASES.get(event.get("phase") or "", "starting")))
    if event.get("takes", 1) > 1:
        parts.append(
            say(language, "take {number} of {count}", number=event["take"] + 1, count=event["takes"])
        )
    lines = [headline(request), *_asked(language, request), " · ".join(parts)]
    embed = discord.Embed(description="\n".join(lines), colour=COLOUR)
    attached = () if preview is None else (Attached("preview.png", preview),)
    if preview is not None:
        embed.set_image(url="attachment://preview.png")
    return Post(embed=embed, attached=attached, view=lambda: cancel_view(language, riff_id), wish=request)


def finished(
    language: str,
    order: RiffOrder,
    loops: Sequence[Loop],
    recordings: Sequence[Sequence[Attached]],
    picture: bytes | None,
    public_url: str,
) -> Post:
    """The result. Of each recording the files that are attached; one without any did not fit and is linked instead."""
    request = RiffRequest.from_dict(order.request)
    embed = discord.Embed(description=headline(request), colour=COLOUR)
    if public_url:
        embed.title, embed.url = say(language, "Listen on the web"), f"{public_url}/loops/{loops[0].id}"
    for name, value in facts(language, request, loops):
        embed.add_field(name=name, value=value)
    if order.started_at is not None and order.finished_at is not None:
        taken = (order.finished_at - order.started_at).total_seconds()
        embed.add_field(name=say(language, "Made in"), value=f"{taken:.1f} s")
    for number, (loop, recording) in enumerate(zip(loops, recordings, strict=True), 1):
        if not recording:
            name = (
                say(language, "Audio") if len(loops) == 1 else say(language, "Take {number}", number=number)
            )
            embed.add_field(name=name, value=_elsewhere(language, loop, public_url), inline=False)
    embed.set_footer(text=say(language, LICENCE))
    attached = [file for recording in recordings for file in recording]
    if picture is not None:
        embed.set_image(url="attachment://spectrogram.png")
        attached.append(Attached("spectrogram.png", picture))
    loop_ids = [loop.id for loop in loops]
    return Post(
        embed=embed, attached=tuple(attached), view=lambda: loop_view(language, loop_ids), wish=request
    )


def failed(language: str, order: RiffOrder) -> Post:
    """The riff will not come, and why."""
    request = RiffRequest.from_dict(order.request)
    why = retold(language, order.error) if order.error else say(language, "This riff was cancelled.")
    return Post(content=f"{headline(request)}\n{why}"[:2000], wish=request)


def gone(language: str, order: RiffOrder) -> Post:
    """The riff was made, and its loops were deleted before they could be posted."""
    why = say(language, "This riff's loops were deleted.")
    request = RiffRequest.from_dict(order.request)
    return Post(content=f"{headline(request)}\n{why}", wish=request)


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


def headline(request: RiffRequest) -> str:
    """What was asked for, in bold."""
    return f"**{discord.utils.escape_markdown(request.prompt)}**"


def _asked(language: str, request: RiffRequest) -> list[str]:
    """What is asked for beyond one loop, a line each."""
    return [f"{name}: {value}" for name, value in arrangements.facts(language, request)]


def facts(language: str, request: RiffRequest, loops: Sequence[Loop]) -> list[tuple[str, str]]:
    """What there is to know about a riff's loops: pairs of a name and a value."""
    # A song and a piece are longer than the loops that they are made of; the loops of a morph may share one seed.
    whole = loops[0]
    seeds = dict.fromkeys(f"`{loop.seed}`" for loop in loops)
    bars = say_count(language, "{count} bar", "{count} bars", whole.bars)
    known = [
        *arrangements.facts(language, request, loops),
        (say_count(language, "Seed", "Seeds", len(seeds)), ", ".join(seeds)),
        (say(language, "Tempo"), f"{request.bpm:g} bpm"),
        *([] if request.metre == "4/4" else [(say(language, "Metre"), request.metre)]),
        (say(language, "Key"), whole.key or say(language, "free")),
        (say(language, "Length"), f"{bars}, {whole.seconds:.1f} s"),
    ]
    if request.variation_seed is not None:
        known.append(
            (
                say(language, "Variation"),
                say(
                    language,
                    "{share} towards `{seed}`",
                    share=f"{request.variation:.0%}",
                    seed=request.variation_seed,
                ),
            )
        )
    if request.negative_prompt:
        known.append((say(language, "Without"), discord.utils.escape_markdown(request.negative_prompt)))
    return known


def _spoiler(text: str) -> str:
    # A bar of the text's own would end it.
    inner = text.replace("\\|", "|").replace("|", "\\|")
    return f"||{inner}||"


def _place(language: str, place: QueuePlace) -> str:
    if place.position == 0:
        return say(language, "It is your turn.")
    if place.eta_seconds is None:
        if place.position == 1:
            return say(language, "Next in the queue.")
        return say(language, "Number {position} in the queue.", position=place.position)
    time = duration(place.eta_seconds)
    if place.position == 1:
        return say(language, "Next in the queue, about {time}.", time=time)
    return say(language, "Number {position} in the queue, about {time}.", position=place.position, time=time)


def duration(seconds: float) -> str:
    """A stretch of time, to be read at a glance."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _elsewhere(language: str, loop: Loop, public_url: str) -> str:
    if not public_url:
        return say(language, "Too large for this server: whoever runs this bot has the file.")
    link = f"{public_url}/v1/loops/{loop.id}/audio.mp3"
    return say(language, "Too large for this server: [listen here]({link}).", link=link)
