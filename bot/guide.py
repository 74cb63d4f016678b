"""What `/help` says. The commands, their options and the buttons are read from where they are declared.

Only what goes together, and examples, stand here; a command that is in no topic is on the last page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import structlog
from discord import app_commands, ui
from discord.app_commands import Command, ContextMenu, Group

from bot import answers
from bot.items import LastingItem
from bot.loop import actions
from bot.loop.actions import Action
from bot.loop.buttons import ALL_TAKES, EACH_TAKE, MENU, ONE_TAKE
from bot.messages import COLOUR
from market.language import say

if TYPE_CHECKING:
    from bot.client import RiffBot

log = structlog.get_logger(__name__)

MAX_DESCRIPTION, MAX_FIELD = 4096, 1024
BUTTONS, REST = "buttons", "rest"

Slash = Command[Any, ..., Any] | Group
# The ids of the commands at Discord, by name: what makes a mention of one clickable.
Ids = Mapping[str, int]


class CommandIds:
    """The ids that Discord has given the commands; `known` is None until it was asked."""

    def __init__(self, tree: app_commands.CommandTree[Any]) -> None:
        self._tree = tree
        self.known: Ids | None = None

    async def found(self) -> Ids:
        """What is known, or else what Discord tells now."""
        return await self.fetched() if self.known is None else self.known

    async def fetched(self) -> Ids:
        """Ask Discord; what it does not tell stays unknown, and is asked for again."""
        try:
            told = await self._tree.fetch_commands()
        except (discord.HTTPException, aiohttp.ClientError) as refusal:
            log.warning("command_ids_not_fetched", reason=str(refusal))
            return {}
        found = {command.name: command.id for command in told}
        if {command.name for command in self._tree.get_commands()} <= set(found):
            self.known = found
        return found


@dataclass(frozen=True, slots=True)
class Example:
    """A command as one would use it; `options` are names and values."""

    command: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Topic:
    """Commands that go together, by their first words."""

    name: str
    emoji: str
    title: str
    about: str
    commands: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


TOPICS = (
    Topic(
        "making",
        "🎹",
        "Making loops",
        "Words become a loop that ends where it begins, exactly in time. The same seed and words give the same loop.",
        ("riff", "morph", "remix", "song"),
        (
            Example("riff", {"prompt": "church bells into electronic beats"}),
            Example(
                "riff", {"prompt": "lofi hip hop with warm rhodes", "bars": "8", "key": "Am", "takes": "4"}
            ),
            Example("morph", {"a": "church bells", "b": "electronic beats"}),
            Example("song", {"prompt": "synthwave at night", "minutes": "1"}),
        ),
    ),
    Topic(BUTTONS, "🔘", "Buttons under a riff", "They work for ever, under old riffs too."),
    Topic(
        "own",
        "🔖",
        "What is yours",
        "What you made, kept and hold, and how to take it with you or have it deleted.",
        ("riffs", "credits", "delete-my-data"),
        (Example("riffs", {"search": "bells"}),),
    ),
    Topic(
        "market",
        "🏷️",
        "The market",
        "Loops that people offer, with licences that anybody can check.",
        ("market", "licence"),
        (
            Example("market search", {"q": "rainy lofi", "bpm_max": "90"}),
            Example("market search", {"sounds": "a church at night, far away"}),
        ),
    ),
    Topic(
        "voice",
        "🔊",
        "In a voice channel",
        "Loops go on without a gap, and into each other on the beat.",
        ("play", "jam", "voice"),
        (Example("jam", {"prompt": "more drums, darker"}), Example("voice volume", {"percent": "60"})),
    ),
    Topic(
        "server",
        "⚙️",
        "This server",
        "What whoever manages a server can set, and how the bot is.",
        ("settings", "info", "help"),
    ),
)
_ELSEWHERE = Topic(REST, "🎵", "More", "What else there is.")
# What the buttons do, where their names do not say it.
_EXPLAINED = {
    "keep": "keep it at hand in /riffs",
    "vary": "nearly the same",
    "varyby": "as near or far as you say",
    "extend": "two bars more",
    "morph": "into another prompt, step by step",
    "repaint": "make some bars or a band anew",
    "again": "the same words with another seed",
    "reroll": "the same words with another seed",
    "edit": "change the words and try again",
    "download": "the whole file",
    "publish": "offer it on the market",
    "delete": "the riff or its message, for good",
    "song": "a whole song around it",
    "stems": "its instruments, one by one",
    "gif": "the picture as it plays",
    "mp4": "a video to share",
    "voice": "playable on a phone",
    "dm": "a copy for yourself",
    "play": "in your voice channel",
    "soundboard": "a bar of it for the server",
    "info": "the seed, and how to make the same again",
    "more": "all that can be done with one take",
}


def overview(language: str, tree: app_commands.CommandTree[Any], ids: Ids) -> discord.Embed:
    """The first page: all topics, with their commands."""
    embed = discord.Embed(
        title=say(language, "Type what you want to hear, get a loop"),
        description=say(
            language,
            "{riff} and a few words: that is all. Under every riff there are buttons to go on from it.",
            riff=mention("riff", ids),
        ),
        colour=COLOUR,
    )
    for topic in topics(tree):
        found = [mention(name, ids) for name, _ in _leaves(tree, topic)]
        found += [f"**{say(language, menu.name)}**" for menu in _menus(tree, topic)]
        text = say(language, topic.about)
        embed.add_field(
            name=f"{topic.emoji} {say(language, topic.title)}",
            value=_cut("\n".join([text, *([" · ".join(found)] if found else [])]), MAX_FIELD),
            inline=False,
        )
    return embed


def page(language: str, tree: app_commands.CommandTree[Any], ids: Ids, name: str) -> discord.Embed:
    """A topic in full: each command with what it takes, examples, or what each button does."""
    topic = next((topic for topic in topics(tree) if topic.name == name), None)
    if topic is None:
        return overview(language, tree, ids)
    lines = [say(language, topic.about), ""]
    for qualified_name, command in _leaves(tree, topic):
        lines.append(f"{mention(qualified_name, ids)} — {say(language, command.description)}")
        options = [f"`{_name(language, option.display_name)}`" for option in command.parameters]
        lines += [f"-# {' '.join(options)}"] if options else []
    for menu in _menus(tree, topic):
        how = say(language, "Right-click or hold a message, then Apps.")
        lines.append(f"**{say(language, menu.name)}** — {how}")
    if topic.name == BUTTONS:
        lines += [_explained(language, action) for action in _under_riffs()]
    shown = [example for example in topic.examples if tree.get_command(example.command.split()[0])]
    if shown:
        lines += ["", say(language, "For example:"), *(f"`{_used(language, example)}`" for example in shown)]
    return discord.Embed(
        title=f"{topic.emoji} {say(language, topic.title)}",
        description=_cut("\n".join(lines), MAX_DESCRIPTION),
        colour=COLOUR,
    )


def topics(tree: app_commands.CommandTree[Any]) -> Sequence[Topic]:
    """The topics that there is something to say of."""
    return [
        topic
        for topic in (*TOPICS, _ELSEWHERE)
        if topic.name == BUTTONS or any(_leaves(tree, topic)) or any(_menus(tree, topic))
    ]


def mention(name: str, ids: Ids) -> str:
    """A command that can be clicked; where Discord has not told its id, one to type."""
    known = ids.get(name.split()[0])
    return f"`/{name}`" if known is None else f"</{name}:{known}>"


class HelpMenu(LastingItem[ui.Select[Any]], template="help-topics"):
    """Turns the page of `/help`."""

    def __init__(
        self, language: str = "en", offered: Sequence[Topic] = TOPICS, chosen: str | None = None
    ) -> None:
        options = [
            discord.SelectOption(
                label=say(language, topic.title),
                value=topic.name,
                emoji=topic.emoji,
                default=topic.name == chosen,
            )
            for topic in offered
        ]
        super().__init__(
            ui.Select(
                custom_id="help-topics", placeholder=say(language, "Tell me more about…"), options=options
            )
        )

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await turn(interaction, self.item.values[0])


async def turn(interaction: discord.Interaction["RiffBot"], name: str) -> None:
    """Show another page in place of the one that stands there."""
    language, bot = answers.language(interaction), interaction.client
    ids = bot.command_ids.known
    if ids is None:
        await answers.give(interaction.response.defer)
        ids = await bot.command_ids.fetched()
    embed, view = page(language, bot.tree, ids, name), view_of(language, bot.tree, name)
    if interaction.response.is_done():
        await interaction.edit_original_response(embed=embed, view=view)
    else:
        await answers.give(lambda: interaction.response.edit_message(embed=embed, view=view))


def view_of(language: str, tree: app_commands.CommandTree[Any], chosen: str | None = None) -> ui.View:
    """The menu of topics."""
    view = ui.View(timeout=None)
    view.add_item(HelpMenu(language, topics(tree), chosen))
    return view


def _leaves(
    tree: app_commands.CommandTree[Any], topic: Topic
) -> Iterator[tuple[str, Command[Any, ..., Any]]]:
    """What one can type, by whole names: a group's commands in place of the group."""
    for command in _declared(tree, topic):
        found = command.walk_commands() if isinstance(command, Group) else [command]
        yield from ((each.qualified_name, each) for each in found if isinstance(each, Command))


def _declared(tree: app_commands.CommandTree[Any], topic: Topic) -> Iterator[Slash]:
    if topic.name != REST:
        found = (tree.get_command(name) for name in topic.commands)
        yield from (command for command in found if command is not None)
        return
    elsewhere = {name for each in TOPICS for name in each.commands}
    yield from (
        command
        for command in tree.get_commands(type=discord.AppCommandType.chat_input)
        if command.name not in elsewhere
    )


def _menus(tree: app_commands.CommandTree[Any], topic: Topic) -> Sequence[ContextMenu]:
    """What can be done with a message: all of it makes loops."""
    return tree.get_commands(type=discord.AppCommandType.message) if topic is TOPICS[0] else []


def _under_riffs() -> Iterator[Action]:
    """The actions under a riff, each once: two names of one button are one thing to whoever reads."""
    seen = set()
    for name in (*chain.from_iterable(ONE_TAKE), *EACH_TAKE, *ALL_TAKES, *MENU):
        action = actions.named(name)
        if (action.label, action.emoji) not in seen:
            seen.add((action.label, action.emoji))
            yield action


def _explained(language: str, action: Action) -> str:
    label = f"{action.emoji} **{say(language, action.label)}**"
    why = _EXPLAINED.get(action.name)
    return label if why is None else f"{label} — {say(language, why)}"


def _used(language: str, example: Example) -> str:
    """An example as one types it, with the names that Discord shows."""
    command = " ".join(_name(language, word) for word in example.command.split())
    options = (f"{_name(language, name)}: {say(language, value)}" for name, value in example.options.items())
    return " ".join([f"/{command}", *options])


def _name(language: str, name: str) -> str:
    return say(language, name, "command")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
