"""What stands between somebody and music in a voice channel."""

from collections.abc import Sequence

from generation.errors import RiffError


class VoiceRefused(RiffError):
    """Music cannot be played, or not be controlled, by this person in this place."""


class ServerNeeded(VoiceRefused):
    """Voice channels and soundboards are on servers that the bot is a member of."""

    def __init__(self) -> None:
        super().__init__(
            "Voice channels and soundboards are on servers that I am a member of: use this there."
        )


class NotInVoice(VoiceRefused):
    """The person is in no voice channel."""

    def __init__(self) -> None:
        super().__init__("Join a voice channel of this server first: the music plays where you are.")


class ElsewhereInVoice(VoiceRefused):
    """The music plays for others."""

    def __init__(self, channel: str) -> None:
        super().__init__(f"The music plays in {channel}: join that channel to have a say in it.")


class NoStage(VoiceRefused):
    """Stages have speakers whom a moderator lets up."""

    def __init__(self) -> None:
        super().__init__("I do not play on stages: join a voice channel.")


class VoiceForbidden(VoiceRefused):
    """The bot lacks permissions in the channel."""

    def __init__(self, channel: str, missing: Sequence[str]) -> None:
        super().__init__(
            f"I may not play in {channel}: in its permissions, an admin has to allow me {' and '.join(missing)}."
        )


class ChannelFull(VoiceRefused):
    """As many people are in the channel as it takes."""

    def __init__(self, channel: str) -> None:
        super().__init__(f"There is no room for me in {channel}: an admin can raise its user limit.")


class VoiceUnreachable(VoiceRefused):
    """Discord's voice server did not answer."""

    def __init__(self) -> None:
        super().__init__("Discord's voice server does not answer: try again in a minute.")


class NothingPlays(VoiceRefused):
    """There is no music to control, perhaps since the bot was restarted."""

    def __init__(self) -> None:
        super().__init__("Nothing plays on this server: start with /play or /jam.")


class NothingWaits(VoiceRefused):
    """There is nothing to skip to."""

    def __init__(self) -> None:
        super().__init__(
            "Nothing else is ready to be played: add something with /play, or end with /voice stop."
        )


class QueueFull(VoiceRefused):
    """As much waits as may wait."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} loops wait already: skip some first.")


class NoLoopYet(VoiceRefused):
    """Nothing was named, and there is nothing to take."""

    def __init__(self) -> None:
        super().__init__("There is no loop here yet that could be played: make one with /riff.")


class JamSettled(VoiceRefused):
    """Tempo, key and length are those that the jam began with."""

    def __init__(self) -> None:
        super().__init__(
            "The jam has its tempo, key and length already: give only words, or /voice stop first."
        )


class ExpressionsForbidden(VoiceRefused):
    """Somebody who is needed for a new sound on the soundboard may not make one."""

    def __init__(self, who: str) -> None:
        super().__init__(
            f"{who} may not add sounds to this server: an admin has to allow Create Expressions in the role settings."
        )


class SoundboardFull(VoiceRefused):
    """The server has as many sounds as it may have."""

    def __init__(self) -> None:
        super().__init__(
            "The soundboard of this server is full: delete a sound in the server settings, or boost."
        )
