"""`riff bot` with discord.py pointed at a fake Discord: `python -m tests.fakes.discord.client URL`."""

import sys
from typing import Any

import discord.http
import yarl
from discord.gateway import DiscordWebSocket

from bot import client


def point_at(url: str) -> None:
    """Make the unmodified discord.py speak to the fake at `url` instead of discord.com."""
    discord.http.Route.BASE = f"{url}/api/v10"
    discord.Asset.BASE = url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"{url}/gateway/".replace("http", "ws", 1))
    connect = discord.http.HTTPClient.ws_connect

    # The client writes wss:// before the voice server that it is told of, and the fake has no certificate.
    async def connect_plainly(self: discord.http.HTTPClient, url: str, **more: Any) -> Any:
        return await connect(self, url.replace("wss://127.", "ws://127."), **more)

    discord.http.HTTPClient.ws_connect = connect_plainly


if __name__ == "__main__":
    point_at(sys.argv[1])
    client.main()
