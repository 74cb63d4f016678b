"""What moderation has decided about a subject, for the nouns that it belongs to."""

from sqlalchemy.ext.asyncio import AsyncSession

from market.moderation import repository


async def is_down(session: AsyncSession, subject: str) -> bool:
    """Whether a subject ("collection:…") was taken down and not brought back: who made it must not show it again."""
    return await repository.is_down(session, subject)
