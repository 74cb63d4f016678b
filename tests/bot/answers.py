"""Messages of the bot's as tests need them: one with buttons under any loop, and what an interaction was answered."""

from market.catalog.models import Loop
from tests.fakes.discord import Channel, FakeDiscord, Interaction, Message


def under(fake: FakeDiscord, loop: Loop | str, *names: str, channel: Channel | None = None) -> Message:
    """A message of the bot's with buttons for these actions on a loop."""
    loop_id = loop if isinstance(loop, str) else loop.id
    message = Message(channel or fake.channel, fake.bot)
    buttons = [
        {"type": 2, "style": 2, "label": name, "custom_id": f"riff:{name}:{loop_id}"} for name in names
    ]
    rows = [{"type": 1, "components": buttons[first : first + 5]} for first in range(0, len(buttons), 5)]
    message.change({"components": rows}, {}, fake.url)
    message.channel.messages[message.id] = message
    return message


async def told(fake: FakeDiscord, interaction: Interaction) -> Message:
    """The message that an interaction was answered with, once it says something."""

    def answer() -> Message | None:
        for message in (*interaction.followups, interaction.message):
            if message is None or message is interaction.source or message.deleted:
                continue
            if message.versions and not message.loading:
                return message
        return None

    found: Message = await fake.until(answer, "an answer")
    return found
