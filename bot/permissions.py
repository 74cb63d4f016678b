"""What the bot has to be allowed on a server, by what it asks of Discord there."""

import re

from discord import Permissions

from market.language import say

POSTING = Permissions(
    view_channel=True, send_messages=True, send_messages_in_threads=True, embed_links=True, attach_files=True
)
READING = Permissions(view_channel=True, read_message_history=True)
PLAYING = Permissions(view_channel=True, connect=True, speak=True)
VOICE_MESSAGES = Permissions(send_voice_messages=True)
SOUNDBOARD = Permissions(create_expressions=True)
# The integer of the link that adds the bot to a server.
EVERYTHING = POSTING | READING | PLAYING | VOICE_MESSAGES | SOUNDBOARD

# By the request's method and path; what is none of these posts something.
_BY_REQUEST = (
    (re.compile(r"POST .*/guilds/\d+/soundboard-sounds"), SOUNDBOARD),
    (re.compile(r"GET .*/channels/\d+/messages.*"), READING),
)
# As Discord's own settings call them.
_NAMES = {
    "view_channel": "View Channels",
    "send_messages": "Send Messages",
    "send_messages_in_threads": "Send Messages in Threads",
    "embed_links": "Embed Links",
    "attach_files": "Attach Files",
    "read_message_history": "Read Message History",
    "connect": "Connect",
    "speak": "Speak",
    "send_voice_messages": "Send Voice Messages",
    "create_expressions": "Create Expressions",
}


def needed_for(method: str, path: str) -> Permissions:
    """What a request to Discord needs."""
    request = f"{method} {path}"
    return next((needed for pattern, needed in _BY_REQUEST if pattern.fullmatch(request)), POSTING)


def missing(needed: Permissions, given: Permissions) -> Permissions:
    """Those of the needed permissions that are not given."""
    return Permissions.none() if given.administrator else needed & ~given


def listed(language: str, permissions: Permissions) -> str:
    """Permissions by their names, for a sentence; empty for none."""
    names = [f"“{say(language, name)}”" for flag, name in _NAMES.items() if getattr(permissions, flag)]
    if len(names) < 2:
        return "".join(names)
    return say(language, "{names} and {last}", names=", ".join(names[:-1]), last=names[-1])
