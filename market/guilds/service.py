"""The rules of servers: what the people who manage one may set, and what holds where they have set nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from generation import fields
from generation.errors import InvalidRequest
from generation.request import BARS, TAKES
from market.accounts import personal
from market.accounts.models import Account
from market.audit import service as audit
from market.guilds import repository
from market.guilds.models import GuildSettings
from market.language import LANGUAGES

EVERYONE, OWNER = "everyone", "owner"
MAX_IDS = 25
# A riff has four bars unless somebody says otherwise: a lower cap would refuse the plainest wish.
MAX_BARS = (4, BARS[1])
STARS = (1, 1000)
SHARE = (0, 50)
_SNOWFLAKE = 2**63


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds on a server; the values here are those of one that has set nothing.

    No `channels` and no `roles` (ids) means all of them. `presses` is EVERYONE or OWNER: who may press the buttons
    under a riff. `language` is "" for each person's own. `share` is a percentage, see GuildSettings.
    """

    channels: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    max_takes: int = TAKES[1]
    max_bars: int = MAX_BARS[1]
    gallery_channel: int | None = None
    gallery_stars: int = 3
    spoiler: bool = False
    presses: str = EVERYONE
    language: str = ""
    share: int = 0


OPEN_TO_ALL = Rules()


async def of(session: AsyncSession, guild_id: int) -> Rules:
    """What holds on a server."""
    row = await repository.settings(session, guild_id)
    return OPEN_TO_ALL if row is None else _rules(row)


async def change(session: AsyncSession, guild_id: int, by: Account, **parts: object) -> Rules:
    """Set some parts of a server's Rules, by name; what holds then. Raises InvalidRequest, nothing written.

    Numbers may come as text, ids as numbers or text. What was set before and after is in the audit log.
    """
    wanted = {name: _PARTS[name](value) for name, value in parts.items()}
    row = await repository.locked_settings(session, guild_id)
    before = _stored(OPEN_TO_ALL if row is None else _rules(row))
    changed = {name: value for name, value in wanted.items() if value != before[name]}
    if changed:
        stamp = {"updated_at": datetime.now(UTC), "updated_by": by.id}
        if row is None:
            row = GuildSettings(guild_id=guild_id, **before)
            session.add(row)
        for name, value in (changed | stamp).items():
            setattr(row, name, value)
        await session.flush()
        told = {"before": {name: before[name] for name in changed}, "after": changed}
        await audit.record(session, by.owner, "guild.change", f"guild:{guild_id}", **told)
    return OPEN_TO_ALL if row is None else _rules(row)


def _rules(row: GuildSettings) -> Rules:
    return Rules(
        channels=tuple(map(int, row.channels)),
        roles=tuple(map(int, row.roles)),
        **{name: getattr(row, name) for name in _PARTS if name not in ("channels", "roles")},
    )


def _stored(rules: Rules) -> dict[str, Any]:
    """The parts as a row has them."""
    stored = {name: getattr(rules, name) for name in _PARTS}
    return stored | {"channels": _texts(rules.channels), "roles": _texts(rules.roles)}


def _texts(ids: Sequence[int]) -> list[str]:
    return [str(each) for each in ids]


def _ids(field: str, what: str) -> Callable[[object], list[str]]:
    def check(value: object) -> list[str]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise InvalidRequest(field, f"The {what} have to be a list.")
        ids = list(dict.fromkeys(str(_id(field, each)) for each in value))
        if len(ids) > MAX_IDS:
            raise InvalidRequest(field, f"At most {MAX_IDS} {what} can be chosen, not {len(ids)}.")
        return ids

    return check


def _id(field: str, value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < _SNOWFLAKE:
        raise InvalidRequest(field, f"{fields.quoted(value)} is not an id of Discord's.")
    return int(text)


def _gallery_channel(value: object) -> int | None:
    return None if value in (None, "") else _id("gallery_channel", value)


def _whole(field: str, bounds: tuple[int, int]) -> Callable[[object], int]:
    default: int = getattr(OPEN_TO_ALL, field)
    return lambda value: fields.whole(field, value, bounds, default)


def _spoiler(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest("spoiler", "Spoilers are either on or off.")
    return value


_PARTS: Mapping[str, Callable[[object], Any]] = {
    "channels": _ids("channels", "channels"),
    "roles": _ids("roles", "roles"),
    "max_takes": _whole("max_takes", TAKES),
    "max_bars": _whole("max_bars", MAX_BARS),
    "gallery_channel": _gallery_channel,
    "gallery_stars": _whole("gallery_stars", STARS),
    "spoiler": _spoiler,
    "presses": lambda value: fields.choice("presses", value, (EVERYONE, OWNER), EVERYONE),
    "language": lambda value: fields.choice("language", value, ("", *LANGUAGES), ""),
    "share": _whole("share", SHARE),
}


async def _exported(session: AsyncSession, account: Account) -> object:
    return {
        "settings": [
            {"server": str(row.guild_id), "changed_at": row.updated_at.isoformat()}
            for row in await repository.settings_by(session, account.id)
        ],
        "galleries": [
            {
                "server": str(post.guild_id),
                "riff": post.riff_id,
                "stars": post.stars,
                "posted_at": post.posted_at and post.posted_at.isoformat(),
            }
            for post in await repository.posts_of(session, account.owner)
        ],
    }


async def _erase(session: AsyncSession, account: Account) -> None:
    await repository.forget_settings_by(session, account.id)
    # The bot takes the messages off.
    await repository.take_down_of(session, account.owner)


personal.register("servers", exported=_exported, erase=_erase)
