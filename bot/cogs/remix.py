"""`/remix`, and "Remix this" on a message: a sound that somebody brings, or a riff, imagined anew.

Discord tells what is attached to a message only to the command that was used on it, and there is no room for that in a
form's custom id: it is remembered until the form comes back. A riff is found by the message that it was delivered as.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str
from discord.ext import commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot import answers, forms, orders, people, repository, suggestions
from bot.arrangements import KEEPS, number_of
from bot.attachments import AttachedSound
from bot.cogs.riff import prompts
from bot.forms import Field, Form
from bot.loop.buttons import LOOP_ID
from generation.errors import InvalidRequest, RiffError
from generation.fields import MAX_PROMPT_LENGTH, MAX_SEED, number, quoted
from generation.request import BARS, BPM, SAMPLE_RATE, TAKES, RiffRequest
from market.catalog import service as catalog
from market.catalog.models import Loop
from market.errors import NotFound, TooManyRiffs
from market.language import say
from market.studio import service as studio
from market.studio import sources

if TYPE_CHECKING:
    from bot.client import RiffBot

STRENGTH = (5, 100)
# Loops of one's own to choose from, and messages whose files are remembered.
_OWN, _REMEMBERED = 50, 1000
_ANY_SOUND = "0" * 64
_LOOP_ID = re.compile(rf"\b{LOOP_ID}\b")
_RIFF_ID = re.compile(r"[0-9a-f]{24}")
# The last number of a link to a message is the message's own.
_MESSAGE_ID = re.compile(r"(?:.*/)?(\d{17,20})/?")


class NothingToRemix(RiffError):
    """There is no sound to start from."""


class RemixCommands(commands.Cog):
    """Making something of what is there."""

    def __init__(self, bot: "RiffBot") -> None:
        self._bot = bot
        self._menu = app_commands.ContextMenu(
            name="Remix this",
            callback=self.remix_this,
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )
        self._attached: OrderedDict[int, Sequence[AttachedSound]] = OrderedDict()

    async def cog_load(self) -> None:
        self._bot.tree.add_command(self._menu)
        forms.on_submit("remix", remixed)
        forms.on_submit("remix-file", self.remixed_file)

    @app_commands.command(name="remix")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.describe(
        prompt="What it becomes: a string quartet",
        file="The sound to start from: WAV, MP3, OGG, Opus, FLAC or M4A, up to a minute",
        riff="Or the riff to start from: one of yours, or the link or id of any",
        strength="How much is new, in percent (60 unless you say)",
        keep="What stays for certain, of a loop",
        bars="How long, in bars (as the sound unless you say)",
        bpm="The tempo (as the sound unless you say)",
        key="The key: Am, F#, Bb minor …",
        seed="The same seed and words give the same loop again",
        takes="How many takes to choose from (1 unless you say)",
    )
    @app_commands.choices(
        keep=[
            Choice(name=locale_str("its groove"), value="groove"),
            Choice(name=locale_str("its harmony"), value="harmony"),
        ]
    )
    async def remix(
        self,
        interaction: discord.Interaction["RiffBot"],
        prompt: app_commands.Range[str, 1, MAX_PROMPT_LENGTH],
        file: discord.Attachment | None = None,
        riff: app_commands.Range[str, 1, 200] | None = None,
        strength: app_commands.Range[int, *STRENGTH] | None = None,
        keep: str | None = None,
        bars: app_commands.Range[int, *BARS] | None = None,
        bpm: app_commands.Range[float, *BPM] | None = None,
        key: str | None = None,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        takes: app_commands.Range[int, *TAKES] | None = None,
    ) -> None:
        """Imagine a sound or a riff anew"""
        given = {
            "prompt": prompt,
            "strength": _strength("" if strength is None else str(strength)),
            "keep": keep,
            "bars": bars,
            "bpm": bpm,
            "key": suggestions.key_of_words(key or ""),
            "seed": seed,
            "takes": takes,
        }
        if (file is None) == (riff is None):
            raise NothingToRemix("Attach a sound as file, or name a riff: one of the two.")
        if file is not None:
            await _order_from_file(interaction, AttachedSound.of(file), given)
        else:
            await _order_from_loop(interaction, str(riff), given)

    @remix.autocomplete("prompt")
    async def suggest_prompts(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[Choice[str]]:
        return await prompts(interaction, typed)

    @remix.autocomplete("riff")
    async def suggest_riffs(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[Choice[str]]:
        async with interaction.client.database.read() as session:
            actor = await people.known(session, interaction)
            page = await catalog.mine(session, actor, _OWN)
        wanted = typed.strip().casefold()
        loops = [shown.loop for shown in page.loops if shown.loop.bars <= BARS[1]]
        return [
            suggestions.choice(_told(loop), loop.id) for loop in loops if wanted in _told(loop).casefold()
        ][: suggestions.MOST]

    @remix.autocomplete("bpm")
    async def suggest_tempos(
        self, interaction: discord.Interaction["RiffBot"], typed: object
    ) -> list[Choice[float]]:
        prompt = str(interaction.namespace.prompt or "")
        return suggestions.tempos(answers.language(interaction), prompt, str(typed))

    @remix.autocomplete("key")
    async def suggest_keys(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[Choice[str]]:
        return suggestions.keys(answers.language(interaction), typed)

    async def remix_this(self, interaction: discord.Interaction["RiffBot"], message: discord.Message) -> None:
        """Ask what a message's riff, or a sound that is attached to it, shall become."""
        language = answers.language(interaction)
        # Of what is ours the loop is taken, never the file: that may be a preview of something for sale.
        is_ours = interaction.client.user is not None and message.author.id == interaction.client.user.id
        loops = await _loops_in(interaction, message) if is_ours else []
        if loops:
            takes = [
                (say(language, "Take {number}", number=loop.take + 1), loop.id)
                for loop in loops[: suggestions.MOST]
            ]
            await _ask(interaction, "remix", loops[0].id, takes, loops[0].prompt)
            return
        attached = [] if is_ours else map(AttachedSound.of, message.attachments)
        sounds = [sound for sound in attached if sound.is_sound]
        if not sounds:
            raise NothingToRemix(
                "There is no sound in this message: use it on one with a riff or an audio file."
            )
        if len(sounds) == 1:
            sounds[0].require()
        self._attached[message.id] = sounds
        self._attached.move_to_end(message.id)
        if len(self._attached) > _REMEMBERED:
            self._attached.popitem(last=False)
        files = [(sound.name, str(sound.id)) for sound in sounds]
        await _ask(interaction, "remix-file", f"{message.channel.id}:{message.id}", files)

    async def remixed_file(
        self, interaction: discord.Interaction["RiffBot"], subject: str, entered: Mapping[str, str]
    ) -> None:
        """A remix of a sound that was attached to a message."""
        sounds = self._attached.get(int(subject.rpartition(":")[2]))
        if sounds is None:
            raise NothingToRemix(
                "The bot was started anew meanwhile: choose “Remix this” on the message once more."
            )
        wanted = entered.get("sound") or str(sounds[0].id)
        [sound] = [sound for sound in sounds if str(sound.id) == wanted]
        await _order_from_file(interaction, sound, _given(entered))


async def remixed(
    interaction: discord.Interaction["RiffBot"], loop_id: str, entered: Mapping[str, str]
) -> None:
    """A remix of a riff that a message brought."""
    await _order_from_loop(interaction, entered.get("sound") or loop_id, _given(entered))


# Orders


async def _order_from_loop(
    interaction: discord.Interaction["RiffBot"], name: str, given: Mapping[str, object]
) -> None:
    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        loop = await _named(session, name)
        request = await studio.request_of(
            session, {**given, "source": loop.id}, seed=orders.seed_of(interaction), owner=owner
        )
        _require_length(request, loop.samples)
        return request

    await orders.order(interaction, wish)


async def _order_from_file(
    interaction: discord.Interaction["RiffBot"], sound: AttachedSound, given: Mapping[str, object]
) -> None:
    sound.require()
    # What is wrong with the words is said before anything is fetched.
    RiffRequest.parse(**{**given, "source": _ANY_SOUND})
    source_id = await answers.soon(interaction, _brought(interaction, sound), ephemeral=False)

    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        source = await sources.get(session, source_id, owner)
        request = await studio.request_of(
            session, {**given, "source": source.id}, seed=orders.seed_of(interaction), owner=owner
        )
        _require_length(request, source.samples)
        return request

    await orders.order(interaction, wish)


async def _brought(interaction: discord.Interaction["RiffBot"], sound: AttachedSound) -> str:
    """The id of an attached sound among the market's; one that nothing is made of is removed there after a week."""
    bot = interaction.client
    async with bot.database.write() as session:
        owner = (await people.active(session, interaction)).owner
        if await studio.count_open(session, owner) >= studio.MAX_OPEN_RIFFS:
            raise TooManyRiffs(studio.MAX_OPEN_RIFFS)
    content = await sound.fetch()
    async with bot.database.write() as session:
        return (await sources.keep(session, bot.storage, content, owner=owner, name=sound.name)).id


def _require_length(request: RiffRequest, samples: int) -> None:
    """That what stays for certain can stay: a remix like that has exactly its sound's length."""
    if request.keep and request.samples != samples:
        raise InvalidRequest(
            "keep",
            f"Only of a loop something can be kept: this sound lasts {samples / SAMPLE_RATE:.3f} s, and "
            f"{request.bars} bars at {request.bpm:g} bpm last {request.seconds:.3f} s.",
        )


async def _named(session: AsyncSession, name: str) -> Loop:
    """The loop that somebody means by its id, its riff's, a link to its page or to its message. Raises NotFound."""
    text = name.strip()
    loop = _LOOP_ID.search(text)
    if loop is not None:
        return await catalog.get(session, loop[0])
    riff_id = text if _RIFF_ID.fullmatch(text) else None
    message = _MESSAGE_ID.fullmatch(text)
    if message is not None:
        delivery = await repository.delivered_as(session, int(message[1]))
        riff_id = None if delivery is None else delivery.riff_id
    loops = [] if riff_id is None else await catalog.of_riff(session, riff_id)
    if not loops:
        raise NotFound("riff", quoted(name))
    return loops[0]


async def _loops_in(interaction: discord.Interaction["RiffBot"], message: discord.Message) -> Sequence[Loop]:
    """The loops of a message of ours: of the riff that it was delivered as, or else of its buttons and menus."""
    async with interaction.client.database.read() as session:
        delivery = await repository.delivered_as(session, message.id)
        if delivery is not None:
            return await catalog.of_riff(session, delivery.riff_id)
        return [await catalog.get(session, loop_id) for loop_id in dict.fromkeys(_named_in(message))]


def _named_in(message: discord.Message) -> Iterator[str]:
    """The loops that the buttons and menus of a message name."""
    for row in message.components:
        for item in getattr(row, "children", ()):
            values = [option.value for option in getattr(item, "options", ())]
            for text in (getattr(item, "custom_id", None) or "", *values):
                found = _LOOP_ID.search(text)
                if found is not None:
                    yield found["loop_id"]


# The form


async def _ask(
    interaction: discord.Interaction["RiffBot"],
    name: str,
    subject: str,
    sounds: Sequence[tuple[str, str]],
    prompt: str = "",
) -> None:
    language = answers.language(interaction)
    fields = [
        Field(
            "prompt",
            say(language, "What it becomes"),
            value=prompt,
            placeholder=say(language, "a string quartet"),
            required=True,
            long=True,
            max_length=MAX_PROMPT_LENGTH,
        ),
        Field(
            "strength",
            say(language, "How much is new, in percent"),
            description=say(language, "Left empty: 60, or 100 where something is kept"),
            placeholder="60",
            max_length=6,
        ),
        Field(
            "keep",
            say(language, "What stays for certain"),
            placeholder=say(language, "nothing"),
            choices=[(say(language, what), value) for value, what in KEEPS.items()],
        ),
    ]
    if len(sounds) > 1:
        which = say(language, "Which sound")
        fields.append(Field("sound", which, value=sounds[0][1], required=True, choices=sounds))
    form = Form(name, subject, say(language, "Remix this"), fields)
    await answers.give(lambda: interaction.response.send_modal(form))


def _given(entered: Mapping[str, str]) -> dict[str, object]:
    """What a form was filled in with, by the names of RiffRequest.parse. Raises InvalidRequest."""
    return {
        "prompt": " ".join(entered["prompt"].split()),
        "strength": _strength(entered["strength"]),
        "keep": entered["keep"],
    }


def _strength(percent: str) -> float | None:
    """A strength from 0 to 1; None where none is given."""
    text = number_of(percent)
    return number("strength", text, STRENGTH, 0) / 100 if text else None


def _told(loop: Loop) -> str:
    """A loop in a list of them."""
    known = [f"{loop.bpm:g} bpm", *([] if loop.key is None else [loop.key]), loop.id]
    return " · ".join([loop.prompt[: suggestions.LONGEST - len(" · ".join(known)) - 3], *known])
