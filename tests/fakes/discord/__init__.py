"""A Discord on loopback: gateway and REST, close enough that the unmodified discord.py client cannot tell."""

from tests.fakes.discord.faults import Fault
from tests.fakes.discord.openapi import Specification, document_path
from tests.fakes.discord.server import FakeDiscord
from tests.fakes.discord.world import Channel, Guild, Interaction, Message, User

__all__ = [
    "Channel",
    "FakeDiscord",
    "Fault",
    "Guild",
    "Interaction",
    "Message",
    "Specification",
    "User",
    "document_path",
]
