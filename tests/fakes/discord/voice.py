"""Voice: who is in which channel, the voice websocket (v8), and the UDP side, which keeps what the bot plays.

What arrives is decrypted as a voice server does it (aead_xchacha20_poly1305_rtpsize) and, in an end-to-end encrypted
call, as a listener does (DAVE 1), so that tests hear what people would.
"""

import asyncio
import base64
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import av
import nacl.secret
import numpy as np
from aiohttp import WSMsgType, web
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from tests.fakes.discord.dave import Call
from tests.fakes.discord.faults import Refusal
from tests.fakes.discord.gateway import Session
from tests.fakes.discord.world import Channel, Guild, User, member, snowflake

if TYPE_CHECKING:
    from tests.fakes.discord.server import FakeDiscord

VOICE_STATES_INTENT = 1 << 7
CONNECT, CREATE_EXPRESSIONS = 1 << 20, 1 << 43
MODE = "aead_xchacha20_poly1305_rtpsize"
HEADER, NONCE, DISCOVERY = 12, 4, 74
SILENCE = b"\xf8\xff\xfe"
DAVE_MARK = b"\xfa\xfa"
FRAME, RATE = 960, 48_000
# What an Opus decoder gives before the first sample that the encoder was given.
LOOKAHEAD = 312
KEY_PACKAGE, PROPOSALS, COMMIT_WELCOME, ANNOUNCE, EXTERNAL_SENDER = 26, 27, 28, 29, 25
TRANSITION = 7
REPORT_EVERY = 50


@dataclass(frozen=True)
class Packet:
    """One packet as it came: RTP's numbers, the Opus frame, and whether that was end-to-end secret."""

    sequence: int
    timestamp: int
    opus: bytes
    secret: bool


@dataclass(eq=False)
class Line:
    """The bot's connection to the voice server of one guild, and all that came over it."""

    guild: Guild
    channel: Channel
    session_id: str
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    ssrc: int = field(default_factory=lambda: snowflake() % (1 << 31))
    socket: web.WebSocketResponse | None = None
    identity: dict[str, Any] = field(default_factory=dict)
    call: Call | None = None
    encrypted: bool = False
    speaking: list[int] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)

    @property
    def music(self) -> list[Packet]:
        """The packets without the silence that is sent when a player stops."""
        return [packet for packet in self.packets if packet.opus != SILENCE]

    def heard(self, start: int = 0) -> NDArray[np.float32]:
        """What people heard from packet `start` on, (samples, 2) at 48 kHz."""
        decoder = av.CodecContext.create("libopus", "r")
        assert isinstance(decoder, AudioCodecContext)
        decoder.sample_rate, decoder.layout = RATE, "stereo"
        decoder.open()
        frames = [
            frame.to_ndarray().reshape(-1, 2)
            for packet in self.music[start:]
            for frame in decoder.decode(av.Packet(packet.opus))
        ]
        return np.asarray(np.concatenate(frames)[LOOKAHEAD:], np.float32) / np.float32(32768)


class Voice:
    """The voice side of the fake Discord `world`.

    `dave` is the newest protocol version that it speaks, 0 is none; `sounds` are the names and files of the soundboard.
    """

    def __init__(self, world: "FakeDiscord") -> None:
        self.world = world
        self.dave = 0
        self.lines: list[Line] = []
        self.listener = User("listener")
        self.sounds: list[tuple[str, bytes]] = []
        self.slots = 8
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, app: web.Application) -> None:
        """Serve on loopback: the websocket with the rest of `app`, UDP on a port of its own."""
        app.router.add_get("/voice/", self._serve)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=("127.0.0.1", 0)
        )

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    # What a test does.

    @property
    def line(self) -> Line:
        """The newest connection."""
        return self.lines[-1]

    def where(self, user: User, guild: Guild | None = None) -> int | None:
        """The id of the voice channel that somebody is in."""
        states = (guild or self.world.guild).voice_states
        return next((int(s["channel_id"]) for s in states if s["user_id"] == str(user.id)), None)

    async def join(self, user: User, channel: Channel) -> None:
        """Somebody comes into a voice channel, from wherever they were."""
        assert channel.guild is not None
        await self._place(user, channel.guild, channel, f"session-{user.id}")

    async def leave(self, user: User, guild: Guild | None = None) -> None:
        """Somebody hangs up."""
        await self._place(user, guild or self.world.guild, None, f"session-{user.id}")

    async def throw_out(self) -> None:
        """A moderator disconnects the bot."""
        line = self.line
        await self._place(self.world.bot, line.guild, None, line.session_id)
        assert line.socket is not None
        await line.socket.close(code=4014)

    async def crash(self) -> None:
        """The voice server goes away; the client looks for another one."""
        assert self.line.socket is not None
        await self.line.socket.close(code=4000)

    async def plays(self, seconds: float) -> Line:
        """Wait until so much more music has come over the newest connection."""
        wanted = len(self.line.music) + round(seconds * RATE / FRAME)
        await self.world.until(lambda: len(self.line.music) >= wanted, f"{seconds} s of music")
        return self.line

    def create_sound(self, guild_id: str, *, body: Any, **_: Any) -> tuple[int, Any]:
        """A new sound for a server's soundboard."""
        guild = next(guild for guild in self.world.guilds if str(guild.id) == guild_id)
        if not guild.bot_permissions & CREATE_EXPRESSIONS:
            raise Refusal(403, 50013, "Missing Permissions")
        if len(self.sounds) >= self.slots:
            raise Refusal(400, 30045, "Maximum number of soundboard sounds reached")
        head, _, encoded = body["sound"].partition(",")
        content = base64.b64decode(encoded, validate=True)
        if head not in ("data:audio/mpeg;base64", "data:audio/ogg;base64") or len(content) > 512 * 1024:
            raise Refusal(400, 50035, "Invalid Form Body")
        self.sounds.append((body["name"], content))
        return 201, {
            "name": body["name"],
            "sound_id": str(snowflake()),
            "volume": body["volume"],
            "emoji_id": None,
            "emoji_name": body.get("emoji_name"),
            "guild_id": guild_id,
            "available": True,
            "user": self.world.bot.payload(),
        }

    # The gateway's part.

    async def on_state(self, session: Session, body: dict[str, Any]) -> None:
        """The bot asks to join, move or leave (opcode 4)."""
        guild = next(guild for guild in self.world.guilds if guild.id == int(body["guild_id"]))
        if body["channel_id"] is None:
            await self._place(self.world.bot, guild, None, session.id)
            return
        channel = next(channel for channel in guild.channels if channel.id == int(body["channel_id"]))
        # Discord says nothing at all to a bot that may not.
        if not guild.bot_permissions & CONNECT:
            return
        line = Line(guild, channel, session.id)
        self.lines.append(line)
        await self._place(self.world.bot, guild, channel, session.id)
        endpoint = f"{self.world.url.removeprefix('http://')}/voice"
        data = {"token": line.token, "guild_id": str(guild.id), "endpoint": endpoint}
        await self.world.gateway.dispatch(session, "VOICE_SERVER_UPDATE", data)

    async def _place(self, user: User, guild: Guild, channel: Channel | None, session_id: str) -> None:
        guild.voice_states = [s for s in guild.voice_states if s["user_id"] != str(user.id)]
        state = {
            "channel_id": None if channel is None else str(channel.id),
            "user_id": str(user.id),
            "session_id": session_id,
            "member": member(user),
            **dict.fromkeys(("deaf", "mute", "self_deaf", "self_mute", "self_video", "suppress"), False),
            "request_to_speak_timestamp": None,
        }
        if channel is not None:
            guild.voice_states.append(state)
        if self.world.gateway.sessions:
            data = {**state, "guild_id": str(guild.id)}
            await self.world.gateway.tell(guild, "VOICE_STATE_UPDATE", data, VOICE_STATES_INTENT)
        await self.world.notify()

    # The voice server.

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        assert request.query["v"] == "8"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 8, "d": {"v": 8, "heartbeat_interval": 13_750}})
        line: Line | None = None
        async for frame in socket:
            if frame.type is WSMsgType.BINARY and line is not None:
                await self._on_binary(line, frame.data[0], frame.data[1:])
            elif frame.type is WSMsgType.TEXT:
                message = json.loads(frame.data)
                if message["op"] == 0:
                    line = await self._identify(socket, message["d"])
                elif message["op"] == 3:
                    await socket.send_json({"op": 6, "d": {"t": message["d"]["t"]}})
                elif line is not None:
                    await self._on_message(line, message["op"], message["d"])
            await self.world.notify()
        return socket

    async def _identify(self, socket: web.WebSocketResponse, body: dict[str, Any]) -> Line | None:
        asked = (body["server_id"], body["token"], body["session_id"])
        line = next((li for li in self.lines if (str(li.guild.id), li.token, li.session_id) == asked), None)
        if line is None or body["user_id"] != str(self.world.bot.id):
            await socket.close(code=4004, message=b"Authentication failed.")
            return None
        assert self._transport is not None
        line.socket, line.identity = socket, body
        _, port = self._transport.get_extra_info("sockname")
        data = {
            "ssrc": line.ssrc,
            "ip": "127.0.0.1",
            "port": port,
            "modes": ["aead_aes256_gcm_rtpsize", MODE],
        }
        await socket.send_json({"op": 2, "d": data, "seq": 0})
        return line

    async def _on_message(self, line: Line, op: int, body: dict[str, Any]) -> None:
        assert line.socket is not None
        if op == 1:
            assert body["data"]["mode"] == MODE, body
            version = min(self.dave, line.identity.get("max_dave_protocol_version", 0))
            data = {"mode": MODE, "secret_key": list(line.key), "dave_protocol_version": version}
            await line.socket.send_json({"op": 4, "d": data, "seq": 1})
            if version:
                line.call = Call(line.channel.id, self.listener.id)
                await _send_binary(line, EXTERNAL_SENDER, line.call.external_sender)
        elif op == 5:
            line.speaking.append(body["speaking"])
        elif op == 23:
            await line.socket.send_json({"op": 22, "d": {"transition_id": body["transition_id"]}, "seq": 5})
            line.encrypted = True

    async def _on_binary(self, line: Line, op: int, body: bytes) -> None:
        """The part of DAVE that a voice server has: it passes on what it cannot read."""
        assert line.call is not None
        if op == KEY_PACKAGE:
            await _send_binary(line, PROPOSALS, line.call.proposals())
        elif op == COMMIT_WELCOME:
            commit = line.call.admit(body)
            await _send_binary(line, ANNOUNCE, struct.pack(">H", TRANSITION) + commit)

    def received(self, data: bytes, address: Any) -> None:
        """A datagram: IP discovery, or sound."""
        if data[:2] == b"\x00\x01" and len(data) == DISCOVERY:
            ip, port = address
            ssrc = data[4:8]
            answer = struct.pack(">HH", 2, 70) + ssrc + ip.encode().ljust(64, b"\0") + struct.pack(">H", port)
            assert self._transport is not None
            self._transport.sendto(answer, address)
            return
        _, kind, sequence, timestamp, ssrc = struct.unpack(">BBHII", data[:HEADER])
        line = next(line for line in self.lines if line.ssrc == ssrc)
        assert kind == 0x78
        nonce = data[-NONCE:].ljust(24, b"\0")
        opus = nacl.secret.Aead(line.key).decrypt(data[HEADER:-NONCE], data[:HEADER], nonce)
        secret = line.call is not None and opus.endswith(DAVE_MARK)
        if secret:
            assert line.call is not None
            opus = line.call.decrypt(self.world.bot.id, opus)
        elif line.encrypted and opus != SILENCE:
            raise ValueError("an encrypted call heard a packet that is not")
        line.packets.append(Packet(sequence, timestamp, opus, secret))
        if len(line.packets) % REPORT_EVERY == 1:
            # A receiver report; nothing else wakes a client's thread that reads from its socket.
            assert self._transport is not None
            self._transport.sendto(struct.pack(">BBHI", 0x80, 201, 1, line.ssrc), address)
        self._noticed = asyncio.ensure_future(self.world.notify())


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def datagram_received(self, data: bytes, addr: Any) -> None:
        try:
            self._voice.received(data, addr)
        except Exception as problem:  # asyncio would only log it
            self._voice.world.violations.append(f"voice: {problem!r}")


async def _send_binary(line: Line, op: int, body: bytes) -> None:
    assert line.socket is not None
    await line.socket.send_bytes(struct.pack(">HB", 2, op) + body)
