"""`riff bot` with discord.py pointed at a fake Discord: `python -m tests.fakes.discord.client URL`."""

import sys

import discord.http
import yarl
from discord.gateway import DiscordWebSocket

from bot import client


def point_at(url: str) -> None:
    """Make the unmodified discord.py speak to the fake at `url` instead of discord.com."""
    discord.http.Route.BASE = f"{url}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"{url}/gateway/".replace("http", "ws", 1))


if __name__ == "__main__":
    point_at(sys.argv[1])
    client.main()
