"""Discord's gateway: sessions of shards, resumes, and the events that they are told."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tests.fakes.discord.world import Guild, snowflake

if TYPE_CHECKING:
    from tests.fakes.discord.server import FakeDiscord

HEARTBEAT_MS = 41_250


@dataclass
class Session:
    """One shard's session: what was sent on it, so that a RESUME gets the rest."""

    id: str
    shard: list[int]
    socket: web.WebSocketResponse | None = None
    sent: list[dict[str, Any]] = field(default_factory=list)
    intents: int = 0
    resumable: bool = True


class Gateway:
    """The websocket side of the fake Discord `world`; `identified` are the IDENTIFY bodies that it took."""

    def __init__(self, world: "FakeDiscord") -> None:
        self.world = world
        self.identified: list[dict[str, Any]] = []
        self.resumed = 0
        self.sessions: dict[str, Session] = {}

    @property
    def url(self) -> str:
        return f"{self.world.url}/gateway/".replace("http", "ws", 1)

    def live(self) -> list[Session]:
        """The sessions that a client is connected to."""
        return [s for s in self.sessions.values() if s.socket is not None and not s.socket.closed]

    async def drop(self) -> None:
        """Break every connection the way a network does; the client resumes."""
        for session in self.live():
            assert session.socket is not None
            await session.socket.close(code=1011)

    async def ask_to_reconnect(self) -> None:
        """Tell every client to come back (opcode 7), as Discord does before it restarts a machine."""
        for session in self.live():
            assert session.socket is not None
            await session.socket.send_json({"op": 7, "d": None})

    def forget_sessions(self) -> None:
        """Answer the next RESUME with an invalid session, so that the client identifies anew."""
        for session in self.sessions.values():
            session.resumable = False

    async def tell(self, guild: Guild | None, name: str, data: dict[str, Any], intent: int = 0) -> None:
        """Dispatch an event to the newest session of a guild's shard, if it asked for events of the intent."""
        session = [s for s in self.sessions.values() if s.shard[0] == self.shard_of(guild)][-1]
        if session.intents & intent == intent:
            await self.dispatch(session, name, data)

    async def dispatch(self, session: Session, name: str, data: dict[str, Any]) -> None:
        """Send an event on a session, or keep it for its RESUME."""
        event = {"op": 0, "t": name, "s": len(session.sent) + 1, "d": data}
        session.sent.append(event)
        if session.socket is not None and not session.socket.closed:
            await session.socket.send_json(event)

    def shard_of(self, guild: Guild | None) -> int:
        """Which shard hears of a guild; of direct messages, and of what happens where no bot is, the first."""
        return 0 if guild is None or not guild.has_bot else (guild.id >> 22) % self.world.shards

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection, from HELLO to its end."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": HEARTBEAT_MS}})
        session: Session | None = None
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            message = json.loads(frame.data)
            if message["op"] == 1:
                await socket.send_json({"op": 11})
            elif message["op"] == 2:
                session = await self._identify(socket, message["d"])
            elif message["op"] == 6:
                session = await self._resume(socket, message["d"])
            elif message["op"] == 4 and session is not None:
                await self.world.voice.on_state(session, message["d"])
        if session is not None and session.socket is socket:
            session.socket = None
            await self.world.notify()
        return socket

    async def _identify(self, socket: web.WebSocketResponse, body: dict[str, Any]) -> Session | None:
        if body["token"] != self.world.token:
            await socket.close(code=4004, message=b"Authentication failed.")
            return None
        shard = body.get("shard", [0, 1])
        session = Session(str(snowflake()), shard, socket, intents=body["intents"])
        self.sessions[session.id] = session
        self.identified.append(body)
        guilds = [guild for guild in self.world.guilds if guild.has_bot and self.shard_of(guild) == shard[0]]
        ready = {
            "v": 10,
            "user": self.world.bot.payload(),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "shard": shard,
            "application": {"id": str(self.world.bot.id), "flags": 0},
        }
        await self.dispatch(session, "READY", ready)
        for guild in guilds:
            await self.dispatch(session, "GUILD_CREATE", guild.payload(self.world.bot))
        await self.world.notify()
        return session

    async def _resume(self, socket: web.WebSocketResponse, body: dict[str, Any]) -> Session | None:
        session = self.sessions.get(body["session_id"])
        if session is None or not session.resumable:
            await socket.send_json({"op": 9, "d": False})
            return None
        session.socket = socket
        for event in session.sent:
            if event["s"] > body["seq"]:
                await socket.send_json(event)
        await self.dispatch(session, "RESUMED", {})
        self.resumed += 1
        await self.world.notify()
        return session
