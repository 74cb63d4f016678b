"""English and Spanish everywhere: the commands, what the bot answers, and what it says to everybody."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import bot
from bot.loop import buttons
from bot.loop.actions import Action
from generation.arrangement import ROLES
from market.accounts import service as accounts
from market.db import Database
from market.guilds import service as guilds
from market.language import LOCALES, entries
from market.licensing import tiers
from tests.bot.processes import StartBot, arrived, fields, orders, sqlite_only
from tests.conftest import StartWorker
from tests.fakes.discord import FakeDiscord, Message, User
from tests.sentences import ROOT, Source

KNOWN = {(context, english): translated for context, english, translated in entries(LOCALES / "es")}
LOCALES_OF_SPANISH = ("es-419", "es-ES")
# https://discord.com/developers/docs/interactions/application-commands#application-command-object
NAME = re.compile(r"[-_'\w]{1,32}")
MAX_DESCRIPTION, MAX_CHOICE, MAX_COMMAND = 100, 100, 8000
TEXT = re.compile(r"^(?=.*[a-z]{3})([A-Z]|.* )")
# Names, addresses, commands and forms as they are typed, and what stands in signed English documents.
NO_TEXT = {
    "Riffmarket ",
    "```sh\n",
    "https://youtube.com/@name",
    "intro A B A' B' outro",
    "market search",
    "voice volume",
    "kept by the licensee",
}


@cache
def said() -> Source:
    """Every text that the bot has translated."""
    return Source.read(
        "bot",
        takers=[
            ("market.language.say", 1, "text"),
            ("market.language.say_count", 1, "one"),
            ("market.language.say_count", 2, "many"),
        ],
    )


def test_whatever_the_bot_says_is_known_in_spanish() -> None:
    found = said().found
    assert [one for one in found if "{}" in one.template] == [], "a text is translated before it is filled in"
    missing = {f"{one.path}:{one.line} {one.template}" for one in found if (None, one.template) not in KNOWN}
    assert sorted(missing) == []


def test_a_text_with_a_context_is_known_with_it() -> None:
    found = [
        (keyword.value.value, call.args[1].value)
        for path in sorted((ROOT / "bot").rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "say"
        for keyword in call.keywords
        if keyword.arg == "context" and isinstance(keyword.value, ast.Constant)
        if isinstance(call.args[1], ast.Constant)
    ]
    assert ("price", "free") in found
    assert [text for text in found if text not in KNOWN] == []


def test_whatever_stands_in_tables_is_known_in_spanish() -> None:
    """Where a text is chosen at run time, every text of that module's tables is one that may be said."""
    missing = [
        f"{path}:{line} {text}"
        for path in sorted({path for path, _ in said().opaque})
        for line, text in texts_in_tables(ast.parse((ROOT / path).read_text()))
        if (None, text) not in KNOWN and text not in NO_TEXT
    ]
    assert missing == []


def texts_in_tables(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Strings with words in them that are parts of tuples, lists, dictionaries and records, with their lines."""
    for node in ast.walk(tree):
        match node:
            case ast.Tuple(parts) | ast.List(parts) | ast.Dict(values=parts):
                pass
            case ast.Call(ast.Name(name), parts) if name[:1].isupper():
                pass
            case _:
                continue
        for part in parts:
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and TEXT.search(part.value):
                yield part.lineno, part.value


def test_what_the_market_has_names_for_is_known_in_spanish() -> None:
    checks = Source.read("market", takers=[("market.catalog.gate.Check", 0, "name")])
    names = {
        *(name for tier in tiers.every().values() for name in (tier.title, tier.summary)),
        *(tiers.spoken(use) for tier in tiers.every().values() for use in tier.uses),
        *(one.template for one in checks.found),
        *ROLES,
    }
    assert sorted(name for name in names if (None, name) not in KNOWN) == []


def test_every_action_has_a_spanish_label() -> None:
    labels = {action.label for action in all_actions()}
    assert {"Keep", "Vary", "Download", "Publish…", "Delete"} <= labels
    assert sorted(label for label in labels if (None, label) not in KNOWN) == []


def all_actions() -> list[Action]:
    """What every module of the bot offers."""
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(bot.__path__, "bot.")]
    return [action for module in modules for action in getattr(module, "ACTIONS", ())]


def test_nothing_is_shown_that_was_not_translated() -> None:
    """What is given to Discord's parts is no English of the code's own, but what `say` and `retold` gave."""
    shown = [
        f"{path.relative_to(ROOT)}:{node.lineno} {text}"
        for path in sorted((ROOT / "bot").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        for given in _shown(node)
        for text in _own_words(given)
        if re.search("[A-Za-z]{2}", text) and text not in NO_TEXT
    ]
    assert shown == []


# What shows text, with the place and the names of the arguments that are text.
SHOWS: Mapping[str, tuple[int | None, tuple[str, ...]]] = {
    "whisper": (1, ("content",)),
    "send_message": (0, ("content",)),
    "send": (0, ("content",)),
    "edit": (None, ("content",)),
    "edit_message": (None, ("content",)),
    "edit_original_response": (None, ("content",)),
    "Post": (0, ("content",)),
    "Embed": (None, ("title", "description")),
    "add_field": (None, ("name", "value")),
    "set_footer": (None, ("text",)),
    "Button": (None, ("label",)),
    "Select": (None, ("placeholder",)),
    "ChannelSelect": (None, ("placeholder",)),
    "RoleSelect": (None, ("placeholder",)),
    "SelectOption": (None, ("label", "description")),
    "TextDisplay": (0, ("content",)),
    "Field": (1, ("label", "description", "placeholder")),
    "Form": (2, ("title",)),
}


def _shown(call: ast.Call) -> Iterator[ast.expr]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    place, names = SHOWS.get(name, (None, ()))
    yield from (keyword.value for keyword in call.keywords if keyword.arg in names)
    if place is not None and place < len(call.args):
        yield call.args[place]


def _own_words(given: ast.expr) -> Iterator[str]:
    for part in given.values if isinstance(given, ast.JoinedStr) else [given]:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


# The commands as Discord is told of them


def parts(described: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A command with all that is in it: groups, subcommands and options."""
    yield described
    for option in described.get("options") or ():
        yield from parts(option)


def length(described: Mapping[str, Any], locale: str | None) -> int:
    """Characters of a command in a language, as Discord counts them."""
    total = 0
    for part in parts(described):
        for name in ("name", "description"):
            told = (part.get(f"{name}_localizations") or {}).get(locale)
            total += len(told or part.get(name) or "")
        for choice in part.get("choices") or ():
            told = (choice.get("name_localizations") or {}).get(locale)
            total += len(told or choice["name"]) + len(str(choice["value"]))
    return total


@sqlite_only
async def test_the_commands_are_told_in_spanish_within_discords_limits(
    fake: FakeDiscord, start_bot: StartBot
) -> None:
    await start_bot()
    assert fake.commands
    unknown: list[str] = []
    for command in fake.commands:
        assert all(length(command, locale) <= MAX_COMMAND for locale in (None, *LOCALES_OF_SPANISH))
        for part in parts(command):
            is_menu = part is command and command["type"] != 1
            where = f"{command['name']}: {part['name']}"
            unknown += _unknown(part, "name", "command", where)
            for name in _in_all_languages(part, "name"):
                assert 1 <= len(name) <= 32, where
                assert is_menu or (NAME.fullmatch(name) and name == name.lower()), where
            if not is_menu:
                unknown += _unknown(part, "description", None, where)
                for text in _in_all_languages(part, "description"):
                    assert 1 <= len(text) <= MAX_DESCRIPTION, where
            for choice in part.get("choices") or ():
                unknown += _unknown(choice, "name", None, where)
                assert all(1 <= len(text) <= MAX_CHOICE for text in _in_all_languages(choice, "name")), where
            _require_unique(part.get("options") or (), where)
            _require_unique(part.get("choices") or (), where)
    for kind in {command["type"] for command in fake.commands}:
        _require_unique([command for command in fake.commands if command["type"] == kind], "the commands")
    assert unknown == []


def _unknown(told: Mapping[str, Any], name: str, context: str | None, where: str) -> list[str]:
    """What Discord was not told in Spanish although there are words in it."""
    english = told[name]
    given = told.get(f"{name}_localizations") or {}
    spanish = KNOWN.get((context, english))
    if spanish is None:
        return [f"{where}: {english}"] if re.search("[a-z]{3}", english) else []
    assert given == ({} if spanish == english else dict.fromkeys(LOCALES_OF_SPANISH, spanish)), where
    return []


def _in_all_languages(told: Mapping[str, Any], name: str) -> list[str]:
    return [told[name], *(told.get(f"{name}_localizations") or {}).values()]


def _require_unique(siblings: Any, where: str) -> None:
    for locale in (None, *LOCALES_OF_SPANISH):
        names = [(each.get("name_localizations") or {}).get(locale, each["name"]) for each in siblings]
        assert len(names) == len(set(names)), (where, locale, names)


# What people are answered


@sqlite_only
async def test_a_spanish_person_is_answered_in_spanish(
    fake: FakeDiscord, start_bot: StartBot, database: Database, worker: StartWorker
) -> None:
    await start_bot()
    person = User("ana", locale="es-ES")
    wrong = await fake.slash("riff", prompt="campanas", key="H", user=person)
    await fake.until(lambda: bool(wrong.said), "the refusal")
    assert wrong.said == ["“H” no es una tonalidad: escríbela como Am, F#, Bb minor o C major."]
    assert await orders(database) == []

    waiting = await fake.slash("riff", prompt="campanas", user=person)
    await fake.answered(waiting)
    queued = waiting.message
    assert queued is not None
    await fake.until(lambda: bool(queued.embeds), "its place in the queue")
    assert queued.embeds[0]["description"] == "**campanas**\n⏳ Es el siguiente en la cola."
    assert labels(queued) == ["Cancelar"]
    cancel = queued.custom_id("riff-cancel:")
    # Whoever reads English is answered in English under the same message.
    other = await fake.press(queued, cancel, user=fake.user)
    await fake.until(lambda: bool(other.said), "the refusal")
    assert other.said == ["This riff was asked for by somebody else: only they can cancel it."]
    cancelled = await fake.press(queued, cancel, user=person)
    await fake.until(lambda: bool(cancelled.said), "the answer")
    assert cancelled.said == ["Este riff se canceló."]
    await fake.until(lambda: queued.content == "**campanas**\nEste riff se canceló.", "its end")

    worker()
    interaction = await fake.slash("riff", prompt="campanas", bars=1, seed=7, user=person)
    message = await arrived(fake, interaction)
    assert {"Semilla", "Tempo", "Tonalidad", "Duración"} <= set(fields(message))
    assert fields(message)["Tonalidad"] == "libre"
    assert fields(message)["Duración"].startswith("1 compás, ")
    assert message.embeds[0]["footer"]["text"].startswith("Puedes usarlo")
    spanish = {action.name: KNOWN[None, action.label] for action in all_actions()}
    names = [name for row in buttons.ONE_TAKE for name in row]
    assert labels(message)[: len(names)] == [spanish[name] for name in names]

    # A moment is shown in each person's own time.
    until = datetime(2200, 1, 2, 3, 4, tzinfo=UTC)
    async with database.write() as session:
        account = await accounts.of_discord(session, person.id, person.name)
        await accounts.suspend(session, account.id, until, "a moderator", "noise")
    refused = await fake.slash("riff", prompt="campanas", user=person)
    await fake.until(lambda: bool(refused.said), "the refusal")
    assert refused.said == [
        f"Esta cuenta está suspendida hasta el <t:{until.timestamp():.0f}:f>: hasta entonces solo puede mirar."
    ]
    assert len(await orders(database)) == 2


def labels(message: Message) -> list[str]:
    """What stands on the buttons of a message."""
    return [item["label"] for row in message.components for item in row["components"] if "label" in item]


@sqlite_only
async def test_a_servers_language_is_what_everybody_sees(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    async with database.write() as session:
        admin = await accounts.of_discord(session, 1, "admin")
        await guilds.change(session, fake.guild.id, admin, language="es")
    await start_bot()
    interaction = await fake.slash("riff", prompt="bells", bars=1)
    await fake.answered(interaction)
    message = interaction.message
    assert message is not None
    await fake.until(lambda: bool(message.embeds), "its place in the queue")
    assert message.embeds[0]["description"] == "**bells**\n⏳ Es el siguiente en la cola."
    assert labels(message) == ["Cancelar"]

    # What only one person sees is in that person's language.
    cancelled = await fake.press(message, message.custom_id("riff-cancel:"))
    await fake.until(lambda: bool(cancelled.said), "the answer")
    assert cancelled.said == ["This riff was cancelled."]
    await fake.until(lambda: message.content == "**bells**\nEste riff se canceló.", "its end")

    # Elsewhere it does not hold.
    private = await fake.slash("riff", prompt="bells", bars=1, channel=fake.dm(fake.user))
    await fake.until(lambda: private.message is not None and bool(private.message.embeds), "its place")
    assert private.message is not None
    assert labels(private.message) == ["Cancel"]
