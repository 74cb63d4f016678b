"""What exists in the fake Discord, each thing with the payload that Discord sends for it."""

import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

EPOCH_MS = 1_420_070_400_000
EPHEMERAL = 1 << 6
LOADING = 1 << 7
MIB = 1 << 20
ALL_PERMISSIONS = (1 << 53) - 1
# What a member has who is nobody's moderator: without kick, ban, administrator, manage channels, server, messages,
# roles, webhooks, expressions, events and threads.
EVERYDAY_PERMISSIONS = ALL_PERMISSIONS & ~sum(
    1 << bit for bit in (1, 2, 3, 4, 5, 13, 27, 28, 29, 30, 33, 34, 40, 43, 44)
)

_counter = itertools.count()


def snowflake() -> int:
    """A fresh id that carries the time, as Discord's do: the client reads an interaction's age from it."""
    return (int(time.time() * 1000) - EPOCH_MS) << 22 | next(_counter) % (1 << 12)


@dataclass(eq=False)
class User:
    """A person; `locale` is that of their client, `permissions` and `roles` (ids) are theirs on every server."""

    name: str
    bot: bool = False
    locale: str = "en-US"
    permissions: int = EVERYDAY_PERMISSIONS
    roles: list[int] = field(default_factory=list)
    id: int = field(default_factory=snowflake)

    def payload(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "username": self.name,
            "global_name": self.name.title(),
            "discriminator": "0",
            "avatar": None,
            "bot": self.bot,
            "flags": 0,
            "public_flags": 0,
            "primary_guild": None,
        }


@dataclass(eq=False)
class Guild:
    """A server; `bot_permissions` is what the bot may do in its channels, `roles` maps ids to names."""

    name: str
    has_bot: bool = True
    bot_permissions: int = ALL_PERMISSIONS
    id: int = field(default_factory=snowflake)
    channels: "list[Channel]" = field(default_factory=list)
    roles: dict[int, str] = field(default_factory=dict)
    voice_states: list[dict[str, Any]] = field(default_factory=list)

    def payload(self, bot: User) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "owner_id": "1",
            "unavailable": False,
            "member_count": 2,
            "roles": [
                role(self.id, "@everyone", self.bot_permissions),
                *(role(role_id, name, 0) for role_id, name in self.roles.items()),
            ],
            "emojis": [],
            "stickers": [],
            "features": [],
            "members": [member(bot)],
            "channels": [channel.payload() for channel in self.channels],
            "threads": [],
            "voice_states": self.voice_states,
            "presences": [],
            "premium_tier": 0,
            "preferred_locale": "en-US",
        }


@dataclass(eq=False)
class Channel:
    """A channel of a guild (`kind` 0 is text, 2 is voice, 11 a thread of its `parent`), or, without one, the direct
    messages with `recipient`."""

    guild: Guild | None = None
    recipient: User | None = None
    kind: int = 0
    name: str = "music"
    nsfw: bool = False
    parent: "Channel | None" = None
    id: int = field(default_factory=snowflake)
    messages: "dict[int, Message]" = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        if self.guild is None:
            assert self.recipient is not None
            recipients = [self.recipient.payload()]
            return {
                "id": str(self.id),
                "type": 1,
                "flags": 0,
                "last_message_id": None,
                "recipients": recipients,
            }
        return {
            "id": str(self.id),
            "type": self.kind,
            "guild_id": str(self.guild.id),
            "name": self.name,
            "position": 0,
            "permission_overwrites": [],
            "nsfw": self.nsfw,
            "parent_id": None if self.parent is None else str(self.parent.id),
            "permissions": str(ALL_PERMISSIONS),
            "flags": 0,
            **({"bitrate": 64_000, "user_limit": 0} if self.kind in (2, 13) else {}),
            **({} if self.parent is None else THREAD),
        }


THREAD = {
    "owner_id": "1",
    "message_count": 0,
    "member_count": 1,
    "thread_metadata": {
        "archived": False,
        "auto_archive_duration": 1440,
        "archive_timestamp": "2026-01-01T00:00:00+00:00",
        "locked": False,
    },
}
CONTENT_TYPES = {
    "mp3": "audio/mpeg", "png": "image/png", "ogg": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav",
    "flac": "audio/flac", "gif": "image/gif", "mp4": "video/mp4", "zip": "application/zip",
    "json": "application/json",
}  # fmt: skip


@dataclass(frozen=True)
class File:
    """An attachment as it was uploaded."""

    id: int
    filename: str
    content: bytes
    url: str

    def payload(self) -> dict[str, Any]:
        kind = CONTENT_TYPES.get(self.filename.rsplit(".", 1)[-1])
        return {
            "id": str(self.id),
            "filename": self.filename,
            "size": len(self.content),
            "url": self.url,
            "proxy_url": self.url,
            **({} if kind is None else {"content_type": kind}),
        }


@dataclass(frozen=True)
class Version:
    """A message as people saw it from `at` (monotonic seconds) on."""

    at: float
    content: str
    embeds: list[dict[str, Any]]
    components: list[dict[str, Any]]
    files: dict[str, bytes]


@dataclass(eq=False)
class Message:
    channel: Channel
    author: User
    flags: int = 0
    nonce: str | None = None
    reference: dict[str, Any] | None = None
    id: int = field(default_factory=snowflake)
    content: str = ""
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[File] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    reactions: dict[str, set[User]] = field(default_factory=dict)
    edited_at: datetime | None = None
    deleted: bool = False

    @property
    def loading(self) -> bool:
        return bool(self.flags & LOADING)

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def files(self) -> dict[str, bytes]:
        """What is attached to the message as it stands: file name -> bytes."""
        return {file.filename: file.content for file in self.attachments}

    @property
    def custom_ids(self) -> list[str]:
        """The buttons and menus on the message as it stands, in reading order; links have none."""
        return [
            item["custom_id"] for row in self.components for item in row["components"] if "custom_id" in item
        ]

    def custom_id(self, start: str) -> str:
        """The one custom id that starts like this, "riff:keep" say."""
        [found] = [custom_id for custom_id in self.custom_ids if custom_id.startswith(start)]
        return found

    def component(self, custom_id: str) -> dict[str, Any]:
        """A button or menu as Discord was told of it."""
        [found] = [
            item
            for row in self.components
            for item in row["components"]
            if item.get("custom_id") == custom_id
        ]
        return dict(found)

    def change(self, body: dict[str, Any], files: dict[str, tuple[str, bytes]], url: str) -> None:
        """Apply a create or edit body; `files` maps files[n] to (name, bytes)."""
        self.flags = self.flags & ~LOADING | (body.get("flags") or 0)
        if "content" in body:
            self.content = body["content"] or ""
        if "embeds" in body:
            self.embeds = body["embeds"] or []
        if "components" in body:
            self.components = body["components"] or []
        kept = self.attachments
        if "attachments" in body:
            named = {str(entry["id"]) for entry in body["attachments"] or []}
            kept = [file for file in kept if str(file.id) in named]
        fresh = []
        for name, content in files.values():
            file_id = snowflake()
            fresh.append(
                File(file_id, name, content, f"{url}/attachments/{self.channel.id}/{file_id}/{name}")
            )
        self.attachments = kept + fresh
        if self.versions:
            self.edited_at = datetime.now(UTC)
        self.versions.append(
            Version(time.monotonic(), self.content, self.embeds, self.components, self.files)
        )

    def payload(self) -> dict[str, Any]:
        used: set[str] = set()
        return {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "type": 0 if self.reference is None else 19,
            "author": self.author.payload(),
            "content": self.content,
            "embeds": [self._embed(embed, used) for embed in self.embeds],
            "components": _numbered(self.components),
            "attachments": [file.payload() for file in self.attachments if file.filename not in used],
            "mentions": [],
            "mention_roles": [],
            "mention_everyone": False,
            "pinned": False,
            "tts": False,
            "flags": self.flags,
            "timestamp": datetime.fromtimestamp((self.id >> 22) / 1000 + EPOCH_MS / 1000, UTC).isoformat(),
            "edited_timestamp": None if self.edited_at is None else self.edited_at.isoformat(),
            **({} if self.nonce is None else {"nonce": self.nonce}),
            **({"reactions": self._reactions()} if self.reactions else {}),
        }

    def _reactions(self) -> list[dict[str, Any]]:
        return [
            {
                "emoji": {"id": None, "name": emoji},
                "count": len(people),
                "count_details": {"burst": 0, "normal": len(people)},
                "burst_colors": [],
                "me": False,
                "me_burst": False,
            }
            for emoji, people in self.reactions.items()
            if people
        ]

    def _embed(self, embed: dict[str, Any], used: set[str]) -> dict[str, Any]:
        """The embed with attachment:// resolved; a file that an embed shows leaves the attachments."""
        shown: dict[str, Any] = {"type": "rich", **embed}
        for place in ("image", "thumbnail"):
            if place in embed:
                name = embed[place]["url"].removeprefix("attachment://")
                file = next((file for file in self.attachments if file.filename == name), None)
                if file is not None:
                    used.add(name)
                    shown[place] = {"url": file.url, "proxy_url": file.url}
        return shown


@dataclass(eq=False)
class Interaction:
    """Something that a person did, and what became of it."""

    kind: str
    user: User
    channel: Channel
    data: dict[str, Any]
    token: str
    source: Message | None = None
    filesize_limit: int = 10 * MIB
    id: int = field(default_factory=snowflake)
    sent_at: float = field(default_factory=time.monotonic)
    response: dict[str, Any] | None = None
    answered_after: float | None = None
    message: Message | None = None
    followups: list[Message] = field(default_factory=list)
    expired: bool = False

    TYPES = {"command": 2, "component": 3, "autocomplete": 4, "modal": 5}  # noqa: RUF012

    @property
    def said(self) -> list[str]:
        """What the person was told in messages that only they see, oldest first."""
        messages = [message for message in (self.message, *self.followups) if message is not None]
        return [message.content for message in messages if message.ephemeral and message.content]

    @property
    def choices(self) -> list[dict[str, Any]]:
        """What an autocompletion offers."""
        assert self.response is not None
        choices: list[dict[str, Any]] = self.response["data"]["choices"]
        return choices

    def payload(self, bot: User) -> dict[str, Any]:
        guild = self.channel.guild
        place: dict[str, Any] = {"context": 1, "user": self.user.payload()}
        if guild is not None:
            place = {
                "context": 0,
                "guild_id": str(guild.id),
                "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
                "guild_locale": "en-US",
                "member": {**member(self.user), "permissions": str(self.user.permissions)},
            }
        installed = {"0": str(guild.id)} if guild is not None and guild.has_bot else {"1": str(self.user.id)}
        return {
            "id": str(self.id),
            "application_id": str(bot.id),
            "type": self.TYPES[self.kind],
            "token": self.token,
            "version": 1,
            "data": self.data,
            "channel_id": str(self.channel.id),
            "channel": self.channel.payload(),
            "app_permissions": str(ALL_PERMISSIONS if guild is None else guild.bot_permissions),
            "authorizing_integration_owners": installed,
            "entitlements": [],
            "locale": self.user.locale,
            "attachment_size_limit": self.filesize_limit,
            **place,
            **({} if self.source is None else {"message": self.source.payload()}),
        }


def role(role_id: int, name: str, permissions: int) -> dict[str, Any]:
    return {
        "id": str(role_id),
        "name": name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": 0,
        "permissions": str(permissions),
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def member(user: User) -> dict[str, Any]:
    return {
        "user": user.payload(),
        "nick": None,
        "avatar": None,
        "roles": [str(role_id) for role_id in user.roles],
        "joined_at": "2026-01-01T00:00:00+00:00",
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
    }


def _numbered(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Components as Discord gives them back: each with an id of its own."""
    count = itertools.count(1)

    def number(component: dict[str, Any]) -> dict[str, Any]:
        given = {"id": next(count), **component}
        if "emoji" in component:
            given["emoji"] = _emoji(component["emoji"])
        if "options" in component:
            given["options"] = [
                {**option, **({"emoji": _emoji(option["emoji"])} if "emoji" in option else {})}
                for option in component["options"]
            ]
        if "components" in component:
            given["components"] = [number(child) for child in component["components"]]
        return given

    return [number(component) for component in components]


def _emoji(sent: dict[str, Any]) -> dict[str, Any]:
    """An emoji as Discord gives it back: without an id where it has none."""
    return {key: value for key, value in sent.items() if value is not None}
