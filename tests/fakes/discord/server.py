"""The server: Discord's gateway and the part of its REST API that a bot of ours uses."""

import asyncio
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from tests.fakes.discord import faults, limits
from tests.fakes.discord.faults import Fault, Refusal
from tests.fakes.discord.gateway import Gateway
from tests.fakes.discord.oauth import OAuth
from tests.fakes.discord.openapi import Specification
from tests.fakes.discord.shop import Shop
from tests.fakes.discord.voice import Voice
from tests.fakes.discord.world import (
    EPHEMERAL,
    LOADING,
    MIB,
    Channel,
    File,
    Guild,
    Interaction,
    Message,
    User,
    member,
    snowflake,
)

API = "/api/v10"
TOKEN = "fake.discord.token"
ANSWER_WITHIN = 3.0
# Seconds until a test gives up: a machine that trains a model meanwhile gives others a tenth of a core.
PATIENCE = float(os.environ.get("RIFF_TEST_PATIENCE", "240"))
TOKEN_LIFE = 15 * 60.0
MAX_FOLLOWUPS_ELSEWHERE = 5
SUBCOMMAND, SUBCOMMAND_GROUP = 1, 2
REACTIONS_INTENT = 1 << 10


@dataclass(frozen=True)
class Request:
    """A request as it came in; `body` is the JSON (of a multipart form: its payload_json)."""

    at: float
    method: str
    path: str
    body: Any
    files: dict[str, tuple[str, bytes]]
    status: int


class FakeDiscord:
    """Discord for one application. `async with FakeDiscord() as discord:` serves it at `discord.url`.

    `violations` collects what the real Discord's document does not allow, in requests and in our own answers.
    """

    def __init__(self, *, shards: int = 1, specification: Specification | None = None) -> None:
        self.bot = User("riffmarket", bot=True)
        self.guild = Guild("Studio")
        self.channel = Channel(self.guild)
        self.guild.channels.append(self.channel)
        self.guilds = [self.guild]
        self.user = User("ada")
        self.shards = shards
        self.answer_within = ANSWER_WITHIN
        self.url = ""
        self.token = TOKEN
        self.commands: list[dict[str, Any]] = []
        self.command_syncs = 0
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.closed_to_messages: set[User] = set()
        self.gateway = Gateway(self)
        self.oauth = OAuth(self)
        self.shop = Shop(self)
        self.voice = Voice(self)
        self._specification = specification
        self._channels: dict[int, Channel] = {self.channel.id: self.channel}
        self._uploads = self.add_channel(Channel())
        self.interactions: dict[str, Interaction] = {}
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * MIB)
        app.router.add_get("/gateway/", self.gateway.serve)
        app.router.add_get("/attachments/{channel}/{file}/{name}", self._attachment)
        self.oauth.add_routes(app, API)
        await self.voice.open(app)
        app.router.add_route("*", API + "/{path:.*}", self.answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        for fault in self.faults:
            if fault.gate is not None:
                self.release(fault)
        await self.gateway.drop()
        self.voice.close()
        await self._runner.cleanup()

    # What a test does.

    async def until(self, condition: Callable[[], Any], what: str, *, within: float = PATIENCE) -> Any:
        """Wait until `condition()` is true, looking after each request and gateway event; its value."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(condition), within)
            except TimeoutError:
                raise AssertionError(f"{what}: not within {within:g} s; {self._recently()}") from None
            return condition()

    async def ready(self, *, within: float = PATIENCE) -> None:
        """Wait until a client has identified on every shard and its commands are known."""
        await self.until(
            lambda: len(self.gateway.live()) == self.shards and self.commands, "a bot online", within=within
        )

    async def offline(self, *, within: float = PATIENCE) -> None:
        """Wait until no client is connected."""
        await self.until(lambda: not self.gateway.live(), "the bot offline", within=within)

    def add_channel(self, channel: Channel) -> Channel:
        """Make a channel known; a bot reaches it if it is in its guild or it is the bot's own DM."""
        self._channels[channel.id] = channel
        if channel.guild is not None and channel.guild not in self.guilds:
            self.guilds.append(channel.guild)
        return channel

    def fail(
        self, method: str, path: str, status: int, *, times: int = 1, after: bool = False, code: int = 0
    ) -> Fault:
        """Answer the next `times` fitting requests with `status`."""
        fault = Fault(method, path, status, times=times, after=after, code=code)
        self.faults.append(fault)
        return fault

    def cut(self, method: str, path: str, *, times: int = 1, after: bool = False) -> Fault:
        """Break the connection of the next `times` fitting requests off, without an answer."""
        fault = Fault(method, path, times=times, after=after, cut=True)
        self.faults.append(fault)
        return fault

    def hold(
        self,
        method: str,
        path: str,
        *,
        times: int = 1,
        after: bool = False,
        text: str = "",
        lost: bool = False,
    ) -> Fault:
        """Keep the next `times` fitting requests waiting until `release(fault)`; a `lost` one goes no further then."""
        fault = Fault(method, path, times=times, after=after, text=text, cut=lost, gate=asyncio.Event())
        self.faults.append(fault)
        return fault

    def release(self, fault: Fault) -> None:
        """Let the requests that a fault holds go on, and those that still come pass."""
        assert fault.gate is not None
        fault.gate.set()

    async def slash(
        self,
        name: str,
        *,
        user: User | None = None,
        channel: Channel | None = None,
        filesize_limit: int = 10 * MIB,
        **options: Any,
    ) -> Interaction:
        """Use a slash command, whatever its declared ranges say: another kind of client may send anything."""
        data = self._invocation(name, options)
        return await self._interact(
            Interaction(
                "command",
                user or self.user,
                channel or self.channel,
                data,
                self._token(),
                filesize_limit=filesize_limit,
            )
        )

    async def autocomplete(
        self, name: str, focused: str, *, user: User | None = None, **options: Any
    ) -> Interaction:
        """Type into an option of a slash command."""
        data = self._invocation(name, options)
        inner = data
        while inner.get("options") and inner["options"][0]["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP):
            inner = inner["options"][0]
        for option in inner["options"]:
            if option["name"] == focused:
                option["focused"] = True
        return await self._interact(
            Interaction("autocomplete", user or self.user, self.channel, data, self._token())
        )

    async def press(
        self, message: Message, custom_id: str, *, user: User | None = None, filesize_limit: int = 10 * MIB
    ) -> Interaction:
        """Press a button of a message."""
        assert custom_id in message.custom_ids, message.custom_ids
        data = {"component_type": 2, "custom_id": custom_id, "id": 1}
        return await self._on_component(message, data, user, filesize_limit)

    async def choose(
        self,
        message: Message,
        custom_id: str,
        *values: str,
        user: User | None = None,
        filesize_limit: int = 10 * MIB,
        resolved: dict[str, Any] | None = None,
    ) -> Interaction:
        """Choose in a menu of a message, by the values of its options (or ids, of channels and roles, say)."""
        kind = message.component(custom_id)["type"]
        data: dict[str, Any] = {"component_type": kind, "custom_id": custom_id, "id": 1, "values": [*values]}
        if resolved is not None:
            data["resolved"] = resolved
        return await self._on_component(message, data, user, filesize_limit)

    async def submit(
        self, opened: Interaction, *, user: User | None = None, **values: str | list[str]
    ) -> Interaction:
        """Send off the form that an interaction was answered with; fields that are not named stay as they stood."""
        assert opened.response is not None
        assert opened.response["type"] == 9, opened.response
        form = opened.response["data"]
        fields = [_filled(label["component"], values) for label in form["components"] if "component" in label]
        assert not set(values) - {field["custom_id"] for field in fields}, fields
        data = {
            "custom_id": form["custom_id"],
            "components": [
                {"type": 18, "id": 2 * number + 1, "component": {**field, "id": 2 * number + 2}}
                for number, field in enumerate(fields)
            ],
        }
        return await self._interact(
            Interaction(
                "modal",
                user or opened.user,
                opened.channel,
                data,
                self._token(),
                source=opened.source,
                filesize_limit=opened.filesize_limit,
            )
        )

    async def use_on(
        self, name: str, message: Message, *, user: User | None = None, filesize_limit: int = 10 * MIB
    ) -> Interaction:
        """Use a command of a message's context menu."""
        command = next(command for command in self.commands if command["name"] == name)
        data = {
            "id": command["id"],
            "name": name,
            "type": 3,
            "target_id": str(message.id),
            "resolved": {"messages": {str(message.id): message.payload()}},
        }
        return await self._interact(
            Interaction(
                "command",
                user or self.user,
                message.channel,
                data,
                self._token(),
                filesize_limit=filesize_limit,
            )
        )

    def say(
        self, user: User, files: dict[str, bytes] | None = None, channel: Channel | None = None
    ) -> Message:
        """A message of a person's, with files; the bot is not told of it."""
        message = Message(channel or self.channel, user)
        uploads = {f"files[{n}]": item for n, item in enumerate((files or {}).items())}
        message.change({"content": "listen to this"}, uploads, self.url)
        message.channel.messages[message.id] = message
        return message

    def upload(self, name: str, content: bytes) -> File:
        """A file that a person attached to a command's option; give it to `slash` as the option's value."""
        return next(iter(self.say(self.user, {name: content}, self._uploads).attachments))

    async def react(self, message: Message, emoji: str, user: User) -> None:
        """Add a person's reaction to a message, and tell the shards that asked for such events."""
        message.reactions.setdefault(emoji, set()).add(user)
        guild = message.channel.guild
        place = {} if guild is None else {"guild_id": str(guild.id), "member": member(user)}
        await self.gateway.tell(
            guild,
            "MESSAGE_REACTION_ADD",
            {
                "user_id": str(user.id),
                "channel_id": str(message.channel.id),
                "message_id": str(message.id),
                "message_author_id": str(message.author.id),
                "emoji": {"id": None, "name": emoji},
                "burst": False,
                "type": 0,
                **place,
            },
            REACTIONS_INTENT,
        )

    async def resend(self, interaction: Interaction) -> None:
        """Dispatch the same interaction once more, as a gateway does that never got the acknowledgement."""
        await self._dispatch_interaction(interaction)

    async def answered(self, interaction: Interaction, *, within: float = PATIENCE) -> Interaction:
        """Wait for the first answer to an interaction."""
        await self.until(lambda: interaction.response, "an answer to the interaction", within=within)
        return interaction

    def edits(self, interaction: Interaction) -> list[Request]:
        """The accepted edits of an interaction's own message, in order."""
        path = f"/webhooks/{self.bot.id}/{interaction.token}/messages/@original"
        return [r for r in self.requests if r.method == "PATCH" and r.path == path and r.status == 200]

    def forget(self, message: Message) -> None:
        """Delete a message, as a moderator does."""
        message.deleted = True
        message.channel.messages.pop(message.id, None)

    async def _on_component(
        self, message: Message, data: dict[str, Any], user: User | None, filesize_limit: int
    ) -> Interaction:
        return await self._interact(
            Interaction(
                "component",
                user or self.user,
                message.channel,
                data,
                self._token(),
                source=message,
                filesize_limit=filesize_limit,
            )
        )

    async def _interact(self, interaction: Interaction) -> Interaction:
        self.interactions[interaction.token] = interaction
        await self._dispatch_interaction(interaction)
        return interaction

    async def _dispatch_interaction(self, interaction: Interaction) -> None:
        guild = interaction.channel.guild
        await self.gateway.tell(guild, "INTERACTION_CREATE", interaction.payload(self.bot))

    def _invocation(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """The data of a command by its whole name ("market search"), with its options."""
        first, *rest = name.split()
        command = next(c for c in self.commands if c["name"] == first and c.get("type", 1) == 1)
        data: dict[str, Any] = {"id": command["id"], "name": first, "type": 1}
        declared, inner = command, data
        for word in rest:
            declared = next(option for option in declared["options"] if option["name"] == word)
            inner["options"] = [{"name": word, "type": declared["type"]}]
            inner = inner["options"][0]
        types = {option["name"]: option["type"] for option in declared.get("options") or []}
        given: list[dict[str, Any]] = []
        for key, value in options.items():
            if isinstance(value, File):
                attachments = data.setdefault("resolved", {}).setdefault("attachments", {})
                attachments[str(value.id)] = value.payload()
                value = str(value.id)
            elif isinstance(value, Channel):
                channels = data.setdefault("resolved", {}).setdefault("channels", {})
                channels[str(value.id)] = value.payload()
                value = str(value.id)
            given.append({"name": key, "type": types[key], "value": value})
        inner["options"] = given
        return data

    def _token(self) -> str:
        return f"aW50ZXJhY3Rpb246{snowflake()}"

    # REST.

    async def _attachment(self, request: web.Request) -> web.Response:
        fault = next((fault for fault in self.faults if fault.fits("GET", request.path)), None)
        if fault is not None:
            fault.hits += 1
            await self._wait_for_release(fault)
        channel = self._channels[int(request.match_info["channel"])]
        for message in channel.messages.values():
            for file in message.attachments:
                if str(file.id) == request.match_info["file"]:
                    return web.Response(body=file.content)
        raise web.HTTPNotFound

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What the REST API answers to a bot."""
        path = request.path.removeprefix(API)
        body, files = await faults.read(request)
        if self._specification is not None:
            self.violations += self._specification.problems(
                request.method, path, body, query=list(request.query), files=list(files)
            )
        fault = next((fault for fault in self.faults if fault.fits(request.method, path, body)), None)
        if fault is not None:
            fault.hits += 1
            await self.notify()
            if not fault.after:
                await self._wait_for_release(fault)
        broken = fault is not None and (fault.cut or fault.status is not None)
        answer = None
        if fault is None or not broken or fault.after:
            answer = await self._carry_out(request, path, body, files)
        if fault is not None and fault.after:
            await self._wait_for_release(fault)
        if fault is not None and fault.cut:
            answer = web.Response(status=499)
            assert request.transport is not None
            request.transport.abort()
        elif answer is None or broken:
            assert fault is not None
            answer = faults.error(fault.status or 500, fault.code, fault.message)
        self.requests.append(Request(time.monotonic(), request.method, path, body, files, answer.status))
        await self.notify()
        return answer

    async def _wait_for_release(self, fault: Fault) -> None:
        if fault.gate is not None:
            fault.holding += 1
            await self.notify()
            await fault.gate.wait()
            fault.holding -= 1

    async def _carry_out(
        self, request: web.Request, path: str, body: Any, files: dict[str, tuple[str, bytes]]
    ) -> web.Response:
        try:
            by_token = path.startswith(("/interactions/", "/webhooks/"))
            if not by_token and request.headers.get("Authorization") != f"Bot {self.token}":
                raise Refusal(401, 0, "401: Unauthorized")
            if request.method == "GET":
                body = dict(request.query)
            for method, pattern, handler in self._routes():
                match = re.fullmatch(pattern, path)
                if method == request.method and match:
                    status, answer = handler(*match.groups(), body=body, files=files)
                    break
            else:
                raise Refusal(404, 0, "404: Not Found")
        except Refusal as refusal:
            return faults.error(refusal.status, refusal.code, str(refusal))
        if self._specification is not None:
            self.violations += self._specification.response_problems(request.method, path, status, answer)
        return faults.answer(status, answer)

    def _routes(self) -> list[tuple[str, str, Callable[..., tuple[int, Any]]]]:
        return [
            ("GET", r"/users/@me", self._me),
            ("POST", r"/users/@me/channels", self._open_dm),
            ("GET", r"/oauth2/applications/@me", self._application),
            ("GET", r"/gateway/bot", self._gateway_bot),
            ("GET", r"/applications/(\d+)/commands", self._get_commands),
            ("PUT", r"/applications/(\d+)/commands", self._put_commands),
            ("GET", r"/applications/(\d+)/entitlements", self.shop.listed),
            ("POST", r"/interactions/(\d+)/([^/]+)/callback", self._callback),
            ("POST", r"/webhooks/(\d+)/([^/]+)", self._follow_up),
            ("GET", r"/webhooks/(\d+)/([^/]+)/messages/(@original|\d+)", self._get_webhook_message),
            ("PATCH", r"/webhooks/(\d+)/([^/]+)/messages/(@original|\d+)", self._edit_webhook_message),
            ("DELETE", r"/webhooks/(\d+)/([^/]+)/messages/(@original|\d+)", self._delete_webhook_message),
            ("POST", r"/channels/(\d+)/messages", self._post),
            ("GET", r"/channels/(\d+)/messages", self._history),
            ("GET", r"/channels/(\d+)/messages/(\d+)", self._get_message),
            ("GET", r"/channels/(\d+)/messages/(\d+)/reactions/([^/]+)", self._get_reactions),
            ("POST", r"/guilds/(\d+)/soundboard-sounds", self.voice.create_sound),
            ("PATCH", r"/channels/(\d+)/messages/(\d+)", self._edit),
            ("DELETE", r"/channels/(\d+)/messages/(\d+)", self._delete),
        ]

    def _me(self, **_: Any) -> tuple[int, Any]:
        return 200, {**self.bot.payload(), "mfa_enabled": False, "locale": "en-US", "verified": True}

    def _application(self, **_: Any) -> tuple[int, Any]:
        return 200, {
            "id": str(self.bot.id),
            "name": "Riffmarket",
            "icon": None,
            "description": "",
            "type": None,
            "verify_key": "0" * 64,
            "flags": 0,
            "flags_new": "0",
            "redirect_uris": [],
            "interactions_endpoint_url": None,
            "role_connections_verification_url": None,
            "owner": self.user.payload(),
            "approximate_guild_count": 1,
            "approximate_user_install_count": 0,
            "approximate_user_authorization_count": 0,
            "explicit_content_filter": 0,
            "team": None,
            "eligible_oauth2_scopes": [],
            "bot_public": True,
            "bot_require_code_grant": False,
        }

    def _gateway_bot(self, **_: Any) -> tuple[int, Any]:
        limit = {"total": 1000, "remaining": 999, "reset_after": 1000, "max_concurrency": 1}
        return 200, {"url": self.gateway.url, "shards": self.shards, "session_start_limit": limit}

    def _get_commands(self, application: str, **_: Any) -> tuple[int, Any]:
        return 200, self.commands

    def _put_commands(self, application: str, *, body: Any, **_: Any) -> tuple[int, Any]:
        self.commands = [
            {
                "type": 1,
                "description": "",
                **command,
                "default_member_permissions": _text(command.get("default_member_permissions")),
                "id": str(snowflake()),
                "application_id": application,
                "version": str(snowflake()),
                "integration_types": command.get("integration_types") or [0],
                "name_localizations": command.get("name_localizations") or None,
            }
            for command in body
        ]
        self.command_syncs += 1
        return 200, self.commands

    def _open_dm(self, *, body: Any, **_: Any) -> tuple[int, Any]:
        user_id = int(body["recipient_id"])
        people = [self.user, *(interaction.user for interaction in self.interactions.values())]
        person = next((person for person in people if person.id == user_id), None)
        if person is None:
            raise Refusal(400, 50033, "Invalid Recipient(s)")
        return 200, self.dm(person).payload()

    def dm(self, user: User) -> Channel:
        """The bot's direct messages with a person."""
        for channel in self._channels.values():
            if channel.recipient is user:
                return channel
        return self.add_channel(Channel(recipient=user))

    def _callback(self, interaction_id: str, token: str, *, body: Any, files: Any) -> tuple[int, Any]:
        interaction = self.interactions.get(token)
        if interaction is None or str(interaction.id) != interaction_id:
            raise Refusal(404, 10062, "Unknown interaction")
        if interaction.response is not None:
            raise Refusal(400, 40060, "Interaction has already been acknowledged.")
        age = time.monotonic() - interaction.sent_at
        if age > self.answer_within:
            raise Refusal(404, 10062, "Unknown interaction")
        interaction.answered_after = age
        interaction.response = body
        data = body.get("data") or {}
        about: dict[str, Any] = {"id": interaction_id, "type": interaction.TYPES[interaction.kind]}
        answer: dict[str, Any] = {"interaction": about}
        if body["type"] == 4:
            limits.check(data, files, interaction.filesize_limit)
        if body["type"] in (4, 5):
            message = self._message(interaction.channel, data, files if body["type"] == 4 else {})
            if body["type"] == 5:
                message.flags = LOADING | (data.get("flags") or 0)
                message.versions.clear()
            interaction.message = message
            about |= {
                "response_message_id": str(message.id),
                "response_message_loading": message.loading,
                "response_message_ephemeral": message.ephemeral,
                "channel_id": str(message.channel.id),
            }
            if body["type"] == 4:
                answer["resource"] = {"type": 4, "message": message.payload()}
        elif body["type"] in (6, 7):
            assert interaction.source is not None
            interaction.message = interaction.source
            if body["type"] == 7:
                limits.check(data, files, interaction.filesize_limit)
                interaction.source.change(data, files, self.url)
        elif body["type"] == 9:
            limits.check_form(data)
        return 200, answer

    def _interaction(self, application: str, token: str) -> Interaction:
        interaction = self.interactions.get(token)
        if interaction is None or application != str(self.bot.id) or interaction.response is None:
            raise Refusal(404, 10015, "Unknown Webhook")
        if interaction.expired or time.monotonic() - interaction.sent_at > TOKEN_LIFE:
            raise Refusal(401, 50027, "Invalid Webhook Token")
        return interaction

    def _webhook_message(self, application: str, token: str, which: str) -> tuple[Interaction, Message]:
        interaction = self._interaction(application, token)
        message = interaction.message
        if which != "@original":
            message = next((m for m in [message, *interaction.followups] if m and str(m.id) == which), None)
        if message is None or message.deleted:
            raise Refusal(404, 10008, "Unknown Message")
        return interaction, message

    def _get_webhook_message(self, application: str, token: str, which: str, **_: Any) -> tuple[int, Any]:
        return 200, self._webhook_message(application, token, which)[1].payload()

    def _edit_webhook_message(
        self, application: str, token: str, which: str, *, body: Any, files: Any
    ) -> tuple[int, Any]:
        interaction, message = self._webhook_message(application, token, which)
        limits.check(body, files, interaction.filesize_limit)
        message.change(body, files, self.url)
        return 200, message.payload()

    def _delete_webhook_message(self, application: str, token: str, which: str, **_: Any) -> tuple[int, Any]:
        self.forget(self._webhook_message(application, token, which)[1])
        return 204, None

    def _follow_up(self, application: str, token: str, *, body: Any, files: Any) -> tuple[int, Any]:
        interaction = self._interaction(application, token)
        limits.check(body, files, interaction.filesize_limit)
        first = interaction.message
        if first is not None and first.loading and not first.deleted:
            # The first follow-up after a deferral fills the loading message and keeps its visibility.
            first.change({**body, "flags": first.flags & EPHEMERAL}, files, self.url)
            return 200, first.payload()
        guild = interaction.channel.guild
        if guild is not None and not guild.has_bot and len(interaction.followups) >= MAX_FOLLOWUPS_ELSEWHERE:
            raise Refusal(400, 40094, "This interaction has reached the maximum number of follow-up messages")
        message = self._message(interaction.channel, body, files)
        interaction.followups.append(message)
        return 200, message.payload()

    def _reachable(self, channel_id: str) -> Channel:
        channel = self._channels.get(int(channel_id))
        if channel is None:
            raise Refusal(404, 10003, "Unknown Channel")
        if channel.guild is not None and not channel.guild.has_bot:
            raise Refusal(403, 50001, "Missing Access")
        if channel.recipient in self.closed_to_messages:
            raise Refusal(403, 50007, "Cannot send messages to this user")
        return channel

    def _post(self, channel_id: str, *, body: Any, files: Any) -> tuple[int, Any]:
        channel = self._reachable(channel_id)
        limits.check(body, files, 10 * MIB)
        if body.get("enforce_nonce"):
            for message in channel.messages.values():
                if message.nonce == body["nonce"]:
                    return 200, message.payload()
        return 200, self._message(channel, body, files).payload()

    def _own(self, channel_id: str, message_id: str) -> Message:
        message = self._reachable(channel_id).messages.get(int(message_id))
        if message is None:
            raise Refusal(404, 10008, "Unknown Message")
        return message

    def _edit(self, channel_id: str, message_id: str, *, body: Any, files: Any) -> tuple[int, Any]:
        message = self._own(channel_id, message_id)
        limits.check(body, files, 10 * MIB)
        message.change(body, files, self.url)
        return 200, message.payload()

    def _get_message(self, channel_id: str, message_id: str, **_: Any) -> tuple[int, Any]:
        message = self._reachable(channel_id).messages.get(int(message_id))
        if message is None:
            raise Refusal(404, 10008, "Unknown Message")
        return 200, message.payload()

    def _history(self, channel_id: str, **_: Any) -> tuple[int, Any]:
        newest = sorted(self._reachable(channel_id).messages.values(), key=lambda m: m.id, reverse=True)
        return 200, [message.payload() for message in newest[:50]]

    def _get_reactions(
        self, channel_id: str, message_id: str, emoji: str, *, body: Any, **_: Any
    ) -> tuple[int, Any]:
        people = sorted(
            self._own(channel_id, message_id).reactions.get(emoji, set()), key=lambda user: user.id
        )
        after, limit = int(body.get("after", 0)), int(body.get("limit", 25))
        return 200, [user.payload() for user in people if user.id > after][:limit]

    def _delete(self, channel_id: str, message_id: str, **_: Any) -> tuple[int, Any]:
        self.forget(self._own(channel_id, message_id))
        return 204, None

    def _message(
        self, channel: Channel, body: dict[str, Any], files: dict[str, tuple[str, bytes]]
    ) -> Message:
        nonce = body.get("nonce")
        message = Message(channel, self.bot, nonce=nonce, reference=body.get("message_reference"))
        message.change(body, files, self.url)
        channel.messages[message.id] = message
        return message

    async def notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _recently(self) -> str:
        last = [f"{r.method} {r.path} -> {r.status}" for r in self.requests[-12:]]
        return "the last requests: " + ("; ".join(last) or "none")


def _text(number: int | str | None) -> str | None:
    return None if number is None else str(number)


def _filled(component: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A field of a form as it comes back."""
    name, kind = component["custom_id"], component["type"]
    if kind == 4:
        return {"type": kind, "custom_id": name, "value": values.get(name, component.get("value") or "")}
    chosen = values.get(name)
    if chosen is None:
        chosen = [option["value"] for option in component.get("options", []) if option.get("default")]
    return {"type": kind, "custom_id": name, "values": [chosen] if isinstance(chosen, str) else chosen}
