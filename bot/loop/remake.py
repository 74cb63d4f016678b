"""New riffs from a loop: again, vary, extend, morph, repaint, a song, with other words.

What somebody else's loop for sale is made of stays hidden: forms show of it what its listing tells, and what comes of
them has a seed of its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot import answers, arrangements, orders, people, suggestions
from bot.arrangements import BANDS, CURVES, MAX_LOOPS
from bot.forms import Field, Form, Submitted
from bot.loop.actions import Action
from generation.arrangement import Extend, Morph, Repaint, Song, to_record
from generation.errors import InvalidRequest
from generation.fields import MAX_PROMPT_LENGTH, number
from generation.request import BARS, RiffRequest
from market.catalog import service as catalog
from market.catalog.errors import LicenceNeeded
from market.catalog.models import Loop
from market.language import say
from market.studio import service as studio

if TYPE_CHECKING:
    from bot.client import RiffBot

AMOUNTS = ("10", "20", "35", "50", "70", "100")
_EXTEND_BARS = 2
# Gives a request to start from: that of a loop, or that of its whole riff.
Origin = Callable[[AsyncSession, str, str, int], Awaitable[RiffRequest]]


# Ordered at once


async def again(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The same wish with another seed."""
    seed = orders.seed_of(interaction)
    await orders.order_from(interaction, loop_id, lambda request: replace(request.again(), seed=seed))


async def reroll(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The whole riff that a loop is of once more, all its takes with fresh seeds."""

    async def wish(session: AsyncSession, _: str) -> RiffRequest:
        loop = await catalog.get(session, loop_id)
        made = RiffRequest.from_dict((await studio.get(session, loop.riff_id)).request)
        return replace(made.again(), seed=orders.seed_of(interaction))

    await orders.order(interaction, wish)


async def vary(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """A near variation of a loop."""
    seed = orders.seed_of(interaction)
    await orders.order_from(
        interaction, loop_id, lambda request: replace(request.vary(), variation_seed=seed)
    )


async def extend(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The loop with two bars more after it, or one where more do not fit."""

    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        loop = await catalog.get(session, loop_id)
        room = BARS[1] - loop.bars
        if room < 1:
            raise InvalidRequest("bars", f"It has {loop.bars} bars already: at most {BARS[1]} are possible.")
        further = {"kind": "extend", "bars": min(_EXTEND_BARS, room)}
        return await _from_sound(interaction, session, loop_id, owner, {"arrangement": further})

    await orders.order(interaction, wish)


# Asked about first


async def ask_variation(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """How far a variation shall go."""
    language = answers.language(interaction)
    amounts = [(say(language, "{share} of the way", share=f"{amount} %"), amount) for amount in AMOUNTS]
    amount = Field(
        "amount", say(language, "How far from the loop"), value="35", required=True, choices=amounts
    )
    await _ask(interaction, Form("vary", loop_id, say(language, "Vary"), [amount]))


async def varied(
    interaction: discord.Interaction["RiffBot"], loop_id: str, entered: Mapping[str, str]
) -> None:
    """A variation as far away as was entered."""
    amount = number("amount", entered["amount"], (1, 100), 35) / 100
    seed = orders.seed_of(interaction)
    await orders.order_from(
        interaction, loop_id, lambda request: replace(request.vary(amount), variation_seed=seed)
    )


async def ask_morph(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Where a morph from this loop shall go."""
    language = answers.language(interaction)
    fields = [
        Field(
            "to",
            say(language, "To"),
            placeholder=say(language, "what it becomes: electronic beats"),
            required=True,
            long=True,
            max_length=MAX_PROMPT_LENGTH,
        ),
        Field("loops", say(language, "How many loops, 2 to {most}", most=MAX_LOOPS), value="5", max_length=4),
        Field(
            "over",
            say(language, "As"),
            value="loops",
            choices=[
                (say(language, "loops, one after the other"), "loops"),
                (say(language, "one piece"), "time"),
            ],
        ),
        Field(
            "curve",
            say(language, "How the way is gone"),
            value="linear",
            choices=[(say(language, name), value) for value, name in CURVES.items()],
        ),
    ]
    await _ask(interaction, Form("morph", loop_id, say(language, "Morph this loop"), fields))


async def morphed(
    interaction: discord.Interaction["RiffBot"], loop_id: str, entered: Mapping[str, str]
) -> None:
    """A morph from the loop to a prompt."""

    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        start = _plain(await _of_loop(session, loop_id, owner, orders.seed_of(interaction)))
        return _with_arrangement(
            start,
            {
                "kind": "morph",
                "prompts": [_line(entered["to"])],
                "loops": entered["loops"].strip(),
                "over": entered["over"],
                "curve": entered["curve"],
            },
        )

    await orders.order(interaction, wish)


async def ask_repaint(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Which bars shall be made anew, and as what."""
    language = answers.language(interaction)
    start = await _read(interaction, loop_id, _of_loop)
    bars = f"{start.bars // 2 + 1}-{start.bars}" if start.bars > 2 else str(start.bars)
    fields = [
        Field(
            "bars",
            say(language, "Bars, of {count}", count=start.bars),
            value=bars,
            placeholder="2-3",
            max_length=12,
        ),
        _prompt(language, start.prompt),
        Field(
            "band",
            say(language, "What of them"),
            value="all",
            choices=[(say(language, name), value) for value, (name, _, _) in BANDS.items()],
        ),
    ]
    await _ask(interaction, Form("repaint", loop_id, say(language, "Make some bars anew"), fields))


async def repainted(
    interaction: discord.Interaction["RiffBot"], loop_id: str, entered: Mapping[str, str]
) -> None:
    """The loop with some of its bars made anew."""
    _, low, high = BANDS[entered["band"] or "all"]
    asked = {"kind": "repaint", "bars": entered["bars"].strip(), "low_hz": low, "high_hz": high}

    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        given = {"prompt": _line(entered["prompt"]), "arrangement": asked}
        return await _from_sound(interaction, session, loop_id, owner, given)

    await orders.order(interaction, wish)


async def ask_edit(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The words and numbers of a loop, to be changed."""
    await _ask_edit(interaction, "edit", loop_id, _of_loop)


async def ask_revision(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The words and numbers of the whole riff that a loop is of, to be changed."""
    await _ask_edit(interaction, "revise", loop_id, _of_riff)


async def edited(
    interaction: discord.Interaction["RiffBot"], loop_id: str, entered: Mapping[str, str]
) -> None:
    """The loop's request with what was changed."""
    await _order_edited(interaction, loop_id, entered, _of_loop)


async def revised(
    interaction: discord.Interaction["RiffBot"], loop_id: str, entered: Mapping[str, str]
) -> None:
    """The whole riff's request with what was changed."""
    await _order_edited(interaction, loop_id, entered, _of_riff)


async def ask_song(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """How long a song from this loop shall be, and of what form."""
    language = answers.language(interaction)
    fields = [
        Field("minutes", say(language, "Minutes, from half a minute to 6"), value="2", max_length=8),
        Field(
            "form",
            say(language, "Form"),
            description=say(language, "Its sections; left empty, one is chosen"),
            placeholder="intro A B A' B' outro",
        ),
    ]
    await _ask(interaction, Form("song", loop_id, say(language, "A song from this loop"), fields))


async def sung(interaction: discord.Interaction["RiffBot"], loop_id: str, entered: Mapping[str, str]) -> None:
    """A song whose first theme is the loop."""
    asked = {
        "kind": "song",
        "seconds": arrangements.seconds_of(entered["minutes"]),
        "form": _line(entered["form"]),
    }

    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        start = _plain(await _of_loop(session, loop_id, owner, orders.seed_of(interaction)))
        return _with_arrangement(start, asked)

    await orders.order(interaction, wish)


# What they start from


async def _of_loop(session: AsyncSession, loop_id: str, owner: str, seed: int) -> RiffRequest:
    """A loop's request as far as an owner may know it: of one that is for sale, what its listing tells, with `seed`.

    Raises NotFound and LoopRemoved.
    """
    loop = await catalog.get(session, loop_id)
    return catalog.request_of(loop) if await _is_open(session, loop, owner) else _listed(loop, seed)


async def _of_riff(session: AsyncSession, loop_id: str, owner: str, seed: int) -> RiffRequest:
    """The same of the whole riff that a loop is of."""
    loop = await catalog.get(session, loop_id)
    if not await _is_open(session, loop, owner):
        return _listed(loop, seed)
    return RiffRequest.from_dict((await studio.get(session, loop.riff_id)).request)


async def _is_open(session: AsyncSession, loop: Loop, owner: str) -> bool:
    """Whether an owner may know how a loop was made. Raises NotFound and LoopRemoved where not even that it was."""
    try:
        await catalog.require_use(session, loop, owner)
    except LicenceNeeded:
        return False
    return True


def _listed(loop: Loop, seed: int) -> RiffRequest:
    """What a loop's listing tells of its request."""
    bars = loop.bars if loop.kind == "loop" else None
    return RiffRequest.parse(
        prompt=loop.prompt, seed=seed, bars=bars, bpm=loop.bpm, metre=loop.metre, key=loop.key
    )


async def _read(interaction: discord.Interaction["RiffBot"], loop_id: str, origin: Origin) -> RiffRequest:
    """What a form shows, with one look at the database: a form is a first answer, and cannot come later."""
    async with interaction.client.database.read() as session:
        actor = await people.known(session, interaction)
        return await origin(session, loop_id, actor.owner, orders.seed_of(interaction))


async def _from_sound(
    interaction: discord.Interaction["RiffBot"],
    session: AsyncSession,
    loop_id: str,
    owner: str,
    given: Mapping[str, object],
) -> RiffRequest:
    """A request that starts from a loop's sound and keeps how it was made. Raises LicenceNeeded and LoopRemoved."""
    loop = await catalog.get(session, loop_id)
    await catalog.require_use(session, loop, owner)
    made = catalog.request_of(loop)
    kept = {
        "negative_prompt": made.negative_prompt,
        "steps": made.steps,
        "guidance_scale": made.guidance_scale,
        "source": loop_id,
    }
    return await studio.request_of(session, {**kept, **given}, seed=orders.seed_of(interaction), owner=owner)


def _plain(request: RiffRequest) -> RiffRequest:
    """One loop by its words and its seed alone, without a sound or another prompt that it came from."""
    return replace(
        request, takes=1, source="", strength=1.0, keep="", morph_to="", morph=0.0, arrangement=None
    )


def _with_arrangement(start: RiffRequest, arrangement: Mapping[str, object]) -> RiffRequest:
    """A request with an arrangement that is checked against it. Raises InvalidRequest."""
    checked = RiffRequest.parse(
        prompt=start.prompt,
        bars=start.bars,
        bpm=start.bpm,
        metre=start.metre,
        seed=start.seed,
        arrangement=arrangement,
    )
    return replace(start, arrangement=checked.arrangement)


# Forms


async def _ask(interaction: discord.Interaction["RiffBot"], form: Form) -> None:
    await answers.give(lambda: interaction.response.send_modal(form))


async def _ask_edit(
    interaction: discord.Interaction["RiffBot"], name: str, loop_id: str, origin: Origin
) -> None:
    language = answers.language(interaction)
    start = await _read(interaction, loop_id, origin)
    fields = [
        _prompt(language, start.prompt),
        Field(
            "negative",
            say(language, "Without"),
            value=start.negative_prompt,
            placeholder=say(language, "what you do not want to hear"),
            max_length=MAX_PROMPT_LENGTH,
        ),
        Field(
            "key",
            say(language, "Key"),
            value="" if start.key is None else str(start.key),
            placeholder=say(language, "free"),
            max_length=24,
        ),
        Field("bpm", say(language, "Tempo"), value=f"{start.bpm:g}", max_length=12),
        Field("bars", say(language, "Bars"), value=str(start.bars), max_length=4),
    ]
    await _ask(interaction, Form(name, loop_id, say(language, "Edit prompt"), fields))


async def _order_edited(
    interaction: discord.Interaction["RiffBot"], loop_id: str, entered: Mapping[str, str], origin: Origin
) -> None:
    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        return _edited(await origin(session, loop_id, owner, orders.seed_of(interaction)), entered)

    await orders.order(interaction, wish)


def _edited(start: RiffRequest, entered: Mapping[str, str]) -> RiffRequest:
    """A request with what a form changed; all else stays. Raises InvalidRequest."""
    slides = isinstance(start.arrangement, Morph | Song)
    changed = RiffRequest.parse(
        prompt=_line(entered["prompt"]),
        negative_prompt=_line(entered["negative"]),
        key=suggestions.key_of_words(entered["key"].strip()),
        bpm=arrangements.number_of(entered["bpm"]),
        bars=entered["bars"].strip(),
        metre=start.metre,
        seed=start.seed,
        arrangement=to_record(start.arrangement) if slides else None,
    )
    made_of_sound = start.keep or isinstance(start.arrangement, Extend | Repaint)
    if made_of_sound and (changed.bpm, changed.bars) != (start.bpm, start.bars):
        raise InvalidRequest(
            "bars",
            "This loop goes on from a sound: leave its tempo and its bars as they are, or begin with /riff.",
        )
    return replace(
        start,
        prompt=changed.prompt,
        negative_prompt=changed.negative_prompt,
        key=changed.key,
        bpm=changed.bpm,
        bars=changed.bars,
    )


def _prompt(language: str, value: str) -> Field:
    return Field(
        "prompt",
        say(language, "What you want to hear"),
        value=value,
        required=True,
        long=True,
        max_length=MAX_PROMPT_LENGTH,
    )


def _line(text: str) -> str:
    """Text of a box of several lines on one."""
    return " ".join(text.split())


ACTIONS = (
    Action("again", "Again", "🔁", again),
    Action("reroll", "Again", "🔁", reroll),
    Action("vary", "Vary", "🎲", vary),
    Action("varyby", "Vary by…", "🎲", ask_variation),
    Action("extend", "Extend", "➡️", extend),
    Action("morph", "Morph…", "🌗", ask_morph),
    Action("repaint", "Repaint…", "🖌️", ask_repaint),
    Action("edit", "Edit prompt…", "✏️", ask_edit),
    Action("revise", "Edit prompt…", "✏️", ask_revision),
    Action("song", "Song from this…", "🎼", ask_song),
)

FORMS: dict[str, Submitted] = {
    "vary": varied,
    "morph": morphed,
    "repaint": repainted,
    "edit": edited,
    "revise": revised,
    "song": sung,
}
